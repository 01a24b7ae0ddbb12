"""Images as operators build them, of packages from Debian: the same bytes every time, and what has to be in them."""

import os
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from boot.image.elf import libraries_at, loader_of, read_elf
from boot.image.imports import OURS, deferred, loaded_modules
from boot.image.inventory import Inventory
from boot.image.lockfile import locked_wheels, needed_at_runtime, the_lock
from boot.image.stage1_image import FROM_THE_LIBRARY, PROGRAMS
from boot.stage1.image import Image
from tests.boot.image.test_boot_cpio import Read, read
from tests.boot.trust.signed import KEYS

pytestmark = [pytest.mark.boot, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[3]
KEPT = ROOT / "build/boot"
EPOCH = 1_790_000_000
FILES = {"kernel", "initramfs", "rootfs", "image.json", "inventory.json"}
STAGE1_MOST = 20_000_000
KINDS = (("x86_64", "cloud"), ("x86_64", "full"), ("arm64", "cloud"))


@dataclass(frozen=True)
class Built:
    """A build, and its initramfs as another reader than ours reads it."""

    folder: Path
    arch: str
    entries: dict[str, Read]

    @property
    def image(self) -> Image:
        return Image.parse(self.entries["etc/orlop/image.json"].content)


def command(tree: Path, out: Path, arch: str = "x86_64", kernel: str = "cloud") -> list[str]:
    (tree / "root.pub").write_text(f"{KEYS[0].public_hex}\n")
    words = f"boot build --root-key root.pub --version 5 --name 2026.11 --arch {arch} --kernel {kernel}".split()
    return [sys.executable, "-m", "console", *words, "--out", str(out), "--cache", str(KEPT)]


def ran(tree: Path, words: list[str], umask: int = 0o022, **more: str) -> "subprocess.CompletedProcess[bytes]":
    # Nothing of orlop comes from the checkout: somebody may change it meanwhile.
    settings = {**os.environ, "PYTHONPATH": str(tree), "SOURCE_DATE_EPOCH": str(EPOCH), **more}
    return subprocess.run(words, cwd=tree, env=settings, umask=umask, capture_output=True, timeout=1500, check=False)


def copied(to: Path) -> Path:
    """What git knows or would take."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in names.split("\0"):
        if name and not name.startswith(("tests/", "docs/")) and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, to / name)
    return to


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("source") / "one")


@pytest.fixture(scope="session")
def folders(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """All kinds of images, two builds at a time, and one of them twice: elsewhere and in other circumstances."""
    out = tmp_path_factory.mktemp("built")
    other = out / "two"
    shutil.copytree(source, other)
    made = {kind: out / "-".join(kind) for kind in (*KINDS, ("x86_64", "again"))}
    abroad = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "LANG": "de_DE.UTF-8", "PYTHONHASHSEED": "7", "PYTHONOPTIMIZE": "1"}
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(ran, source, command(source, made["x86_64", "cloud"])),
            pool.submit(ran, other, command(other, made["x86_64", "again"]), 0o077, **abroad),
            *(pool.submit(ran, source, command(source, made[kind], *kind)) for kind in KINDS[1:]),
        ]
    for run in runs:
        assert run.result().returncode == 0, run.result().stderr.decode()
    return made


@pytest.fixture(scope="session", params=KINDS, ids="-".join)
def built(folders: dict[tuple[str, str], Path], request: pytest.FixtureRequest) -> Built:
    folder = folders[request.param]
    return Built(folder, request.param[0], entries_of(folder))


def entries_of(folder: Path) -> dict[str, Read]:
    raw = subprocess.run(["zstd", "-dcq", folder / "initramfs"], check=True, capture_output=True).stdout
    return {entry.name: entry for entry in read(raw)}


def test_two_builds_are_the_same_wherever_and_however_they_run(folders: dict[tuple[str, str], Path]) -> None:
    first, again = folders["x86_64", "cloud"], folders["x86_64", "again"]
    assert {path.name for path in again.iterdir()} == FILES
    for name in FILES:
        assert (first / name).read_bytes() == (again / name).read_bytes(), name


def test_the_first_stage_has_at_most_twenty_megabytes(built: Built) -> None:
    assert (built.folder / "initramfs").stat().st_size <= STAGE1_MOST


def test_the_how_to_says_how_large_images_are(folders: dict[tuple[str, str], Path]) -> None:
    lines = (ROOT / "docs/how-to/build-boot-images.md").read_text().splitlines()
    for arch, kind in KINDS:
        (row,) = (line for line in lines if line.startswith(f"| {arch}, {kind} |"))
        said = [float(cell) * 1e6 for cell in row.split("|")[2:5]]
        found = [(folders[arch, kind] / name).stat().st_size for name in ("kernel", "initramfs", "rootfs")]
        # Packages change from week to week; a tenth more or less is still what was said.
        assert said == [pytest.approx(size, rel=0.1) for size in found], (arch, kind, found)


def test_cpio_itself_lists_what_our_reader_reads(built: Built) -> None:
    raw = subprocess.run(["zstd", "-dcq", built.folder / "initramfs"], check=True, capture_output=True).stdout
    listed = subprocess.run(["cpio", "-it", "--quiet"], input=raw, check=True, capture_output=True).stdout.decode()
    assert listed.splitlines() == list(built.entries)


def test_nothing_of_the_building_machine_is_in_it(built: Built, source: Path) -> None:
    assert {(entry.owner, entry.time) for entry in built.entries.values()} == {((0, 0), 0)}
    for name, entry in built.entries.items():
        assert str(source).encode() not in entry.content, name
        assert b"/tmp/tmp" not in entry.content, name
        assert str(ROOT).encode() + b"/" not in entry.content, name


def test_python_starts_where_there_is_no_console_and_no_random_number_yet(built: Built) -> None:
    nodes = {name: entry.node for name, entry in built.entries.items() if stat.S_ISCHR(entry.mode)}
    assert nodes == {"dev/console": (5, 1), "dev/null": (1, 3), "dev/urandom": (1, 9)}
    assert built.entries["init"].mode & 0o777 == 0o755
    assert built.entries["init"].content.startswith(b"#!/usr/bin/python3.11 -IBS\n")


def test_every_program_and_library_is_for_the_machine_and_finds_what_it_needs(built: Built) -> None:
    linked = {name: each.content for name, each in built.entries.items() if each.content[:4] == b"\x7fELF"}
    linked = {name: content for name, content in linked.items() if not name.endswith(".ko")}
    assert len(linked) >= 15
    places = [*libraries_at(built.arch), str(Path(loader_of(built.arch)).parent)]
    for name, content in linked.items():
        found = read_elf(content)
        assert found.machine == built.arch, name
        for library in found.needed:
            assert any(f"{place}/{library}" in linked for place in places), (name, library)
        if found.interpreter:
            assert found.interpreter.lstrip("/") == loader_of(built.arch)


def test_modules_are_there_in_the_order_in_which_they_are_loaded(built: Built) -> None:
    carried = {name.removeprefix("lib/modules/") for name in built.entries if name.endswith(".ko")}
    names = [Path(name).stem.replace("-", "_") for name in built.image.modules]
    assert carried == set(built.image.modules)
    assert names.index("virtio_ring") < names.index("virtio_pci") < names.index("virtio_net")
    assert {"squashfs", "overlay", "loop", "vfat"} <= set(names)


def test_what_the_image_says_of_itself_is_beside_it_too(built: Built) -> None:
    assert (built.folder / "image.json").read_bytes() == built.entries["etc/orlop/image.json"].content
    assert built.entries["etc/orlop/root"].content == f"{KEYS[0].public_hex}\n".encode()
    image = built.image
    assert (image.arch, image.floor, image.release, image.built_ms) == (built.arch, 5, "2026.11", EPOCH * 1000)


def test_it_starts_the_second_stage_by_the_call_that_its_kernel_has(built: Built) -> None:
    assert ("sbin/kexec" in built.entries) == (built.arch == "arm64")
    assert any("libxen" in name for name in built.entries) == (built.arch == "arm64")


def test_it_trusts_the_authorities_of_debian_for_https(built: Built) -> None:
    authorities = built.entries["etc/ssl/certs/ca-certificates.crt"].content
    assert authorities.count(b"BEGIN CERTIFICATE") == authorities.count(b"END CERTIFICATE") > 100


def test_there_is_no_shell_and_no_source(built: Built) -> None:
    assert not {name for name in built.entries if Path(name).name in {"sh", "bash", "dash", "ash"}}
    assert not {name for name in built.entries if name.endswith(".py")}


def test_packages_and_wheels_are_listed_with_their_hashes(built: Built) -> None:
    listed = Inventory.parse((built.folder / "inventory.json").read_bytes())
    assert {"libc6", "python3.11-minimal", "busybox-static"} <= {one.name for one in listed.packages}
    assert any(one.name.startswith("linux-image-") and one.version == built.image.kernel for one in listed.packages)
    plain = {(one.name.lower().replace("_", "-"), one.version) for one in listed.wheels}
    locked = locked_wheels(needed_at_runtime(the_lock()))
    assert plain == {(name.lower().replace("_", "-").replace(".", "-"), version) for name, version in locked}
    assert {name for name, _ in listed.tools} == {"python", "zstd", "mksquashfs"}


# Where the machine is the target's, its own interpreter says what is missing.

RUN = """
import importlib, sys
for name in sys.argv[1].split(","):
    importlib.import_module(name)
print("\\n".join(sorted(sys.modules)))
"""


def unpacked(entries: dict[str, Read], to: Path) -> Path:
    for name, entry in entries.items():
        if stat.S_ISREG(entry.mode):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            (to / name).write_bytes(entry.content)
            (to / name).chmod(0o755)
    return to


def inside(tree: Path, path: list[str], *words: str) -> str:
    """Runs the tree's interpreter with the tree's loader and libraries, and nothing of this machine's."""
    libraries = ":".join(str(tree / folder) for folder in libraries_at("x86_64"))
    python = [str(tree / loader_of("x86_64")), "--library-path", libraries, str(tree / "usr/bin/python3.11")]
    settings = {"PYTHONHOME": str(tree / "usr"), "PYTHONPATH": ":".join(str(tree / one) for one in path)}
    done = subprocess.run(
        [*python, "-B", "-S", "-s", *words], env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_p12_its_own_interpreter_loads_everything_from_it_and_it_carries_nothing_else(
    folders: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    entries = entries_of(folders["x86_64", "cloud"])
    tree = unpacked(entries, tmp_path / "tree")
    library = Path(sys.modules["os"].__file__ or "").parent
    site = [Path(name) for name in sys.path if name.endswith("site-packages")]
    ours = [
        one
        for one in loaded_modules((*PROGRAMS, *FROM_THE_LIBRARY), [library, ROOT, *site])
        if one.name.partition(".")[0] in OURS
    ]
    later = {name for one in ours for name in deferred(Path(one.origin).read_text())}
    wanted = sorted({*(one.name for one in ours), *later, *FROM_THE_LIBRARY})
    loaded = set(inside(tree, ["lib/orlop"], "-c", RUN, ",".join(wanted)).splitlines())
    carried = {
        name.partition("lib/orlop/")[2] or name.partition("usr/lib/python3.11/")[2]
        for name in entries
        if name.endswith(".pyc")
    }
    names = {name.removesuffix(".pyc").removesuffix("/__init__").replace("/", ".") for name in carried}
    assert names - loaded == set()
    assert {"boot.stage1.init", "cryptography.hazmat.bindings", "ssl"} <= names


def test_p12_the_root_file_system_runs_orlop_and_belongs_to_root(built: Built, tmp_path: Path) -> None:
    listed = subprocess.run(["unsquashfs", "-lln", built.folder / "rootfs"], check=True, capture_output=True).stdout
    rows = [line.split(maxsplit=5) for line in listed.decode().splitlines() if "squashfs-root" in line]
    assert {row[1] for row in rows} == {"0/0"}
    modes = {row[5].removeprefix("squashfs-root/"): row[0] for row in rows}
    assert modes["tmp"] == "drwxrwxrwt"
    assert modes["var/lib/orlop"] == "drwx------"
    assert modes["usr/bin/orlop"] == "-rwxr-xr-x"
    assert not {name for name in modes if name.startswith(("usr/share/doc/", "var/lib/dpkg", "usr/share/man"))}
    if built.arch == "x86_64":
        tree = tmp_path / "root"
        subprocess.run(["unsquashfs", "-q", "-n", "-d", tree, built.folder / "rootfs"], check=True, capture_output=True)
        assert inside(tree, ["usr/lib/orlop"], "-m", "console", "--version").startswith("orlop ")
        inside(tree, ["usr/lib/orlop"], "-c", "import console.core, sqlite3, bz2, lzma, uuid, wasmtime, vodozemac")


# Kernels of the operator's own, as packages.


def package(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "DEBIAN").mkdir(parents=True)
    said = "Package: linux-image-own\nVersion: 1\nArchitecture: amd64\nMaintainer: x <x@example.org>\nDescription: x\n"
    (folder / "DEBIAN/control").write_text(said)
    out = folder.with_suffix(".deb")
    subprocess.run(["dpkg-deb", "-b", "-Znone", "--root-owner-group", folder, out], check=True, capture_output=True)
    return out


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"usr/share/x": b""}, "kernel package: has no kernel"),
        ({"boot/vmlinuz-7": b"no kernel"}, "kernel 7: is for a machine that is not known, not for x86_64"),
        (None, "kernel 7: cannot start the second stage: it is built without CONFIG_KEXEC_FILE"),
    ],
)
def test_an_own_kernel_that_cannot_serve_is_refused_in_one_line_and_nothing_is_written(
    folders: dict[tuple[str, str], Path], source: Path, tmp_path: Path, files: dict[str, bytes] | None, says: str
) -> None:
    real = (folders["x86_64", "cloud"] / "kernel").read_bytes()
    own = package(tmp_path / "own", files or {"boot/vmlinuz-7": real, "boot/config-7": b"CONFIG_KEXEC=y\n"})
    done = ran(source, command(source, tmp_path / "out", kernel=str(own)))
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert lines[-1].startswith(f"orlop: boot build: {says}")
    assert [line for line in lines if "Traceback" in line] == []
    assert list((tmp_path / "out").iterdir()) == []
