"""A job is written down: its manifest signed here or elsewhere, durably, before anything of it runs."""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Final

from runtime.awaiting import answer
from runtime.blob_references import refer
from runtime.blobs import Blob
from runtime.errors import UnavailableError
from runtime.jobs import records
from runtime.jobs.course import Course
from runtime.jobs.feed import known_input
from runtime.jobs.inputs import Given, Ready, keep_inputs
from runtime.jobs.manifest import Manifest, module_name, new_nonce, sign_manifest
from runtime.jobs.parts import Parts
from runtime.jobs.queue import NOW, Queued, Terms
from runtime.jobs.spec import JobRequest
from runtime.jobs.streams import HeldStreams
from runtime.store import Transaction

__all__ = ["known_source", "signed", "submit", "take_in"]

_SMALL: Final = 65_536
"""Bytes of a module that is hashed on the loop, in far less than a millisecond."""


def _keep(parts: Parts, module: bytes, source: bytes | int) -> dict[str, Blob]:
    """Keeps what can be kept of a job that runs at once: not what comes through a pipe, and no directory."""
    kept = keep_inputs(parts.blobs, module, (), (), limit=0)
    if isinstance(source, bytes) and source:
        kept["stdin"] = parts.blobs.put(source, limit=len(source))
    return kept


async def submit(parts: Parts, request: JobRequest, module: bytes, held: HeldStreams, terms: Terms = NOW) -> Course:
    """Signs the manifest and writes the job down, for somebody who waits for its end.

    Raises:
        UsageError: arguments and environment do not fit into a manifest.
        UnavailableError: the input cannot be read, or the store cannot be written.
    """
    source = await known_source(held)
    manifest = await signed(parts, request, module, source)
    kept = await asyncio.to_thread(_keep, parts, module, source) if terms.keep_output else {}
    return await _written_down(parts, Queued(manifest, request, terms), kept, Given(module, source, held))


async def take_in(parts: Parts, queued: Queued, kept: Mapping[str, Blob], module: bytes, held: HeldStreams) -> Course:
    """Writes a job down that somebody else signed, for whoever follows it.

    Args:
        parts: of the node.
        queued: the job, checked.
        kept: what of it is kept by hash, by role; put or claimed less than an hour ago.
        module: the module's file, which is the one that the manifest names.
        held: what is connected to it.

    Raises:
        UnavailableError: the input cannot be read, or the store cannot be written.
    """
    source = await known_source(held)
    return await _written_down(parts, queued, kept, Given(module, source, held))


async def known_source(held: HeldStreams) -> bytes | int:
    """The input, read where it is a small file.

    Raises:
        UnavailableError: it cannot be read.
    """
    try:
        given = held.stdin
        return await asyncio.to_thread(known_input, given) if isinstance(given, int) else known_input(given)
    except OSError as error:
        raise UnavailableError(f"cannot be read: {error.strerror}", where="standard input") from error


async def signed(
    parts: Parts, request: JobRequest, module: bytes, source: bytes | int, *, created_ms: int | None = None
) -> Manifest:
    """The manifest of a job of this node.

    Args:
        parts: of the node.
        request: what is to be run.
        module: the module's file.
        source: the input, from `known_source`.
        created_ms: wall time that is stated; None: now.

    Raises:
        UsageError: arguments and environment do not fit into a manifest.
    """
    return sign_manifest(
        parts.identity,
        request,
        module_name(module) if len(module) <= _SMALL else await asyncio.to_thread(module_name, module),
        nonce=request.nonce or new_nonce(),
        created_ms=parts.clock.wall_ms() if created_ms is None else created_ms,
        stdin_sha256=hashlib.sha256(source).hexdigest() if isinstance(source, bytes) else None,
    )


async def _written_down(parts: Parts, queued: Queued, kept: Mapping[str, Blob], given: Given) -> Course:
    manifest = queued.manifest

    def work(tx: Transaction) -> None:
        records.insert(tx, queued.request, manifest, queued.terms)
        for role, blob in kept.items():
            refer(tx, manifest.job, role, blob)

    await answer(parts.store.write(work))
    return Course(parts, queued.request, manifest, Ready(given), queued.terms)
