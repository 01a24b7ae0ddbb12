"""`backup` under a running core: descriptors of the caller, one at a time, and an end when it should."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.core import CoreOptions
from console.local import LocalCore
from runtime import backup as runtime_backup

SECRET = b"correct horse"


@pytest.fixture
def core(tmp_path: Path) -> Iterator[LocalCore]:
    client = LocalCore(CoreOptions(state_path=tmp_path / "state", owner=False), face="test")
    yield client
    client.close()


@pytest.fixture
def out(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_it_is_written_into_the_callers_descriptor(core: LocalCore, out: int) -> None:
    reading, writing = os.pipe()
    os.write(writing, SECRET)
    os.close(writing)
    result = core.execute("backup", {"out": "x"}, {"out": out, "passphrase": reading}).result.result()
    os.close(reading)
    assert result.ok
    assert isinstance(result.value, dict)
    assert result.value["bytes"] == os.fstat(out).st_size > 0


def test_without_descriptors_it_says_where_to_run_it(core: LocalCore) -> None:
    fault = core.execute("backup", {"out": "x"}).result.result().fault
    assert fault is not None
    assert fault.line == "backup: asks for a passphrase; run orlop backup x in a shell"


def test_a_pipe_is_no_place_for_it(core: LocalCore, pipe: tuple[int, int]) -> None:
    """One that nobody reads would hold a thread for ever."""
    fault = core.execute("backup", {"out": "x"}, {"out": pipe[1], "passphrase": pipe[0]}).result.result().fault
    assert fault is not None
    assert fault.line == "backup: out: is no regular file"


def test_while_it_waits_for_the_passphrase_it_can_be_interrupted(
    core: LocalCore, out: int, pipe: tuple[int, int]
) -> None:
    running = core.execute("backup", {"out": "x"}, {"out": out, "passphrase": pipe[0]})
    running.interrupt(130)
    fault = running.result.result().fault
    assert fault is not None
    assert "interrupted" in fault.line
    assert os.fstat(out).st_size == 0


def test_a_second_one_at_the_same_time_is_refused(
    core: LocalCore, out: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first stands in its first step until the second was refused; then it is interrupted."""
    from threading import Event

    entered, go_on = Event(), Event()
    moment = runtime_backup._moment

    def stands(*args: object) -> object:
        entered.set()
        go_on.wait()
        return moment(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(runtime_backup, "_moment", stands)
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    descriptors = [os.open(secret, os.O_RDONLY) for _ in range(2)]
    first = core.execute("backup", {"out": "x"}, {"out": out, "passphrase": descriptors[0]})
    entered.wait()
    fault = core.execute("backup", {"out": "y"}, {"out": out, "passphrase": descriptors[1]}).result.result().fault
    assert fault is not None
    assert fault.line == "backup: another backup is being written; try again when it is done"
    first.interrupt(130)
    core.execute("completion", {"shell": "bash"}).result.result()  # the loop has heard of it when it answers this
    go_on.set()
    ended = first.result.result()
    assert ended.fault is not None
    assert ended.fault.line == "backup: interrupted; nothing was kept"
    for descriptor in descriptors:
        os.close(descriptor)


def test_a_running_core_is_not_restored_over(core: LocalCore) -> None:
    file = os.open(os.devnull, os.O_RDONLY)
    fault = core.execute("restore", {"backup": "x"}, {"backup": file}).result.result().fault
    os.close(file)
    assert fault is not None
    assert fault.line.endswith("this directory is in use; end this orlop and run orlop restore in a shell")
