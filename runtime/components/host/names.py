"""Names and addresses, by the system's resolver: in a few threads of their own, since it cannot be called back."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from runtime.components.host.context import Context
from runtime.components.host.endpoints import Endpoint
from runtime.components.host.network_answers import NetworkRefusedError
from runtime.components.permissions.addresses import Address, read_address
from runtime.sanitise import clean

__all__ = ["ANSWERS_MAX", "THREADS_MAX", "Names"]

T = TypeVar("T")

THREADS_MAX: Final = 4
ANSWERS_MAX: Final = 64
_SLICE_S: Final = 0.1
_NAME_CHARACTERS: Final = 255


def addresses_of(name: str) -> Sequence[str]:
    """What the system's resolver says to a name; may take long.

    Raises:
        OSError: it has no answer.
    """
    # As bytes: the standard library would encode a text once more, by rules of its own.
    answers = socket.getaddrinfo(name.encode("ascii"), None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in answers]


def name_of(endpoint: Endpoint) -> str:
    """What the system's resolver says to an address; may take long.

    Raises:
        OSError: it has no answer.
    """
    return socket.getnameinfo(endpoint.for_system(), socket.NI_NAMEREQD | socket.NI_NUMERICSERV)[0]


class Names:
    """The questions of one instance to the resolver.

    Args:
        context: whose they are.
        get_addresses: asks for the addresses of a name in ASCII.
        get_name: asks for the name of an address.
    """

    def __init__(
        self,
        context: Context,
        get_addresses: Callable[[str], Sequence[str]] = addresses_of,
        get_name: Callable[[Endpoint], str] = name_of,
    ) -> None:
        self._context = context
        self._get_addresses = get_addresses
        self._get_name = get_name
        self._places = threading.BoundedSemaphore(THREADS_MAX)

    def addresses(self, name: str, until: float) -> tuple[Address, ...]:
        """What a name leads to, each address once, in the resolver's order.

        Args:
            name: in its one form: ASCII.
            until: monotonic seconds.

        Raises:
            NetworkRefusedError: `dns-resolution-failed`, `timeout`, or `resource-exhausted` while too many questions
                are not answered yet.
        """
        answers = self._ask(lambda: self._get_addresses(name), until)
        found = map(read_address, answers)
        return tuple(dict.fromkeys(one for one in found if one is not None))[:ANSWERS_MAX]

    def name_of(self, endpoint: Endpoint, until: float) -> str:
        """The name of an address.

        Args:
            endpoint: of one host.
            until: monotonic seconds.

        Raises:
            NetworkRefusedError: as for `addresses`.
        """
        return clean(self._ask(lambda: self._get_name(endpoint), until), _NAME_CHARACTERS)

    def _ask(self, question: Callable[[], T], until: float) -> T:
        if not self._places.acquire(blocking=False):
            raise NetworkRefusedError("resource-exhausted", f"{THREADS_MAX} names are being resolved")
        asked = _Question(question, self._places)
        threading.Thread(target=asked.ask, name="resolver", daemon=True).start()
        while not asked.done.wait(max(0.0, min(until - time.monotonic(), _SLICE_S))):
            self._context.alarms.run()
            if time.monotonic() >= until or self._context.stopping():
                raise NetworkRefusedError("timeout", "the resolver did not answer in time")
        return asked.answer()


class _Question(Generic[T]):
    """A question in a thread, which may outlive whoever asked it."""

    def __init__(self, question: Callable[[], T], places: threading.BoundedSemaphore) -> None:
        self._question = question
        self._places = places
        self._answers: list[T] = []
        self._why = "no answer"
        self.done = threading.Event()

    def ask(self) -> None:
        """Asks; in its thread."""
        try:
            self._answers.append(self._question())
        except (OSError, UnicodeError) as error:
            self._why = clean(
                (error.strerror if isinstance(error, OSError) else None) or "not a name", _NAME_CHARACTERS
            )
        finally:
            self._places.release()
            self.done.set()

    def answer(self) -> T:
        """What came of it.

        Raises:
            NetworkRefusedError: `dns-resolution-failed`.
        """
        if not self._answers:
            raise NetworkRefusedError("dns-resolution-failed", self._why.lower())
        return self._answers[0]
