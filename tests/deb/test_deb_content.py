"""What is in the packages, for both architectures: machines, libraries, modes, byte code; and twice the same."""

import gzip
import hashlib
import importlib.util
import marshal
import re
import shutil
import struct
import subprocess
from pathlib import Path
from types import CodeType

import pytest

from tests.deb.conftest import build
from tests.deb.elf_reading import MACHINES, read_elf
from tests.deb.package_reading import Package, read_package

pytestmark = [pytest.mark.deb, pytest.mark.timeout(900)]

LIBRARIES = {  # of Debian, by the package that has them
    "libc6": {"libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1", "libutil.so.1"}
    | {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"},
    "libgcc-s1": {"libgcc_s.so.1"},
    "libstdc++6": {"libstdc++.so.6"},
}
MOST_BYTES = 60_000_000


@pytest.fixture(scope="session", params=["amd64", "arm64"])
def arch(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def package(packages: dict[str, Path], arch: str) -> Package:
    return read_package(packages[arch].read_bytes())


def test_every_program_and_library_is_for_its_machine(package: Package, arch: str) -> None:
    found = [read_elf(content) for content in package.content.values() if content.startswith(b"\x7fELF")]
    assert len(found) >= 20
    assert {each.machine for each in found} == {MACHINES[arch]}


def test_the_libraries_they_want_are_inside_or_in_packages_that_it_depends_on(package: Package) -> None:
    inside = {Path(path).name for path in package.content}
    depends = {each.split()[0] for each in package.fields["Depends"].split(",")}
    there = set().union(*(names for of, names in LIBRARIES.items() if of in depends))
    for path, content in package.content.items():
        if content.startswith(b"\x7fELF"):
            assert read_elf(content).needed <= there | inside, path


def test_everything_belongs_to_root_and_nobody_else_can_write_it(package: Package) -> None:
    assert {(each.uid, each.gid) for each in package.entries.values()} == {(0, 0)}
    assert {each.mode for each in package.entries.values()} == {0o644, 0o755}
    assert {path for path in package.content if package.entries[path].mode == 0o755} == {"usr/bin/orlop"}


def test_no_path_of_the_building_machine_is_in_it(package: Package, source: Path) -> None:
    root = str(Path(__file__).resolve().parents[2]).encode()
    # Of the root alone no more could be said than of a word: it may be short.
    ours = [root + part for part in (b"/.venv", b"/build/boot", b"/console/cli", b"/requirements.lock")]
    for path, content in package.content.items():
        for place in (str(source).encode(), *ours, b"/tmp/tmp", b"build/deb"):
            assert place not in content, (path, place)


def test_every_module_has_byte_code_that_is_never_checked_and_knows_its_place(package: Package) -> None:
    modules = [path for path in package.content if path.endswith(".py")]
    assert len(modules) > 1000
    for path in modules:
        compiled = package.content[re.sub(r"([^/]+)\.py$", r"__pycache__/\1.cpython-311.pyc", path)]
        assert compiled[:4] == importlib.util.MAGIC_NUMBER
        assert struct.unpack_from("<I", compiled, 4) == (0b01,)  # by hash, not checked
    shown = marshal.loads(package.content["usr/lib/orlop/console/__pycache__/cli.cpython-311.pyc"][16:])
    assert isinstance(shown, CodeType)
    assert shown.co_filename == "/usr/lib/orlop/console/cli.py"


def test_what_only_builds_or_installs_is_not_in_it(package: Package) -> None:
    names = {path.removeprefix("usr/lib/orlop/").partition("/")[0] for path in package.content}
    assert not {"bin", "hatchling", "editables", "tests", "tools", "docs"} & names
    assert not [path for path in package.content if path.endswith(("/RECORD", "/direct_url.json"))]
    assert {"console", "boot", "net", "runtime", "assets", "wasmtime"} <= names


def test_the_control_file_says_what_it_is_and_its_sums_are_right(package: Package, arch: str) -> None:
    fields = package.fields
    assert (fields["Package"], fields["Architecture"], fields["Section"]) == ("orlop", arch, "net")
    assert package.control["conffiles"] == b"/etc/orlop/config.toml\n"
    sums = dict(reversed(line.split("  ", 1)) for line in package.control["md5sums"].decode().splitlines())
    found = {path: hashlib.md5(content).hexdigest() for path, content in package.content.items()}
    assert sums == {path: value for path, value in found.items() if path != "etc/orlop/config.toml"}


def test_scripts_are_plain_shell_that_parses(package: Package, tmp_path: Path) -> None:
    for name in ("postinst", "prerm", "postrm"):
        text = package.control[name]
        assert text.startswith(b"#!/bin/sh\nset -e\n")
        (tmp_path / name).write_bytes(text)
        subprocess.run(["sh", "-n", str(tmp_path / name)], check=True)


def test_manual_pages_completion_and_licences_are_installed(package: Package) -> None:
    assert b".SH SYNOPSIS" in gzip.decompress(package.content["usr/share/man/man1/orlop-jobs.1.gz"])
    assert b"complete" in package.content["usr/share/bash-completion/completions/orlop"]
    assert package.content["usr/share/zsh/vendor-completions/_orlop"].startswith(b"#compdef orlop")
    assert b"complete -c orlop" in package.content["usr/share/fish/vendor_completions.d/orlop.fish"]
    assert b"wasmtime 50.0.1: Apache-2.0" in package.content["usr/share/doc/orlop/copyright"]


def test_it_is_not_too_large(packages: dict[str, Path], arch: str) -> None:
    assert packages[arch].stat().st_size <= MOST_BYTES


def test_the_units_walls_leave_little_to_attack(package: Package, tmp_path: Path) -> None:
    unit = package.content["usr/lib/systemd/system/orlop.service"]
    (tmp_path / "orlop.service").write_bytes(unit)
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(tmp_path / "orlop.service")]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout[-500:] + said.stderr


def test_the_unit_leaves_out_what_would_break_the_program(package: Package) -> None:
    text = package.content["usr/lib/systemd/system/orlop.service"].decode()
    set_here = {line.partition("=")[0] for line in text.splitlines()}
    assert not {"MemoryDenyWriteExecute", "PrivateUsers", "ProcSubset", "LimitAS"} & set_here
    walls = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp")
    for call in (*walls, "chown", "fchownat"):
        assert re.search(rf"^SystemCallFilter=.*\b{call}\b", text, re.MULTILINE)


def test_built_elsewhere_under_other_settings_it_is_the_same_to_the_byte(
    source: Path, packages: dict[str, Path], tmp_path: Path
) -> None:
    other = tmp_path / "another place" / "tree"
    shutil.copytree(source, other, ignore=shutil.ignore_patterns("build"))
    build(other, tmp_path / "out", umask=0o077, TZ="Pacific/Kiritimati", LC_ALL="C", LANG="tr_TR.UTF-8")
    for first in packages.values():
        assert (tmp_path / "out" / first.name).read_bytes() == first.read_bytes()
