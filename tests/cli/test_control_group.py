"""The second control socket, by real programs of several users: who comes in, who reads, who writes.

Where the tests do not run as root nobody can become another user: there the one that runs them is the member, and only
what needs a stranger is left to those who can make one.
"""

import contextlib
import grp
import json
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Ran, command, environment

AS_ROOT = os.geteuid() == 0
GROUP = grp.getgrnam("daemon") if AS_ROOT else grp.getgrgid(os.getegid())
MEMBER, STRANGER = (12_345, 12_346) if AS_ROOT else (os.geteuid(), os.geteuid())
ONLY_READS = "changes something, and by this socket its group only reads"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may enter, with one for the socket and a home for each user."""
    with tempfile.TemporaryDirectory(prefix="orlop-group-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "run").mkdir(mode=0o755)
        for who in {MEMBER, STRANGER}:
            (folder / str(who)).mkdir(mode=0o700)
            if AS_ROOT:
                os.chown(folder / str(who), who, who)
        yield folder


@contextlib.contextmanager
def node(place: Path, **more: str) -> Iterator[list[dict[str, Any]]]:
    """A node with a socket for the group; the records that it told, complete when it has ended."""
    told: list[dict[str, Any]] = []
    given = {"ORLOP_CONTROL_GROUP": GROUP.gr_name, "ORLOP_CONTROL_SOCKET": str(place / "run" / "control.sock")}
    line = command("--no-ui", "--state-dir", str(place / "state"), "--quiet")
    with subprocess.Popen(
        line, env=environment(place, **given, **more), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        for raw in process.stdout:
            told.append(json.loads(raw))
            if told[-1]["type"] == "core.ready":
                break
        yield told
        process.terminate()
        told += map(json.loads, process.stdout)


def by(place: Path, uid: int, *words: str, member: bool = True) -> Ran:
    """Runs a command as somebody who has no state directory."""
    home = place / str(uid)
    variables = environment(home, ORLOP_CONTROL_SOCKET=str(place / "run" / "control.sock"))
    become: list[str | bytes] = []
    if AS_ROOT:
        groups = ["--groups", str(GROUP.gr_gid)] if member else ["--clear-groups"]
        # The interpreter may lie where only root reads; writing, as to a socket, is not part of this capability.
        reads = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
        become = ["setpriv", "--reuid", str(uid), "--regid", str(uid), *groups, *reads, "--"]
    line = [*become, *command(*words)]
    done = subprocess.run(line, env=variables, cwd=home, capture_output=True, check=False, timeout=100)
    return Ran(done.returncode, done.stdout, done.stderr)


def test_a_member_finds_the_node_and_reads_and_changes_nothing(place: Path) -> None:
    with node(place) as told:
        status = (place / "run" / "control.sock").stat()
        assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o660, GROUP.gr_gid)
        listed = by(place, MEMBER, "rooms", "list", "--json")
        assert (listed.code, listed.json["items"], listed.talk) == (0, [], "")
        shown = by(place, MEMBER, "status", "--json")
        assert (shown.code, shown.json["state_dir"]) == (0, str(place / "state"))
        refused = by(place, MEMBER, "rooms", "create", "harbor")
        assert (refused.code, ONLY_READS in refused.talk, "control.group_writes" in refused.talk) == (1, True, True)
    assert list((place / str(MEMBER)).iterdir()) == []
    attached = [event for event in told if event["type"] == "client.attached"]
    assert {(event["uid"], event["read_only"]) for event in attached} == {(MEMBER, True)}
    assert not (place / "run" / "control.sock").exists()


def test_a_member_writes_where_the_operator_says_so_and_the_audit_says_who(place: Path) -> None:
    with node(place, ORLOP_CONTROL_GROUP_WRITES="true"):
        assert by(place, MEMBER, "rooms", "create", "harbor").code == 0
        items = by(place, MEMBER, "audit", "--json").json["items"]
    assert [(item["command"], item["uid"]) for item in items] == [("rooms create", MEMBER)]


def test_who_names_a_directory_or_has_one_is_not_sent_to_the_node(place: Path) -> None:
    with node(place):
        own = place / str(MEMBER) / "own"
        assert by(place, MEMBER, "--state-dir", str(own), "rooms", "create", "mine").code == 0
        assert by(place, MEMBER, "rooms", "list", "--json").json["items"] == []
        assert by(place, MEMBER, "init", "--yes").code == 0
        assert by(place, MEMBER, "rooms", "create", "mine").code == 0


def test_a_stranger_works_with_a_directory_of_their_own(place: Path) -> None:
    with node(place) as told:
        assert by(place, STRANGER, "rooms", "create", "mine", member=False).code == (0 if AS_ROOT else 1)
    assert (place / str(STRANGER) / ".local").exists() is AS_ROOT
    assert len([event for event in told if event["type"] == "client.attached"]) == (0 if AS_ROOT else 1)


def test_a_stranger_is_not_let_in_even_where_the_mode_of_the_socket_was_widened(place: Path) -> None:
    with node(place) as told:
        path = place / "run" / "control.sock"
        path.chmod(0o666)
        # Of a directory of their own, or, as ourselves, of the node's.
        assert by(place, STRANGER, "rooms", "list", "--json", member=False).code == 0
    turned_away = [event for event in told if event["type"] == "client.detached" and event["reason"] == "another user"]
    assert len(turned_away) == (1 if AS_ROOT else 0)
    assert (place / str(STRANGER) / ".local").exists() is AS_ROOT


def test_a_group_that_is_not_there_is_a_mistake_of_the_configuration(place: Path) -> None:
    line = command("--no-ui", "--state-dir", str(place / "state"))
    given = environment(place, ORLOP_CONTROL_GROUP="no-such-group-here")
    done = subprocess.run(line, env=given, capture_output=True, check=False, timeout=100)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == (
        "orlop: configuration: control.group no-such-group-here: no such group; groupadd makes one\n"
    )


def test_a_socket_that_cannot_be_made_is_said(place: Path) -> None:
    line = command("--no-ui", "--state-dir", str(place / "state"))
    given = environment(place, ORLOP_CONTROL_GROUP=GROUP.gr_name, ORLOP_CONTROL_SOCKET=str(place / "no" / "x.sock"))
    done = subprocess.run(line, env=given, capture_output=True, check=False, timeout=100)
    assert (done.returncode, b"no/x.sock: no such file or directory" in done.stderr) == (1, True)
