"""The first stage itself refuses: each of these machines says why on its console, and executes nothing."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from boot.stage1.newc import head, padding, trailer
from net.lan.announcement import Boot
from tests.qemu.laboratory import Laboratory, boots
from tests.qemu.lan import HOST, Lan, announces, leases, routed
from tests.qemu.release import FLOOR, Release, shelf

pytestmark = pytest.mark.boot

REFUSED, UNAVAILABLE, FAILED = "boot: refused", "boot: unavailable", "boot: failed"
OFF = "orlop.onfail=poweroff"


def refusing(
    laboratory: Laboratory, name: str, served: Release, *words: str, mode: str = "internet", more: str = ""
) -> str:
    """Boots from what a folder gives, until the machine is off."""
    place = laboratory.place(name)
    with shelf(served.folder) as port:
        line = f"orlop.mode={mode} orlop.provider=http://{HOST}:{port}/ {OFF} {more}"
        with laboratory.boots(place, line, *routed(), *words, expects=(REFUSED,)) as machine:
            return machine.until_off()


def alone(
    laboratory: Laboratory,
    name: str,
    *words: str,
    line: str = "orlop.mode=internet",
    expects: tuple[str, ...] = (REFUSED, UNAVAILABLE),
    **changes: object,
) -> str:
    """Boots with nobody who serves anything, until the machine is off."""
    place = laboratory.place(name)
    with laboratory.boots(place, f"{line} {OFF}", *words, expects=expects, **changes) as machine:
        return machine.until_off()


def changed_initramfs(laboratory: Laboratory) -> str:
    """One byte of the first stage that is served is another one."""
    served = laboratory.release.changed(laboratory.folder / "changed-initramfs", "initramfs")
    return refusing(laboratory, "initramfs", served)


def changed_manifest(laboratory: Laboratory) -> str:
    """One character of the manifest's signed part is another one."""
    raw = laboratory.release.folder.joinpath("manifest.json").read_bytes()
    at = raw.index(b'"sha256":"') + len(b'"sha256":"')
    served = laboratory.release.changed(laboratory.folder / "changed-manifest", "manifest.json", at)
    return refusing(laboratory, "manifest", served)


def long_after(laboratory: Laboratory) -> str:
    """The clock stands behind the manifest's end."""
    return refusing(laboratory, "expired", laboratory.release, "-rtc", "base=2060-01-01T00:00:00")


def clock_at_1970(laboratory: Laboratory) -> str:
    """The clock says 1970, and nothing is wrong else."""
    place = laboratory.place("at-1970")
    with shelf(laboratory.release.folder) as port:
        line = f"orlop.mode=internet orlop.provider=http://{HOST}:{port}/"
        with laboratory.boots(place, line, *routed(), "-rtc", "base=1970-01-01T00:00:00") as machine:
            machine.until("boot: got rootfs")
    return machine.text


def other_channel(laboratory: Laboratory) -> str:
    """The machine asks for another channel."""
    return refusing(laboratory, "channel", laboratory.release, more="orlop.channel=testing")


def other_arch(laboratory: Laboratory) -> str:
    """The manifest is for machines of another kind."""
    served = laboratory.release.signed(laboratory.folder / "other-arch", arch="arm64")
    return refusing(laboratory, "arch", served)


def older_version(laboratory: Laboratory) -> str:
    """The manifest is older than the image."""
    served = laboratory.release.signed(laboratory.folder / "older", version=FLOOR - 1)
    return refusing(laboratory, "rollback", served)


def too_little_memory(laboratory: Laboratory) -> str:
    """A machine in which the release has no room."""
    return refusing_with(laboratory, "memory", memory=256)


def refusing_with(laboratory: Laboratory, name: str, **changes: object) -> str:
    """Boots the good release on another machine."""
    place = laboratory.place(name)
    with shelf(laboratory.release.folder) as port:
        line = f"orlop.mode=internet orlop.provider=http://{HOST}:{port}/ {OFF}"
        with laboratory.boots(place, line, *routed(), expects=(REFUSED,), **changes) as machine:
            return machine.until_off()


