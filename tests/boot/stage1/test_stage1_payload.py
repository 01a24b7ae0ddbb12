"""What the next kernel is started with: laid out as it comes, sealed, hashed where it lies, loaded."""

import errno
import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boot.errors import BootRefusedError
from boot.stage1 import kexec, libc
from boot.stage1.handover import Handover
from boot.stage1.memory import available, check_memory, needed
from boot.stage1.newc import SIZE_MAX, head
from boot.stage1.payload import Payload
from boot.trust.manifest import Artifact
from runtime.errors import UnavailableError

HANDOVER = Handover(
    mode="local", channel="stable", arch="x86_64", release="1", manifest_version=3, manifest_hash="cd" * 32
)


def _artifacts(files: dict[str, bytes]) -> dict[str, Artifact]:
    return {name: Artifact(len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()}


def _filled(payload: Payload, files: dict[str, bytes], step: int = 1000) -> None:
    payload.begin(_artifacts(files))
    for name, data in files.items():
        sink = payload.sink(name)
        sink.restart()
        for at in range(0, len(data), step):
            sink.write(data[at : at + step])


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


FILES = {"kernel": b"k" * 5000, "initramfs": b"i" * 3001, "rootfs": b"r" * 10_002}


def test_the_initrd_is_the_initramfs_and_an_archive_that_cpio_reads(tmp_path: Path) -> None:
    with Payload() as payload:
        _filled(payload, FILES)
        payload.seal(HANDOVER)
        payload.check()
        assert _content(payload.kernel) == FILES["kernel"]
        initrd = _content(payload.initrd)
    assert initrd.startswith(FILES["initramfs"] + b"\0\0\0" + b"070701")
    archive = initrd[3004:]
    assert _unpacked(archive) == {
        "rootfs.squashfs": FILES["rootfs"],
        "handover.json": HANDOVER.document(),
    }
    if (cpio := shutil.which("cpio")) is not None:  # a second reader, where there is one
        subprocess.run([cpio, "-id", "--quiet"], input=archive, cwd=tmp_path, check=True)
        assert (tmp_path / "rootfs.squashfs").read_bytes() == FILES["rootfs"]
        assert Handover.parse((tmp_path / "handover.json").read_bytes()) == HANDOVER


def _unpacked(archive: bytes) -> dict[str, bytes]:
    """The kernel's way through an archive of newc."""
    found, at = {}, 0
    while True:
        assert at % 4 == 0
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        size, length = fields[6], fields[11]
        name = archive[at + 110 : at + 110 + length - 1].decode()
        assert archive[at + 110 + length - 1] == 0
        if name == "TRAILER!!!":
            return found
        assert stat.S_ISREG(fields[1])
        at += (110 + length + 3) & ~3
        found[name] = archive[at : at + size]
        at += (size + 3) & ~3


@settings(max_examples=40)
@given(
    initramfs=st.binary(min_size=1, max_size=300),
    rootfs=st.binary(min_size=1, max_size=300),
    step=st.integers(1, 64),
)
def test_every_length_is_laid_out_on_multiples_of_four(initramfs: bytes, rootfs: bytes, step: int) -> None:
    files = {"rootfs": rootfs, "initramfs": initramfs, "kernel": b"k"}
    with Payload() as payload:
        _filled(payload, files, step)
        payload.seal(HANDOVER)
        payload.check()
        initrd = _content(payload.initrd)
    begin = (len(initramfs) + 3) & ~3
    assert initrd[: len(initramfs)] == initramfs
    assert not any(initrd[len(initramfs) : begin])
    assert _unpacked(initrd[begin:])["rootfs.squashfs"] == rootfs


def test_a_second_server_s_release_takes_the_place_of_the_first() -> None:
    with Payload() as payload:
        _filled(payload, {"kernel": b"K" * 9000, "initramfs": b"I" * 9000, "rootfs": b"R" * 90_000})
        _filled(payload, FILES)
        payload.seal(HANDOVER)
        payload.check()
        assert _content(payload.kernel) == FILES["kernel"]
        assert len(_content(payload.initrd)) < 15_000


def test_nothing_can_be_changed_after_the_seals() -> None:
    with Payload() as payload:
        _filled(payload, FILES)
        payload.seal(HANDOVER)
        for descriptor in (payload.kernel, payload.initrd):
            with pytest.raises(PermissionError):
                os.pwrite(descriptor, b"x", 0)
            with pytest.raises(PermissionError):
                os.ftruncate(descriptor, 1)
            again = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR)
            with os.fdopen(again, "r+b", buffering=0) as file, pytest.raises(PermissionError):
                file.write(b"x")
            with pytest.raises(PermissionError):
                fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)


@pytest.mark.parametrize("name", ["kernel", "initramfs", "rootfs"])
def test_a_byte_that_changed_before_the_seals_is_found_where_it_lies(name: str) -> None:
    with Payload() as payload:
        _filled(payload, FILES)
        bad = payload.sink(name)
        bad.restart()
        bad.write(b"?")
        payload.seal(HANDOVER)
        with pytest.raises(BootRefusedError, match=name) as caught:
            payload.check()
        assert caught.value.step == "hash"


def test_what_ended_early_is_found_too() -> None:
    with Payload() as payload:
        _filled(payload, FILES)
        os.ftruncate(payload.kernel, 10)
        with pytest.raises(BootRefusedError, match="10 of the 5000") as caught:
            payload.check()
        assert caught.value.step == "length"


