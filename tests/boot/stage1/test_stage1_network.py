"""From no network to an address: what a server offers is checked, and the mode decides what of it is used."""

import os
import struct
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.errors import BootUnavailableError
from boot.modes import RULES, Rules
from boot.stage1 import dhcp, link, netlink
from boot.stage1.lease import Lease, lease_of, read_words
from boot.stage1.network import connect
from runtime.errors import UnavailableError

GOOD = {
    "ip": "10.0.2.15",
    "subnet": "255.255.255.0",
    "router": "10.0.2.2",
    "dns": "10.0.2.3 10.0.2.4",
    "serverid": "10.0.2.2",
}


def test_a_good_lease_is_taken() -> None:
    lease = lease_of("eth0", GOOD)
    assert lease == Lease(
        "eth0",
        IPv4Interface("10.0.2.15/24"),
        IPv4Address("10.0.2.2"),
        (IPv4Address("10.0.2.3"), IPv4Address("10.0.2.4")),
        "10.0.2.2",
    )
    assert not lease.router_is_outside


def test_a_lease_without_router_and_name_servers_is_one() -> None:
    lease = lease_of("eth0", {"ip": "192.168.1.9", "subnet": "255.255.0.0"})
    assert (lease.router, lease.dns) == (None, ())


def test_a_lease_of_one_address_may_have_its_router_outside() -> None:
    lease = lease_of("eth0", {**GOOD, "subnet": "255.255.255.255", "router": "10.0.0.1"})
    assert lease.router_is_outside


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ip", "", "no address"),
        ("ip", "0.0.0.0", "address 0.0.0.0"),
        ("ip", "127.0.0.1", "address 127.0.0.1"),
        ("ip", "224.0.0.251", "address 224.0.0.251"),
        ("ip", "255.255.255.255", "address"),
        ("ip", "10.0.2.0", "10.0.2.0 in 10.0.2.0/24"),
        ("ip", "10.0.2.255", "10.0.2.255 in"),
        ("ip", "10.0.2.15\nrouter=6.6.6.6", "address"),
        ("ip", "fe80::1", "address fe80::1"),
        ("subnet", "", "no network mask"),
        ("subnet", "0.0.0.0", "mask 0.0.0.0"),
        ("subnet", "128.0.0.0", "mask 128.0.0.0"),
        ("subnet", "255.0.255.0", "mask 255.0.255.0"),
        ("subnet", "0.0.0.255", "mask 0.0.0.255"),
        ("subnet", "24", "mask 24"),
        ("subnet", "255.255.255.254", "mask"),
        ("router", "10.0.3.1", "router 10.0.3.1 for 10.0.2.15/24"),
        ("router", "10.0.2.15", "router 10.0.2.15"),
        ("router", "gateway", "router gateway"),
        ("dns", "10.0.2.3 nowhere", "name server nowhere"),
        ("dns", "0.0.0.1", "name server 0.0.0.1"),
        ("dns", "\x1b[2J", r"name server \x1b[2J"),
    ],
)
def test_nonsense_is_refused_in_one_line_that_names_it(name: str, value: str, said: str) -> None:
    with pytest.raises(BootUnavailableError) as caught:
        lease_of("eth0", {**GOOD, name: value})
    line = caught.value.line()
    assert said in line
    assert line.isprintable()
    assert "the server 10.0.2.2 offers" in line
    assert caught.value.where == "DHCP on eth0"


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), st.text(max_size=40)))
def test_any_offer_is_a_lease_or_refused(words: dict[str, str]) -> None:
    try:
        lease = lease_of("eth0", {**GOOD, **words})
    except BootUnavailableError:
        return
    assert 8 <= lease.address.network.prefixlen <= 32
    assert not lease.address.ip.is_multicast


def test_an_environment_is_read_word_by_word() -> None:
    raw = b"ip=10.0.2.15\0domain=x\nrouter=6.6.6.6\0router=10.0.2.2\0router=7.7.7.7\0broken\0"
    assert read_words(raw) == {"ip": "10.0.2.15", "domain": "x\nrouter=6.6.6.6", "router": "10.0.2.2"}


@given(st.binary(max_size=300))
def test_any_environment_is_read(raw: bytes) -> None:
    assert all(isinstance(value, str) for value in read_words(raw).values())


# --- asking -----------------------------------------------------------------------------------------------------------


