"""Packages as the signed lists have them, and files that are kept from one build to the next."""

import hashlib
from pathlib import Path

import pytest

from boot.image import apt, inventory
from boot.image.apt import Apt, Package, package_of, stanzas
from boot.image.saying import say_nothing
from runtime.errors import FailedError, NetworkError, UnavailableError

SHOWN = """\
Package: linux-image-cloud-amd64
Version: 1:6.1.192-2
Architecture: amd64
Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2) | other, libc6:any (>= 2.36)
Description: Linux for cloud
 with a second line
Size: 4
SHA256: {hash}

Package: zlib1g
Version: 1:1.2.13.dfsg-1
Architecture: amd64
Size: 9
SHA256: {hash}
"""
CONTENT = b"!<ar"
HASH = hashlib.sha256(CONTENT).hexdigest()
KERNEL = Package("linux-image-cloud-amd64", "1:6.1.192-2", "amd64", HASH, 4)


class Programs:
    """Stands for apt: what each program says, and what was asked."""

    def __init__(self, folder: Path, downloads: bytes | None = CONTENT, *, online: bool = True) -> None:
        self.asked: list[list[str]] = []
        self._folder, self._downloads, self._online = folder, downloads, online

    def __call__(self, command: list[str], *, folder: Path | None = None, **_variables: str) -> bytes:
        self.asked.append(command)
        if command[0] == "apt-cache":
            return SHOWN.format(hash=HASH).encode()
        if not self._online:
            raise FailedError("E: Could not resolve deb.debian.org", where="apt-get")
        if command[-2] == "download" and self._downloads is not None:
            assert folder is not None
            (folder / KERNEL.file_name).write_bytes(self._downloads)
        return b""


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    folder = tmp_path / "apt/amd64/lists"
    folder.mkdir(parents=True)
    (folder / "deb.debian.org_bookworm_main_binary-amd64_Packages.lz4").touch()
    return folder


def apt_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: Programs) -> Apt:
    monkeypatch.setattr(apt, "run", programs)
    monkeypatch.setattr(apt, "_KEYRING", Path(__file__))
    return Apt(tmp_path, "x86_64", say_nothing)


def test_a_paragraph_is_fields_with_their_continued_lines() -> None:
    first, second = stanzas(SHOWN)
    assert first["Description"] == "Linux for cloud\nwith a second line"
    assert second["Version"] == "1:1.2.13.dfsg-1"
    assert list(stanzas("\n\n \n")) == []


def test_a_package_is_read_with_what_it_depends_on_first() -> None:
    found = package_of({**next(stanzas(SHOWN)), "SHA256": HASH})
    assert found.depends == ("linux-image-6.1.0-56-cloud-amd64", "libc6")
    assert found.file_name == "linux-image-cloud-amd64_1%3a6.1.192-2_amd64.deb"
    assert found.listed == inventory.Package("linux-image-cloud-amd64", "1:6.1.192-2", "amd64", HASH)


def test_a_package_that_says_too_little_is_refused() -> None:
    with pytest.raises(FailedError, match="a package without 'SHA256'"):
        package_of({"Package": "x", "Version": "1", "Architecture": "all", "Size": "1"})


def test_packages_come_in_the_order_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = apt_of(tmp_path, monkeypatch, Programs(tmp_path)).find(["zlib1g", "linux-image-cloud-amd64"])
    assert [one.name for one in found] == ["zlib1g", "linux-image-cloud-amd64"]


def test_a_package_that_the_release_does_not_have_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FailedError, match="bookworm has no package nothing for amd64"):
        apt_of(tmp_path, monkeypatch, Programs(tmp_path)).find(["zlib1g", "nothing"])


def test_nothing_of_the_hosts_apt_is_read_or_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = Programs(tmp_path)
    apt_of(tmp_path, monkeypatch, programs).update()
    (asked,) = programs.asked
    places = [part for part in asked if part.startswith("Dir::")]
    assert all(str(tmp_path) in place for place in places if not place.startswith("Dir::Etc::SourceParts"))
    assert {place.partition("=")[0] for place in places} >= {"Dir::State::lists", "Dir::State::status", "Dir::Cache"}
    assert "APT::Architectures=amd64" in asked
    assert (tmp_path / "apt/amd64/sources.list").read_text().count("signed-by=") == 3


def test_what_was_downloaded_once_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = Programs(tmp_path)
    packages = apt_of(tmp_path, monkeypatch, programs)
    assert packages.fetched(KERNEL).read_bytes() == CONTENT
    assert packages.fetched(KERNEL) == tmp_path / "debs" / KERNEL.file_name
    assert [asked[-2:] for asked in programs.asked] == [["download", "linux-image-cloud-amd64=1:6.1.192-2"]]


def test_a_kept_file_that_was_changed_is_downloaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = apt_of(tmp_path, monkeypatch, Programs(tmp_path))
    packages.fetched(KERNEL).write_bytes(b"!<AR")
    assert packages.fetched(KERNEL).read_bytes() == CONTENT


@pytest.mark.parametrize("downloads", [None, b"", b"other"])
def test_a_download_that_is_not_what_the_lists_say_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, downloads: bytes | None
) -> None:
    with pytest.raises(FailedError, match=r"_amd64\.deb: is not what the signed lists say"):
        apt_of(tmp_path, monkeypatch, Programs(tmp_path, downloads)).fetched(KERNEL)


def test_without_a_network_a_download_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NetworkError, match=r"deb\.debian\.org: linux-image-cloud-amd64: .*Could not resolve"):
        apt_of(tmp_path, monkeypatch, Programs(tmp_path, online=False)).fetched(KERNEL)


@pytest.mark.usefixtures("lists")
def test_without_a_network_the_lists_from_before_serve_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    apt_of(tmp_path, monkeypatch, Programs(tmp_path, online=False))
    Apt(tmp_path, "x86_64", said.append).update()
    assert ["lists from before" in line for line in said] == [True]


def test_without_a_network_and_lists_nothing_can_be_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NetworkError, match=r"^deb\.debian\.org: E: Could not resolve"):
        apt_of(tmp_path, monkeypatch, Programs(tmp_path, online=False)).update()


def test_a_machine_without_debians_keys_is_told_which_package_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = apt_of(tmp_path, monkeypatch, Programs(tmp_path))
    monkeypatch.setattr(apt, "_KEYRING", tmp_path / "nowhere.gpg")
    with pytest.raises(UnavailableError, match="apt-get install debian-archive-keyring"):
        packages.update()
