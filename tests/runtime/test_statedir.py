import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.errors import InUseError, RefusedError, UnavailableError, UsageError
from runtime.statedir import StateDir, acquire_owner, acquire_shared, find, locate, owner_running, prepare


@pytest.mark.parametrize(
    ("option", "environ", "path"),
    [
        ("/a/../b", {"ORLOP_STATE_DIR": "/c"}, "/b"),
        (None, {"ORLOP_STATE_DIR": "/c", "XDG_STATE_HOME": "/x"}, "/c"),
        (None, {"ORLOP_STATE_DIR": "", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/orlop"),
        (None, {"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/orlop"),
        (None, {"HOME": "/h"}, "/h/.local/state/orlop"),
    ],
)
def test_where_it_is(option: str | None, environ: dict[str, str], path: str) -> None:
    assert locate(option, environ) == Path(path)


def test_a_relative_option_counts_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate("state", {}) == tmp_path / "state"


@pytest.mark.parametrize(("option", "environ"), [("", {"HOME": "/h"}), ("a\0b", {}), (None, {}), (None, {"HOME": "h"})])
def test_impossible_places(option: str | None, environ: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        locate(option, environ)


def test_it_is_made_private_and_whole(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        state = prepare(tmp_path / "deep" / "state")
    finally:
        os.umask(previous)
    made = [state.path, state.modules, state.output, state.run, state.compiled_cache, state.config_d]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o700] * 6
    assert state.version_file.read_text() == "1\n"
    assert prepare(state.path) == state == find(state.path)


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "letter.txt").write_text("dear")
    (tmp_path / "modules").write_text("not ours")
    with pytest.raises(UnavailableError, match="modules: is not a directory"):
        prepare(tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_finding_makes_nothing(tmp_path: Path) -> None:
    assert find(tmp_path / "none") is None
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match="not a directory"):
        prepare(tmp_path / "file")
    with pytest.raises(RefusedError, match="not a directory"):
        find(tmp_path / "file")
    with pytest.raises(UnavailableError):
        prepare(tmp_path / "file" / "below")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o750)
    with pytest.raises(RefusedError, match=r"open to others \(mode 0750\).*chmod 700"):
        prepare(tmp_path / "open")


def test_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path / "s")
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(RefusedError, match=f"belongs to user {owner}, not to us"):
        prepare(tmp_path / "s")


def test_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path / "s")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UnavailableError, match="cannot be written"):
        prepare(tmp_path / "s")


def test_a_later_layout_is_named(tmp_path: Path) -> None:
    state = prepare(tmp_path / "s")
    state.version_file.write_text("2\n")
    with pytest.raises(UsageError, match=r"layout 2, this one knows 1.*update orlop"):
        prepare(state.path)


HOLD = """
import sys
from pathlib import Path
from runtime.statedir import StateDir, acquire_owner, acquire_shared
lock = {"owner": acquire_owner, "shared": acquire_shared}[sys.argv[1]](StateDir(Path(sys.argv[2])))
print("held", flush=True)
sys.stdin.read()
lock.close()
"""


class Holder:
    def __init__(self, kind: str, state: StateDir) -> None:
        command = [sys.executable, "-c", HOLD, kind, str(state.path)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"held\n"
        self.pid = self.process.pid

    def end(self, number: int | None = None) -> None:
        if number:
            self.process.send_signal(number)
        self.process.communicate()


def test_one_owner_and_its_pid(tmp_path: Path) -> None:
    state = prepare(tmp_path / "s")
    assert owner_running(state) is None
    owner = Holder("owner", state)
    assert owner_running(state) == owner.pid
    for acquire in (acquire_owner, acquire_shared):
        with pytest.raises(InUseError, match=f"in use by process {owner.pid};"):
            acquire(state)
    owner.end()
    assert owner_running(state) is None
    acquire_owner(state).close()


def test_a_killed_owner_is_none(tmp_path: Path) -> None:
    state = prepare(tmp_path / "s")
    owner = Holder("owner", state)
    owner.end(signal.SIGKILL)
    assert owner_running(state) is None
    with acquire_shared(state), acquire_shared(state):
        assert owner_running(state) is None
    with acquire_owner(state):
        assert owner_running(state) == os.getpid()


def test_one_shots_share_and_keep_owners_away(tmp_path: Path) -> None:
    state = prepare(tmp_path / "s")
    one = Holder("shared", state)
    with acquire_shared(state):
        pass
    with pytest.raises(InUseError, match=f"process {one.pid};"):
        acquire_owner(state, wait_s=0.06)
    one.end()


def test_an_owner_waits_for_one_shots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = prepare(tmp_path / "s")
    one = Holder("shared", state)
    monkeypatch.setattr("time.sleep", lambda _: one.end())
    with acquire_owner(state):
        assert owner_running(state) == os.getpid()


def test_the_kernel_or_else_the_file_names_the_holder(tmp_path: Path) -> None:
    state = prepare(tmp_path / "s")
    with acquire_owner(state):
        # The kernel's table names this process, which is nobody else: the file is believed.
        with pytest.raises(InUseError, match=f"process {os.getpid()};"):
            acquire_owner(state)
        state.owner_lock.write_text("nonsense")
        assert owner_running(state) == 0
        with pytest.raises(InUseError, match="another process"):
            acquire_shared(state)


def test_the_owner_empties_run_and_nothing_beyond_it(tmp_path: Path) -> None:
    state = prepare(tmp_path / "s")
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "f").touch()
    (state.run / "job" / "deep").mkdir(parents=True)
    (state.run / "file").touch()
    (state.run / "link").symlink_to(kept)
    (state.run / "job" / "link").symlink_to(kept)
    acquire_owner(state).close()
    assert list(state.run.iterdir()) == []
    assert (kept / "f").exists()


def test_no_lock_without_a_directory(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no such file"):
        acquire_shared(StateDir(tmp_path / "none"))
    assert owner_running(StateDir(tmp_path / "none")) is None
