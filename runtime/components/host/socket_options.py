"""Options of sockets: read as the kernel has them, checked as a whole before the first is set."""

import socket
from typing import Final

from runtime.components.bindings.ext_network_types import SocketOptions
from runtime.components.host.links import Link
from runtime.components.host.network_answers import NetworkRefusedError

__all__ = ["check_options", "keep_alive", "read_options", "set_options"]

BUFFER_MAX: Final = 4 << 20
_INTERVAL_MAX: Final = 32_767
_REUSE_PORT: Final = socket.SO_REUSEPORT


def read_options(link: Link) -> SocketOptions:
    """All options; those of the other protocol or family are left out.

    Raises:
        OSError: as for any socket.
    """
    sock, manner = link.sock, link.manner

    def of_socket(option: int) -> int:
        return sock.getsockopt(socket.SOL_SOCKET, option)

    def of_tcp(option: int) -> int | None:
        return sock.getsockopt(socket.IPPROTO_TCP, option) if link.stream else None

    no_delay = of_tcp(socket.TCP_NODELAY)
    v6 = sock.family == socket.AF_INET6
    return SocketOptions(
        reuse_address=bool(of_socket(socket.SO_REUSEADDR)),
        reuse_port=bool(of_socket(_REUSE_PORT)),
        tcp_no_delay=None if no_delay is None else bool(no_delay),
        tcp_keep_alive=bool(of_socket(socket.SO_KEEPALIVE)) if link.stream else None,
        keep_alive_interval_s=of_tcp(socket.TCP_KEEPINTVL),
        send_buffer_size=of_socket(socket.SO_SNDBUF),
        receive_buffer_size=of_socket(socket.SO_RCVBUF),
        connect_timeout_ms=manner.connect_ms,
        read_timeout_ms=manner.read_ms,
        write_timeout_ms=manner.write_ms,
        non_blocking=manner.non_blocking,
        ipv6_only=bool(sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)) if v6 else None,
    )


def check_options(link: Link, options: SocketOptions, *, fresh: bool) -> None:
    """Checks what is to be changed.

    Args:
        link: the socket.
        options: of the guest.
        fresh: it is neither bound nor connected.

    Raises:
        NetworkRefusedError: `unsupported`, `invalid-argument` or `invalid-state`.
    """
    tcp = (options.tcp_no_delay, options.tcp_keep_alive, options.keep_alive_interval_s)
    if not link.stream and any(option is not None for option in tcp):
        raise NetworkRefusedError("unsupported", "an option of TCP")
    if options.keep_alive_interval_s is not None:
        _check(options.keep_alive_interval_s, _INTERVAL_MAX, "keep-alive-interval-s")
    for size in (options.send_buffer_size, options.receive_buffer_size):
        if size is not None:
            _check(size, BUFFER_MAX, "the size of a buffer")
    if options.ipv6_only is not None:
        if link.sock.family != socket.AF_INET6:
            raise NetworkRefusedError("unsupported", "ipv6-only is for IPv6")
        if not fresh:
            raise NetworkRefusedError("invalid-state", "ipv6-only is set before bind and connect")


def set_options(link: Link, options: SocketOptions) -> None:
    """Changes what is given, after `check_options`.

    Raises:
        OSError: as for any socket.
    """
    flags = (
        (socket.SOL_SOCKET, socket.SO_REUSEADDR, options.reuse_address),
        (socket.SOL_SOCKET, _REUSE_PORT, options.reuse_port),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, options.tcp_no_delay),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, options.tcp_keep_alive),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, options.keep_alive_interval_s),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, options.keep_alive_interval_s),
        (socket.SOL_SOCKET, socket.SO_SNDBUF, options.send_buffer_size),
        (socket.SOL_SOCKET, socket.SO_RCVBUF, options.receive_buffer_size),
        (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, options.ipv6_only),
    )
    for level, option, value in flags:
        if value is not None:
            link.set(level, option, int(value))
    manner = link.manner
    if options.non_blocking is not None:
        manner.non_blocking = options.non_blocking
    manner.connect_ms = _either(options.connect_timeout_ms, manner.connect_ms)
    manner.read_ms = _either(options.read_timeout_ms, manner.read_ms)
    manner.write_ms = _either(options.write_timeout_ms, manner.write_ms)


def keep_alive(link: Link, interval_s: int) -> None:
    """Has the kernel ask a silent peer whether it is there.

    Args:
        link: the socket.
        interval_s: seconds of silence, and between questions; 0 for not at all.

    Raises:
        NetworkRefusedError: `unsupported` or `invalid-argument`.
        OSError: as for any socket.
    """
    if not link.stream:
        raise NetworkRefusedError("unsupported", "an option of TCP")
    if interval_s:
        _check(interval_s, _INTERVAL_MAX, "interval-seconds")
        link.set(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, interval_s)
        link.set(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval_s)
    link.set(socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(interval_s > 0))


def _check(value: int, most: int, what: str) -> None:
    if not 0 < value <= most:
        raise NetworkRefusedError("invalid-argument", f"{what} is 1 to {most}")


def _either(new: int | None, old: int | None) -> int | None:
    return old if new is None else new
