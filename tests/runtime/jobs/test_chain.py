"""Chains: whatever is removed, reordered, replaced or altered is found, and its place is named."""

import json
from collections.abc import Iterable
from functools import cache

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runtime.canonical import Json, encode
from runtime.jobs.chain import ChainReport, ChainWalk, read_link
from runtime.jobs.manifest import sign_payload
from runtime.jobs.receipt_form import FIRST_PREVIOUS, RESTORED_STEP, read_receipt
from runtime.jobs.statement import sign_restored
from tests.runtime.jobs.test_verify import ME, STRANGER, receipt, signed

LENGTH = 12


@cache
def chain(*, by_stranger: bool = False) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for number in range(LENGTH):
        before = read_receipt(found[-1]).id if found else FIRST_PREVIOUS
        found.append(receipt(number, before, by=STRANGER if by_stranger else ME))
    return tuple(found)


def restored(number: int, previous: str) -> bytes:
    payload: dict[str, Json] = {"kind": "orlop-restore", "backup_sha256": "0" * 64, "orlop": {"nonce": "0" * 32}}
    return sign_restored(ME, sign_payload(ME, payload, created_ms=1), number, previous, 2).canonical


def walked(lines: Iterable[bytes], *, whole: bool = True, known: bool | None = True) -> ChainReport:
    walk = ChainWalk(lambda _: known)
    for number, line in enumerate(lines, 1):
        walk.add(read_link(line, f"line {number}"))
    return walk.report(whole=lambda _: whole)


def faults(report: ChainReport) -> list[tuple[str, str]]:
    return [(fault.kind, f"{fault.at}: {fault.why}") for fault in report.faults]


def test_a_whole_chain_has_no_faults() -> None:
    report = walked(chain())
    assert (report.ok, faults(report), report.receipts) == (True, [], LENGTH)
    (found,) = report.chains
    assert (found.worker, found.first, found.last, found.known) == (ME.public_hex, 0, LENGTH - 1, True)
    assert report.document()["ok"] is True


def test_chains_of_several_keys_are_told_apart() -> None:
    mixed = [line for pair in zip(chain(), chain(by_stranger=True), strict=True) for line in pair]
    report = walked(mixed)
    assert (report.ok, len(report.chains), report.receipts) == (True, 2, 2 * LENGTH)


def test_a_key_that_nobody_knows_leaves_it_unchecked_and_a_wrong_one_is_a_fault() -> None:
    assert walked(chain(), known=None).ok is None
    report = walked(chain(), known=False)
    assert report.ok is False
    assert [fault.kind for fault in report.faults] == ["key"]
    assert walked([]).ok is None


@given(st.integers(1, LENGTH - 2))
def test_a_removed_receipt_is_missed_by_its_successor(at: int) -> None:
    lines = list(chain())
    del lines[at]
    assert faults(walked(lines)) == [("removed", f"line {at + 1}: number {at} is missing before number {at + 1}")]


def test_several_removed_ones_are_named_at_once() -> None:
    lines = [*chain()[:3], *chain()[7:]]
    assert faults(walked(lines)) == [("removed", "line 4: 3 to 6 are missing before number 7")]


def test_a_missing_beginning_counts_where_the_chain_should_be_whole() -> None:
    assert walked(chain()[4:], whole=False).ok is True
    assert faults(walked(chain()[4:])) == [("removed", "line 1: 0 to 3 are missing before number 4")]


def test_the_end_of_a_chain_is_missed_by_nothing() -> None:
    assert walked(chain()[:-1]).ok is True


@given(st.permutations(range(LENGTH)))
def test_any_other_order_is_found(order: list[int]) -> None:
    assume(order != sorted(order))
    report = walked(chain()[at] for at in order)
    assert report.ok is False
    assert {fault.kind for fault in report.faults} == {"reordered"}
    greatest = -1
    wrong = [f"line {line}" for line, at in enumerate(order, 1) if (greatest := max(greatest, at)) != at]
    assert [fault.at for fault in report.faults] == wrong


@given(st.integers(0, LENGTH - 2))
def test_one_that_was_signed_anew_in_anothers_place_is_not_the_one_that_follows(at: int) -> None:
    lines = list(chain())
    before = read_receipt(lines[at - 1]).id if at else FIRST_PREVIOUS
    lines[at] = receipt(at, before, exit_code=9)
    words = f"line {at + 2}: number {at + 1} does not follow the number {at} here"
    assert faults(walked(lines)) == [("replaced", words)]


@given(st.integers(0, LENGTH - 1), st.integers(0, 2000), st.integers(1, 255))
def test_any_changed_byte_is_found_at_its_line(at: int, byte: int, change: int) -> None:
    lines = list(chain())
    raw = bytearray(lines[at])
    raw[byte % len(raw)] ^= change
    lines[at] = bytes(raw)
    report = walked(lines)
    assert report.ok is False
    assert f"line {at + 1}" in {fault.at for fault in report.faults}


def test_an_altered_receipt_is_named_once_and_not_called_missing_as_well() -> None:
    lines = list(chain())
    lines[5] = encode(json.loads(lines[5]) | {"completed_at": "2026-01-01T00:00:00Z"})
    assert faults(walked(lines)) == [("altered", "line 6: its signature does not fit the message and the key")]


def test_one_that_stands_twice_and_a_fork_are_found() -> None:
    lines = [*chain()[:4], chain()[3], receipt(3, read_receipt(chain()[2]).id, exit_code=9), *chain()[4:]]
    assert faults(walked(lines)) == [
        ("repeated", "line 5: number 3 stands here a second time"),
        ("replaced", "line 6: number 3 is another receipt than the one before it"),
    ]


@pytest.mark.parametrize("line", [b"", b"junk", b"{}", b"[]", b"\xff", encode({"version": "0.1"})])
def test_what_is_no_receipt_is_a_fault(line: bytes) -> None:
    report = walked([*chain(), line])
    assert [(fault.kind, fault.at) for fault in report.faults] == [("altered", f"line {LENGTH + 1}")]


def test_a_receipt_in_no_chain_is_a_fault() -> None:
    document = json.loads(chain()[0])
    for name in ("orlop.seq", "orlop.prev"):
        del document["result"]["metrics"]["extra"][name]
    assert faults(walked([signed(document)])) == [("altered", "line 1: it is in no chain")]


def test_numbers_may_be_left_out_only_before_the_entry_after_a_restore() -> None:
    lines = list(chain())
    last = read_receipt(lines[-1]).id
    entry = restored(LENGTH - 1 + RESTORED_STEP, last)
    after = receipt(LENGTH + RESTORED_STEP, read_receipt(entry).id)
    assert walked([*lines, entry, after]).ok is True
    # What was signed behind the backup and lost with the disk may turn up again: it is a branch, and its numbers are
    # among those that were left out.
    lost = receipt(LENGTH, last)
    assert walked([*lines, lost, entry, after]).ok is True
    plain = receipt(LENGTH - 1 + RESTORED_STEP, last)
    assert [kind for kind, _ in faults(walked([*lines, plain]))] == ["removed"]
    assert [kind for kind, _ in faults(walked([*lines[:-1], entry, after]))] == ["removed"]
    assert walked([restored(RESTORED_STEP - 1, FIRST_PREVIOUS)]).ok is True


def test_a_report_names_no_more_faults_than_a_reader_can_use() -> None:
    report = walked([b"junk"] * 1500)
    assert (len(report.faults), report.count) == (1000, 1500)
    assert report.document()["fault_count"] == 1500
