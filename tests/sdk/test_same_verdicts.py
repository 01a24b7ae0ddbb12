"""Every verifier says of every receipt, genuine or forged, what Python says: step by step, and in the same words."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.events import Step
from tests.sdk.chromium import Chromium
from tests.sdk.corpus import CASES, FORGED, cases_document
from tests.sdk.interpreters import SDK

pytestmark = pytest.mark.sdk

HERE = Path(__file__).parent
Findings = list[tuple[bool | None, str]]

OWN_WORDS = (
    "not JSON",
    "not UTF-8",
    "not a time",
    "a time outside",
    "the manifest is bad",
    "the preceding receipt is bad",
)
"""How a detail begins in which each language speaks of what its reader could not read."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.json"
    path.write_bytes(cases_document())
    return path


@pytest.fixture(scope="module")
def measure() -> list[tuple[Step, ...]]:
    """Python's findings."""
    return [case.verdict().steps for case in CASES]


def by_php(corpus: Path) -> list[Findings]:
    return by_program(["php", "-d", "display_errors=stderr", str(HERE / "verify_corpus.php"), str(corpus)])


def by_node(corpus: Path) -> list[Findings]:
    return by_program(["node", str(HERE / "verify_corpus.mjs"), str(corpus)])


def by_program(command: list[str]) -> list[Findings]:
    run = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert run.returncode == 0, run.stderr
    verdicts: list[Findings] = json.loads(run.stdout)
    return verdicts


def by_chromium(corpus: Path) -> list[Findings]:
    bytes_of = "(text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0))"
    verdict = (
        "async ({blobs, cases}) => { const all = blobs.map("
        + bytes_of
        + "); const blob = (number) => number === null ?"
        " null : all[number]; const found = []; for (const {key, module, ...rest} of cases) { const [receipt, manifest,"
        " stdout, stderr, previous] = ['receipt', 'manifest', 'stdout', 'stderr', 'previous'].map((name) => blob("
        "rest[name])); const {steps} = await orlopVerify(receipt, {key, manifest, module, stdout, stderr, previous});"
        " found.push(steps.map(({ok, detail}) => [ok, detail])); } return found; }"
    )
    with Chromium(corpus.parent / "profile", SDK / "js/verify.html") as browser:
        verdicts: list[Findings] = browser.evaluate(f"({verdict})({corpus.read_text()})")
    return verdicts


@pytest.mark.parametrize("verdicts_of", [by_php, by_node, by_chromium])
def test_every_verifier_agrees_with_python(
    verdicts_of: Callable[[Path], list[Findings]], corpus: Path, measure: list[tuple[Step, ...]]
) -> None:
    verdicts = verdicts_of(corpus)
    assert len(verdicts) == len(CASES)
    wrong = [
        f"{case.name}: {difference}"
        for case, expected, found in zip(CASES, measure, verdicts, strict=True)
        for difference in differences(expected, found)
    ]
    assert not wrong, f"{len(wrong)} differences\n" + "\n".join(wrong[:20])


def differences(expected: tuple[Step, ...], found: Findings) -> list[str]:
    """In which steps two verifiers disagree; about the words only where both read the same."""
    return [
        f"{step.name} is {ok} ({detail}), Python says {step.ok} ({step.detail})"
        for step, (ok, detail) in zip(expected, found, strict=True)
        if ok is not step.ok
        or (detail != step.detail and step.name != "schema" and not step.detail.startswith(OWN_WORDS))
    ]


def test_the_catalogue_holds_genuine_and_forged_receipts_of_every_kind(measure: list[tuple[Step, ...]]) -> None:
    oks = {(step.name, step.ok) for steps in measure for step in steps}
    always = {("schema", True), ("schema", False), ("canonical", True), ("canonical", False)}
    assert always <= oks
    for name in ("key", "signature", "job_id", "module", "commitment", "chain"):
        assert {(name, True), (name, False), (name, None)} <= oks, name
    assert len({case.name for case in CASES}) == len(CASES)


def test_nothing_that_is_forged_is_valid() -> None:
    assert len(FORGED) > 2500
    assert [case.name for case in FORGED if case.verdict().ok is True] == []
