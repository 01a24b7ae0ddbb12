"""The three modes, each by what it leaves: bytes on a disc, frames on a link, an identity, receipts."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from boot.modes import MODES
from net.lan.announcement import Boot
from runtime.identity import Identity
from tests.cli.program import ROOT, Ran, orlop
from tests.qemu.disks import cache_disk, digest, drive
from tests.qemu.laboratory import Laboratory, boots
from tests.qemu.lan import HOST, LINK, MAC, Lan, announces, routed
from tests.qemu.pcap import Frame, frames, leaves_the_link
from tests.qemu.release import FLOOR, Release, node, server, shelf

pytestmark = pytest.mark.boot

ROUTERS = ("52:55:", "52:56:")
"""MAC addresses of what is in QEMU's router begin so."""
DHCP = 67
HELLO = ROOT / "assets/jobs/hello/hello.wasm"
WORLD = IPv4Address("192.0.2.1")
"""Somewhere in the world, and nowhere."""
START = f"orlop.bootstrap=/ip4/{WORLD}/udp/4001/quic-v1/p2p/{Identity(bytes(32)).peer_id}"
TEMPTED = f"orlop.provider=http://{WORLD}/ orlop.onfail=poweroff"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of machines that booted one after another.

    Attributes:
        said: what each said on its console.
        told: the events of the node that served them.
        digests: of the disc, before the first and after each.
        sent: the frames that each of them sent.
        receipts: how the receipts that they delivered were verified.
    """

    said: tuple[str, ...]
    told: tuple[dict[str, Any], ...] = ()
    digests: tuple[str, ...] = ()
    sent: tuple[tuple[Frame, ...], ...] = ()
    receipts: tuple[Ran, ...] = ()


def sent_by_machine(capture: Path) -> tuple[Frame, ...]:
    """The frames of a capture that QEMU's router did not send."""
    return tuple(frame for frame in frames(capture) if not frame.source.startswith(ROUTERS))


def private_twice(laboratory: Laboratory) -> Seen:
    """Private mode with a disc, twice; the second time on a processor that has no random numbers of its own."""
    place = laboratory.place("private")
    disc = cache_disk(place / "disc.img")
    said, digests, sent = [], [digest(disc)], []
    with node(place / "console", laboratory.release) as (console, port):
        line = f"orlop.mode=private orlop.provider=http://{HOST}:{port}/"
        for number, cpu in enumerate(("Nehalem,+rdrand", "Nehalem")):
            capture = place / f"{number}.pcap"
            words = [*routed(capture=capture), *drive(disc)]
            with laboratory.boots(place, line, *words, log=f"{number}.log", cpu=cpu) as machine:
                machine.until("boot: ready")
            said.append(machine.text)
            digests.append(digest(disc))
            sent.append(sent_by_machine(capture))
    return Seen(tuple(said), tuple(console.lines), tuple(digests), tuple(sent))


def plain_processor(laboratory: Laboratory) -> str:
    """The oldest processor of this architecture: there Python finds nothing random until it is given a device."""
    place = laboratory.place("plain")
    with shelf(laboratory.release.folder) as port:
        line = f"orlop.mode=internet orlop.provider=http://{HOST}:{port}/"
        with laboratory.boots(place, line, *routed(), cpu="qemu64") as machine:
            machine.until("boot: stage 2, ")
    return machine.text


def internet_thrice(laboratory: Laboratory) -> Seen:
    """Internet mode with a disc: twice the same release, its power cut as soon as it is ready; then an older one."""
    place = laboratory.place("internet")
    newer = laboratory.release.signed(laboratory.folder / "newer", version=FLOOR + 1)
    disc = cache_disk(place / "disc.img")
    said, digests, receipts = [], [digest(disc)], place / "receipts"
    receipts.mkdir()
    with server(place / "console", newer, receipts) as (console, port):
        line = f"orlop.mode=internet orlop.provider=http://{HOST}:{port}/"
        for number in range(2):
            with laboratory.boots(place, line, *routed(), *drive(disc), log=f"{number}.log") as machine:
                machine.until("boot: ready")
                machine.cut()
            said.append(machine.text)
            digests.append(digest(disc))
    said.append(refused(laboratory, place, laboratory.release, disc))
    found = tuple(verified(place / "console", path, said[0]) for path in sorted(receipts.iterdir()))
    return Seen(tuple(said), tuple(console.lines), tuple(digests), receipts=found)


