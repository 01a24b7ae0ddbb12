"""What the core answers its components: storage, messages, and who else there is.

Each question was decided by the worker already; it is decided again here, by the newest policy, because a worker may be
behind and need not be believed. What a component asked wrongly ends with a case of its interface; a question of another
shape is a worker's fault, and is raised.
"""

from asyncio import wrap_future as wrap
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from runtime.canonical import Json
from runtime.clock import Clock
from runtime.components import storage
from runtime.components.errors import CaseError
from runtime.components.health import Health
from runtime.components.host.context import ComponentId
from runtime.components.permissions import Decision, Policy
from runtime.components.post import Box, Content, Post
from runtime.components.storage import Place, Sealing
from runtime.components.worker.wire import bytes_of, text_of
from runtime.errors import UnavailableError
from runtime.sanitise import clean
from runtime.shapes import from_wire
from runtime.store import Store

__all__ = ["Answers", "Asked", "Seat", "component_json", "messages", "stored"]


@dataclass(slots=True)
class Seat:
    """One instance, as the core knows it while it is there.

    Attributes:
        component: who it is.
        box: at the post.
        policy: in force.
        storage: bytes that it may store.
        description: of its package.
        state: of its life.
        health: what it said last.
    """

    component: ComponentId
    box: Box
    policy: Policy
    storage: int
    description: str
    state: str
    health: Health


Asked = Callable[[Seat, Mapping[str, Json]], Awaitable[Json]]
"""Answers one kind of question; raises `CaseError`."""


class Answers:
    """Answers questions by their kind.

    Args:
        seats: who is there.
        kinds: who answers what.
    """

    def __init__(self, seats: Callable[[ComponentId], Seat | None], kinds: Mapping[str, Asked]) -> None:
        self._seats = seats
        self._kinds = kinds

    async def answer(self, component: ComponentId, kind: str, fields: Mapping[str, Json]) -> Json:
        """Answers a question.

        Args:
            component: who asks.
            kind: such as `storage.get`.
            fields: of the question.

        Returns:
            `{"ok": value}` or `{"err": [case, reason]}`.

        Raises:
            KeyError: nobody answers this kind.
            ShapeError: the question has another shape.
        """
        asked = self._kinds[kind]
        seat = self._seats(component)
        if seat is None:
            return {"err": ["not-found", "this instance is gone"]}
        try:
            return {"ok": await asked(seat, fields)}
        except CaseError as error:
            return {"err": [error.case, clean(error.why)]}


def component_json(component: ComponentId) -> dict[str, Json]:
    """A component's id as it travels."""
    return {
        "namespace": component.namespace,
        "name": component.name,
        "version": component.version,
        "instance": component.instance,
    }


# --- storage --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Namespace:
    namespace: str


@dataclass(frozen=True, slots=True)
class _Key:
    namespace: str
    key: str


@dataclass(frozen=True, slots=True)
class _Set:
    namespace: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class _Digest:
    sha256: str


@dataclass(frozen=True, slots=True)
class _Swap:
    namespace: str
    key: str
    expected: _Digest | None
    value: str


@dataclass(frozen=True, slots=True)
class _Listed:
    namespace: str
    prefix: str | None
    after: str | None


def stored(store: Store, sealing: Sealing, need_space: Callable[[], None]) -> Mapping[str, Asked]:
    """Answers of `orlop:core/storage`.

    Args:
        store: where the values are.
        sealing: opens and seals them.
        need_space: raises `UnavailableError` while room on the disk is short.
    """
    desk = _Storage(store, sealing, need_space)
    return {
        "storage.get": desk.get,
        "storage.set": desk.set,
        "storage.compare-and-set": desk.swap,
        "storage.delete": desk.delete,
        "storage.exists": desk.exists,
        "storage.list-keys": desk.list_keys,
        "storage.usage": desk.usage,
    }


class _Storage:
    def __init__(self, store: Store, sealing: Sealing, need_space: Callable[[], None]) -> None:
        self._store = store
        self._sealing = sealing
        self._need_space = need_space

    async def get(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Key, fields)
        place = _place(seat, asked.namespace, seat.policy.storage(asked.namespace, "read"))
        found = await wrap(self._store.read(lambda db: self._sealing.get(db, place, asked.key)))
        return None if found is None else text_of(found)

    async def set(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Set, fields)
        place = _place(seat, asked.namespace, seat.policy.storage(asked.namespace, "write"))
        value = bytes_of(asked.value)
        self._check_space()
        await wrap(self._store.write(lambda tx: self._sealing.set(tx, place, asked.key, value)))
        return None

    async def swap(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Swap, fields)
        place = _place(seat, asked.namespace, seat.policy.storage(asked.namespace, "write"))
        expected = None if asked.expected is None else asked.expected.sha256
        value = bytes_of(asked.value)
        self._check_space()
        work = partial(self._sealing.compare_and_set, place=place, key=asked.key, expected=expected, value=value)
        return await wrap(self._store.write(work))

    async def delete(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Key, fields)
        place = _place(seat, asked.namespace, seat.policy.storage(asked.namespace, "delete"))
        return await wrap(self._store.write(lambda tx: storage.delete(tx, place, asked.key)))

    async def exists(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Key, fields)
        place = _place(seat, asked.namespace, seat.policy.storage(asked.namespace, "read"))
        return await wrap(self._store.read(lambda db: storage.exists(db, place, asked.key)))

    async def list_keys(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Listed, fields)
        place = _place(seat, asked.namespace, seat.policy.storage(asked.namespace, "read"))
        page = await wrap(
            self._store.read(lambda db: storage.list_keys(db, place, asked.prefix or "", asked.after or ""))
        )
        return {"keys": list(page.keys), "next": page.next}

    def _check_space(self) -> None:
        try:
            self._need_space()
        except UnavailableError as error:
            raise CaseError("io-error", error.why) from None

    async def usage(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Namespace, fields)
        place = _place(seat, asked.namespace, seat.policy.storage(asked.namespace, "read"))
        found = await wrap(self._store.read(lambda db: storage.usage(db, place)))
        return {"used": found.used, "quota": found.quota, "count": found.count}