def test_a_release_without_a_root_filesystem_or_with_too_large_a_one_is_refused() -> None:
    with Payload() as payload:
        files = _artifacts(FILES)
        with pytest.raises(BootRefusedError, match="no rootfs"):
            payload.begin({name: one for name, one in files.items() if name != "rootfs"})
        with pytest.raises(BootRefusedError, match="rootfs has more"):
            payload.begin({**files, "rootfs": replace(files["rootfs"], size=SIZE_MAX + 1)})
    with pytest.raises(ValueError, match="does not fit"):
        head("x", SIZE_MAX + 1, number=1)


def test_11_3_memory_is_refused_before_anything_comes() -> None:
    """Also where 200 MB are free, which was enough for the original."""
    artifacts = [Artifact(10 << 20, "0" * 64), Artifact(40 << 20, "0" * 64)]
    assert needed(artifacts) == (110 + 96) << 20
    check_memory(artifacts, (110 + 96) << 20)
    with pytest.raises(BootRefusedError, match="205 MiB are free, 207 MiB are needed") as caught:
        check_memory(artifacts, ((110 + 96) << 20) - 1)
    assert caught.value.step == "memory"


def test_the_kernel_s_word_on_memory_is_read() -> None:
    assert available("MemTotal: 5 kB\nMemAvailable:     2048 kB\nBuffers: 1 kB\n") == 2 << 20
    assert available(Path("/proc/meminfo").read_text("ascii")) > 1 << 20
    with pytest.raises(UnavailableError, match="how much memory"):
        available("MemTotal: 5 kB\n")


# --- loading: never the machine's own call ----------------------------------------------------------------------------


def test_11_3_a_kernel_that_starts_no_other_says_so_first(tmp_path: Path) -> None:
    flag = tmp_path / "kexec_load_disabled"
    with pytest.raises(UnavailableError, match="not built in"):
        kexec.check_allowed(flag)
    flag.write_text("1\n")
    with pytest.raises(UnavailableError, match="kexec_load_disabled is 1"):
        kexec.check_allowed(flag)
    flag.write_text("0\n")
    kexec.check_allowed(flag)
    assert not kexec.is_loaded(tmp_path / "none")
    assert not kexec.is_loaded(flag)
    flag.write_text("1\n")
    assert kexec.is_loaded(flag)


def _fails(number: int) -> kexec.Load:
    def call(_kernel: int, _initrd: int, _line: str) -> None:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize(
    ("number", "step"),
    [
        (errno.ENOEXEC, "malformed"),
        (errno.ENODATA, "unknown-key"),
        (errno.ENOKEY, "unknown-key"),
        (errno.EKEYREJECTED, "unknown-key"),
    ],
)
def test_what_is_no_kernel_or_not_signed_is_refused(number: int, step: str) -> None:
    with pytest.raises(BootRefusedError) as caught:
        kexec.load(3, 4, "quiet", _fails(number))
    assert caught.value.step == step


@pytest.mark.parametrize("number", [errno.EPERM, errno.ETXTBSY, errno.ENOMEM])
def test_what_the_kernel_does_not_do_is_said(number: int) -> None:
    with pytest.raises(UnavailableError, match=os.strerror(number).lower()):
        kexec.load(3, 4, "quiet", _fails(number))


def test_the_call_gets_descriptors_and_line() -> None:
    seen: list[tuple[int, int, str]] = []
    kexec.load(3, 4, "quiet", lambda *words: seen.append(words))
    assert seen == [(3, 4, "quiet")]


def test_without_the_call_a_program_loads_the_sealed_files(tmp_path: Path) -> None:
    program = tmp_path / "kexec"
    program.write_text(
        '#!/bin/sh\nfor word; do echo "$word"; done >"${0}.words"\ncat "$3" "${4#--initrd=}" >"${0}.read"\nexit 0\n'
    )
    program.chmod(0o755)
    with Payload() as payload:
        _filled(payload, FILES)
        payload.seal(HANDOVER)
        kexec.load(payload.kernel, payload.initrd, "quiet panic=1", _fails(errno.ENOSYS), program)
        both = _content(payload.kernel) + _content(payload.initrd)
    words = (tmp_path / "kexec.words").read_text().splitlines()
    assert words[:2] == ["-c", "-l"]
    assert words[-1] == "--command-line=quiet panic=1"
    assert (tmp_path / "kexec.read").read_bytes() == both


def test_a_program_that_fails_is_quoted_harmless(tmp_path: Path) -> None:
    program = tmp_path / "kexec"
    program.write_text("#!/bin/sh\nprintf 'no \\033[2Jsegments'\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(UnavailableError, match=r"ends with 3: no \\x1b\[2Jsegments"):
        kexec.load(1, 2, "", _fails(errno.ENOSYS), program)
    with pytest.raises(UnavailableError, match="no kexec_file_load"):
        kexec.load(1, 2, "", _fails(errno.ENOSYS), tmp_path / "none")


def test_calls_of_the_kernel_return_or_raise_with_their_number() -> None:
    getpid = {"x86_64": 39, "aarch64": 172}[os.uname().machine]
    assert libc.syscall(getpid) == os.getpid()
    close = {"x86_64": 3, "aarch64": 57}[os.uname().machine]
    with pytest.raises(OSError, match="Bad file descriptor"):
        libc.syscall(close, 1_000_000)
    with pytest.raises(OSError, match="/none"):
        libc.umount("/none/at/all")
