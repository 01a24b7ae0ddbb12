"""Decisions about hosts and addresses, for connecting, listening and resolving."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from runtime.components.permissions.addresses import (
    Address,
    Network,
    canonical,
    covers,
    is_special,
    read_address,
)
from runtime.components.permissions.decision import Decision
from runtime.components.permissions.errors import InvalidRequestError, PatternError
from runtime.components.permissions.hosts import HostPattern, normalise_host
from runtime.components.permissions.ports import PORT_MAX, PortRange, holds
from runtime.components.permissions.rules import HostRule, Rules

__all__ = ["NetworkRules"]


@dataclass(frozen=True, slots=True)
class _Compiled:
    pattern: HostPattern
    ports: tuple[PortRange, ...]
    rule: HostRule
    decision: Decision


class NetworkRules:
    """The rules of `permissions.network`, compiled.

    Args:
        rules: of a component.

    Raises:
        PatternError: a pattern is none.
    """

    def __init__(self, rules: Rules) -> None:
        self._outbound = [_compile(rule) for rule in rules.hosts_of("network.outbound")]
        self._inbound = [_compile(rule) for rule in rules.hosts_of("network.inbound")]
        self._deny = [_compile(rule) for rule in rules.hosts_of("network.deny")]
        if any(one.pattern.network is None or one.pattern.network.num_addresses != 1 for one in self._inbound):
            raise PatternError("an address is needed")
        asked = [(HostPattern(rule.pattern), Decision.by(rule.id)) for rule in rules.of("network.resolve")]
        outbound = [(one.pattern, one.decision) for one in self._outbound if one.pattern.is_name]
        self._resolve = asked + (outbound if rules.resolve_as_outbound else [])

    def outbound_name(self, host: str, port: int) -> Decision:
        """Whether connecting to a host may be tried; what it resolves to is decided by `dialable`."""
        try:
            name = normalise_host(host)
        except InvalidRequestError as error:
            return Decision.never(error.why)
        if not isinstance(name, str):
            return self._to_address(name, port, _inside(host, name))
        if refused := _bad_port(port) or self._denied(name, port):
            return refused
        found = next(self._names(name, port), None)
        return found.decision if found else _absent("no rule", f"network.outbound={name}:{port}")

    def outbound_address(self, ip: str | Address, port: int) -> Decision:
        """Whether connecting or sending to an address is allowed by an address rule."""
        address = _address(ip)
        if address is None:
            return Decision.never("invalid host: not an address")
        return self._to_address(address, port, _inside(ip, address))

    def dialable(self, host: str, port: int, answers: Iterable[str | Address]) -> tuple[tuple[Address, ...], Decision]:
        """Which of the resolver's answers for a host may be dialled, in their order; none of them when denied."""
        decision = self.outbound_name(host, port)
        if not decision.allowed:
            return (), decision
        name = normalise_host(host)
        if not isinstance(name, str):
            return (name,), decision
        found = [address for answer in answers if (address := _address(answer)) is not None]
        matching = list(self._names(name, port))
        kept = [address for address in found if not self._denied(address, port)]
        usable = [address for address in kept if _reachable(matching, address)]
        if usable:
            return tuple(usable), _reachable(matching, usable[0]) or decision
        return (), self._undialable(found, kept, port, matching[0])

    def _undialable(self, found: Sequence[Address], kept: Sequence[Address], port: int, first: _Compiled) -> Decision:
        if kept:
            shown = ", ".join(map(str, kept[:4]))
            remedy = f"network.outbound={first.rule.host}:{port},private"
            return Decision(False, first.rule.id, f"{first.rule.id}: only special addresses ({shown})", remedy=remedy)
        refused = next((why for address in found if (why := self._denied(address, port))), None)
        return refused or Decision(False, first.rule.id, f"{first.rule.id}: the name has no address")

    def inbound(self, ip: str | Address, port: int) -> Decision:
        """Whether listening at an address is allowed; port 0 is any free one, and needs a rule that holds 0."""
        address = _address(ip)
        if address is None:
            return Decision.never("invalid host: not an address")
        if not 0 <= port <= PORT_MAX:
            return Decision.never(f"port {port} is not allowed")
        if refused := self._denied(address, port):
            return refused
        for one in self._inbound:
            if one.pattern.network is not None and address in one.pattern.network and holds(one.ports, port):
                return _noting(one.decision, _inside(ip, address))
        return _absent("no rule", f"network.inbound={_joined(address, port)}")

    def resolve(self, host: str) -> Decision:
        """Whether a name may be resolved; an address literal needs a rule for connecting to it."""
        try:
            name = normalise_host(host)
        except InvalidRequestError as error:
            return Decision.never(error.why)
        for one in self._deny:
            if one.pattern.touches(name) and any(ports.first <= 1 and ports.last == PORT_MAX for ports in one.ports):
                return one.decision
        if isinstance(name, str):
            found = next((decision for pattern, decision in self._resolve if pattern.fits_name(name)), None)
            return found or _absent("no rule", f"network.resolve={name}")
        rules = ((one.pattern.network, one.decision) for one in self._outbound if one.pattern.network is not None)
        found = next((decision for network, decision in rules if covers(network, name)), None)
        return found or _absent("no address rule", f"network.outbound={_joined(name, '*')}")

    def tls_insecure(self, host: str, port: int) -> Decision:
        """Whether the certificate of a host need not be verified."""
        try:
            name = normalise_host(host)
        except InvalidRequestError as error:
            return Decision.never(error.why)
        if refused := _bad_port(port) or self._denied(name, port):
            return refused
        for one in self._outbound:
            fits = one.pattern.fits_name(name) if isinstance(name, str) else _spells(one.pattern.network, name)
            if one.rule.tls_insecure and fits and holds(one.ports, port):
                return one.decision
        shown = f"{name}:{port}" if isinstance(name, str) else _joined(name, port)
        return _absent("no rule with tls_insecure", f"network.outbound={shown},tls_insecure")

    def any_rule(self) -> Decision:
        """Whether there is a rule for connecting or listening at all, as for making a socket."""
        return _any((*self._outbound, *self._inbound))

    def any_outbound(self) -> Decision:
        """Whether there is a rule for connecting at all, as for making a pool."""
        return _any(self._outbound)

    def any_inbound(self) -> Decision:
        """Whether there is a rule for listening at all."""
        return _any(self._inbound)

    def denied_peer(self, ip: str | Address, port: int) -> Decision | None:
        """The deny rule for an address that speaks to the component; None when there is none."""
        address = _address(ip)
        return Decision.never("invalid host: not an address") if address is None else self._denied(address, port)

    def _names(self, name: str, port: int) -> Iterator[_Compiled]:
        for one in self._outbound:
            if one.pattern.is_name and one.pattern.fits_name(name) and holds(one.ports, port):
                yield one

    def _to_address(self, address: Address, port: int, note: str) -> Decision:
        if refused := _bad_port(port) or self._denied(address, port):
            return refused
        for one in self._outbound:
            if _spells(one.pattern.network, address) and holds(one.ports, port):
                return _noting(one.decision, note)
        return _absent("no address rule", f"network.outbound={_joined(address, port)}")

    def _denied(self, host: str | Address, port: int) -> Decision | None:
        for one in self._deny:
            if one.pattern.touches(host) and holds(one.ports, port):
                return one.decision
        return None


