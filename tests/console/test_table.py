"""The table model: order, sort, filter, tree, marks, and a cursor that stays on its row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.filter import FilterError, Value
from console.table import TableModel
from console.table_rows import Column, Row, fit_columns

COLUMNS = (
    Column(name="name", title="NAME", width=6, grow=1),
    Column(name="size", title="SIZE", width=6, right=True, unit="bytes"),
    Column(name="note", title="NOTE", width=8, priority=2),
)


def row(key: str, size: Value = 0, note: str = "", parent: str = "") -> Row:
    return Row(key=key, cells=(key, str(size), note), values=(key, size, note), parent=parent)


def table(*rows: Row, sort: str = "", descending: bool = False) -> TableModel:
    model = TableModel(COLUMNS, sort=sort, descending=descending)
    model.put(rows)
    model.arrange()
    return model


SIZES = st.one_of(st.none(), st.integers(-(10**12), 10**12))
ROWS = st.lists(
    st.tuples(st.from_regex(r"[a-z]{1,4}", fullmatch=True), SIZES), max_size=30, unique_by=lambda pair: pair[0]
).map(lambda pairs: [row(key, size) for key, size in pairs])


@given(ROWS, st.booleans())
def test_sorting_is_by_number_stable_and_puts_the_unknown_last(rows: list[Row], descending: bool) -> None:
    model = table(*rows)
    model.sort_by("size", descending=descending)
    known = [r for r in rows if r.values[1] is not None]
    known.sort(key=lambda r: int(str(r.values[1])), reverse=descending)
    blank = [r for r in rows if r.values[1] is None]
    assert model.order == [r.key for r in (*known, *blank)]


@given(ROWS)
def test_sorting_by_no_column_is_the_order_of_coming(rows: list[Row]) -> None:
    model = table(*rows, sort="name")
    model.sort_by("")
    assert model.order == [r.key for r in rows]


@given(ROWS, st.data())
def test_the_cursor_stays_on_its_row_however_rows_come_go_and_change(rows: list[Row], data: st.DataObject) -> None:
    model = table(*rows, sort="size")
    if not rows:
        assert model.cursor is None
        return
    kept = data.draw(st.sampled_from(model.order))
    model.select(kept)
    gone = data.draw(st.sets(st.sampled_from(model.order))) - {kept}
    model.remove(gone)
    model.put(
        [row("zz" + key, size) for key, size in data.draw(st.dictionaries(st.text("ab", max_size=2), SIZES)).items()]
    )
    model.put([row(key, data.draw(SIZES)) for key in list(model.rows) if key != kept][:5])
    model.sort_by("size", descending=data.draw(st.booleans()))
    assert model.cursor == kept
    assert model.at(model.place).key == kept


@given(ROWS, st.data())
def test_a_removed_cursor_goes_to_its_neighbour(rows: list[Row], data: st.DataObject) -> None:
    model = table(*rows, sort="name")
    if not rows:
        return
    before = list(model.order)
    place = data.draw(st.integers(0, len(before) - 1))
    model.select(before[place])
    model.remove([before[place]])
    expected = before[place + 1] if place + 1 < len(before) else before[place - 1] if place else None
    assert model.cursor == expected


@given(ROWS, st.lists(st.tuples(st.sampled_from("pra"), st.text("abc", min_size=1, max_size=2), SIZES), max_size=20))
def test_index_and_order_agree_after_any_sequence(rows: list[Row], steps: list[tuple[str, str, int | None]]) -> None:
    model = table(*rows)
    for verb, key, size in steps:
        if verb == "p":
            model.put([row(key, size)])
        elif verb == "r":
            model.remove([key])
        else:
            model.arrange()
        assert dict(model.index) == {k: place for place, k in enumerate(model.order)}
        assert set(model.order) <= set(model.rows)
        assert (model.cursor is None) == (not model.order) or model.stale
    model.arrange()
    assert set(model.order) == set(model.rows)


def test_appending_in_natural_order_needs_no_arranging() -> None:
    model = table(row("a"), row("b"))
    model.put([row("c")])
    assert model.order == ["a", "b", "c"]
    assert not model.stale


def test_a_change_that_does_not_touch_the_sort_key_leaves_the_order_alone() -> None:
    model = table(row("a", 1), row("b", 2), sort="size")
    assert model.put([row("a", 1, "new")]) == {"a"}
    assert not model.stale
    model.put([row("a", 3)])
    assert model.stale
    assert model.arrange()
    assert model.order == ["b", "a"]


def test_a_filter_hides_rows_and_a_bad_one_leaves_the_last_good_one() -> None:
    model = table(row("apple", 5), row("pear", 50), row("fig", 500))
    model.filter_by("size>10")
    assert model.order == ["pear", "fig"]
    with pytest.raises(FilterError):
        model.filter_by("re:[")
    assert model.order == ["pear", "fig"]
    assert model.filter.text == "size>10"
    model.put([row("plum", 60), row("pear", 1)])
    model.arrange()
    assert model.order == ["fig", "plum"]
    model.filter_by("")
    assert model.order == ["apple", "pear", "fig", "plum"]


def test_a_cursor_that_the_filter_hides_goes_to_the_nearest_shown_row() -> None:
    model = table(row("a", 1), row("b", 20), row("c", 3), row("d", 40))
    model.select("c")
    model.filter_by("size>10")
    assert model.cursor == "d"


def test_rows_hang_under_their_parents_and_fold() -> None:
    model = table(
        row("a"), row("a2", parent="a"), row("b"), row("a1", parent="a"), row("a11", parent="a1"), sort="name"
    )
    assert model.order == ["a", "a1", "a11", "a2", "b"]
    assert [model.depth(key) for key in model.order] == [0, 1, 2, 1, 0]
    assert model.has_children("a1")
    assert not model.has_children("b")
    model.select("a11")
    assert model.fold("a", closed=True)
    assert model.order == ["a", "b"]
    assert not model.fold("b", closed=True)
    model.filter_by("a11")
    assert model.order == ["a", "a1", "a11"]
    model.filter_by("")
    assert model.fold("a", closed=False)
    assert len(model.order) == 5


def test_a_ring_of_parents_and_a_parent_that_is_missing_hide_nothing() -> None:
    model = table(row("a", parent="b"), row("b", parent="a"), row("c", parent="nowhere"), row("d", parent="d"))
    assert sorted(model.order) == ["a", "b", "c", "d"]


def test_marks() -> None:
    model = table(*(row(key) for key in "abcde"))
    assert [r.key for r in model.targets()] == ["a"]
    model.select("b")
    model.toggle_mark()
    model.select("d")
    model.mark_range()
    assert [r.key for r in model.targets()] == ["b", "c", "d"]
    model.remove(["c"])
    model.invert_marks()
    assert [r.key for r in model.targets()] == ["a", "e"]
    model.mark_all()
    assert len(model.targets()) == 4
    model.mark_all()
    assert not model.marks.keys
    model.toggle_mark()
    assert model.clear_marks()
    assert not model.clear_marks()


def test_replace_keeps_unchanged_rows_as_they_are_and_takes_the_new_order() -> None:
    model = table(row("a"), row("b"), row("c"))
    before = model.rows["b"]
    model.replace([row("c"), row("b"), row("d")])
    model.arrange()
    assert model.order == ["c", "b", "d"]
    assert model.rows["b"] is before
    assert model.cursor == "b"


def test_trim_takes_the_oldest() -> None:
    model = table(*(row(key) for key in "abcde"))
    assert model.trim(3)
    assert model.order == ["c", "d", "e"]
    assert not model.trim(3)


def test_moving_stops_at_the_ends() -> None:
    model = table(*(row(key) for key in "abc"))
    assert model.move_to(99)
    assert model.cursor == "c"
    assert not model.move_to(5)
    assert model.move_to(-3)
    assert model.cursor == "a"
    assert not model.select("zz")


@given(st.integers(0, 200))
def test_columns_fit_and_the_first_two_never_go(width: int) -> None:
    fitted = fit_columns(COLUMNS, width)
    places = [place for place, _ in fitted]
    assert places[:2] == [0, 1]
    need = 6 + 1 + 6
    if width >= need:
        assert sum(w for _, w in fitted) + len(fitted) - 1 <= max(width, need)
        assert sum(w for _, w in fitted) + len(fitted) - 1 == width
    if width >= need + 1 + 8:
        assert places == [0, 1, 2]


def test_no_such_column() -> None:
    with pytest.raises(KeyError):
        table().sort_by("nothing")
