"""Machines of the small world: one that booted, one that is refused, one that fetches, one that only asked."""

from dataclasses import replace

from console.rows import MachineRow, ReleaseRow, StepRow
from tests.console.ui.fake_core import NOW

KEY = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"
SECOND_KEY = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
MANIFEST = "5c3d" * 16
URL = "http://10.0.0.2:8080/"
SIZE = 96 << 20
HOUR = 3_600_000
PASSED = (
    ("form", "765 bytes of JSON"),
    ("schema", "version 1"),
    ("root", "version 3, 2 of 3 keys"),
    ("signatures", f"{KEY[:16]} {SECOND_KEY[:16]}"),
    ("payload", "release harbor-14, 3 artifacts"),
    ("channel", "stable"),
    ("arch", "x86_64"),
    ("time", "valid until 2025-12-20T14:00:00Z"),
    ("version", "14, not below 12"),
)

RELEASE = ReleaseRow(
    url=URL,
    announced=("10.0.0.2",),
    release="harbor-14",
    manifest_version=14,
    channel="stable",
    arch="x86_64",
    hash=MANIFEST,
    created_ms=NOW - 26 * HOUR,
    expires_ms=NOW + 29 * 24 * HOUR,
    size=SIZE,
    keys=(KEY, SECOND_KEY),
    root_version=3,
    root_keys=3,
    threshold=2,
)
OLD = replace(
    RELEASE,
    url="http://127.0.0.1:8081/",
    announced=(),
    release="quay-3",
    manifest_version=3,
    channel="testing",
    arch="arm64",
    hash="77aa" * 16,
    expires_ms=NOW + 40 * HOUR,
    size=80 << 20,
    keys=(KEY,),
    root_version=0,
    root_keys=0,
    threshold=0,
)
RELEASES = [RELEASE, OLD]


def steps(*told: tuple[str, str], refused: tuple[str, str] | None = None) -> tuple[StepRow, ...]:
    passed = [StepRow(name=name, ok=True, detail=detail, ts_ms=NOW - 40_000) for name, detail in told]
    if refused is not None:
        passed.append(StepRow(name=refused[0], ok=False, detail=refused[1], ts_ms=NOW - 39_000))
    return tuple(passed)


def machine(session: str, **more: object) -> MachineRow:
    given: dict[str, object] = {
        "session": session * 16,
        "address": "10.0.0.71",
        "manifest": MANIFEST,
        "artifact": "",
        "bytes": 0,
        "size": SIZE,
        "began_ms": NOW - 60_000,
        "moved_ms": NOW - 60_000,
        "seen_ms": NOW - 4_000,
    }
    return MachineRow(**(given | more))  # type: ignore[arg-type]


BOOTED = machine(
    "4f",
    address="10.0.0.17",
    artifact="rootfs",
    bytes=SIZE,
    moved_ms=NOW - 52_000,
    seen_ms=NOW - 9_000,
    steps=steps(*PASSED, ("kexec", "loaded"), ("ready", "the second stage runs")),
    receipt="c0de" * 16,
    key=KEY,
    verdict="valid",
    names_manifest=True,
)
STOPPED = machine(
    "a1",
    address="10.0.0.23",
    seen_ms=NOW - 30_000,
    steps=steps(*PASSED[:3], refused=("threshold", "1 of 2 signatures that are needed")),
)
FETCHING = machine(
    "b2",
    address="10.0.0.31",
    artifact="rootfs",
    bytes=41 << 20,
    moved_ms=NOW - 48_000,
    steps=steps(*PASSED),
    seen_ms=NOW - 1_000,
)
ASKED = machine("c3", address="2001:db8::17", seen_ms=NOW - 120_000)
STRANGE = machine(
    "d4",
    address="10.0.0.99",
    artifact="initramfs",
    bytes=SIZE,
    moved_ms=NOW - 50_000,
    seen_ms=NOW - 20_000,
    receipt="bad0" * 16,
    key=SECOND_KEY,
    verdict="unchecked",
)
MACHINES = [ASKED, STOPPED, BOOTED, STRANGE, FETCHING]
