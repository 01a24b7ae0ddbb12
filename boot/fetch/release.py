"""A release from one of several servers: its manifest, the roots that lead to it, and its artifacts.

A server that cannot be had is asked again later; one that gave what was refused is not asked again. Each server has to
give all of it: what one of them proved is no reason to believe another one.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from boot.errors import BootRefusedError, BootUnavailableError
from boot.fetch.fetcher import SESSION, MissingError, Sink, fetch_artifact, fetch_document
from boot.fetch.http import Location
from boot.fetch.pace import Patience
from boot.fetch.providers import Providers
from boot.trust.documents import DOCUMENT_MAX
from boot.trust.manifest import Artifact
from boot.trust.root import Trusted, advance
from boot.trust.verifier import Step, Verified, Wanted, verify_manifest

__all__ = ["Fetched", "Listener", "Order", "fetch_release"]

_ROOTS_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched and verified.

    Attributes:
        provider: the URL that was asked.
        session: the nonce by which that server knows this machine, or empty.
        trusted: the newest root.
        roots: the documents that lead to it, the oldest first.
        document: the manifest, as it came.
        verified: what it says.
    """

    provider: str
    session: str
    trusted: Trusted
    roots: tuple[bytes, ...]
    document: bytes
    verified: Verified


class Listener:
    """Is told how it goes; this one says nothing."""

    def asks(self, provider: str) -> None:
        """A server is asked now."""

    def gave_up(self, provider: str, error: BootRefusedError | BootUnavailableError) -> None:
        """A server was of no use, for now or for ever."""

    def answered(self, session: str) -> None:
        """A server gave a manifest, of which nothing is known yet, and a nonce for this machine, or an empty one."""

    def passed(self, step: Step) -> None:
        """The manifest passed one step."""

    def proven(self, verified: Verified) -> None:
        """The manifest passed all of them; its artifacts come next, from the first byte on.

        Raises:
            BootRefusedError: this machine has no room for them.
        """

    def got(self, name: str, have: int, size: int) -> None:
        """So many bytes of an artifact came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is fetched, and how.

    Attributes:
        trusted: the root to begin with.
        wanted: what this machine takes.
        sink_of: where the artifact of a name goes; what it holds counts when all of the release is there.
        patience: how long.
        listener: is told how it goes.
        names: of the artifacts that are taken; None for all.
    """

    trusted: Trusted
    wanted: Wanted
    sink_of: Callable[[str], Sink]
    patience: Patience = field(default_factory=Patience)
    listener: Listener = field(default_factory=Listener)
    names: frozenset[str] | None = None

    def taken(self, verified: Verified) -> dict[str, Artifact]:
        """The artifacts of a manifest that are taken."""
        every = verified.manifest.artifacts
        return {name: one for name, one in every.items() if self.names is None or name in self.names}


async def fetch_release(urls: Iterable[str], order: Order) -> Fetched:
    """Fetches a release until one server gave all of it.

    Args:
        urls: of folders with a `manifest.json`, or of manifests themselves.
        order: what, and how.

    Returns:
        What is proven, with every artifact in its sink.

    Raises:
        BootRefusedError: servers answered, and what they gave was refused; of several, the first.
        BootUnavailableError: no server could be had.
    """
    patience, listener = order.patience, order.listener
    refused: BootRefusedError | None = None
    missing = BootUnavailableError("no server is known", hint="name one, or let it be discovered")
    providers = Providers(urls, patience)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(patience.deadline_s):
            while (choice := providers.choose(loop.time())) is not None:
                await asyncio.sleep(choice.wait_s)
                listener.asks(choice.url)
                try:
                    return await _from(choice.url, order)
                except BootRefusedError as error:
                    providers.lied(choice.url)
                    listener.gave_up(choice.url, error)
                    refused = refused or error
                except BootUnavailableError as error:
                    providers.failed(choice.url, loop.time())
                    listener.gave_up(choice.url, error)
                    missing = error
    except TimeoutError:
        missing = BootUnavailableError(f"not all of it came within {patience.deadline_s:g} s")
    raise refused or missing


async def _from(url: str, order: Order) -> Fetched:
    """All of it from one server."""
    patience, listener = order.patience, order.listener
    place = _manifest_of(Location.parse(url))
    answer = await fetch_document(place, DOCUMENT_MAX, patience)
    fields = {SESSION: answer.session} if _is_nonce(answer.session) else {}
    listener.answered(fields.get(SESSION, ""))
    newest, roots = await _roots(place, order.trusted, patience)
    verified = verify_manifest(newest, answer.body, order.wanted, listener.passed)
    listener.proven(verified)
    for name, artifact in order.taken(verified).items():

        def told(have: int, name: str = name, size: int = artifact.size) -> None:
            listener.got(name, have, size)

        await fetch_artifact(place.join(name), name, artifact, order.sink_of(name), patience, fields=fields, told=told)
    return Fetched(url, fields.get(SESSION, ""), newest, roots, answer.body, verified)


async def _roots(place: Location, trusted: Trusted, patience: Patience) -> tuple[Trusted, tuple[bytes, ...]]:
    """From the root that is trusted to the newest that the server has, one version at a time."""
    found: list[bytes] = []
    for _ in range(_ROOTS_MAX):
        try:
            answer = await fetch_document(place.join(f"root/{trusted.root.version + 1}.json"), DOCUMENT_MAX, patience)
        except MissingError:
            break
        trusted = advance(trusted, answer.body)
        found.append(answer.body)
    return trusted, tuple(found)


def _manifest_of(location: Location) -> Location:
    path = location.target.partition("?")[0]
    if path.endswith(".json"):
        return location
    return location.join(path if path.endswith("/") else f"{path}/").join("manifest.json")


def _is_nonce(text: str) -> bool:
    return len(text) == 32 and not text.strip("0123456789abcdef")  # noqa: PLR2004 - 16 bytes
