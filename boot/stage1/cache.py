"""The cache partition and the seed: mounted as the mode allows, believed in nothing, and fatal to nothing.

On the cache lie the newest verified release of each line (`releases/LINE/manifest.json`), the roots that lead to it
(`root/N.json`), its artifacts by hash (`artifacts/`), and `memory.json`. Each file is written whole or not at all, the
artifacts before the manifest that names them, so that a cut at any moment leaves the release before, or the new one.
A partition that is full, damaged or somebody else's is reported, and the machine goes on without it.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.fetch.release import Fetched
from boot.modes import Rules
from boot.stage1 import libc
from boot.stage1.artifact_store import ArtifactStore, Source
from boot.stage1.disks import Partition, find_partition
from boot.stage1.remembered import Remembered, line_of
from boot.stage1.stored import Stored, release_folder, roots_after
from boot.trust.documents import DOCUMENT_MAX, read_document
from boot.trust.manifest import Artifact, manifest_of
from boot.trust.root import Trusted
from runtime import durable
from runtime.errors import OrlopError

__all__ = ["CACHE", "NODE", "SEED", "Cache", "Partitions", "mount_partition", "mounted", "wait_for_partition"]

CACHE: Final = Path("/cache")
SEED: Final = Path("/seed")
NODE: Final = "node"
"""The folder on the cache that holds the state directory of the node."""

_FOLDERS: Final = ("artifacts", "releases", "root", NODE)
_SAFE: Final = libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC
_LOOK_S: Final = 0.05

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Partitions:
    """Whose partitions are looked for.

    Attributes:
        cache: PARTUUID, or empty.
        seed: PARTUUID, or empty.
        wait_s: how long the disk that this machine was started from may take to appear.
    """

    cache: str
    seed: str
    wait_s: float = 0.0


class Cache:
    """What lies on orlop's own partitions; without any, it holds nothing and keeps nothing.

    Args:
        say: hears what is wrong.
        folder: where the cache is mounted; None without one.
        writes: whether it may be written.
        seed: where the seed is mounted; None without one.
    """

    def __init__(self, say: Say, folder: Path | None = None, *, writes: bool = False, seed: Path | None = None) -> None:
        self._say = say
        self._folder = folder if folder is not None and _prepared(folder, writes=writes, say=say) else None
        self._writes = writes
        self._seed = seed
        self.remembered = self._memory()

    @property
    def writes(self) -> bool:
        """Whether there is a cache that takes something."""
        return self._folder is not None and self._writes

    def trusted(self, pinned: Trusted) -> Trusted:
        """The newest root that was ever verified: the roots on the disk, followed again from the one in the image.

        Args:
            pinned: the root in the image.
        """
        trusted = pinned
        if self._folder is not None:
            with self._reported("the roots before it are used"):
                for following, _ in roots_after(self._folder, pinned):
                    trusted = following
        return trusted

    def sources(self, rules: Rules, channel: str, arch: str) -> tuple[Stored, ...]:
        """Releases that lie here, in the order of the mode.

        Args:
            rules: of the mode.
            channel: that is wanted.
            arch: of the machine.
        """
        found: list[Stored] = []
        for source in rules.discovery:
            if source == "cache" and self._folder is not None:
                found.append(self._stored(self._folder, channel, arch))
            elif source == "seed" and self._seed is not None:
                found.append(release_folder("seed", self._seed))
        return tuple(stored for stored in found if stored.manifest.exists())

    def keep(self, fetched: Fetched, sources: Mapping[str, Source]) -> bool:
        """Keeps a release that was verified, and remembers it.

        Args:
            fetched: what was verified.
            sources: of its artifacts that are kept, by name.

        Returns:
            Whether all of it was kept; what was wrong is said.
        """
        kept = False
        if self._folder is not None and self._writes:
            with self._reported("this release is not kept"):
                self._keep_roots(self._folder, fetched)
                kept = self._keep_artifacts(self._folder, fetched, sources)
            with self._reported("this release is not remembered"):
                self.remembered = self.remembered.after(fetched.verified.manifest)
                durable.replace(self._folder / "memory.json", self.remembered.document(), mode=0o644)
                ArtifactStore(self._folder / "artifacts").keep_only(self._named())
        return kept

    def _keep_roots(self, folder: Path, fetched: Fetched) -> None:
        first = fetched.trusted.root.version - len(fetched.roots) + 1
        for number, document in enumerate(fetched.roots, first):
            durable.replace(folder / "root" / f"{number}.json", document, mode=0o644)

    def _keep_artifacts(self, folder: Path, fetched: Fetched, sources: Mapping[str, Source]) -> bool:
        """The artifacts, then the manifest that names them."""
        manifest, store = fetched.verified.manifest, ArtifactStore(folder / "artifacts")
        wanted = [manifest.artifacts[name] for name in sources]
        if not store.has_room(wanted):
            store.keep_only([*wanted, *self._named()])
        if not store.has_room(wanted):
            self._say("cache: no room beside the release before, which makes way")
            store.keep_only(wanted)
        if not store.has_room(wanted):
            self._say("cache: too small for this release, which is not kept")
            return False
        for name, source in sources.items():
            store.put(manifest.artifacts[name], source)
        line = folder / "releases" / line_of(manifest.channel, manifest.arch)
        durable.make_directory(line, mode=0o755)
        durable.sync_directory(line.parent)
        durable.replace(line / "manifest.json", fetched.document, mode=0o644)
        return True

    def _named(self) -> list[Artifact]:
        """The artifacts that the manifests on the disk name; they are not believed, but they are what is kept."""
        found: list[Artifact] = []
        for path in sorted((self._folder or SEED).glob("releases/*/manifest.json")):
            with contextlib.suppress(OrlopError, OSError, KeyError):
                raw = durable.read(path, limit=DOCUMENT_MAX)
                found += manifest_of(read_document(raw or b"", "manifest")).artifacts.values()
        return found

    def _stored(self, folder: Path, channel: str, arch: str) -> Stored:
        store = ArtifactStore(folder / "artifacts")
        line = folder / "releases" / line_of(channel, arch)
        return Stored("cache", line / "manifest.json", folder, lambda _, artifact: store.path(artifact))

    def _memory(self) -> Remembered:
        if self._folder is not None:
            with self._reported("nothing is remembered"):
                raw = durable.read(self._folder / "memory.json", limit=DOCUMENT_MAX)
                return Remembered() if raw is None else Remembered.parse(raw)
        return Remembered()

    @contextlib.contextmanager
    def _reported(self, consequence: str) -> Iterator[None]:
        """Whatever is wrong with the cache is said, and is no reason to stop."""
        try:
            yield
        except (OrlopError, OSError) as error:
            self._say(f"cache: {_why(error)}: {consequence}")


@contextlib.contextmanager
def mounted(partitions: Partitions, rules: Rules, say: Say) -> Iterator[Cache]:
    """The cache and the seed, as far as the rules allow, until the end of the block.

    Args:
        partitions: where they are.
        rules: of the mode.
        say: hears what is wrong; nothing of it ends the block.
    """
    with contextlib.ExitStack() as stack:
        folder = seed = None
        if rules.storage != "none":
            place = _Place(partitions.cache, CACHE, "ext4", writes=rules.writes)
            folder = stack.enter_context(_mounted(place, partitions.wait_s, say))
            if "seed" in rules.discovery:
                seed = stack.enter_context(_mounted(_Place(partitions.seed, SEED, "squashfs"), partitions.wait_s, say))
        yield Cache(say, folder, writes=rules.writes, seed=seed)


@dataclass(frozen=True, slots=True)
class _Place:
    """Which partition is mounted where, and how."""

    partuuid: str
    folder: Path
    kind: str
    writes: bool = False


@contextlib.contextmanager
def _mounted(place: _Place, wait_s: float, say: Say) -> Iterator[Path | None]:
    """One partition; None where it is not there or cannot be mounted."""
    name, done = place.folder.name, False
    try:
        found = wait_for_partition(place.partuuid, wait_s) if place.partuuid else None
        if found is not None:
            mount_partition(found, place.folder, place.kind, writes=place.writes)
            done = True
            say(f"{name}: {found.device.name}, {'read and written' if place.writes else 'read-only'}")
    except (OrlopError, OSError) as error:
        say(f"{name}: {_why(error)}: goes on without it")
    try:
        yield place.folder if done else None
    finally:
        if done:
            with contextlib.suppress(OSError):
                libc.umount(str(place.folder))


def mount_partition(found: Partition, folder: Path, kind: str, *, writes: bool) -> None:
    """Mounts a partition; one that is only read is not written by its journal either.

    Args:
        found: which.
        folder: where; made if it is missing.
        kind: of its file system.
        writes: whether it may be written.

    Raises:
        OSError: it cannot be mounted.
    """
    folder.mkdir(mode=0o755, exist_ok=True)
    options = "" if kind != "ext4" else "errors=remount-ro" if writes else "noload"
    libc.mount(str(found.device), str(folder), kind, _SAFE if writes else _SAFE | libc.MS_RDONLY, options)


def wait_for_partition(partuuid: str, wait_s: float) -> Partition | None:
    """A partition, as soon as its disk has appeared.

    Args:
        partuuid: which.
        wait_s: how long it may take.

    Raises:
        FailedError: two disks have it.
    """
    until = time.monotonic() + wait_s
    while (found := find_partition(partuuid)) is None and time.monotonic() < until:
        time.sleep(_LOOK_S)
    return found


def _prepared(folder: Path, *, writes: bool, say: Say) -> bool:
    """Whether this is a cache of orlop's; an empty one becomes it."""
    for name in _FOLDERS:
        path = folder / name
        try:
            if writes and not path.is_symlink() and not path.exists():
                durable.make_directory(path, mode=0o755)
            strange = path.is_symlink() or (path.exists() and not path.is_dir())
        except (OrlopError, OSError):
            say("cache: cannot be written: goes on without it")
            return False
        if strange:
            say(f"cache: {name} is no folder, so this is somebody else's: goes on without it")
            return False
    return True


def _why(error: OrlopError | OSError) -> str:
    if isinstance(error, OrlopError):
        return f"{error.where}: {error.why}" if error.where else error.why
    return (error.strerror or type(error).__name__).lower()
