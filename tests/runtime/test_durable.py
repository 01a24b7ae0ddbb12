import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runtime import durable
from runtime.errors import RefusedError, UnavailableError


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_a_created_file_is_whole_and_private(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        assert durable.create(tmp_path / "key", b"secret")
    finally:
        os.umask(previous)
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["key"]


def test_the_first_creator_wins(tmp_path: Path) -> None:
    won: list[int] = []
    start = threading.Barrier(8)

    def compete(number: int) -> None:
        start.wait()
        if durable.create(tmp_path / "key", bytes([number]) * 1000):
            won.append(number)

    threads = [threading.Thread(target=compete, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(tmp_path / "key").read_bytes()] == [bytes([number]) * 1000 for number in won]
    assert names(tmp_path) == ["key"]


def test_a_replaced_file_keeps_nothing_of_the_old(tmp_path: Path) -> None:
    durable.create(tmp_path / "f", b"a long old content")
    durable.replace(tmp_path / "f", b"new", mode=0o644)
    assert (tmp_path / "f").read_bytes() == b"new"
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o644
    assert names(tmp_path) == ["f"]


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no such file or directory"):
        durable.create(tmp_path / "none" / "f", b"")
    (tmp_path / "dir").mkdir()
    with pytest.raises(UnavailableError, match="is a directory"):
        durable.replace(tmp_path / "dir", b"")
    assert names(tmp_path) == ["dir"]


def test_a_full_disk_leaves_the_old_content(tmp_path: Path) -> None:
    durable.create(tmp_path / "f", b"old")
    code = (
        "import resource, signal, sys; from pathlib import Path; from runtime import durable\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "from runtime.errors import UnavailableError\n"
        "try: durable.replace(Path(sys.argv[1]), bytes(1000))\n"
        "except UnavailableError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "f"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'f'}: file too large\n"
    assert (tmp_path / "f").read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_reading(tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert durable.read(path, limit=9) is None
    durable.create(path, b"123")
    assert durable.read(path, limit=3, private=True) == b"123"
    with pytest.raises(RefusedError, match="larger than 2 bytes"):
        durable.read(path, limit=2)
    path.chmod(0o640)
    assert durable.read(path, limit=3) == b"123"
    with pytest.raises(RefusedError, match=r"mode 0640.*chmod 600"):
        durable.read(path, limit=3, private=True)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(RefusedError, match="not a regular file"):
        durable.read(tmp_path / "fifo", limit=1)
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    with pytest.raises(RefusedError, match="is a symbolic link"):
        durable.read(tmp_path / "link", limit=1)
    with pytest.raises(RefusedError, match="not a regular file"):
        durable.read(tmp_path, limit=1)


def test_directories(tmp_path: Path) -> None:
    durable.make_directory(tmp_path / "d")
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o700
    (tmp_path / "d").chmod(0o750)
    durable.make_directory(tmp_path / "d")
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o750
    (tmp_path / "f").touch()
    with pytest.raises(UnavailableError, match="not a directory"):
        durable.make_directory(tmp_path / "f")
