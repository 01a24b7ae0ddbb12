"""What the documents claim: links lead somewhere, commands and events exist, the changelog parses, no foreign paths."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from console.registry import COMMANDS, GROUPS
from console.setting_key import Unit
from console.settings import KEYS
from runtime.codec import event_types
from runtime.components.bindings.operations import OPERATIONS
from runtime.jobs.ending import STATES
from runtime.jobs.limits import CEILINGS, LIMITS, JobLimits
from runtime.jobs.queue import QueueLimits
from runtime.quantities import format_duration_ms, format_size

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md"))
NOT_YET = {"docs/reference/contracts.md"}
"""Pages that name what later versions bring."""

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"```(?:text|console|sh)\n(.*?)```|`([^`\n]+)`", re.DOTALL)
COMMAND = re.compile(r"\borlop ([a-z]+)(?: ([a-z]+))?")


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_and_anchor_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if link.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    if str(page.relative_to(ROOT)) in NOT_YET:
        return
    code = "\n".join(block or inline for block, inline in CODE.findall(page.read_text()))
    for first, second in COMMAND.findall(code):
        if first in GROUPS:
            assert not second or f"{first} {second}" in COMMANDS, f"orlop {first} {second}"
        else:
            assert first == "help" or first in COMMANDS, f"orlop {first}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_event_type_that_a_page_names_exists(page: Path) -> None:
    if str(page.relative_to(ROOT)) in NOT_YET:
        return
    subjects = {name.split(".")[0] for name in event_types()}
    for name in re.findall(r"`([a-z]+\.[a-z]+)`", page.read_text()):
        if name.split(".")[0] in subjects and not name.endswith((".py", ".key", ".md", ".toml", ".wasm", ".json")):
            assert name in event_types() or name in KEYS, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_a_page_links_exists(page: Path) -> None:
    for name, path in re.findall(r"\[`(test_\w+)`\]\(([^)\s]+)\)", page.read_text()):
        source = (page.parent / path).resolve().read_text()
        assert re.search(rf"^ *(async )?def {name}\(", source, re.MULTILINE), f"{path}: {name}"


@pytest.mark.parametrize(
    ("page", "many"),
    [
        ("jobs-and-receipts", 30), ("agent-trust", 15), ("life-of-rooms", 20), ("encrypted-rooms", 35),
        ("discovery", 25), ("peers", 60), ("components", 30), ("booting", 50),
    ],
)  # fmt: skip
def test_a_threat_model_links_a_test_for_each_claim(page: str, many: int) -> None:
    text = (ROOT / f"docs/explanation/{page}.md").read_text()
    text = text.partition("## What holds")[2] if page in {"agent-trust", "components", "booting"} else text
    claims = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| claim"))]
    assert len(claims) > many
    assert [line for line in claims if "`](../../tests/" not in line] == []


def test_the_page_of_limits_has_every_limit_with_its_figures() -> None:
    text = (ROOT / "docs/reference/limits.md").read_text()
    rows = re.findall(
        r"^\| `(\w+)` \| `--([\w-]+)` \| (\S+) \| (\S+) to (\S+) \| (\S+) \| `([\w.]+)` \|", text, re.MULTILINE
    )
    options = {arg.name.replace("_", "-") for arg in COMMANDS["jobs run"].args if arg.group == "Limits"}
    assert {row[1] for row in rows} == options
    assert [(row[0], *row[2:6]) for row in rows] == [
        (
            limit.name,
            limit.words(getattr(JobLimits(), limit.name)),
            limit.words(limit.low),
            limit.words(limit.high),
            limit.words(getattr(CEILINGS, limit.name)),
        )
        for limit in LIMITS
    ]
    for row, limit in zip(rows, LIMITS, strict=True):
        assert KEYS[row[6]].default == getattr(CEILINGS, limit.name), row[6]
    assert {name for names in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (?:\d|the)", text, re.MULTILINE)
            for name in re.findall(r"\w+", names)} == set(STATES) - {"unverified"}  # fmt: skip


def test_the_page_of_limits_has_what_is_refused_before_the_start() -> None:
    text = (ROOT / "docs/reference/limits.md").read_text()
    rows = re.findall(r"^\| [^|]+ \| `(\w+)` \| (\S+) \| `(jobs\.\w+)` \|", text, re.MULTILINE)
    words = {Unit.SIZE: format_size, Unit.DURATION: format_duration_ms, Unit.COUNT: str}
    assert [row[1] for row in rows] == [words[KEYS[row[2]].unit](int(str(KEYS[row[2]].default))) for row in rows]
    allowed = QueueLimits()
    defaults = [allowed.module_bytes, allowed.stdin_bytes, allowed.length, allowed.wait_ms]
    assert [KEYS[row[2]].default for row in rows] == defaults


def test_the_page_of_components_has_the_numbers_of_their_operations() -> None:
    text = (ROOT / "docs/explanation/components.md").read_text()
    rows = re.findall(r"^\| `(orlop:[\w-]+)` \| (\d+) \| (\d+) \|", text, re.MULTILINE)
    counted = Counter((one.package, one.exported) for one in OPERATIONS)
    packages = sorted({package for package, _ in counted})
    assert sorted(rows) == [(name, str(counted[name, False]), str(counted[name, True])) for name in packages]
    assert f"Together {len(OPERATIONS)}." in text
    decision = (ROOT / "docs/explanation/adr/0027-components.md").read_text()
    assert f"{len(OPERATIONS)} operations are ours" in decision
    assert f"at each of {len(OPERATIONS)} operations" in " ".join((ROOT / "README.md").read_text().split())


def test_the_tutorial_shows_the_source_that_is_built() -> None:
    page = (ROOT / "docs/tutorials/first-agent.md").read_text()
    (block,) = re.findall(r"```c\n(.*?)```", page, re.DOTALL)
    assert block == (ROOT / "assets/agents/overdue/overdue.c").read_text()


def test_the_changelog_has_its_headings_in_order() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", text, re.MULTILINE)
    assert versions[0] == ("Unreleased", "")
    assert all(date for _, date in versions[1:])
    allowed = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= allowed


def test_test_modules_have_names_of_their_own_and_snapshots_a_module() -> None:
    modules = [path.stem for path in ROOT.glob("tests/**/test_*.py")]
    assert len(modules) == len(set(modules))
    folders = {path.name for path in (ROOT / "snapshots").iterdir() if path.is_dir()}
    assert folders <= set(modules)


def test_the_readme_is_short_and_begins_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    assert text.index("make run") < text.index("make test") < text.index("## ")


def test_nothing_tracked_names_a_path_of_one_machine() -> None:
    found = subprocess.run(
        ["git", "grep", "-nIE", r"(^|[^a-z])/(home|root|work)/[a-z]", "--", ".", ":!tests/house", ":!*.lock"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert not found
