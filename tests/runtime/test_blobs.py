import contextlib
import fcntl
import hashlib
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime.blobs import GRACE_MS, Blob, BlobChangedError, BlobGoneError, Blobs
from runtime.clock import SystemClock
from runtime.errors import RefusedError, UnavailableError
from tests import tmpfs

HELLO = hashlib.sha256(b"hello").hexdigest()
MIB = 1 << 20


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def path_of(tmp_path: Path, digest: str) -> Path:
    return tmp_path / "blobs" / "sha256" / digest[:2] / digest


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def given(data: bytes) -> int:
    """A descriptor from which the data can be read, through a file that has no name."""
    descriptor = os.memfd_create("input")
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def age(path: Path, ms: int = GRACE_MS + 1000) -> None:
    moment = path.lstat().st_mtime_ns - ms * 1_000_000
    os.utime(path, ns=(moment, moment), follow_symlinks=False)


def an_hour_ago() -> int:
    return SystemClock().wall_ms() - GRACE_MS


class TestPut:
    def test_content_lies_under_its_hash_private_and_once(self, blobs: Blobs, tmp_path: Path) -> None:
        descriptor = given(b"hello")
        assert blobs.put(b"hello", limit=5) == blobs.put(descriptor, limit=5) == Blob(HELLO, 5)
        os.close(descriptor)
        assert files_below(tmp_path / "blobs") == [f"sha256/{HELLO[:2]}/{HELLO}"]
        assert path_of(tmp_path, HELLO).stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "blobs").stat().st_mode & 0o777 == 0o700

    def test_a_descriptor_is_read_from_where_it_stands(self, blobs: Blobs) -> None:
        descriptor = given(b"say hello")
        os.lseek(descriptor, 4, os.SEEK_SET)
        assert blobs.put(descriptor, limit=5).hash == HELLO
        os.close(descriptor)

    def test_empty_content_is_content(self, blobs: Blobs) -> None:
        blob = blobs.put(b"", limit=0)
        assert blob == Blob(hashlib.sha256().hexdigest(), 0)
        assert blobs.read(blob.hash, limit=0) == b""

    @pytest.mark.parametrize("streamed", [False, True])
    def test_what_is_too_large_is_refused_and_leaves_nothing(
        self, blobs: Blobs, tmp_path: Path, streamed: bool
    ) -> None:
        blobs.put(b"hello", limit=5)
        source = given(b"hello") if streamed else b"hello"
        with pytest.raises(RefusedError, match="is larger than 4B"):
            blobs.put(source, limit=4)
        assert files_below(tmp_path / "blobs") == [f"sha256/{HELLO[:2]}/{HELLO}"]

    def test_content_may_come_in_pieces(self, blobs: Blobs, tmp_path: Path) -> None:
        with blobs.incoming(5) as incoming:
            incoming.write(b"hel")
            incoming.write(memoryview(b"lo"))
            assert incoming.keep() == Blob(HELLO, 5)
        with blobs.incoming(5) as incoming:
            incoming.write(b"forgo")
        assert files_below(tmp_path / "blobs") == [f"sha256/{HELLO[:2]}/{HELLO}"]

    @pytest.mark.parametrize("damage", ["bytes", "empty", "link"])
    def test_what_was_changed_is_mended(self, blobs: Blobs, tmp_path: Path, damage: str) -> None:
        blobs.put(b"hello", limit=5)
        path = path_of(tmp_path, HELLO)
        path.unlink()
        if damage == "link":
            path.symlink_to("/etc/hostname")
        else:
            path.write_bytes(b"hellO" if damage == "bytes" else b"")
        assert blobs.put(b"hello", limit=5).hash == HELLO
        assert blobs.read(HELLO, limit=5) == b"hello"

    def test_a_source_that_cannot_be_read_leaves_nothing(self, blobs: Blobs, tmp_path: Path) -> None:
        descriptor = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(UnavailableError, match="cannot be read: is a directory"):
            blobs.put(descriptor, limit=5)
        os.close(descriptor)
        assert files_below(tmp_path / "blobs") == []

    def test_a_place_that_cannot_be_written_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "blobs").write_bytes(b"")
        with pytest.raises(UnavailableError, match="not a directory"):
            Blobs(tmp_path / "blobs").put(b"hello", limit=5)

    def test_memory_does_not_grow_with_the_input(self, tmp_path: Path) -> None:
        """A hole of 192 MiB, in a process that may have 48 MiB more than Python itself."""
        size = 192 * MIB
        with (tmp_path / "large").open("wb") as file:
            file.truncate(size)
        code = (
            "import os, resource, sys; from pathlib import Path; from runtime.blobs import Blobs\n"
            "used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
            f"resource.setrlimit(resource.RLIMIT_AS, (used + 48 * {MIB},) * 2)\n"
            "blobs = Blobs(Path(sys.argv[1]))\n"
            "blob = blobs.put(os.open(sys.argv[2], os.O_RDONLY), limit=1 << 30)\n"
            "os.close(blobs.open(blob.hash))\n"
            "print(blob.hash, blob.size)\n"
        )
        arguments = [sys.executable, "-c", code, str(tmp_path / "blobs"), str(tmp_path / "large")]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        assert done.stdout == f"{hashlib.sha256(bytes(size)).hexdigest()} {size}\n"


