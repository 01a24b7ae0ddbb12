"""A DNS server on loopback, and a resolver that asks it: what a name leads to may change with every question."""

import contextlib
import ipaddress
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Sequence

__all__ = ["NameServer", "name_server"]

WAIT_S = 60
_ANY = 255
_KINDS = {4: 1, 6: 28}
"""Of records, by the version of their addresses."""


class NameServer:
    """Answers the n-th question for a name with the n-th of its answers, then with the last.

    Who asks for IPv4 alone, or for IPv6, is told those of that kind, and the questions of each kind are counted apart.

    Args:
        answers: by name: what is said each time, several addresses separated by spaces.
        sock: a datagram socket that has its address; otherwise one on loopback is made.
    """

    def __init__(self, answers: dict[str, Sequence[str]], sock: socket.socket | None = None) -> None:
        self._answers = answers
        self._sock = sock or socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if sock is None:
            self._sock.bind(("127.0.0.1", 0))
        self._questions: Counter[tuple[str, int]] = Counter()
        self.asked: list[str] = []

    def serve(self) -> None:
        """Answers until an empty datagram comes."""
        while True:
            question, sender = self._sock.recvfrom(512)
            if not question:
                return
            name, end = _name(question, 12)
            kind = struct.unpack_from(">H", question, end)[0]
            self.asked.append(name)
            self._questions[name, kind] += 1
            given = self._answers.get(name, ("",))
            said = map(ipaddress.ip_address, given[min(self._questions[name, kind], len(given)) - 1].split())
            fitting = [one for one in said if kind in {_ANY, _KINDS[one.version]}]
            head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, len(fitting), 0, 0)
            records = b"".join(map(_record, fitting))
            self._sock.sendto(head + question[12 : end + 4] + records, sender)

    def resolve(self, name: str) -> Sequence[str]:
        """Asks; as the system's resolver would."""
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(WAIT_S)
            asking.connect(self._sock.getsockname())
            asking.send(struct.pack(">HHHHHH", 1, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", _ANY, 1))
            answer = asking.recv(512)
        at = _name(answer, 12)[1] + 4
        found = []
        for _ in range(struct.unpack_from(">H", answer, 6)[0]):
            size = struct.unpack_from(">H", answer, at + 10)[0]
            found.append(str(ipaddress.ip_address(answer[at + 12 : at + 12 + size])))
            at += 12 + size
        return found

    def close(self) -> None:
        """Ends it."""
        self._sock.sendto(b"", self._sock.getsockname())


@contextlib.contextmanager
def name_server(sock: socket.socket | None = None, **answers: Sequence[str]) -> Iterator[NameServer]:
    """A server that runs; names are given with `_` for `.`."""
    server = NameServer({name.replace("_", "."): given for name, given in answers.items()}, sock)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(WAIT_S)
        server._sock.close()


def _name(message: bytes, at: int) -> tuple[str, int]:
    labels = []
    while size := message[at]:
        labels.append(message[at + 1 : at + 1 + size].decode())
        at += 1 + size
    return ".".join(labels), at + 1


def _record(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    kind, size = _KINDS[address.version], len(address.packed)
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, size) + address.packed