def _place(seat: Seat, namespace: str, decision: Decision) -> Place:
    if not decision.allowed:
        raise CaseError("permission-denied", decision.reason)
    return Place(seat.box.name, namespace, seat.storage)


# --- messages -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Send:
    target: ComponentId
    content_type: str
    payload: str


@dataclass(frozen=True, slots=True)
class _Request:
    target: ComponentId
    content_type: str
    payload: str
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class _Cancel:
    request: int


@dataclass(frozen=True, slots=True)
class _Broadcast:
    pattern: str
    content_type: str
    payload: str


@dataclass(frozen=True, slots=True)
class _Publish:
    topic: str
    content_type: str
    payload: str


@dataclass(frozen=True, slots=True)
class _Pattern:
    pattern: str


@dataclass(frozen=True, slots=True)
class _Who:
    id: ComponentId


def messages(post: Post, named: Callable[[str], Seat | None], clock: Clock) -> Mapping[str, Asked]:
    """Answers of `orlop:core/host-messaging`, and of `host-services` about other components.

    Args:
        post: carries them.
        named: the seat of a running component.
        clock: tells the time.
    """
    desk = _Messages(post, named, clock)
    return {
        "messaging.send-message": desk.send,
        "messaging.send-request": desk.request,
        "messaging.cancel-request": desk.cancel,
        "messaging.broadcast": desk.broadcast,
        "messaging.mailbox": desk.mailbox,
        "messaging.publish": desk.publish,
        "messaging.subscribe": desk.subscribe,
        "messaging.unsubscribe": desk.unsubscribe,
        "services.components": desk.components,
        "services.component": desk.component,
    }


class _Messages:
    def __init__(self, post: Post, named: Callable[[str], Seat | None], clock: Clock) -> None:
        self._post = post
        self._named = named
        self._clock = clock

    async def send(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Send, fields)
        self._post.send(seat.box, self._target(asked.target), self._content(asked.content_type, asked.payload))
        return None

    async def request(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Request, fields)
        content = self._content(asked.content_type, asked.payload)
        return self._post.request(seat.box, self._target(asked.target), content, asked.timeout_ms)

    async def cancel(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Cancel, fields)
        if not self._post.requests.cancel(asked.request, seat.box.key):
            raise CaseError("invalid-message", f"request {asked.request} is not an open one of this component")
        return None

    async def broadcast(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Broadcast, fields)
        decision = seat.policy.message(asked.pattern, "broadcast")
        if not decision.allowed:
            raise CaseError("permission-denied", decision.reason)
        told = self._post.broadcast(seat.box, asked.pattern, self._content(asked.content_type, asked.payload))
        return [[self._id(name), None if why is None else [why.case, clean(why.why)]] for name, why in told]

    async def mailbox(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        from_wire(_Nothing, fields)
        box = seat.box.mailbox
        return {
            "length": len(box),
            "capacity": box.capacity,
            "dropped": box.dropped,
            "pending": self._post.requests.pending(seat.box.key),
        }

    async def publish(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        asked = from_wire(_Publish, fields)
        return self._post.publish(seat.box, asked.topic, self._content(asked.content_type, asked.payload))

    async def subscribe(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        self._post.subscribe(seat.box, from_wire(_Pattern, fields).pattern)
        return None

    async def unsubscribe(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        seat.box.topics.pop(from_wire(_Pattern, fields).pattern, None)
        return None

    async def components(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        from_wire(_Nothing, fields)
        return [self._id(name) for name in self._post.reachable(seat.box)]

    async def component(self, seat: Seat, fields: Mapping[str, Json]) -> Json:
        name = _name(from_wire(_Who, fields).id)
        other = self._named(name) if name in self._post.reachable(seat.box) else None
        if other is None:
            raise CaseError("not-found", f"{name} does not run, or may not be written to")
        return {
            "id": component_json(other.component),
            "description": other.description,
            "state": other.state,
            "status": other.health.status,
            "detail": other.health.detail,
        }

    def _target(self, target: ComponentId) -> str:
        """Whoever has the name now; a version or instance that is named has to be the one that runs."""
        name = _name(target)
        seat = self._named(name)
        if seat is not None and target.version not in {"", seat.component.version}:
            raise CaseError("component-not-found", f"{name} runs as {seat.component.version}")
        return name

    def _id(self, name: str) -> dict[str, Json]:
        seat = self._named(name)
        if seat is not None:
            return component_json(seat.component)
        namespace, _, short = name.partition("/")
        return component_json(ComponentId(namespace, short, "", 0))

    def _content(self, content_type: str, payload: str) -> Content:
        return Content(content_type, bytes_of(payload), self._clock.monotonic(), self._clock.wall_ms())


@dataclass(frozen=True, slots=True)
class _Nothing:
    pass


def _name(component: ComponentId) -> str:
    return f"{component.namespace}/{component.name}"