class TestUse:
    def test_the_three_ways_to_use_it_give_the_content(self, blobs: Blobs) -> None:
        blobs.put(b"hello", limit=5)
        for descriptor in (blobs.open(HELLO), blobs.sealed(HELLO)):
            assert os.read(descriptor, 9) == b"hello"
            os.close(descriptor)
        assert blobs.read(HELLO, limit=5) == b"hello"
        with pytest.raises(RefusedError, match="larger than 4 bytes"):
            blobs.read(HELLO, limit=4)

    def test_a_sealed_copy_cannot_be_changed(self, blobs: Blobs, tmp_path: Path) -> None:
        blobs.put(b"hello", limit=5)
        descriptor = blobs.sealed(HELLO)
        path_of(tmp_path, HELLO).write_bytes(b"hellO")
        for change in (lambda: os.write(descriptor, b"x"), lambda: os.ftruncate(descriptor, 0)):
            with pytest.raises(PermissionError):
                change()
        with pytest.raises(PermissionError):
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, 0)
        assert os.pread(descriptor, 9, 0) == b"hello"
        os.close(descriptor)

    @pytest.mark.parametrize("content", [b"hellO", b"", b"hello!", bytes(3 * MIB)], ids=len)
    def test_what_was_changed_is_found_at_every_use(self, blobs: Blobs, tmp_path: Path, content: bytes) -> None:
        blobs.put(b"hello", limit=5)
        path_of(tmp_path, HELLO).write_bytes(content)
        got = hashlib.sha256(content).hexdigest()
        with Path(os.devnull).open("wb") as sink:
            for use in (
                lambda: blobs.open(HELLO),
                lambda: blobs.sealed(HELLO),
                lambda: blobs.read(HELLO, limit=4 * MIB),
                lambda: blobs.copy(HELLO, sink.fileno()),
            ):
                with pytest.raises(BlobChangedError) as changed:
                    use()
                assert changed.value.got == got
                line = f"sha256:{HELLO[:12]}…: the stored content was changed: it hashes to {got[:12]}…"
                assert str(changed.value) == f"{line}; give it to orlop again"

    def test_what_is_gone_is_said_at_every_use(self, blobs: Blobs) -> None:
        for use in (blobs.open, blobs.sealed, blobs.claim, lambda digest: blobs.read(digest, limit=5)):
            with pytest.raises(BlobGoneError, match=f"sha256:{HELLO[:12]}…: the content is not stored"):
                use(HELLO)

    @pytest.mark.parametrize("kind", ["directory", "link", "fifo"])
    def test_only_regular_files_are_content(self, blobs: Blobs, tmp_path: Path, kind: str) -> None:
        blobs.put(b"hello", limit=5)
        path = path_of(tmp_path, HELLO)
        path.unlink()
        if kind == "directory":
            path.mkdir()
        elif kind == "link":
            (tmp_path / "elsewhere").write_bytes(b"hello")
            path.symlink_to(tmp_path / "elsewhere")
        else:
            os.mkfifo(path)
        with pytest.raises(RefusedError, match="not a regular file"):
            blobs.open(HELLO)

    @pytest.mark.parametrize("digest", ["", "../../etc/passwd", HELLO.upper(), HELLO[:-1], f"{HELLO}\n", "é" * 64])
    def test_only_hashes_name_content(self, blobs: Blobs, digest: str) -> None:
        with pytest.raises(RefusedError, match="not 64 lower-case hexadecimal characters"):
            blobs.open(digest)

    def test_no_descriptor_is_left_open_by_a_failure(self, blobs: Blobs, tmp_path: Path) -> None:
        blobs.put(b"hello", limit=5)
        path_of(tmp_path, HELLO).write_bytes(b"hellO")
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(8):
            for use in (blobs.open, blobs.sealed):
                with pytest.raises(BlobChangedError):
                    use(HELLO)
            with pytest.raises(RefusedError):
                blobs.put(b"hello", limit=4)
        assert len(list(Path("/proc/self/fd").iterdir())) == before