def verified(home: Path, receipt: Path, said: str) -> Ran:
    """What the real program finds of a receipt, by the key that the machine named, the module and what it wrote."""
    wrote = receipt.with_suffix(".out")
    wrote.write_bytes(b"dlroW ,olleH")
    by = ["--key", identity(said)[0], "--module", str(HELLO), "--stdout", str(wrote)]
    return orlop(home, "receipts", "verify", str(receipt), *by)


def refused(laboratory: Laboratory, place: Path, served: Release, disc: Path) -> str:
    """Boots from a disc what is refused."""
    with shelf(served.folder) as port:
        line = f"orlop.mode=internet orlop.provider=http://{HOST}:{port}/ orlop.onfail=poweroff"
        words = (*routed(), *drive(disc))
        with laboratory.boots(place, line, *words, log="refused.log", expects=("boot: refused",)) as machine:
            return machine.until_off()


def local_twice(laboratory: Laboratory) -> Seen:
    """Local mode from a server that announces itself on the link; then from the disc, without a link."""
    place = laboratory.place("local")
    disc, capture = cache_disk(place / "disc.img"), place / "link.pcap"
    line = f"orlop.mode=local {START}"
    with node(place / "console", laboratory.release) as (console, port):
        server = announces((port, Boot("stable", "x86_64", FLOOR, "0" * 64)))
        with Lan(server) as lan:
            words = (*lan.plug("local", capture=capture), *drive(disc))
            with laboratory.boots(place, line, *words, log="link.log") as first:
                first.until("boot: ready")
    with laboratory.boots(place, line, *drive(disc), log="alone.log") as second:
        second.until("boot: ready")
    return Seen((first.text, second.text), tuple(console.lines), sent=(sent_by_machine(capture),))


def local_to_the_world(laboratory: Laboratory) -> Seen:
    """Local mode that is told of a server in the world."""
    place = laboratory.place("local-to-the-world")
    capture = place / "link.pcap"
    line = f"orlop.mode=local {TEMPTED} {START}"
    with Lan() as lan:
        words = lan.plug("world", capture=capture)
        with laboratory.boots(place, line, *words, expects=("boot: unavailable",)) as machine:
            said = machine.until_off()
    return Seen((said,), sent=(sent_by_machine(capture),))


def internet_to_the_world(laboratory: Laboratory) -> Seen:
    """The same in Internet mode, as far as the first packet that leaves the link."""
    place = laboratory.place("internet-to-the-world")
    with Lan() as lan:
        words = lan.plug("world")
        line = f"orlop.mode=internet {TEMPTED}"
        with laboratory.boots(place, line, *words, expects=("boot: unavailable",)) as machine:
            lan.until(lambda frame: frame.source == MAC and frame.to == WORLD)
        seen = tuple(frame for frame in lan.frames if frame.source == MAC)
    return Seen((machine.text,), sent=(seen,))


def identity(said: str) -> tuple[str, str]:
    """Who the node is, and whether it was so before."""
    peer, _, kind = said.partition("boot: identity ")[2].partition("\n")[0].strip().partition(" ")
    return peer, kind.strip("()")


def hardware(sent: tuple[Frame, ...]) -> set[str]:
    """The MAC addresses with which a lease was asked for."""
    return {frame.source for frame in sent if frame.port == DHCP}


@pytest.mark.parametrize("seen", [internet_thrice, local_twice, private_twice], indirect=True, ids=MODES)
def test_11_3_every_mode_reaches_the_second_stage(seen: Seen) -> None:
    for stages in seen.said[:2]:
        first, second = re.findall(r"boot: stage [12], .*mode (internet|local|private)", stages)
        assert first == second
        assert "boot: ready" in stages


# --- Private ----------------------------------------------------------------------------------------------------------


@boots(private_twice)
def test_p15_11_4_private_mode_leaves_every_disc_as_it_was(seen: Seen) -> None:
    assert len(set(seen.digests)) == 1
    assert all("boot: ready" in said for said in seen.said)


