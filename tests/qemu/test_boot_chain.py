"""A machine boots what a node serves: from its kernel and first stage to a receipt that the node verified."""

from dataclasses import dataclass
from typing import Any

import pytest

from boot.trust.verifier import STEPS
from tests.qemu.laboratory import Laboratory, boots, events_port, lines_of
from tests.qemu.lan import HOST, routed
from tests.qemu.release import FLOOR, node

pytestmark = pytest.mark.boot

SESSION = 32


@dataclass(frozen=True, slots=True)
class Chain:
    """What was seen of a machine that booted.

    Attributes:
        said: on its console.
        told: the events of the node that served it.
        wrote: the events of its own node.
    """

    said: str
    told: list[dict[str, Any]]
    wrote: list[dict[str, Any]]


def direct_chain(laboratory: Laboratory) -> Chain:
    """Internet mode, from a server that the command line names."""
    place = laboratory.place("direct")
    events = place / "events.ndjson"
    with node(place / "console", laboratory.release) as (console, port):
        line = f"orlop.mode=internet orlop.provider=http://{HOST}:{port}/"
        with laboratory.boots(place, line, *routed(), *events_port(events)) as machine:
            machine.until("boot: receipt delivered to")
            machine.until("boot: ready")
        console.until("boot.receipt")
    return Chain(machine.text, console.lines, lines_of(events))


def of(chain: Chain, kind: str) -> list[dict[str, Any]]:
    """The serving node's events of a kind."""
    return [event for event in chain.told if event["type"] == kind]


def hash_of(chain: Chain) -> str:
    """The hash of the manifest that was served."""
    return of(chain, "boot.serving")[0]["hash"]


@boots(direct_chain)
def test_every_step_of_the_trust_chain_is_said_in_its_order(seen: Chain) -> None:
    steps = [
        line.partition("boot: step ")[2].partition(":")[0] for line in seen.said.splitlines() if "boot: step " in line
    ]
    assert [step for step in steps if step in STEPS] == list(STEPS)


@boots(direct_chain)
def test_p8_11_3_what_was_fetched_was_verified_and_loaded_in_this_order(seen: Chain) -> None:
    wanted = ("boot: stage 1,", "boot: address ", "boot: step version:", "boot: got rootfs", "boot: kexec loaded")
    second = ("boot: stage 2,", "boot: identity ", "boot: receipt ", "boot: receipt delivered to", "boot: ready")
    places = [seen.said.index(marker) for marker in (*wanted, *second)]
    assert places == sorted(places)
    assert "Kernel panic" not in seen.said


@boots(direct_chain)
def test_the_second_stage_knows_by_the_handover_what_was_verified(seen: Chain) -> None:
    said = seen.said.partition("boot: stage 2,")[2].partition("\n")[0]
    assert f"manifest {hash_of(seen)[:16]}" in said
    assert "mode internet" in said


@boots(direct_chain)
def test_11_3_the_node_that_serves_sees_the_machine_fetch_and_report(seen: Chain) -> None:
    machines = of(seen, "boot.machine")
    sessions = {event["session"] for event in machines}
    assert len(sessions) == 1
    assert {len(one) for one in sessions} == {SESSION}
    assert {event["artifact"] for event in machines} >= {"kernel", "initramfs", "rootfs"}
    reports = of(seen, "boot.report")
    assert {event["session"] for event in reports} == sessions
    assert all(event["ok"] for event in reports)
    assert {event["step"] for event in reports} >= set(STEPS)


@boots(direct_chain)
def test_the_receipt_is_tied_to_the_machine_and_to_the_manifest(seen: Chain) -> None:
    (receipt,) = of(seen, "boot.receipt")
    assert receipt["session"] == of(seen, "boot.machine")[0]["session"]
    assert receipt["names_manifest"] is True
    assert receipt["ok"] is not False
    assert f"boot: receipt {receipt['receipt']}" in seen.said


@boots(direct_chain)
def test_the_receipt_is_read_from_the_machine_itself_too(seen: Chain) -> None:
    (delivered,) = of(seen, "boot.receipt")
    (issued,) = [event for event in seen.wrote if event["type"] == "receipt.issued"]
    assert (issued["receipt"], issued["worker"]) == (delivered["receipt"], delivered["key"])


@boots(direct_chain)
def test_the_release_that_ran_is_the_one_that_was_signed(seen: Chain) -> None:
    assert of(seen, "boot.serving")[0]["manifest_version"] == FLOOR
