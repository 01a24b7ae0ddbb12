"""Into the root file system: for real, in a namespace of its own, with a small tree in the place of the squashfs."""

import fcntl
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from boot.stage2.loop import attach
from boot.stage2.overlay import free

ROOT = Path(__file__).resolve().parents[3]

BLKROGET = 0x125E

ENTERS = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from boot.stage1 import libc
from boot.stage2.overlay import Plan, build, switch

root = Path(sys.argv[1])
libc.mount("tmpfs", str(root), "tmpfs", 0, "mode=0755")
for name in ("proc", "sys", "dev", "run", "lib/deep", "lower"):
    (root / name).mkdir(parents=True)
    if "/" not in name:
        libc.mount("tmpfs", str(root / name), "tmpfs", 0, "mode=0755")
    (root / name / "mark").write_text(name)
(root / "rootfs.squashfs").write_text("large")
(root / "lower/etc").mkdir()
(root / "lower/etc/release").write_text("verified")
old = os.open(root, os.O_RDONLY)
plan = Plan(root, root / "lower", root / "upper", root / "newroot")
build(plan)
switch(plan)
print("root", sorted(os.listdir("/")), Path("/etc/release").read_text())
print("moved", *(Path(f"/{name}/mark").read_text() for name in ("proc", "sys", "dev", "run")))
print("freed", sorted(os.listdir(old)))
Path("/etc/release").write_text("written")
print("written", Path("/etc/release").read_text(), os.statvfs("/").f_blocks * os.statvfs("/").f_frsize * 2 // 10**8)
print("memory", os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 10**8)
"""


@pytest.mark.boot  # needs mount, which a machine has that starts others
def test_a_root_file_system_under_memory_becomes_the_root_and_the_initramfs_is_freed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    words = [str(ROOT / "tools/in-namespaces"), sys.executable, "-c", ENTERS, str(root), str(ROOT)]
    ran = subprocess.run(words, capture_output=True, check=False, text=True)
    said = dict(line.split(" ", 1) for line in ran.stdout.splitlines())
    assert ran.stderr == ""
    assert said["root"] == "['dev', 'etc', 'mark', 'proc', 'run', 'sys'] verified"
    assert said["moved"] == "proc sys dev run"
    assert said["freed"] == "['lower', 'newroot', 'upper']"
    text, size = said["written"].split()
    assert text == "written"
    assert abs(int(size) - int(said["memory"])) <= 1, "memory over it is half of what there is"
    assert list(root.iterdir()) == []


def test_what_is_freed_is_what_lies_on_the_same_file_system_and_not_where_links_lead(tmp_path: Path) -> None:
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    (root / "a/b/c").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("kept")
    (root / "a/b/file").write_text("x")
    (root / "link").symlink_to(elsewhere)
    (root / "a/link").symlink_to(elsewhere / "kept")
    free(root)
    assert list(root.iterdir()) == []
    assert (elsewhere / "kept").read_text() == "kept"


def test_a_file_gets_a_device_that_is_read_only(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"orlop" + bytes(4091))
    try:
        node, device = attach(str(file))
    except OSError:  # nobody but root has devices
        assert not os.access("/dev/loop-control", os.R_OK | os.W_OK)
        return
    try:
        assert os.pread(device, 5, 0) == b"orlop"
        assert node.startswith("/dev/loop")
        assert struct.unpack("i", fcntl.ioctl(device, BLKROGET, bytes(4))) == (1,)
    finally:
        os.close(device)
