"""What `boot keygen`, `sign`, `rotate` and `verify` do: keys, releases and roots, without a core or a state directory.

So the machine that holds a key needs no node, no network and no state. Everything is read and written by the face that
was asked; nothing that has to be believed comes from elsewhere.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from boot.errors import BootRefusedError
from boot.folder import MANIFEST, artifacts_of, check_artifacts, newest_root, read_document_file
from boot.trust.manifest import Arch, BootManifest, Channel
from boot.trust.root import Root, Trusted, pinned
from boot.trust.signing import Release, shortfall, sign_again, sign_manifest, sign_root, sign_root_again
from boot.trust.verifier import Step, Times, Wanted, verify_manifest
from console.call import Call
from console.client import Fault, Json, Result
from console.exit_codes import ExitCode
from runtime import durable
from runtime.canonical import CanonicalError, parse_timestamp, timestamp
from runtime.errors import RefusedError, UsageError
from runtime.identity import Identity, new_seed
from runtime.sanitise import clean

if TYPE_CHECKING:
    from console.core import Core

__all__ = ["elsewhere", "make_key", "make_root", "pinned_root", "read_key", "sign", "verify", "verify_images"]

_SEED_BYTES: Final = 32
_KEY: Final = "root.key"
_ROOT: Final = "root.pub"


async def elsewhere(_core: "Core", call: Call) -> Result:
    """From a face that has a core: keys and releases are files of whoever typed."""
    raise UsageError("works on files of yours", hint=f"run orlop {call.command} on the command line")


def make_key(folder: Path, *, secure_boot: bool = False) -> Result:
    """`boot keygen`.

    Args:
        folder: for the files; made if it is missing.
        secure_boot: whether they are the keys of a firmware.

    Raises:
        UsageError: one of them is there already.
        UnavailableError: it cannot be written.
    """
    if secure_boot:
        from boot.image.secure_keys import make_secure_boot_keys

        names = make_secure_boot_keys(folder, datetime.now(UTC).replace(microsecond=0))
        return Result(ok=True, value={"v": 1, "out": clean(str(folder), 1000), "files": list(names)})
    for name in (_KEY, _ROOT):
        if (folder / name).exists() or (folder / name).is_symlink():
            hint = "name another folder; a key is never replaced"
            raise UsageError("exists already", where=clean(str(folder / name), 300), hint=hint)
    durable.make_directory(folder, mode=0o755)
    key = Identity(seed := new_seed())
    if not durable.create(folder / _KEY, seed):
        raise UsageError("exists already", where=clean(str(folder / _KEY), 300))
    durable.create(folder / _ROOT, f"{key.public_hex}\n".encode(), mode=0o644)
    return Result(ok=True, value={"v": 1, "key": key.public_hex, "out": clean(str(folder), 1000)})


def sign(folder: Path, keys: Sequence[Path], wanted: Mapping[str, str | int | None]) -> Result:
    """`boot sign`.

    Args:
        folder: of the release.
        keys: files of those who sign.
        wanted: `channel`, `arch`, `version`, `expires` (milliseconds), `name`, `cmdline`, as far as they were given.

    Raises:
        OrlopError: what is wrong; nothing was written.
    """
    signers = [read_key(path) for path in keys]
    if wanted.get("version") is None:
        raw, manifest = sign_again(read_document_file(folder / MANIFEST), signers)
        check_artifacts(folder, manifest.artifacts)
    else:
        raw = sign_manifest(_release(folder, wanted), signers)
        _, manifest = sign_again(raw, ())
    durable.replace(folder / MANIFEST, raw, mode=0o644)
    return Result(ok=True, value={**_manifest(manifest), "signed_by": [one.public_hex for one in signers]})


def make_root(root: Path, keys: Sequence[Path], out: Path, wanted: Mapping[str, int | Sequence[str] | None]) -> Result:
    """`boot rotate`.

    Args:
        root: the newest.
        keys: files of those who sign.
        out: where the next one is written; what is there is signed in addition.
        wanted: `add`, `remove`, `threshold`, `expires` (milliseconds).

    Raises:
        OrlopError: what is wrong; nothing was written.
    """
    trusted, signers = pinned_root(root), [read_key(path) for path in keys]
    try:
        if out.exists():
            raw, following = sign_root_again(read_document_file(out), signers)
        else:
            following = _next(trusted, wanted)
            raw = sign_root(following, signers)
        old, new = shortfall(trusted, raw)
    except BootRefusedError as error:
        raise RefusedError(error.why, where=clean(str(out), 300)) from None
    durable.make_directory(out.parent, mode=0o755)
    durable.replace(out, raw, mode=0o644)
    value: dict[str, Json] = {
        "v": 1,
        "version": following.version,
        "threshold": following.threshold,
        "keys": list(following.keys),
        "expires_at": timestamp(following.expires_ms or 0),
        "missing_old": old,
        "missing_new": new,
        "out": clean(str(out), 1000),
    }
    return Result(ok=True, value=value)


def verify(manifest: Path, root: Path, wanted: Wanted, artifacts: Path | None) -> Result:
    """`boot verify`.

    Args:
        manifest: the document.
        root: that is trusted.
        wanted: what the machine takes.
        artifacts: a folder whose files are checked too.

    Raises:
        OrlopError: something cannot be read; a refusal is a result.
    """
    raw = read_document_file(manifest)
    steps: list[Step] = []
    try:
        trusted = newest_root(manifest.parent, pinned_root(root))
        found = verify_manifest(trusted, raw, wanted, steps.append)
        hashed = None if artifacts is None else check_artifacts(artifacts, found.manifest.artifacts)
    except BootRefusedError as refused:
        value: dict[str, Json] = {"v": 1, "ok": False, "steps": _steps(steps)}
        value["refused"] = {"step": refused.step, "why": refused.why}
        fault = Fault(refused.code, f"{refused.step}: {refused.why}", "boot: refused")
        return Result(ok=False, value=value, fault=fault, exit_code=ExitCode.BOOT_REFUSED)
    done = [*_steps(steps), *([{"name": "artifacts", "detail": f"{hashed} bytes"}] if hashed is not None else [])]
    return Result(ok=True, value={**_manifest(found.manifest), "ok": True, "steps": done, "notes": list(found.notes)})


def verify_images(sums: Path, root: Path) -> Result:
    """`boot verify` of the images of a release.

    Args:
        sums: the list of their hashes; they lie beside it.
        root: that is trusted.

    Raises:
        OrlopError: something cannot be read; a refusal is a result.
    """
    from boot.image.sums import check_sums

    try:
        key, found = check_sums(sums, newest_root(sums.parent, pinned_root(root)))
    except BootRefusedError as refused:
        value: dict[str, Json] = {"v": 1, "ok": False, "steps": []}
        value["refused"] = {"step": refused.step, "why": refused.why}
        fault = Fault(refused.code, f"{refused.step}: {refused.why}", "boot: refused")
        return Result(ok=False, value=value, fault=fault, exit_code=ExitCode.BOOT_REFUSED)
    steps = [{"name": "signatures", "detail": key[:16]}, {"name": "artifacts", "detail": f"{len(found)} files"}]
    return Result(ok=True, value={"v": 1, "ok": True, "key": key, "files": found, "steps": steps})


def wanted_of(channel: str, arch: str, floor: int, now: str | None) -> Wanted:
    """What a machine takes, from what was typed.

    Args:
        channel: which line of releases.
        arch: of the machine.
        floor: the lowest version.
        now: the time, or None for this machine's.

    Raises:
        UsageError: no time.
    """
    try:
        clock_ms = time.time_ns() // 1_000_000 if now is None else parse_timestamp(now)
    except CanonicalError as error:
        raise UsageError(error.why, where="--now") from None
    return Wanted(channel, arch, floor, Times(clock_ms))


def _release(folder: Path, wanted: Mapping[str, str | int | None]) -> Release:
    for name in ("channel", "arch"):
        if not wanted.get(name):
            raise UsageError(f"--{name} is missing", hint="a release is for one channel and one architecture")
    version, expires = wanted["version"], wanted.get("expires")
    if not isinstance(version, int) or not isinstance(expires, int):
        raise UsageError("--version and --expires are numbers")
    now_ms = time.time_ns() // 1_000_000 // 1000 * 1000
    return Release(
        manifest_version=version,
        channel=cast("Channel", wanted["channel"]),
        arch=cast("Arch", wanted["arch"]),
        release=str(wanted.get("name") or version),
        cmdline=str(wanted.get("cmdline") or ""),
        artifacts=artifacts_of(folder),
        created_ms=now_ms,
        expires_ms=now_ms + expires,
    )


def _next(trusted: Trusted, wanted: Mapping[str, int | Sequence[str] | None]) -> Root:
    added, removed = _keys_of(wanted.get("add")), _keys_of(wanted.get("remove"))
    before = trusted.root.keys
    for key in removed:
        if key not in before:
            raise UsageError(f"{key[:16]} is none of the root's keys", where="--remove")
    keys = tuple(dict.fromkeys(key for key in (*before, *added) if key not in removed))
    threshold, expires = wanted.get("threshold"), wanted.get("expires")
    if not keys:
        raise UsageError("a root without keys trusts nobody", where="--remove")
    count = threshold if isinstance(threshold, int) else min(trusted.root.threshold, len(keys))
    if count > len(keys):
        raise UsageError(f"{count} of {len(keys)} keys cannot sign", where="--threshold")
    if not isinstance(expires, int):
        raise UsageError("--expires is a time")
    now_ms = time.time_ns() // 1_000_000 // 1000 * 1000
    return Root(trusted.root.version + 1, count, keys, now_ms + expires)


def _keys_of(given: object) -> tuple[str, ...]:
    keys = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else ()
    for key in keys:
        if len(key) != 2 * _SEED_BYTES or key.strip("0123456789abcdef"):
            raise UsageError(f"`{clean(key, 80)}` is no public key", hint="64 lower-case hexadecimal characters")
    return keys


def pinned_root(path: Path) -> Trusted:
    """A root that the operator trusts; one that is none is the operator's mistake, and refuses nothing."""
    try:
        return pinned(read_document_file(path))
    except BootRefusedError as error:
        raise UsageError(f"is no root: {error.why}", where=clean(str(path), 300)) from None


