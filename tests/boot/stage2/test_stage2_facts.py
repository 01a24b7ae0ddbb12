"""What a booted node is told: its configuration in each mode, what its receipts claim, and the file for people."""

import tomllib

from boot.modes import mode_of, narrowed
from boot.stage1.handover import Handover
from boot.stage2 import facts
from runtime.quantities import parse_size

HANDOVER = Handover(
    mode="internet",
    channel="stable",
    arch="x86_64",
    release="2026.11",
    manifest_version=7,
    manifest_hash="ab" * 32,
    provider="http://10.0.2.2/",
    session="cd" * 16,
    report=True,
)
START = "/ip4/192.0.2.1/udp/4001/quic-v1/p2p/12D3KooWAAAA"


def told(mode: str, address: str = "10.0.2.15") -> dict[str, dict[str, str]]:
    found = mode_of(mode)
    assert found is not None
    return tomllib.loads(facts.configuration(narrowed(found), (START, START), address, "/run/orlop/booted.json"))


def test_internet_listens_announces_itself_and_begins_with_the_start_nodes() -> None:
    p2p = told("internet")["p2p"]
    assert p2p["listen"] == "/ip4/10.0.2.15/udp/4001/quic-v1 /ip4/10.0.2.15/tcp/4001"
    assert p2p["lan"] == "10.0.2.15"
    assert p2p["bootstrap"] == f"{START} {START}"


def test_local_reaches_the_link_alone() -> None:
    p2p = told("local")["p2p"]
    assert p2p["lan"] == "10.0.2.15"
    assert set(p2p) == {"listen", "lan"}


def test_private_listens_nowhere_announces_nothing_and_asks_nobody() -> None:
    assert set(told("private")) == {"node", "storage"}


def test_without_an_address_nothing_is_reached() -> None:
    assert set(told("internet", "")) == {"node", "storage"}


def test_every_mode_names_the_file_for_receipts() -> None:
    for mode in ("internet", "local", "private"):
        assert told(mode)["node"] == {"booted": "/run/orlop/booted.json"}


def test_a_machine_with_little_memory_still_runs_jobs() -> None:
    smallest = (512 << 20) // 2  # the tmpfs of a machine with 512 MiB, with nothing in it
    for mode in ("internet", "local", "private"):
        assert parse_size(told(mode)["storage"]["min_free"]) < smallest // 4


def test_receipts_claim_what_was_handed_over_and_the_first_has_the_session() -> None:
    booted = facts.booted_of(HANDOVER, session=True)
    assert dict(booted.claims) == {"boot_manifest": "ab" * 32, "boot_version": "7", "boot_mode": "internet"}
    assert booted.session == "cd" * 16
    assert facts.booted_of(HANDOVER, session=False).session == ""


def test_the_file_for_people_has_shell_words() -> None:
    assert facts.release_text(HANDOVER, 1_800_000_000_000).splitlines() == [
        "ORLOP_MODE=internet",
        "ORLOP_CHANNEL=stable",
        "ORLOP_ARCH=x86_64",
        "ORLOP_RELEASE=2026.11",
        "ORLOP_VERSION=7",
        f"ORLOP_MANIFEST={'ab' * 32}",
        "ORLOP_BOOT_TIME=2027-01-15T08:00:00Z",
    ]