class TestRemoval:
    def test_old_content_is_listed_and_condemned(self, blobs: Blobs, tmp_path: Path) -> None:
        blobs.put(b"hello", limit=5)
        blobs.put(b"young", limit=5)
        age(path_of(tmp_path, HELLO))
        assert blobs.older_than(an_hour_ago()) == [HELLO]
        assert blobs.condemn(HELLO, an_hour_ago()) == 5
        with pytest.raises(BlobGoneError):
            blobs.claim(HELLO)
        blobs.sweep(an_hour_ago())
        assert len(files_below(tmp_path / "blobs")) == 1

    @pytest.mark.parametrize("how", ["claim", "put", "stream"])
    def test_what_was_used_since_is_not_condemned(self, blobs: Blobs, tmp_path: Path, how: str) -> None:
        blobs.put(b"hello", limit=5)
        age(path_of(tmp_path, HELLO))
        assert blobs.older_than(an_hour_ago()) == [HELLO]
        if how == "claim":
            assert blobs.claim(HELLO) == Blob(HELLO, 5)
        else:
            blobs.put(given(b"hello") if how == "stream" else b"hello", limit=5)
        assert blobs.condemn(HELLO, an_hour_ago()) is None
        assert blobs.read(HELLO, limit=5) == b"hello"

    def test_files_that_are_not_ours_are_left_alone(self, blobs: Blobs, tmp_path: Path) -> None:
        blobs.put(b"hello", limit=5)
        foreign = [tmp_path / "blobs" / "README", path_of(tmp_path, HELLO).with_name("notes.txt")]
        for path in foreign:
            path.write_bytes(b"")
            age(path)
        assert blobs.older_than(an_hour_ago()) == []
        blobs.sweep(an_hour_ago())
        assert all(path.exists() for path in foreign)

    def test_an_upload_in_progress_is_not_swept_however_long_it_takes(self, blobs: Blobs, tmp_path: Path) -> None:
        with blobs.incoming(9) as incoming:
            incoming.write(b"hel")
            (name,) = files_below(tmp_path / "blobs")
            age(tmp_path / "blobs" / name)
            blobs.sweep(an_hour_ago())
            incoming.write(b"lo")
            assert incoming.keep().hash == HELLO
        assert blobs.older_than(an_hour_ago()) == []

    def test_removing_at_once(self, blobs: Blobs) -> None:
        blobs.put(b"hello", limit=5)
        blobs.remove(HELLO)
        blobs.remove(HELLO)
        with pytest.raises(BlobGoneError):
            blobs.open(HELLO)

    def test_an_empty_or_missing_folder_has_nothing(self, blobs: Blobs) -> None:
        blobs.sweep(an_hour_ago())
        assert blobs.older_than(an_hour_ago()) == []
        assert blobs.condemn(HELLO, an_hour_ago()) is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = tmpfs.mount(place, "size=1m")
    yield place
    if mounted:
        tmpfs.unmount(place)


CHILD = """
import os, resource, signal, sys
from pathlib import Path
from runtime.blobs import Blobs
blobs = Blobs(Path(sys.argv[1]))
"""