def read_key(path: Path) -> Identity:
    """A key that signs.

    Args:
        path: of a file of `boot keygen`.

    Raises:
        UsageError: there is none.
        RefusedError: others may have read it, or it is none.
    """
    seed = durable.read(path, limit=1024, private=True)
    if seed is None:
        raise UsageError("no such key", where=clean(str(path), 300), hint="orlop boot keygen --out DIR makes one")
    if len(seed) != _SEED_BYTES:
        why = f"has {len(seed)} bytes, a key has {_SEED_BYTES}"
        raise RefusedError(why, where=clean(str(path), 300), hint="orlop boot keygen --out DIR makes one")
    return Identity(seed)


def _manifest(manifest: BootManifest) -> dict[str, Json]:
    return {
        "v": 1,
        "hash": manifest.hash,
        "manifest_version": manifest.manifest_version,
        "channel": manifest.channel,
        "arch": manifest.arch,
        "release": manifest.release,
        "cmdline": manifest.cmdline,
        "created_at": timestamp(manifest.created_ms),
        "expires_at": timestamp(manifest.expires_ms),
        "artifacts": {name: {"size": one.size, "sha256": one.sha256} for name, one in manifest.artifacts.items()},
    }


def _steps(steps: Sequence[Step]) -> list[Json]:
    return [{"name": step.name, "detail": step.detail} for step in steps]