def _compile(rule: HostRule) -> _Compiled:
    decision = Decision.against(rule.id) if rule.denies else Decision.by(rule.id)
    return _Compiled(HostPattern(rule.host), rule.ports, rule, decision)


def _any(rules: Sequence[_Compiled]) -> Decision:
    found = next(iter(rules), None)
    return found.decision if found else Decision(False, None, "no rule")


def _address(ip: str | Address) -> Address | None:
    return read_address(ip.removeprefix("[").removesuffix("]")) if isinstance(ip, str) else canonical(ip)


def _inside(given: str | Address, address: Address) -> str:
    """What to say when an address of the other form was asked for."""
    return f"embedded {address}" if ":" in str(given) and address.version == 4 else ""  # noqa: PLR2004 - IPv4


def _spells(network: Network | None, address: Address) -> bool:
    return network is not None and covers(network, address)


def _reachable(matching: Sequence[_Compiled], address: Address) -> Decision | None:
    """The decision of the first name rule that reaches an address."""
    special = is_special(address)
    return next((one.decision for one in matching if one.rule.private or not special), None)


def _bad_port(port: int) -> Decision | None:
    return None if 0 < port <= PORT_MAX else Decision.never(f"port {port} is not allowed")


def _noting(decision: Decision, note: str) -> Decision:
    return Decision(True, decision.rule, f"{decision.reason} ({note})") if note else decision


def _absent(reason: str, remedy: str) -> Decision:
    return Decision(False, None, reason, remedy=remedy)


def _joined(address: Address, port: int | str) -> str:
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"  # noqa: PLR2004 - IPv6