def child(code: str, *arguments: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", CHILD + code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


class TestTrouble:
    def test_a_full_disk_leaves_nothing_and_what_was_there_is_whole(self, small_disk: Path) -> None:
        """A tmpfs of one mebibyte; where none can be mounted, a limit on the size of files does the same."""
        blobs = Blobs(small_disk / "blobs")
        blobs.put(b"hello", limit=5)
        if os.path.ismount(small_disk):
            with pytest.raises(UnavailableError, match="no space left on device"):
                blobs.put(given(bytes(2 * MIB)), limit=2 * MIB)
        else:
            previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            source = given(bytes(2 * MIB))
            resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, limits[1]))
            try:
                with pytest.raises(UnavailableError, match="file too large"):
                    blobs.put(source, limit=2 * MIB)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
                signal.signal(signal.SIGXFSZ, previous)
        assert files_below(small_disk) == [f"blobs/sha256/{HELLO[:2]}/{HELLO}"]
        assert blobs.read(HELLO, limit=5) == b"hello"
        assert blobs.put(b"again", limit=5).size == 5

    def test_kill_9_in_the_middle_leaves_only_what_the_sweep_takes(self, tmp_path: Path) -> None:
        blobs = Blobs(tmp_path / "blobs")
        code = "incoming = blobs.incoming(1 << 20); incoming.write(b'hel'); print('ready', flush=True); input()"
        writer = child(code, tmp_path / "blobs")
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        (left,) = files_below(tmp_path / "blobs")
        writer.kill()
        writer.communicate()
        blobs.sweep(an_hour_ago())
        assert files_below(tmp_path / "blobs") == [left]
        age(tmp_path / "blobs" / left)
        blobs.sweep(an_hour_ago())
        assert files_below(tmp_path / "blobs") == []

    @pytest.mark.parametrize("delay", range(12))
    def test_kill_9_at_any_moment_leaves_whole_content_or_none(self, tmp_path: Path, delay: int) -> None:
        code = (
            "from itertools import count\n"
            "for number in count():\n"
            "    print(blobs.put(str(number).encode() * 20_000, limit=1 << 20).hash, flush=True)\n"
        )
        writer = child(code, tmp_path / "blobs")
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(1 + 3 * delay)]
        writer.kill()
        said += writer.stdout.read().splitlines(keepends=True)
        writer.wait()
        writer.communicate()
        blobs = Blobs(tmp_path / "blobs")
        for digest in (line.strip() for line in said if line.endswith("\n")):
            os.close(blobs.open(digest))
        for name in files_below(tmp_path / "blobs" / "sha256"):
            os.close(blobs.open(Path(name).name))


class TestRaces:
    def test_two_processes_put_the_same(self, tmp_path: Path) -> None:
        code = (
            "input()\n"
            "for number in range(40):\n"
            "    blob = blobs.put(str(number).encode() * 9000, limit=1 << 20)\n"
            "    os.close(blobs.open(blob.hash))\n"
        )
        writers = [child(code, tmp_path / "blobs") for _ in range(2)]
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("\n")
            writer.stdin.flush()
        for writer in writers:
            writer.communicate()
            assert writer.returncode == 0
        names = files_below(tmp_path / "blobs")
        assert len(names) == 40
        assert all(name.startswith("sha256/") for name in names)

    def test_content_that_is_put_while_it_is_collected_stays(self, tmp_path: Path) -> None:
        """One process ages and condemns it without pause; whoever puts it finds it afterwards, each time."""
        code = (
            "import time\n"
            f"digest = '{HELLO}'\n"
            "print('ready', flush=True)\n"
            "while True:\n"
            "    before = time.time_ns() // 1_000_000 - 3_600_000\n"
            "    blobs.condemn(digest, before)\n"
            "    blobs.sweep(before)\n"
        )
        blobs = Blobs(tmp_path / "blobs")
        collector = child(code, tmp_path / "blobs")
        assert collector.stdout is not None
        collector.stdout.readline()
        try:
            for number in range(200):
                with contextlib.suppress(FileNotFoundError):
                    age(path_of(tmp_path, HELLO))
                blobs.put(b"hello" if number % 2 else given(b"hello"), limit=5)
                assert blobs.read(HELLO, limit=5) == b"hello"
        finally:
            collector.kill()
            collector.communicate()

    def test_many_threads_put_and_use_the_same(self, blobs: Blobs) -> None:
        start = threading.Barrier(6)

        def work() -> None:
            start.wait()
            for number in range(30):
                blob = blobs.put(str(number).encode(), limit=9)
                assert blobs.read(blob.hash, limit=9) == str(number).encode()

        with ThreadPoolExecutor(6) as pool:
            for done in [pool.submit(work) for _ in range(6)]:
                done.result()