def unknown_key(laboratory: Laboratory) -> str:
    """A word on the command line that nobody knows."""
    return alone(laboratory, "key", line="orlop.mode=internet orlop.shell=on")


def unknown_mode(laboratory: Laboratory) -> str:
    """A mode that is none."""
    return alone(laboratory, "mode", line="orlop.mode=lokal")


def no_network(laboratory: Laboratory) -> str:
    """A machine without a card."""
    return alone(laboratory, "no-network")


def no_lease(laboratory: Laboratory) -> str:
    """A link on which nobody leases addresses."""
    return on_link(laboratory, "no-lease")


def lease_of_nonsense(laboratory: Laboratory) -> str:
    """A link on which the addresses that are leased are none that a machine can have."""
    return on_link(laboratory, "nonsense", leases("127.0.0.1", "255.0.255.0", router="0.0.0.0"))


def lease_with_escapes(laboratory: Laboratory) -> str:
    """A lease with words that a terminal or a shell would obey, and then nobody who serves."""
    evil = "\x1b]0;owned\x07\x1b[2J`reboot`$(reboot)"
    said = [f"{name}={evil}" for name in ("hostname", "bootfile", "tftp-server-name", "domainname")]
    return server_gone_behind(laboratory, "escapes", *routed(*said))


def on_link(laboratory: Laboratory, name: str, *answerers: object, line: str = "orlop.mode=internet") -> str:
    """Boots on a link without QEMU's router."""
    with Lan(*answerers) as lan:
        return alone(laboratory, name, *lan.plug(name, router=False), line=line)


def server_gone(laboratory: Laboratory) -> str:
    """The server that is named listens no more."""
    return server_gone_behind(laboratory, "gone", *routed())


def server_gone_behind(laboratory: Laboratory, name: str, *words: str) -> str:
    """The same, on a network by these words."""
    with closed_port() as port:
        return alone(laboratory, name, *words, line=f"orlop.mode=internet orlop.provider=http://{HOST}:{port}/")


def two_that_disagree(laboratory: Laboratory) -> tuple[str, int, int]:
    """Two servers are announced; that which says it has more lies. Gives what was said, and their ports."""
    place = laboratory.place("disagree")
    false = laboratory.release.changed(laboratory.folder / "lies", "rootfs", at=0)
    with shelf(false.folder) as liar, shelf(laboratory.release.folder) as honest:
        both = [(port, Boot("stable", "x86_64", version, "0" * 64)) for port, version in ((liar, 9), (honest, FLOOR))]
        lan = Lan(announces(*both))
        with lan, laboratory.boots(place, "orlop.mode=private", *lan.plug("two")) as machine:
            machine.until("boot: kexec loaded")
    return machine.text, liar, honest


def broken_program(laboratory: Laboratory) -> str:
    """A part of the first stage's own program is damaged."""
    place = laboratory.place("broken")
    name, wrong = "lib/orlop/boot/stage1/course.pyc", b"this is no program\n"
    plain = laboratory.release.initramfs.read_bytes()
    entry = head(name, len(wrong), number=1) + wrong + padding(len(wrong)) + trailer()
    (place / "initramfs").write_bytes(plain + padding(len(plain)) + entry)
    return alone(laboratory, "broken-run", expects=(FAILED,), initrd=place / "initramfs")


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that is taken and on which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def reason(said: str) -> str:
    """The code of the last refusal."""
    return said.rpartition("boot: refused: ")[2].partition(":")[0]


def assert_ended(said: str, code: int) -> None:
    """The machine went off by itself, with this as its last word, and loaded nothing."""
    assert said.rpartition("] boot: ")[2].partition("\n")[0] == f"exit {code}", said[-2000:]
    assert "kexec loaded" not in said


