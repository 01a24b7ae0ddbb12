"""What tests of host operations share: a real context over a line to a core that only remembers."""

import itertools
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from runtime.canonical import Json
from runtime.components.host.context import ComponentId, Context, HostLimits
from runtime.components.host.file_trees import Metadata
from runtime.components.host.filesystem import Filesystem
from runtime.components.host.mounts import Mounts, MountSource
from runtime.components.host.paths import Paths
from runtime.components.permissions import Policy
from runtime.components.permissions.rules import PatternRule, Rules, SpawnRule
from runtime.components.values import Err, Ok

__all__ = ["Files", "RememberingCore", "case_of", "context_of", "files_in", "policy_of", "tree_of", "value_of"]

T = TypeVar("T")
DEADLINE_S = 120
"""Far away, so that only what a test waits for ends a wait."""


@dataclass
class RememberingCore:
    """A line to the core: keeps what it is told."""

    told: list[tuple[str, Mapping[str, Json]]] = field(default_factory=list)

    def request(self, kind: str, fields: Mapping[str, Json]) -> Json:
        """Nothing of files and processes asks."""
        raise AssertionError(kind, fields)

    def notify(self, kind: str, fields: Mapping[str, Json]) -> None:
        """Remembers."""
        self.told.append((kind, fields))

    def records(self) -> list[dict[str, Any]]:
        """All audit records."""
        batches: list[Any] = [fields["records"] for kind, fields in self.told if kind == "audit"]
        return list(itertools.chain.from_iterable(batches))


def policy_of(version: int = 1, spawn: Sequence[SpawnRule] = (), **groups: Sequence[str]) -> Policy:
    """A policy from patterns; `deny_all` is `filesystem.deny.all`, names without a group are of `filesystem`."""
    patterns = [
        PatternRule(_group(name), index, "permissions", pattern)
        for name, texts in groups.items()
        for index, pattern in enumerate(texts)
    ]
    return Policy(Rules(tuple(patterns), spawn=tuple(spawn)), version)


def context_of(policy: Policy, limits: HostLimits | None = None) -> Context:
    """An instance in the middle of a long call."""
    context = Context(ComponentId("local", "tested", "1.0.0", 0), policy, limits or HostLimits(), RememberingCore())
    context.deadline = time.monotonic() + DEADLINE_S
    return context


@dataclass
class Files:
    """Both interfaces over some directories."""

    context: Context
    mounts: Mounts
    paths: Paths
    filesystem: Filesystem
    metadata: Metadata

    def close(self) -> None:
        """Ends the instance."""
        self.context.close()
        self.mounts.close()


def files_in(
    directories: Mapping[str, Path | tuple[Path, MountSource] | tuple[Path, MountSource, bool]],
    policy: Policy,
    limits: HostLimits | None = None,
    account: int | None = None,
) -> Files:
    """Files of one instance.

    Args:
        directories: by guest path; `operator` and writable unless something else is said.
        policy: what it may do.
        limits: what it may have.
        account: of all instances in the same directories, from `FolderAccount.descriptor`.
    """
    context = context_of(policy, limits)
    given: list[tuple[str, int, MountSource, bool]] = []
    for guest, what in directories.items():
        path, source, read_only = (*what, False)[:3] if isinstance(what, tuple) else (what, "operator", False)
        given.append((guest, os.open(path, os.O_PATH | os.O_DIRECTORY), source, bool(read_only)))
    mounts = Mounts(given, context.limits.filesystem, account)
    paths = Paths(context, mounts)
    return Files(context, mounts, paths, Filesystem(context, paths), Metadata(context, paths))


def value_of(answer: Ok[T] | Err[Any]) -> T:
    """What an operation gave; the test fails with its error else."""
    assert isinstance(answer, Ok), answer
    return answer.value


def case_of(answer: Ok[Any] | Err[Any]) -> str:
    """The error's case as the WIT spells it; the test fails where it worked."""
    assert isinstance(answer, Err), answer
    return str(answer.error.case)


def tree_of(place: Path) -> dict[str, tuple[int, bytes]]:
    """All that lies in a directory: modes, and content or targets."""
    return {str(path.relative_to(place)): (path.lstat().st_mode, _content(path)) for path in sorted(place.rglob("*"))}


def _content(path: Path) -> bytes:
    if path.is_symlink():
        return os.fsencode(path.readlink())
    return path.read_bytes() if path.is_file() else b""


def _group(name: str) -> str:
    words = name.split("_")
    return ".".join(words) if words[0] in {"process", "environment", "filesystem"} else f"filesystem.{'.'.join(words)}"