def _busybox(folder: Path, offer: str) -> Path:
    """A program that does what udhcpc does with its script, and is `env -0` too."""
    program = folder / "busybox"
    program.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        'sh) shift; exec /bin/sh "$@";;\n'
        "env) exec /usr/bin/env -0;;\n"
        'udhcpc) echo "$@" >"' + str(folder / "words") + '"\n'
        'while [ "$1" != -s ]; do shift; done\n' + offer + "\nexit 0;;\nesac\n"
    )
    program.chmod(0o755)
    return program


def test_what_is_offered_is_read_and_nothing_of_it_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    offer = (
        "export ip=10.0.2.15 subnet=255.255.255.0 serverid=10.0.2.2 router=10.0.2.2\n"
        f'export domain=\'$(touch {mark}); `touch {mark}`\'\n"$2" deconfig; "$2" bound'
    )
    lease = dhcp.ask("eth0", tries=2, busybox=_busybox(tmp_path, offer), run=tmp_path)
    assert lease.address == IPv4Interface("10.0.2.15/24")
    assert not mark.exists()
    words = (tmp_path / "words").read_text().split()
    assert words[:8] == ["udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "2"]
    assert words[-7:] == ["-o", "-O", "subnet", "-O", "router", "-O", "dns"]


def test_no_lease_and_an_old_one_are_none(tmp_path: Path) -> None:
    (tmp_path / "lease-eth0").write_bytes(b"ip=10.0.2.15\0subnet=255.255.255.0\0")
    busybox = _busybox(tmp_path, '"$2" deconfig; "$2" leasefail')
    with pytest.raises(BootUnavailableError, match="nobody offers an address"):
        dhcp.ask("eth0", busybox=busybox, run=tmp_path)


def test_without_the_program_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(BootUnavailableError):
        dhcp.ask("eth0", busybox=tmp_path / "none", run=tmp_path)


# --- by mode ----------------------------------------------------------------------------------------------------------


class Machine:
    """Interfaces that tell in which order they were touched."""

    def __init__(self, leases: dict[str, Lease | BootUnavailableError]) -> None:
        self.leases = leases
        self.done: list[str] = []

    def names(self) -> list[str]:
        return list(self.leases)

    def refuse_advertisements(self, names: list[str]) -> None:
        self.done.append(f"no advertisements {' '.join(names)}")

    def make_up_address(self, name: str) -> None:
        self.done.append(f"made up {name}")

    def bring_up(self, name: str) -> None:
        self.done.append(f"up {name}")

    def with_carrier_first(self, names: list[str]) -> list[str]:
        return list(reversed(names))

    def ask(self, name: str) -> Lease:
        self.done.append(f"ask {name}")
        lease = self.leases[name]
        if isinstance(lease, BootUnavailableError):
            raise lease
        return lease

    def apply(self, lease: Lease, rules: Rules) -> None:
        self.done.append(f"apply {lease.interface}")
        assert rules in RULES.values()


def _lease(name: str) -> Lease:
    return lease_of(name, GOOD)


@pytest.mark.parametrize(
    ("mode", "before"),
    [("internet", []), ("local", ["no advertisements eth0"]), ("private", ["made up eth0"])],
)
def test_what_must_not_be_sent_is_switched_off_before_the_link_goes_up(mode: str, before: list[str]) -> None:
    machine, said = Machine({"eth0": _lease("eth0")}), list[str]()
    lease = connect(RULES[mode], machine, said.append)  # type: ignore[index]
    assert lease.interface == "eth0"
    assert machine.done == [*before, "up eth0", "ask eth0", "apply eth0"]
    assert said == ["address 10.0.2.15/24 via eth0"]


def test_interfaces_are_asked_until_one_has_an_address() -> None:
    nonsense = BootUnavailableError("nonsense", where="DHCP on eth1")
    machine = Machine({"eth0": _lease("eth0"), "eth1": nonsense})
    assert connect(RULES["internet"], machine, lambda _: None).interface == "eth0"
    assert machine.done == ["up eth0", "up eth1", "ask eth1", "ask eth0", "apply eth0"]


def test_no_interface_and_no_address_are_said() -> None:
    with pytest.raises(BootUnavailableError, match="no network interface"):
        connect(RULES["internet"], Machine({}), lambda _: None)
    errors: dict[str, Lease | BootUnavailableError] = {
        name: BootUnavailableError(f"nothing on {name}") for name in ("eth0", "eth1")
    }
    with pytest.raises(BootUnavailableError, match="nothing on eth1"):
        connect(RULES["internet"], Machine(errors), lambda _: None)


# --- the kernel's files and messages ----------------------------------------------------------------------------------


def test_only_ethernet_is_an_interface(tmp_path: Path) -> None:
    for name, kind in (("eth1", "1"), ("eth0", "1"), ("lo", "772"), ("sit0", "776"), ("a b", "1")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "type").write_text(f"{kind}\n")
    (tmp_path / "eth0" / "carrier").write_text("1\n")
    assert link.interfaces(tmp_path) == ["eth0", "eth1"]
    assert link.interfaces(tmp_path / "none") == []
    assert link.has_carrier("eth0", tmp_path)
    assert not link.has_carrier("eth1", tmp_path)


def test_advertisements_are_refused_everywhere_or_it_is_an_error(tmp_path: Path) -> None:
    link.refuse_advertisements(["eth0"], tmp_path / "no-ipv6")
    for name in ("all", "default", "eth0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "accept_ra").write_text("1\n")
    link.refuse_advertisements(["eth0"], tmp_path)
    for name in ("all", "default", "eth0"):
        assert (tmp_path / name / "accept_ra").read_text() == "0\n"
    with pytest.raises(UnavailableError, match="eth1"):
        link.refuse_advertisements(["eth0", "eth1"], tmp_path)


def test_a_made_up_address_is_one_interface_s_and_nobody_s() -> None:
    assert link.made_up_address(b"\xff" * 6) == b"\xfe" + b"\xff" * 5
    assert link.made_up_address(bytes(6)) == b"\x02" + bytes(5)
    for _ in range(50):
        first = link.made_up_address(os.urandom(6))[0]
        assert first & 3 == 2


_ROUTE = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
_ZERO = "0" * 32


@pytest.mark.parametrize(
    ("four", "six", "there"),
    [
        ("", "", False),
        (_ROUTE + "eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", "", False),
        (_ROUTE + "eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", "", True),
        ("", f"fe80{_ZERO[4:]} 40 {_ZERO} 00 {_ZERO} 00000100 00000001 00000000 00000001 eth0\n", False),
        ("", f"{_ZERO} 00 {_ZERO} 00 {_ZERO} ffffffff 00000001 00000000 00200200 lo\n", False),
        ("", f"{_ZERO} 00 {_ZERO} 00 fe80{_ZERO[4:]} 00000400 00000001 00000000 00450003 eth0\n", True),
    ],
)
def test_a_default_route_is_seen(tmp_path: Path, four: str, six: str, there: bool) -> None:
    (tmp_path / "route").write_text(four)
    (tmp_path / "ipv6_route").write_text(six)
    assert link.has_default_route(tmp_path) is there


def test_messages_to_the_kernel_have_their_lengths() -> None:
    for message in (
        netlink.set_up(3),
        netlink.set_hardware_address(3, bytes(6)),
        netlink.add_address(3, IPv4Interface("10.0.2.15/24")),
        netlink.add_default_route(3, IPv4Address("10.0.2.2"), on_link=True),
    ):
        assert struct.unpack_from("=I", message)[0] == len(message)
        assert len(message) % 4 == 0


def test_answers_of_the_kernel_are_read_or_an_error() -> None:
    head = struct.pack("=IHHII", 36, 2, 0, 1, 0)
    assert netlink.answer_of(head + struct.pack("=i", 0)) == 0
    assert netlink.answer_of(head + struct.pack("=i", -19)) == 19
    with pytest.raises(OSError, match="no answer"):
        netlink.answer_of(head)
    with pytest.raises(OSError, match="no answer"):
        netlink.answer_of(struct.pack("=IHHIIi", 20, 16, 0, 1, 0, 0))


def test_an_interface_that_is_not_there_is_named() -> None:
    with pytest.raises(UnavailableError, match="nothing0: does not go up"):
        link.bring_up("nothing0")


def test_waiting_ends_when_it_is_true_or_when_it_was_long_enough() -> None:
    answers = iter([False, False, True])
    assert link.wait_for(lambda: next(answers), 60.0)
    assert not link.wait_for(lambda: False, 0.0)