@boots(changed_initramfs)
def test_s4_an_artifact_with_one_byte_changed_is_not_executed(seen: str) -> None:
    assert reason(seen) == "hash"
    assert_ended(seen, 3)


@boots(changed_manifest)
def test_11_3_a_tampered_manifest_is_refused(seen: str) -> None:
    assert reason(seen) == "bad-signature"
    assert "boot: got" not in seen
    assert_ended(seen, 3)


@boots(long_after)
def test_p9_an_expired_manifest_is_refused(seen: str) -> None:
    assert reason(seen) == "expired"
    assert_ended(seen, 3)


@boots(clock_at_1970)
def test_a_clock_at_1970_is_told_and_refuses_nothing(seen: str) -> None:
    assert "boot: note: the clock says 1970-01-01" in seen
    assert "boot: step version: " in seen


@boots(other_channel)
def test_another_channel_is_refused(seen: str) -> None:
    assert reason(seen) == "channel"
    assert_ended(seen, 3)


@boots(other_arch)
def test_11_3_another_architecture_is_refused(seen: str) -> None:
    assert reason(seen) == "arch"
    assert_ended(seen, 3)


@boots(older_version)
def test_a_manifest_below_the_floor_of_the_image_is_refused(seen: str) -> None:
    assert reason(seen) == "rollback"
    assert f"version {FLOOR - 1} is below {FLOOR}" in seen
    assert_ended(seen, 3)


@boots(too_little_memory)
def test_11_3_a_machine_with_too_little_memory_says_so_before_it_fetches(seen: str) -> None:
    assert reason(seen) == "memory"
    assert "boot: got" not in seen
    assert_ended(seen, 3)


@boots(unknown_key)
def test_an_unknown_word_on_the_command_line_refuses_to_boot(seen: str) -> None:
    assert reason(seen) == "cmdline"
    assert "orlop.shell is no key" in seen
    assert_ended(seen, 3)


@boots(unknown_mode)
def test_an_unknown_mode_refuses_to_boot(seen: str) -> None:
    assert reason(seen) == "cmdline"
    assert_ended(seen, 3)


@boots(no_network)
def test_a_machine_without_network_could_not_check(seen: str) -> None:
    assert "boot: unavailable: " in seen
    assert_ended(seen, 5)


@boots(no_lease)
def test_a_link_without_dhcp_is_unavailable(seen: str) -> None:
    assert "boot: unavailable: " in seen
    assert_ended(seen, 5)


@boots(lease_of_nonsense)
def test_a_lease_that_makes_no_sense_is_not_taken(seen: str) -> None:
    assert "boot: unavailable: " in seen
    assert "boot: address 127" not in seen
    assert_ended(seen, 5)


@boots(lease_with_escapes)
def test_words_of_a_lease_are_not_obeyed(seen: str) -> None:
    assert "boot: address 10.0.2.15/24 via eth0" in seen
    assert "owned" not in seen
    assert_ended(seen, 5)


@boots(server_gone)
def test_a_server_that_is_gone_is_unavailable_and_not_refused(seen: str) -> None:
    assert "boot: unavailable: " in seen
    assert "boot: refused" not in seen
    assert_ended(seen, 5)


@boots(two_that_disagree)
def test_11_3_of_two_servers_that_disagree_the_one_that_lies_is_left_and_the_other_is_booted(
    seen: tuple[str, int, int],
) -> None:
    said, liar, honest = seen
    left = said.index(f"nothing from http://{HOST}:{liar}/: hash: rootfs ")
    assert said.index(f"boot: provider http://{HOST}:{liar}/") < left
    assert left < said.index(f"boot: provider http://{HOST}:{honest}/") < said.index("boot: kexec loaded")


@boots(broken_program)
def test_an_error_of_the_program_is_shown_and_never_a_panic(seen: str) -> None:
    assert "boot: failed: ImportError: " in seen
    assert "boot: | Traceback" in seen
    assert "Kernel panic" not in seen
    assert_ended(seen, 1)
