"""Hosts: the one form of a name or address, and the patterns over both."""

import re
from typing import Final

from runtime.components.permissions.addresses import Address, Network, embedded, read_address, read_network
from runtime.components.permissions.errors import InvalidRequestError, PatternError
from runtime.components.permissions.glob import checked_text
from runtime.sanitise import clean

__all__ = ["HostPattern", "normalise_host"]

_HOST_CHARACTERS: Final = 1024
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
"""A last label that makes resolvers take the name for an IPv4 address (WHATWG URL, "ends in a number")."""


def normalise_host(text: str) -> str | Address:
    """The one form of a host.

    Args:
        text: a name in any script, or an address, which may stand in brackets; one final dot is passed over.

    Returns:
        The name in lower-case A-labels (UTS 46, not transitional), or the address, mapped ones as IPv4.

    Raises:
        InvalidRequestError: `invalid host: …`: NUL, an address with a scope, a number that resolvers take for an
            address, or no name by IDNA 2008.
    """
    if "\0" in text:
        raise InvalidRequestError("invalid host: NUL")
    if not text or len(text) > _HOST_CHARACTERS:
        raise InvalidRequestError("invalid host: too long" if text else "invalid host: empty")
    bare = text.removesuffix(".")
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
        if ":" not in bare:
            raise InvalidRequestError("invalid host: brackets are for IPv6 addresses")
    if (address := read_address(bare)) is not None:
        return address
    name = _a_labels(bare).removesuffix(".")
    if (address := read_address(name)) is not None:
        return address
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        raise InvalidRequestError("invalid host: looks like an IPv4 number")
    return name


def _a_labels(name: str) -> str:
    import idna

    try:
        return idna.encode(name, uts46=True, transitional=False).decode()
    except (UnicodeError, ValueError, IndexError) as error:
        raise InvalidRequestError(f"invalid host: {clean(str(error), 100)}") from None


class HostPattern:
    """A name, `*.` and a name, `*` for any name, an address, or a network.

    Args:
        text: the pattern.

    Raises:
        PatternError: it is none.

    Attributes:
        any_name: it is `*`.
    """

    __slots__ = ("_name", "_suffix", "any_name", "network")

    def __init__(self, text: str) -> None:
        checked_text(text, 512)
        self.any_name = text == "*"
        self._name = self._suffix = ""
        self.network: Network | None = None
        if self.any_name:
            return
        if "*" in text.removeprefix("*."):
            raise PatternError("* stands alone, or before a name as in *.example.org")
        if "/" in text:
            self.network = read_network(text.replace("[", "").replace("]", ""))
            return
        try:
            host = normalise_host(text.removeprefix("*."))
        except InvalidRequestError as error:
            raise PatternError(error.why.removeprefix("invalid host: ")) from None
        if not text.startswith("*."):
            self._take(host)
        elif not isinstance(host, str):
            raise PatternError("* stands before names only")
        elif "." not in host:
            raise PatternError("wildcard needs two labels")
        else:
            self._suffix = f".{host}"

    def _take(self, host: str | Address) -> None:
        if isinstance(host, str):
            self._name = host
        else:
            self.network = read_network(str(host))

    @property
    def is_name(self) -> bool:
        """Whether it is for names, not for addresses."""
        return self.network is None

    def examples(self) -> tuple[str, ...]:
        """Names that fit, such that a pattern for names that fits all of them fits whatever this one fits."""
        if self._suffix:
            return f"x{self._suffix}", f"x.y{self._suffix}"
        return (self._name,) if self._name else ()

    def fits_name(self, name: str) -> bool:
        """Whether a name in its one form fits; `*.example.org` fits what is below it only."""
        return self.any_name or name == self._name or bool(self._suffix and name.endswith(self._suffix))

    def touches(self, host: str | Address) -> bool:
        """Whether a deny rule with this pattern is about a host.

        A network also catches addresses that hide one of its own, and `*` catches every address too.

        Args:
            host: in its one form.
        """
        if isinstance(host, str):
            return self.fits_name(host)
        if self.network is None:
            return self.any_name
        inside = embedded(host)
        return host in self.network or (inside is not None and inside in self.network)