@boots(internet_thrice)
def test_the_same_disc_is_written_in_internet_mode_so_that_its_digest_can_differ(seen: Seen) -> None:
    assert seen.digests[0] != seen.digests[1]


@boots(private_twice)
def test_private_mode_has_a_new_identity_at_each_boot(seen: Seen) -> None:
    (first, _), (second, _) = identities = [identity(said) for said in seen.said]
    assert first != second
    assert [kind for _, kind in identities] == ["new", "new"]


@boots(private_twice)
def test_private_mode_makes_up_the_address_of_its_card_at_each_boot(seen: Seen) -> None:
    used = [hardware(sent) for sent in seen.sent]
    assert all(used)
    assert MAC not in used[0] | used[1]
    assert used[0].isdisjoint(used[1])
    assert all(int(one[:2], 16) & 3 == 2 for one in used[0] | used[1])


@boots(private_twice)
def test_private_mode_posts_nothing(seen: Seen) -> None:
    kinds = {event["type"] for event in seen.told}
    assert "boot.machine" in kinds
    assert kinds.isdisjoint({"boot.report", "boot.receipt"})
    assert {event["method"] for event in seen.told if event["type"] == "boot.request"} <= {"GET", "HEAD"}
    assert all("boot: receipt delivered" not in said for said in seen.said)


@boots(private_twice)
def test_p15_private_mode_prints_its_receipt(seen: Seen) -> None:
    assert all("boot: receipt " in said for said in seen.said)


@boots(plain_processor)
def test_a_processor_without_random_numbers_of_its_own_starts_both_stages(seen: str) -> None:
    assert "boot: kexec loaded" in seen


# --- Internet ---------------------------------------------------------------------------------------------------------


@boots(internet_thrice)
def test_internet_mode_keeps_its_identity_on_the_disc(seen: Seen) -> None:
    first, second = (identity(said) for said in seen.said[:2])
    assert first[0] == second[0]
    assert second[1] == "kept"


@boots(internet_thrice)
def test_receipts_of_booted_machines_verify_like_any_other(seen: Seen) -> None:
    assert [ran.code for ran in seen.receipts] == [0, 0], [ran.talk for ran in seen.receipts]


@boots(internet_thrice)
def test_the_newest_version_that_was_booted_is_remembered(seen: Seen) -> None:
    assert "boot: refused: rollback: " in seen.said[2]
    assert f"version {FLOOR} is below {FLOOR + 1}" in seen.said[2]
    assert "kexec loaded" not in seen.said[2]


# --- Local ------------------------------------------------------------------------------------------------------------


@boots(local_twice)
def test_11_3_local_mode_finds_a_server_by_mdns_and_boots(seen: Seen) -> None:
    assert f"boot: provider http://{HOST}:" in seen.said[0]
    assert {event["type"] for event in seen.told} >= {"boot.machine", "boot.report", "boot.receipt"}


@boots(local_twice)
def test_p14_11_4_local_mode_sends_nothing_beyond_the_link_in_both_stages(seen: Seen) -> None:
    (sent,) = seen.sent
    assert [frame for frame in sent if leaves_the_link(frame, LINK)] == []
    assert {frame.port for frame in sent} >= {DHCP, 5353}


@boots(local_to_the_world)
def test_local_mode_does_not_even_ask_the_link_for_a_server_in_the_world(seen: Seen) -> None:
    (sent,) = seen.sent
    assert hardware(sent) == {MAC}
    assert [frame for frame in sent if leaves_the_link(frame, LINK)] == []
    assert "boot: unavailable: " in seen.said[0]


@boots(internet_to_the_world)
def test_the_same_words_in_internet_mode_do_leave_the_link(seen: Seen) -> None:
    (sent,) = seen.sent
    assert any(leaves_the_link(frame, LINK) for frame in sent)


@boots(local_twice)
def test_local_mode_boots_without_a_link_from_what_it_kept(seen: Seen) -> None:
    assert "boot: ready" in seen.said[1]
    assert "boot: address " not in seen.said[1]
    assert identity(seen.said[1]) == (identity(seen.said[0])[0], "kept")
