"""Requests of ours: sent, repeated with a cookie, matched with their answers, given up. No socket, no clock."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from net.dht.contact import Address, Contact
from net.dht.cookies import HELLO_DOMAIN, Jar, answer_message, hello_message
from net.dht.datagram import COOKIE_BYTES, HEAD_BYTES, ID_SIZE, Body, Datagram, Kind, Value, unpack, write
from net.dht.messages import hello_of
from net.dht.record import Signer, Verify
from net.errors import MalformedError
from net.limits import NetLimits

__all__ = ["Answered", "Requests"]

Answered = Callable[[Body | None, float], bool]
"""What is done with an answer, or with its absence (None): given `now`, it says whether the answer was good."""

_RETRIES: Final = 2
_RETRY_BYTES: Final = HEAD_BYTES + COOKIE_BYTES + 1
_EXPECTED: Final = {
    Kind.PING: Kind.PONG,
    Kind.FIND: Kind.FOUND,
    Kind.GET: Kind.RECORDS,
    Kind.STORE: Kind.STORED,
}
_SMOOTH: Final = 0.125
_FIRST_RTT_S: Final = 0.25


@dataclass(slots=True)
class _Request:
    contact: Contact
    kind: Kind
    body: Body
    done: Answered | None
    """None: given up, though an answer would still prove that somebody is there."""
    sent: float = 0.0
    ends: float = 0.0
    retries: int = 0
    proof: bytes = b""
    """What the answer must be signed over, if we have proven ourselves in this request."""


class Requests:
    """What we asked and still wait for.

    Args:
        signer: this node's key.
        limits: how long is waited.
        random_bytes: makes ids, which nobody can guess.
        verify: for signatures.
        serves: whether this node answers others, which it tells them.
        send: takes what goes out.
        heard: told of each contact that has answered.
        missed: told of each that has not, or not as it should.
    """

    def __init__(
        self,
        signer: Signer,
        limits: NetLimits,
        *,
        random_bytes: Callable[[int], bytes],
        verify: Verify,
        serves: bool,
        send: Callable[[bytes, Address], None],
        heard: Callable[[Contact, float], None],
        missed: Callable[[Contact], None],
    ) -> None:
        self._signer = signer
        self._limits = limits
        self._random_bytes = random_bytes
        self._verify = verify
        self._serves = serves
        self._send = send
        self._heard = heard
        self._missed = missed
        self._jar = Jar()
        self._open: dict[bytes, _Request] = {}
        self._rtt = _FIRST_RTT_S

    def __len__(self) -> int:
        return sum(request.done is not None for request in self._open.values())

    @property
    def wait_s(self) -> float:
        """How long an answer is waited for."""
        return min(self._limits.dht_wait_most_s, max(self._limits.dht_wait_least_s, 4 * self._rtt))

    def ask(self, contact: Contact, kind: Kind, body: Body, now: float, done: Answered) -> None:
        """Sends a request.

        Args:
            contact: whom.
            kind: a request.
            body: as `kind` has it.
            now: seconds.
            done: called once, with the answer's body or None.
        """
        self._emit(self._random_bytes(ID_SIZE), _Request(contact, kind, body, done), now)

    def receive(self, datagram: Datagram, address: Address, now: float) -> str:
        """Takes an answer.

        Args:
            datagram: whose kind is an answer.
            address: where it came from.
            now: seconds.

        Returns:
            The rule that it broke, in one word; empty for a good answer.
        """
        request = self._open.get(datagram.id)
        if request is None or request.contact.address != address or request.contact.key != datagram.sender:
            return "unasked"
        self._rtt += _SMOOTH * (min(now - request.sent, self._limits.dht_wait_most_s) - self._rtt)
        if datagram.kind == Kind.RETRY:
            return self._retry(datagram, request, now)
        del self._open[datagram.id]
        try:
            body = self._proven_body(datagram, request)
        except MalformedError:
            self._fail(request, now)
            return "malformed-answer"
        if body is None:
            self._fail(request, now)
            return "unproven-answer"
        self._heard(request.contact, now)
        if request.done is not None and not request.done(body, now):
            self._missed(request.contact)
            return "bad-answer"
        return ""

    def tick(self, now: float) -> None:
        """Gives up what took too long."""
        for name, request in [(name, request) for name, request in self._open.items() if request.ends <= now]:
            if request.done is None or request.ends - request.sent >= self._limits.dht_wait_most_s:
                del self._open[name]
            else:
                request.ends = request.sent + self._limits.dht_wait_most_s
            self._fail(request, now)

    def ends_at(self) -> float | None:
        """When `tick` has something to do next."""
        return min((request.ends for request in self._open.values()), default=None)

    def drop_all(self, now: float) -> None:
        """Gives everything up."""
        while self._open:
            self._fail(self._open.popitem()[1], now)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _emit(self, name: bytes, request: _Request, now: float) -> None:
        request.sent, request.ends = now, now + self.wait_s
        self._open[name] = request
        given = self._jar.get(request.contact.address, request.contact.key)
        body: dict[str, Value] = {**request.body, **({"a": True} if self._serves else {})}
        cookie = given.cookie if given else b""
        request.proof = b""
        if given and not given.greeted:
            asker, answerer = self._signer.public, request.contact.key
            body["s"] = self._signer.sign(HELLO_DOMAIN, hello_message(cookie, asker, answerer))
            request.proof = answer_message(cookie, name, answerer, asker)
        raw = write(request.kind, name, self._signer.public, body, cookie)
        if not cookie and len(raw) < _RETRY_BYTES:
            body["p"] = bytes(_RETRY_BYTES - len(raw))  # so that a cookie is not more than what asked for it
            raw = write(request.kind, name, self._signer.public, body)
        self._send(raw, request.contact.address)

    def _retry(self, datagram: Datagram, request: _Request, now: float) -> str:
        if request.done is None or request.retries >= _RETRIES or len(datagram.cookie) != COOKIE_BYTES:
            return "unasked"
        request.retries += 1
        self._jar.put(request.contact.address, request.contact.key, datagram.cookie)
        del self._open[datagram.id]
        self._emit(self._random_bytes(ID_SIZE), request, now)
        return ""

    def _proven_body(self, datagram: Datagram, request: _Request) -> Body | None:
        """The body of an answer; None when it is not what was asked for, or its sender does not prove its key."""
        body = unpack(datagram.packed)
        hello = hello_of(body)
        if datagram.kind != _EXPECTED[request.kind]:
            return None
        if request.proof:
            if hello is None or not self._verify(request.contact.key, HELLO_DOMAIN, request.proof, hello):
                return None
            given = self._jar.get(request.contact.address, request.contact.key)
            if given is not None:
                given.greeted = True
        return body

    def _fail(self, request: _Request, now: float) -> None:
        if request.done is not None:
            done, request.done = request.done, None
            self._missed(request.contact)
            done(None, now)
