"""Chains on the screen: what follows what, what is missing, and what the verifier of whole chains says."""

from dataclasses import replace

import pytest

from console.rows import ReceiptRow
from console.ui.sheet import plain
from console.ui.text.chain import Chains, chain_cell, chain_lines, report_sheet
from console.ui.text.compare import compare_sheet
from runtime.jobs.receipt_form import RESTORED, RESTORED_STEP
from tests.console.ui import harbor as world
from tests.console.ui.harbor import receipt

CHAIN = [receipt(number) for number in range(6)]


def kinds(rows: list[ReceiptRow]) -> list[str]:
    chains = Chains(rows)
    return [chains.link(row).kind for row in rows]


def test_a_whole_chain_is_joined_from_its_first_receipt_on() -> None:
    assert kinds(CHAIN) == ["first", *["joined"] * 5]


def test_rows_may_come_in_any_order() -> None:
    assert kinds(CHAIN[::-1]) == [*["joined"] * 5, "first"]


def test_what_is_gone_from_the_middle_is_a_gap_with_its_numbers() -> None:
    rows = [CHAIN[0], CHAIN[1], CHAIN[4], CHAIN[5]]
    link = Chains(rows).link(CHAIN[4])
    assert (link.kind, link.missing, link.before) == ("gap", (2, 3), CHAIN[1])
    assert chain_cell(link, 4) == ("✗ 2 gone", "alarm")
    assert "#2 to #3 are missing" in plain(chain_lines(CHAIN[4], Chains(rows)))


def test_what_lies_before_the_oldest_on_the_screen_is_no_gap() -> None:
    assert kinds(CHAIN[3:]) == ["edge", "joined", "joined"]


def test_a_replaced_receipt_breaks_the_chain_behind_it() -> None:
    rows = [*CHAIN[:3], replace(CHAIN[3], receipt="ff" * 32), *CHAIN[4:]]
    assert kinds(rows) == ["first", "joined", "joined", "joined", "broken", "joined"]
    assert "which is not what stands before it" in plain(chain_lines(CHAIN[4], Chains(rows)))


def test_a_number_without_its_predecessor_is_broken() -> None:
    assert kinds([replace(CHAIN[3], previous="0" * 64)]) == ["broken"]
    assert kinds([replace(CHAIN[0], previous="ab" * 32)]) == ["broken"]


def test_two_receipts_of_one_number_are_both_marked() -> None:
    assert kinds([*CHAIN[:2], replace(CHAIN[1], receipt="ff" * 32)]) == ["first", "twice", "twice"]


def test_after_a_restore_numbers_may_be_left_out() -> None:
    entry = receipt(2 + RESTORED_STEP, previous=CHAIN[2].receipt, outcome=RESTORED, receipt="ee" * 32)
    after = receipt(3 + RESTORED_STEP, previous="ee" * 32, receipt="dd" * 32)
    assert kinds([*CHAIN[:3], entry, after])[3:] == ["restored", "joined"]
    assert kinds([*CHAIN[:2], entry])[2:] == ["gap"]
    assert kinds([*CHAIN[:2], CHAIN[2], replace(entry, previous="ab" * 32)])[3:] == ["gap"]


def test_each_key_has_a_chain_of_its_own() -> None:
    other = [receipt(number, worker="12D3KooWother", receipt=f"{number:02x}" * 32) for number in (7,)]
    assert kinds([*CHAIN[:2], *other]) == ["first", "joined", "edge"]


def test_a_receipt_stands_between_its_neighbours() -> None:
    lines = plain(chain_lines(CHAIN[2], Chains(CHAIN))).split("\n")
    assert [line[:5].strip() for line in lines] == ["CHAIN", "○ #3", "│", "● #2", "│", "○ #1"]
    assert "the first of its chain" in plain(chain_lines(CHAIN[0], Chains(CHAIN)))


@pytest.mark.parametrize(("ok", "says"), [(True, "✓ whole"), (False, "✗ not whole"), (None, "? not checked")])
def test_a_report_says_its_verdict_first(ok: bool | None, says: str) -> None:
    report = {"ok": ok, "receipts": 1, "chains": [world.CHAIN_REPORT["chains"][0]], "faults": [], "fault_count": 0}
    assert plain(report_sheet(report)).startswith(f"{says}: 1 receipt in 1 chain, 0 faults")


def test_a_report_names_every_fault_under_its_key() -> None:
    text = plain(report_sheet(world.CHAIN_REPORT))
    assert text.startswith("✗ not whole: 19 receipts in 2 chains, 3 faults")
    assert "removed   105 to 106 are missing before number 107" in text
    assert "of 4 only id and place are kept" in text
    assert "OF NO CHAIN" in text
    assert "nobody here knows this key" in text
    assert "… and 1 faults more" not in text
    assert "… and 97 faults more" in plain(report_sheet({**world.CHAIN_REPORT, "fault_count": 100}))


def test_a_comparison_shows_both_runs_where_they_differ() -> None:
    text = plain(compare_sheet(world.RERUN))
    assert text.startswith("✗ different: another output")
    assert "✓ fuel        214377" in text
    assert "✗ output      was 3902" in text
    assert "              is  77aa" in text
    assert "? exit        was 0" in text
    assert "is  not known" in text
    assert plain(compare_sheet({"verdict": "strange"})).startswith("? inconclusive")
