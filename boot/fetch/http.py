"""HTTP/1.1 as a fetcher needs it: one request, one answer, one connection. Pure: bytes in, bytes out.

An answer is bounded from its first byte on, so a server can send whatever it likes: its head ends, or is refused.
Transfer encodings are refused, because nobody who serves files by their length needs one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from boot.errors import BootUnavailableError
from runtime.sanitise import clean

__all__ = ["ContentRange", "Head", "HttpError", "Location", "Response", "request"]

_HEAD_MAX: Final = 16 << 10
"""Bytes of a status line with its header fields."""
_FIELDS_MAX: Final = 64
_INTERIM_MAX: Final = 4
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [\t -~\x80-\xff]*)?")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*)")
_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,16})?", re.ASCII)
_URL_MAX: Final = 2048
_NO_BODY: Final = (204, 304)
_PORTS: Final = {"http": 80, "https": 443}


class HttpError(BootUnavailableError):
    """What came is no answer that can be read."""


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Which bytes of how many an answer holds, the last one included."""

    first: int
    last: int
    total: int


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of an answer.

    Attributes:
        status: such as 200.
        fields: by their names in lower case, the first of each.
        length: of the body, in bytes, where it says so.
    """

    status: int
    fields: Mapping[str, str]
    length: int | None

    @property
    def content_range(self) -> ContentRange | None:
        """Which part this is; None where it does not say so in the one form that there is."""
        match = _RANGE.fullmatch(self.fields.get("content-range", ""))
        return ContentRange(int(match[1]), int(match[2]), int(match[3])) if match else None


@dataclass(frozen=True, slots=True)
class Location:
    """Where something is: an URL of the schemes http and https.

    Attributes:
        scheme: `http` or `https`.
        host: a name or an address, without brackets.
        port: of TCP.
        target: path and query, as they are sent.
    """

    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, text: str) -> "Location":
        """Reads an URL.

        Raises:
            HttpError: it is none, of another scheme, or carries a name or a password.
        """
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            parts, host, port = urlsplit(""), "", None
        if len(text) > _URL_MAX or not text.isprintable() or parts.scheme not in _PORTS or not _HOST.fullmatch(host):
            raise HttpError("is no URL of http or https", where=clean(text, 120))
        if parts.username is not None or parts.password is not None:
            raise HttpError("carries a name or a password", where=parts.scheme + "://…@" + clean(host, 100))
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?") if parts.query else ""
        return cls(parts.scheme, host, port if port is not None else _PORTS[parts.scheme], path + query)

    def join(self, reference: str) -> "Location":
        """What a reference means here, as in a `Location` field.

        Raises:
            HttpError: no URL of http or https.
        """
        try:
            joined = urljoin(str(self), reference)
        except ValueError:
            joined = ""
        return Location.parse(joined)

    @property
    def authority(self) -> str:
        """Host and port, as the field `Host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def request(
    method: str, location: Location, *, start: int = 0, fields: Mapping[str, str] | None = None, body: bytes = b""
) -> bytes:
    """One request that ends its connection.

    Args:
        method: such as GET.
        location: what for.
        start: the first byte that is wanted.
        fields: further header fields.
        body: what is sent along.
    """
    lines = {"Host": location.authority, "Accept-Encoding": "identity", "Connection": "close"}
    if start:
        lines["Range"] = f"bytes={start}-"
    if body:
        lines["Content-Length"] = str(len(body))
    lines |= fields or {}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {location.target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


class Response:
    """Reads one answer, in pieces of any size.

    Attributes:
        head: once it is whole.
    """

    def __init__(self) -> None:
        self.head: Head | None = None
        self._raw = bytearray()
        self._interim = 0
        self._left: int | None = None

    @property
    def complete(self) -> bool:
        """Whether the body is whole; never so where its end is that of the connection."""
        return self.head is not None and self._left == 0

    def feed(self, data: bytes) -> bytes:
        """Takes what came.

        Args:
            data: the next bytes.

        Returns:
            What of it belongs to the body; what follows the body is dropped.

        Raises:
            HttpError: this is no answer, or one whose head does not end.
        """
        if self.head is None:
            data = self._take_head(data)
        if self._left is None:
            return data
        part = data[: self._left]
        self._left -= len(part)
        return part

    def end(self) -> None:
        """The connection has ended.

        Raises:
            HttpError: before the answer did.
        """
        if self.head is None:
            raise HttpError("the connection ended before an answer")
        if self._left:
            raise HttpError("the connection ended within the answer")

    def _take_head(self, data: bytes) -> bytes:
        self._raw += data
        while self.head is None:
            at = self._raw.find(b"\r\n\r\n")
            if at > _HEAD_MAX or (at < 0 and len(self._raw) > _HEAD_MAX):
                raise HttpError(f"the head of the answer has more than {_HEAD_MAX} bytes")
            if at < 0:
                return b""
            head = _head_of(bytes(self._raw[:at]))
            del self._raw[: at + 4]
            if head.status >= 200:  # noqa: PLR2004 - those below come before the answer
                self.head = head
                self._left = 0 if head.status in _NO_BODY else head.length
            elif (interim := self._interim + 1) > _INTERIM_MAX:
                raise HttpError("sends one interim answer after another")
            else:
                self._interim = interim
        rest, self._raw = bytes(self._raw), bytearray()
        return rest


def _head_of(raw: bytes) -> Head:
    first, *lines = raw.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise HttpError("does not answer in HTTP/1.1")
    if len(lines) > _FIELDS_MAX:
        raise HttpError(f"the answer has more than {_FIELDS_MAX} header fields")
    fields: dict[str, str] = {}
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise HttpError("the answer has a header field that is none")
        name, value = match[1].decode("ascii").lower(), match[2].decode("latin-1").rstrip(" \t")
        if name == "content-length" and fields.get(name, value) != value:
            raise HttpError("the answer has two lengths")
        fields.setdefault(name, value)
    if "transfer-encoding" in fields:
        raise HttpError("the answer has a transfer encoding; only files with a length are taken")
    return Head(int(status[1]), fields, _length(fields.get("content-length")))


def _length(text: str | None) -> int | None:
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise HttpError("the answer has a length that is none")
    return int(text)
