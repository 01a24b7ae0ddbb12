"""The file that says what a machine was started from: written by who started it, repeated by the node."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.booted import Booted, read_booted
from runtime.errors import RefusedError

FACTS = Booted(manifest="ab" * 32, version="7", mode="local", session="cd" * 16)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    for facts in (FACTS, replace(FACTS, session="")):
        (tmp_path / "booted.json").write_bytes(facts.document())
        assert read_booted(tmp_path / "booted.json") == facts


def test_receipts_claim_manifest_version_and_mode() -> None:
    assert dict(FACTS.claims) == {"boot_manifest": "ab" * 32, "boot_version": "7", "boot_mode": "local"}


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"booted\.json: is missing; node\.booted names it"):
        read_booted(tmp_path / "booted.json")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"manifest":"AB","mode":"local","session":"","version":"7"}',
        f'{{"manifest":"{"ab" * 32}","mode":"local","session":"","version":7}}',
        f'{{"manifest":"{"ab" * 32}","mode":"local","session":"xy","version":"7"}}',
        f'{{"manifest":"{"ab" * 32}","mode":"Local!","session":"","version":"7"}}',
        f'{{"manifest":"{"ab" * 32}","mode":"local","more":"","session":"","version":"7"}}',
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "booted.json").write_text(text)
    with pytest.raises(RefusedError):
        read_booted(tmp_path / "booted.json")


@given(st.binary(max_size=300))
def test_any_bytes_are_facts_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "booted-any.json"
    path.write_bytes(raw)
    with pytest.raises(RefusedError):
        read_booted(path)
