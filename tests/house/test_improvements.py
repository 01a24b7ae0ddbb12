"""Each of the 45 things that rooms and agents do better than the original has a test that is named after it."""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "better-than-the-original.md"
IMPROVEMENTS = range(1, 46)

NAMED = re.compile(r"test_((?:w\d+_)+)")
LINK = re.compile(r"\[`(test_\w+)`\]\(\.\./\.\./(tests/[\w/]+\.py)\)")


def numbered() -> dict[int, set[tuple[str, str]]]:
    """File and name of the tests of each improvement; one may be of several, `test_w1_w35_…`."""
    found: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (named := NAMED.match(node.name)):
                for number in re.findall(r"w(\d+)_", named[1]):
                    found[int(number)].add((str(path.relative_to(ROOT)), node.name))
    return found


def rows() -> dict[int, str]:
    """The rows of the page, by number."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return {int(row[1]): line for line in lines if (row := re.match(r"\| W(\d+) \|", line))}


def test_each_improvement_has_tests_of_its_name_and_no_test_names_another() -> None:
    assert set(numbered()) == set(IMPROVEMENTS)


def test_the_page_has_a_row_for_each_that_leads_to_its_tests() -> None:
    tests = numbered()
    assert list(rows()) == list(IMPROVEMENTS)
    for number, row in rows().items():
        linked = {(path, name) for name, path in LINK.findall(row)}
        assert linked, f"W{number} leads to no test"
        assert linked <= tests[number], f"W{number} leads to what is not there"
