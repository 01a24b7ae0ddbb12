"""Debian's packages for any architecture, without root: apt with lists and a cache of its own, never the host's.

apt checks what it downloads against the signed lists. What was downloaded once is kept under its version, and held
against the hash in the lists before every use.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.image import inventory
from boot.image.programs import run
from boot.image.saying import Say
from runtime.errors import FailedError, NetworkError, UnavailableError

__all__ = ["DEBIAN", "Apt", "Package", "package_in", "package_of", "stanzas", "unpack"]

DEBIAN: Final = {"x86_64": "amd64", "arm64": "arm64"}
"""How Debian calls our architectures."""

_KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SUITES: Final = (
    ("http://deb.debian.org/debian", "bookworm"),
    ("http://deb.debian.org/debian", "bookworm-updates"),
    ("http://deb.debian.org/debian-security", "bookworm-security"),
)
_PROXIES: Final = ("http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True, slots=True)
class Package:
    """One package in one version, as the signed lists have it.

    Attributes:
        name: of the package.
        version: of it.
        arch: of its files, or `all`.
        sha256: of its file, 64 hexadecimal characters.
        size: of its file, bytes.
        depends: the packages that it names first in `Depends`.
    """

    name: str
    version: str
    arch: str
    sha256: str
    size: int
    depends: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """As apt calls its file."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.arch}.deb"

    @property
    def listed(self) -> inventory.Package:
        """As an inventory has it."""
        return inventory.Package(self.name, self.version, self.arch, self.sha256)


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """The paragraphs of a file in Debian's control format; continued lines are joined.

    Args:
        text: such as what `apt-cache show` says.
    """
    for paragraph in text.split("\n\n"):
        fields: dict[str, str] = {}
        last = ""
        for line in paragraph.splitlines():
            if line.startswith((" ", "\t")) and last:
                fields[last] += f"\n{line.strip()}"
            elif ":" in line:
                last, _, value = line.partition(":")
                fields[last] = value.strip()
        if fields:
            yield fields


def package_of(fields: dict[str, str]) -> Package:
    """A package from its paragraph.

    Args:
        fields: of the paragraph.

    Raises:
        FailedError: one is missing.
    """
    try:
        first = (part.split("|")[0].split("(")[0].strip() for part in fields.get("Depends", "").split(","))
        return Package(
            fields["Package"],
            fields["Version"],
            fields["Architecture"],
            fields["SHA256"],
            int(fields["Size"]),
            tuple(name.partition(":")[0] for name in first if name),
        )
    except (KeyError, ValueError) as error:
        raise FailedError(f"a package without {error}", where="apt-cache") from None


def package_in(file: Path) -> Package:
    """The package that a file holds.

    Args:
        file: a `.deb`.

    Raises:
        FailedError: it is none.
    """
    fields = next(stanzas(run(["dpkg-deb", "-f", str(file)]).decode(errors="replace")), {})
    return package_of({**fields, "SHA256": _hash(file), "Size": str(file.stat().st_size)})


class Apt:
    """Packages of one architecture of one Debian release.

    Args:
        cache: a folder to keep lists and packages in; made if it is missing.
        arch: of ours.
        say: told what is done.
    """

    def __init__(self, cache: Path, arch: str, say: Say) -> None:
        cache = cache.absolute()  # apt takes a relative path for one below its own folder
        self._folder = cache / "apt" / DEBIAN[arch]
        self._debs = cache / "debs"
        self._arch = DEBIAN[arch]
        self._say = say

    def update(self) -> None:
        """Fetches the lists of packages; those from before serve when nobody can be reached.

        Raises:
            UnavailableError: apt or its keys are missing, or the folder cannot be written.
            NetworkError: there are no lists and none can be had.
        """
        if not _KEYRING.exists():
            hint = "apt-get install debian-archive-keyring"
            raise UnavailableError("is missing", where=str(_KEYRING), hint=hint)
        with self._locked():
            self._prepare()
            try:
                self._run("apt-get", "-o", "APT::Update::Error-Mode=any", "update")
            except FailedError as error:
                if not any((self._folder / "lists").glob("*_Packages*")):
                    raise NetworkError(error.why, where="deb.debian.org") from None
                self._say(f"deb.debian.org cannot be asked, the lists from before are taken: {error.why}")

    def find(self, names: Sequence[str]) -> tuple[Package, ...]:
        """The newest version of each package.

        Args:
            names: of packages.

        Raises:
            FailedError: the release has no such package.
        """
        said = self._run("apt-cache", "show", "--no-all-versions", *names)
        found = {fields["Package"]: package_of(fields) for fields in stanzas(said) if "Package" in fields}
        for name in names:
            if name not in found:
                raise FailedError(f"bookworm has no package {name} for {self._arch}", where="apt-cache")
        return tuple(found[name] for name in names)

    def fetched(self, package: Package) -> Path:
        """The file of a package, downloaded unless it was before.

        Args:
            package: that `find` found.

        Raises:
            NetworkError: it cannot be downloaded.
        """
        with self._locked():
            return self._downloaded(package)

    def _downloaded(self, package: Package) -> Path:
        file = self._debs / package.file_name
        if not _is(file, package):
            self._say(f"downloading {package.name} {package.version} ({package.size / 1e6:.1f} MB)")
            self._debs.mkdir(parents=True, exist_ok=True)
            try:
                self._run("apt-get", "download", f"{package.name}={package.version}", folder=self._debs)
            except FailedError as error:
                raise NetworkError(error.why, where=f"deb.debian.org: {package.name}") from None
        if not _is(file, package):
            raise FailedError("is not what the signed lists say", where=package.file_name)
        return file

    def _prepare(self) -> None:
        for name in ("lists/partial", "cache/archives/partial"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "status").touch()
        lines = (f"deb [signed-by={_KEYRING}] {address} {suite} main\n" for address, suite in _SUITES)
        (self._folder / "sources.list").write_text("".join(lines))

    def _run(self, program: str, *arguments: str, folder: Path | None = None) -> str:
        http, https, none = (os.environ.get(name, "") for name in _PROXIES)
        command = [program, *self._options(), *arguments]
        return run(command, folder=folder, http_proxy=http, https_proxy=https, no_proxy=none).decode(errors="replace")

    def _options(self) -> list[str]:
        settings = {
            "APT::Architecture": self._arch,
            "APT::Architectures": self._arch,
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
            "Dir::State::lists": f"{self._folder}/lists",
            "Dir::State::status": f"{self._folder}/status",
            "Dir::Cache": f"{self._folder}/cache",
            "Dir::Etc::SourceList": f"{self._folder}/sources.list",
            "Dir::Etc::SourceParts": "-",
        }
        return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One build at a time fetches or unpacks."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def unpack(files: Iterable[Path], tree: Path) -> None:
    """Unpacks packages into one tree; no script of theirs is run.

    Args:
        files: the packages.
        tree: the folder that becomes or holds the tree.

    Raises:
        FailedError: one is no package, or there is no space.
    """
    tree.mkdir(parents=True, exist_ok=True)
    for file in files:
        run(["dpkg-deb", "-x", str(file), str(tree)])


def _is(file: Path, package: Package) -> bool:
    return file.is_file() and file.stat().st_size == package.size and _hash(file) == package.sha256


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
