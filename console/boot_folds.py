"""Releases that are served and machines that ask for them, as rows: a pure fold of the events of booting.

The core folds them to answer a snapshot, a screen to follow what happens after it: both by this.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from console.rows import MachineRow, ReleaseRow, StepRow
from runtime.boot_events import BootMachine, BootReceipt, BootReport, BootServing, BootStopped
from runtime.events import Event

__all__ = ["MACHINES_MAX", "BootRows"]

MACHINES_MAX: Final = 1_000
"""Most machines that are kept: those that came last."""

_STEPS_MAX: Final = 64
_VERDICTS: Final = {True: "valid", False: "invalid", None: "unchecked"}


class BootRows:
    """All rows, by key. For one thread at a time."""

    def __init__(self) -> None:
        self._releases: dict[str, ReleaseRow] = {}
        self._machines: dict[str, MachineRow] = {}

    @property
    def releases(self) -> Mapping[str, ReleaseRow]:
        """What is served, by URL."""
        return MappingProxyType(self._releases)

    @property
    def machines(self) -> Mapping[str, MachineRow]:
        """Machines by session, oldest first."""
        return MappingProxyType(self._machines)

    def load_releases(self, rows: Sequence[ReleaseRow]) -> None:
        """Takes rows in the place of those that are known."""
        self._releases = {row.url: row for row in rows}

    def load_machines(self, rows: Sequence[MachineRow]) -> None:
        """As `load_releases`."""
        self._machines = {row.session: row for row in rows}

    def fold_releases(self, event: Event) -> set[str]:
        """What an event changes of releases.

        Returns:
            The keys of rows that are others now, or gone.
        """
        match event:
            case BootServing(urls=(url, *_)):
                row = _release(url, event)
                changed = self._releases.get(url) != row
                self._releases[url] = row
                return {url} if changed else set()
            case BootStopped(urls=(url, *_)):
                return {url} if self._releases.pop(url, None) is not None else set()
            case _:
                return set()

    def fold_machines(self, event: Event, ts_ms: int) -> set[str]:
        """What an event changes of machines.

        Args:
            event: any.
            ts_ms: when it happened, UTC.

        Returns:
            The sessions whose rows are others now, or gone.
        """
        if not isinstance(event, BootMachine | BootReport | BootReceipt):
            return set()
        before = self._machines.get(event.session)
        after = _folded(_asked(event, ts_ms) if before is None else before, event, ts_ms)
        if after == before:
            return set()
        self._machines[event.session] = after
        if len(self._machines) <= MACHINES_MAX:
            return {event.session}
        gone = next(iter(self._machines))
        del self._machines[gone]
        return {event.session, gone}


def _release(url: str, event: BootServing) -> ReleaseRow:
    return ReleaseRow(
        url=url,
        announced=event.announced,
        release=event.release,
        manifest_version=event.manifest_version,
        channel=event.channel,
        arch=event.arch,
        hash=event.hash,
        created_ms=event.created_ms,
        expires_ms=event.expires_ms,
        size=event.size,
        keys=event.keys,
        root_version=event.root_version,
        root_keys=event.root_keys,
        threshold=event.threshold,
    )


def _asked(event: BootMachine | BootReport | BootReceipt, ts_ms: int) -> MachineRow:
    return MachineRow(
        session=event.session,
        address=event.address,
        manifest="",
        artifact="",
        bytes=0,
        size=0,
        began_ms=ts_ms,
        moved_ms=ts_ms,
        seen_ms=ts_ms,
    )


def _folded(row: MachineRow, event: BootMachine | BootReport | BootReceipt, ts_ms: int) -> MachineRow:
    seen_ms = max(row.seen_ms, ts_ms)
    match event:
        case BootMachine():
            moved = event.bytes > row.bytes
            return replace(
                row,
                manifest=event.manifest,
                artifact=event.artifact,
                bytes=max(row.bytes, event.bytes),
                size=event.size,
                moved_ms=seen_ms if moved else row.moved_ms,
                seen_ms=seen_ms,
            )
        case BootReport():
            return replace(row, steps=_with_step(row.steps, event, ts_ms), seen_ms=seen_ms)
        case BootReceipt():
            return replace(
                row,
                receipt=event.receipt,
                key=event.key,
                verdict=_VERDICTS[event.ok],
                doubt=event.detail,
                names_manifest=event.names_manifest,
                seen_ms=seen_ms,
            )


def _with_step(steps: tuple[StepRow, ...], event: BootReport, ts_ms: int) -> tuple[StepRow, ...]:
    """A step that is reported again stands where it stood: folding twice changes nothing."""
    step = StepRow(name=event.step, ok=event.ok, detail=event.detail, ts_ms=ts_ms)
    if any(each.name == step.name for each in steps):
        return tuple(step if each.name == step.name else each for each in steps)
    return (*steps, step)[:_STEPS_MAX]
