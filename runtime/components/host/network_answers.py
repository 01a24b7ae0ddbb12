"""How operations on the network answer: the cases of the WIT, and where each of the system's errors belongs."""

import errno
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

from runtime.components.bindings.ext_network_types import NetworkError
from runtime.components.host.answers import Answering, RefusedOperationError

__all__ = ["NetworkCase", "NetworkRefusedError", "answering", "refusal_of"]

NetworkCase = Literal[
    "connection-refused",
    "connection-reset",
    "connection-timeout",
    "host-unreachable",
    "network-unreachable",
    "invalid-address",
    "invalid-port",
    "address-in-use",
    "permission-denied",
    "would-block",
    "io-error",
    "dns-resolution-failed",
    "invalid-hostname",
    "tls-error",
    "protocol-error",
    "resource-exhausted",
    "invalid-argument",
    "address-not-available",
    "not-connected",
    "already-connected",
    "invalid-state",
    "closed",
    "timeout",
    "message-too-large",
    "unsupported",
]


class NetworkRefusedError(RefusedOperationError):
    """The answer of an operation on the network that did not do what it was asked for.

    Args:
        case: of the WIT's `network-error`.
        text: the reason, for the guest; it names nothing of the host.
    """

    def __init__(self, case: NetworkCase, text: str) -> None:
        super().__init__(case, text)


_CASES: Final = MappingProxyType[int, NetworkCase](
    {
        errno.ECONNREFUSED: "connection-refused",
        errno.ECONNRESET: "connection-reset",
        errno.ECONNABORTED: "connection-reset",
        errno.EPIPE: "connection-reset",
        errno.ETIMEDOUT: "connection-timeout",
        errno.EHOSTUNREACH: "host-unreachable",
        errno.EHOSTDOWN: "host-unreachable",
        errno.ENETUNREACH: "network-unreachable",
        errno.ENETDOWN: "network-unreachable",
        errno.EADDRINUSE: "address-in-use",
        errno.EADDRNOTAVAIL: "address-not-available",
        errno.EACCES: "permission-denied",
        errno.EPERM: "permission-denied",
        errno.EAGAIN: "would-block",
        errno.EPROTO: "protocol-error",
        errno.EMFILE: "resource-exhausted",
        errno.ENFILE: "resource-exhausted",
        errno.ENOMEM: "resource-exhausted",
        errno.ENOBUFS: "resource-exhausted",
        errno.EINVAL: "invalid-argument",
        errno.ENOTCONN: "not-connected",
        errno.EDESTADDRREQ: "not-connected",
        errno.EISCONN: "already-connected",
        errno.EALREADY: "invalid-state",
        errno.EMSGSIZE: "message-too-large",
        errno.EAFNOSUPPORT: "unsupported",
        errno.EPROTONOSUPPORT: "unsupported",
        errno.EOPNOTSUPP: "unsupported",
        errno.ENOPROTOOPT: "unsupported",
    }
)

_ERRORS: Final[Mapping[str, Callable[[str], NetworkError]]] = {kind.case: kind for kind in get_args(NetworkError)}


def refusal_of(error: OSError) -> NetworkRefusedError:
    """What the guest is told of an error of the system: its case and the system's words."""
    code = error.errno or errno.EIO
    return NetworkRefusedError(_CASES.get(code, "io-error"), os.strerror(code).lower())


answering: Final = Answering(_ERRORS, refusal_of)
"""Makes a method answer `Ok` with what it returns, and `Err` for what it refuses or the system does."""
