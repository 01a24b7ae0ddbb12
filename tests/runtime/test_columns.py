"""Rows whose columns hold what nobody wrote there."""

import pytest

from runtime.columns import Columns, RowDamagedError

THINGS = Columns("things", {"room": str, "name": str, "count": int, "sealed": bytes}, key=2, hint="make it anew")


def test_a_row_of_the_declared_types_is_passed_on() -> None:
    assert THINGS.checked(("r", "n", 1, b"x")) == ("r", "n", 1, b"x")
    assert THINGS.names == "room, name, count, sealed"


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (("r", "n", "x", b""), "row r:n: `count` holds a text, not a whole number; make it anew"),
        (("r", "n", 1.5, b""), "row r:n: `count` holds a fraction, not a whole number; make it anew"),
        (("r", "n", None, b""), "row r:n: `count` holds nothing, not a whole number; make it anew"),
        (("r", "n", 1, "x"), "row r:n: `sealed` holds a text, not bytes; make it anew"),
        (("r", b"n", 1, b""), "row r:b'n': `name` holds bytes, not a text; make it anew"),
        (("r\x1b[2J", "n", 1, 0), "row r\\x1b[2J:n: `sealed` holds a whole number, not bytes; make it anew"),
    ],
)
def test_another_type_names_table_row_and_column(row: tuple[object, ...], line: str) -> None:
    with pytest.raises(RowDamagedError) as caught:
        THINGS.checked(row)
    assert str(caught.value) == f"the database is damaged: table `things`, {line}"
