"""Every operation of the WIT is called from inside a real component, and denied to one that may not call it.

What was called is read from the records of the host, so that a call which never arrived cannot count.
"""

import asyncio
from pathlib import Path

import pytest

from runtime.components.bindings.operations import EXPORTS, IMPORTS
from tests.console.guests_on_stage import Tried
from tests.console.operations_tried import try_all
from tests.runtime.components.guest_values import functions

GUARDED = {one.label for one in IMPORTS if one.permission not in {"own", "none"}}
NEVER_GRANTED = {"signals.set-process-group"}
"""Answered `unsupported` to whoever asks: the kernel forbids it."""
WITHOUT_A_RULE = {"host-services.list-components"}
"""Gives less to those who may do less; no single rule allows it."""


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    return asyncio.run(try_all(tmp_path_factory.mktemp("tried")))


def test_the_list_of_operations_is_that_of_the_wit() -> None:
    assert {one.label for one in IMPORTS} == set(functions())


def test_each_was_called_with_success(tried: Tried) -> None:
    called = {label for label, outcomes in tried.outcomes.items() if "ok" in outcomes}
    assert called == {one.label for one in IMPORTS} - NEVER_GRANTED


def test_what_the_kernel_forbids_is_unsupported(tried: Tried) -> None:
    assert {label: tried.outcomes.get(label) for label in NEVER_GRANTED} == {
        label: {"unsupported"} for label in NEVER_GRANTED
    }


def test_each_that_needs_a_permission_was_denied_to_one_without_it(tried: Tried) -> None:
    assert tried.denied == GUARDED


def test_the_journal_tells_of_each_that_needs_a_permission(tried: Tried) -> None:
    assert tried.journalled & GUARDED == GUARDED - NEVER_GRANTED - WITHOUT_A_RULE
    assert tried.journalled_denied == GUARDED


def test_what_was_denied_changed_nothing(tried: Tried) -> None:
    assert tried.changed == []


def test_each_export_was_called(tried: Tried) -> None:
    assert tried.exports == {one.name for one in EXPORTS}


def test_the_reference_says_how_many_were_tried(tried: Tried) -> None:
    page = (Path(__file__).parents[2] / "docs/reference/components-wit.md").read_text()
    assert f"call all {len(tried.outcomes)} that are imported" in page
    assert f"have the {len(tried.denied)} that need a permission denied" in page
    assert f"call all {len(tried.exports)} that are exported" in page
