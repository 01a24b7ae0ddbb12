"""What happens when machines boot from this node, beside `runtime.events`: one frozen dataclass per type.

`session` is the nonce that a machine got with its manifest, 32 hexadecimal characters, or empty. What a machine says of
itself is told as said by it, and believed by nobody.
"""

from dataclasses import dataclass
from typing import ClassVar

from runtime.events import Event

__all__ = ["BootMachine", "BootReceipt", "BootReport", "BootRequest", "BootServing", "BootStopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BootServing(Event):
    """A release is served, or another one than before. `announced`: where it is announced on the link, if it is.

    `keys` are those that signed, by the manifest's own word. `threshold` and `root_keys` are of the newest root beside
    it, likewise; 0 where there is none, and the root in the images alone counts.
    """

    TYPE: ClassVar[str] = "boot.serving"
    urls: tuple[str, ...]
    announced: tuple[str, ...]
    release: str
    manifest_version: int
    channel: str
    arch: str
    hash: str
    created_ms: int
    expires_ms: int
    size: int
    keys: tuple[str, ...]
    root_version: int
    root_keys: int
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BootStopped(Event):
    """A release is served no more."""

    TYPE: ClassVar[str] = "boot.stopped"
    urls: tuple[str, ...]
    requests: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BootRequest(Event):
    """A request was answered. `bytes`: of the body, as far as it was sent."""

    TYPE: ClassVar[str] = "boot.request"
    LIVE_ONLY: ClassVar[bool] = True
    session: str
    address: str
    method: str
    path: str
    status: int
    bytes: int
    duration_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BootMachine(Event):
    """A machine asked for the manifest, or gets an artifact. `bytes` of `size` that the release has were sent to it."""

    TYPE: ClassVar[str] = "boot.machine"
    LIVE_ONLY: ClassVar[bool] = True
    session: str
    address: str
    manifest: str
    artifact: str
    bytes: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BootReport(Event):
    """A machine says that it passed a step, or failed at it; reported by the machine, proven by nothing."""

    TYPE: ClassVar[str] = "boot.report"
    session: str
    address: str
    step: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BootReceipt(Event):
    """A machine delivered a receipt.

    `ok` as `receipts verify` finds; `names_manifest`: whether it says that what is served here was booted, a claim.
    """

    TYPE: ClassVar[str] = "boot.receipt"
    session: str
    address: str
    receipt: str
    key: str
    ok: bool | None
    detail: str
    names_manifest: bool
