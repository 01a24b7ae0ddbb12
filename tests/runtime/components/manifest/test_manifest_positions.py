"""Where keys stand: every path of a document has the line on which it is written."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.components.manifest.faults import KeyPath, spoken
from runtime.components.manifest.positions import scan

DOCUMENT = '''\
# a comment [x]
a = 1 # = 2
"b c" = "x # [y]"
'd.e' = """
several = 1
lines ""\\""""
f.g."h" = [ # list
  1,
  [ "]", ']' ],
  { x = 1, y.z = 2 },
]
t = 1979-05-27 07:32:00
[table]
k = \'\'\'
[no]
\'\'\'
[[list]]
n = 1
[list.sub]
n = 2
[[list]]
n = 3
[[list.inner]]
n = 4
'''


def paths(value: object, path: KeyPath = ()) -> list[KeyPath]:
    """Every path of a document."""
    if isinstance(value, dict):
        found = [((*path, key), item) for key, item in value.items()]
    elif isinstance(value, list):
        found = [((*path, index), item) for index, item in enumerate(value)]
    else:
        return []
    return [one for below, item in found for one in (below, *paths(item, below))]


def test_every_path_has_its_line() -> None:
    found = scan(DOCUMENT, 9)
    assert set(found.lines) == set(paths(tomllib.loads(DOCUMENT)))
    expected = {
        ("a",): 2, ("b c",): 3, ("d.e",): 4, ("f", "g", "h"): 7, ("f", "g", "h", 0): 8, ("f", "g", "h", 1, 1): 9,
        ("f", "g", "h", 2, "y", "z"): 10, ("t",): 12, ("table", "k"): 14, ("list", 0, "n"): 18,
        ("list", 0, "sub", "n"): 20, ("list", 1, "n"): 22, ("list", 1, "inner", 0, "n"): 24,
    }  # fmt: skip
    assert {path: found.lines[path] for path in expected} == expected
    assert found.twice is None


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        ("a = 1\na = 2\n", (("a",), 2, 1)),
        ("a.b = 1\n\na.b = 2\n", (("a", "b"), 3, 1)),
        ("[t]\nx = 1\n[t]\n", (("t",), 3, 1)),
        ("x = {a = 1, a = 2}\n", (("x", "a"), 1, 1)),
        ("a = 1\n[a]\n", (("a",), 2, 1)),
        ("[[a]]\nb = 1\n[[a]]\nb = 1\nb = 2\n", (("a", 1, "b"), 5, 4)),
    ],
)
def test_what_is_given_twice_is_found(text: str, twice: tuple[KeyPath, int, int]) -> None:
    assert scan(text, 9).twice == twice


def test_the_nearest_table_stands_for_what_is_not_there() -> None:
    found = scan("[a.b]\nc = 1\n", 9)
    assert (found.line(("a", "b", "x", 0)), found.line(("z",))) == (1, 1)


@pytest.mark.parametrize(("text", "line"), [("\na = [[[[1]]]]", 2), ("a.b.c.d.e = 1", 1), ("\n\n[a.b.c.d.e]", 3)])
def test_too_deep_is_found_with_its_line(text: str, line: int) -> None:
    assert scan(text, 4).too_deep == line
    assert scan(text, 5).too_deep is None


@given(st.text("ab.[]{}=\"'#,\n 1\\", max_size=60))
def test_any_text_is_scanned(text: str) -> None:
    found = scan(text, 5)
    assert all(line >= 1 and spoken(path) for path, line in found.lines.items())
