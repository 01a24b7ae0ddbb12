"""The package's life in a small Debian: installed, used, upgraded, removed and purged, which leaves nothing."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tmpfs import mount, unmount

pytestmark = [pytest.mark.deb, pytest.mark.timeout(900)]

CONFIG = "etc/orlop/config.toml"
UNIT_LINK = "etc/systemd/system/multi-user.target.wants/orlop.service"
HELLO = "/usr/lib/orlop/assets/jobs/hello/hello.wasm"
INCLUDED = "systemd,python3,libstdc++6,passwd"
NOT_COMPARED = ("proc", "tmp", "var/log", "var/cache", "var/lib/dpkg")
BACKUPS = ("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-")  # the state before the last change, of shadow


class Debian:
    """A tree with a Debian in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str, stdin: bytes = b"", good: bool = True) -> bytes:
        """What a command in it writes."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["chroot", str(self.root), *command], input=stdin, capture_output=True, env=environment, check=False
        )
        assert done.returncode == 0 or not good, done.stdout + done.stderr
        return done.stdout

    def install(self, package: Path) -> None:
        """By dpkg itself, which keeps a changed conffile."""
        shutil.copy(package, self.root / "tmp" / package.name)
        self.run("dpkg", "--force-confold", "--install", f"/tmp/{package.name}")

    def files(self) -> dict[str, tuple[object, ...]]:
        """Every file with its mode, owner, and content or target."""
        found = {}
        for folder, folders, names in os.walk(self.root):
            here = Path(folder).relative_to(self.root)
            folders[:] = [name for name in folders if str(here / name) not in NOT_COMPARED]
            for name in (*folders, *names):
                path = self.root / here / name
                status = path.lstat()
                held: object = None
                if stat.S_ISLNK(status.st_mode):
                    held = path.readlink()
                elif stat.S_ISREG(status.st_mode) and str(here / name) not in BACKUPS:
                    held = path.read_bytes() if str(here).startswith("etc") else status.st_size
                found[str(here / name)] = (status.st_mode, status.st_uid, status.st_gid, held)
        return found


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    assert os.geteuid() == 0, "run it as root: sudo make test-deb"
    root = tmp_path_factory.mktemp("debian") / "tree"
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={INCLUDED}", "bookworm", str(root)]
    subprocess.run(command, check=True, timeout=600)
    assert mount(root / "proc", "", kind="proc")
    yield Debian(root)
    unmount(root / "proc")
    shutil.rmtree(root)


def test_it_is_installed_used_upgraded_removed_and_purged_and_nothing_is_left(
    debian: Debian, packages: dict[str, Path], tmp_path: Path
) -> None:
    before = debian.files()
    debian.install(packages["amd64"])
    assert debian.run("orlop", "--version").startswith(b"orlop ")
    _user_and_folder_are_there(debian)
    _a_job_runs_and_its_receipt_is_valid(debian)
    _root_can_run_it_without_leaving_byte_code(debian)

    config = debian.root / CONFIG
    config.write_text(f'{config.read_text()}\n[node]\nname = "mine"\n')
    debian.install(_next_version(packages["amd64"], tmp_path))
    assert 'name = "mine"' in config.read_text()
    assert b'"mine"' in _as_service(debian, "orlop", "--config", f"/{CONFIG}", "config", "--json")
    assert (debian.root / UNIT_LINK).is_symlink()

    debian.run("dpkg", "--remove", "orlop")
    assert config.exists()
    assert (debian.root / "var/lib/orlop/identity.key").exists()
    assert not (debian.root / "usr/lib/orlop").exists()

    debian.run("dpkg", "--purge", "orlop")
    assert debian.files() == before


def _user_and_folder_are_there(debian: Debian) -> None:
    name, _, uid, gid, _, home, shell = debian.run("getent", "passwd", "orlop").decode().strip().split(":")
    assert (name, home, shell) == ("orlop", "/var/lib/orlop", "/usr/sbin/nologin")
    assert debian.run("getent", "group", "orlop").decode().split(":")[2] == gid
    status = (debian.root / "var/lib/orlop").stat()
    assert (stat.S_IMODE(status.st_mode), str(status.st_uid), str(status.st_gid)) == (0o700, uid, gid)
    assert (debian.root / UNIT_LINK).is_symlink()


def _as_service(debian: Debian, *command: str, stdin: bytes = b"") -> bytes:
    state = "ORLOP_STATE_DIR=/var/lib/orlop"
    return debian.run("runuser", "-u", "orlop", "--", "env", state, *command, stdin=stdin)


def _a_job_runs_and_its_receipt_is_valid(debian: Debian) -> None:
    run = ("orlop", "jobs", "run", HELLO, "--stdin", "-", "--receipt", "/var/lib/orlop/receipt.json")
    assert _as_service(debian, *run, stdin=b"Hello, World") == b"dlroW ,olleH"
    assert b"valid" in _as_service(debian, "orlop", "receipts", "verify", "/var/lib/orlop/receipt.json")


def _root_can_run_it_without_leaving_byte_code(debian: Debian) -> None:
    before = set((debian.root / "usr/lib/orlop").rglob("*"))
    debian.run("orlop", "--state-dir", "/tmp/state", "jobs", "run", HELLO)
    assert set((debian.root / "usr/lib/orlop").rglob("*")) == before


def _next_version(package: Path, folder: Path) -> Path:
    """The same package under a later version, as dpkg's own tool writes it."""
    tree, later = folder / "tree", folder / "later.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(tree)], check=True)
    control = tree / "DEBIAN/control"
    lines = control.read_text().splitlines()
    control.write_text("\n".join("Version: 99" if line.startswith("Version:") else line for line in lines) + "\n")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(later)], check=True)
    return later
