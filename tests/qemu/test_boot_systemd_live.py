"""The Debian package where systemd is the first process: it starts, keeps its walls, runs a job, and goes."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.program import orlop
from tests.qemu.debian import debian
from tests.qemu.laboratory import Laboratory, boots
from tests.qemu.machine import Direct, direct

pytestmark = pytest.mark.boot

MEMORY = 1536  # MiB: half of it is the most that the tree may fill, and a job wants some of that free
RESIDENT_KIB = 110_000_000 // 1024
SYSTEM = "etc/systemd/system"
CONFIG = '[control]\ngroup = "orlop"\ngroup_writes = true\n'
# The service says by its socket that it is there: that starts the look at it, and nobody waits in vain.
PATH = "[Path]\nPathExists=/run/orlop/control.sock\n"
ONCE = "[Unit]\nDescription={0}\nAfter={1}\n[Service]\nType=oneshot\nExecStart=/root/{0}\n"
CONFIGURE = """\
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
dpkg --force-confold --configure orlop
printf 'seen: configured %s\\n' $? > /dev/ttyS0
"""
LOOK = """\
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
see() { printf 'seen: %s\\n' "$*" > /dev/ttyS0; }
service=$(systemctl show --value --property MainPID orlop)
see state $(systemctl is-active orlop) $(systemctl is-enabled orlop)
see restarts $(systemctl show --value --property NRestarts orlop)
while read -r name value; do
  case $name in Uid:|NoNewPrivs:|Seccomp:|CapBnd:|CapEff:|VmRSS:) see ${name%:} $value ;; esac
done < /proc/$service/status
see account $(id -u orlop)
see folder $(stat --format '%a %U %G' /var/lib/orlop)
see socket $(stat --format '%a %U %G' /run/orlop/control.sock)
useradd --create-home --groups orlop ann
see outside $(touch /etc/written 2>&1 && ls /etc/written) $(ls /home)
see inside $(nsenter --target $service --mount touch /etc/written 2>&1)
see inside-home $(nsenter --target $service --mount ls /home 2>&1)
hello=/usr/lib/orlop/assets/jobs/hello/hello.wasm
job="printf 'Hello, World' | orlop jobs run $hello --stdin - --receipt receipt.json"
see job $(runuser --login ann --command "$job" 2>&1)
see receipt $(cat ~ann/receipt.json)
see own-folders $(ls -A ~ann/.local 2>/dev/null)
dpkg --purge orlop
see purged $? $(systemctl is-active orlop)
see left $(ls -d /var/lib/orlop /etc/orlop /run/orlop 2>/dev/null) $(getent passwd orlop)
systemctl poweroff
"""


@dataclass(frozen=True, slots=True)
class Serviced:
    """What was seen of the service.

    Attributes:
        said: on the machine's console, the journal included.
        found: what the machine found, by what it is about.
        place: a folder for whoever looks at it.
    """

    said: str
    found: dict[str, str]
    place: Path


def package_under_systemd(laboratory: Laboratory) -> Serviced:
    """A Debian with systemd, in which the package is configured, started, used and purged."""
    place = laboratory.place("systemd")
    files = {
        "root/configure": CONFIGURE,
        "root/look": LOOK,
        f"{SYSTEM}/configure.service": ONCE.format("configure", "multi-user.target"),
        f"{SYSTEM}/look.service": ONCE.format("look", "configure.service"),
        f"{SYSTEM}/look.path": PATH,
        "etc/orlop/config.toml": CONFIG,
    }
    begun = {f"{SYSTEM}/multi-user.target.wants/{name}": f"../{name}" for name in ("configure.service", "look.path")}
    links = {
        "init": "lib/systemd/systemd",
        f"{SYSTEM}/serial-getty@ttyS0.service": "/dev/null",  # it would take the line from whoever else writes to it
        **begun,
    }
    tree = debian(place, files, links)
    line = "systemd.show_status=no systemd.journald.forward_to_console=1"
    kernel = laboratory.release.kernel
    words = direct(Direct(kernel=kernel, initrd=tree, line=line, memory=MEMORY))
    with laboratory.starts(words, place / "console.log") as machine:
        machine.until("seen: configured 0")
        said = machine.until_off()
    tree.unlink()
    found = [one.partition(" ") for one in machine.lines("seen: ")]
    return Serviced(said, {name: value.strip() for name, _, value in found}, place)


@boots(package_under_systemd)
def test_it_starts_as_soon_as_it_is_configured_and_stays(seen: Serviced) -> None:
    assert seen.found["state"] == "active enabled"
    assert seen.found["restarts"] == "0"
    assert not re.search(r"orlop\[\d+\]: orlop: ", seen.said)  # what it says to the journal is what is wrong


@boots(package_under_systemd)
def test_the_service_is_its_own_user_without_any_privilege(seen: Serviced) -> None:
    found = seen.found
    assert set(found["Uid"].split()) == {found["account"]}
    assert found["account"] != "0"
    assert (int(found["CapBnd"], 16), int(found["CapEff"], 16)) == (0, 0)
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")


@boots(package_under_systemd)
def test_its_state_is_its_own_and_its_socket_the_groups(seen: Serviced) -> None:
    assert seen.found["folder"] == "700 orlop orlop"
    assert seen.found["socket"] == "660 orlop orlop"


@boots(package_under_systemd)
def test_the_system_is_read_only_for_it_and_homes_are_hidden(seen: Serviced) -> None:
    assert seen.found["outside"] == "/etc/written ann"
    assert "Read-only file system" in seen.found["inside"]
    assert seen.found["inside-home"] == ""


@boots(package_under_systemd)
def test_a_member_of_its_group_runs_a_job_in_it_and_gets_a_receipt(seen: Serviced) -> None:
    """The engine compiles behind the walls; the member has no state directory of its own afterwards."""
    assert seen.found["job"] == "dlroW ,olleH"
    assert seen.found["own-folders"] == ""
    receipt = seen.place / "receipt.json"
    receipt.write_text(seen.found["receipt"])
    (seen.place / "stdout").write_text(seen.found["job"])
    proof = ["--key", json.loads(seen.found["receipt"])["worker_pubkey"], "--stdout", str(seen.place / "stdout")]
    ran = orlop(seen.place, "receipts", "verify", str(receipt), *proof)
    assert ran.code == 0, ran.talk


@boots(package_under_systemd)
def test_idle_it_has_no_more_resident_than_promised(seen: Serviced) -> None:
    count, unit = seen.found["VmRSS"].split()
    assert (unit, int(count) <= RESIDENT_KIB) == ("kB", True)


@boots(package_under_systemd)
def test_purged_while_it_runs_it_is_stopped_and_nothing_is_left(seen: Serviced) -> None:
    assert seen.found["purged"] == "0 inactive"
    assert seen.found["left"] == ""
