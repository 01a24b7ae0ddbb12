"""What is allowed in a manifest and makes no sense: rules that can never matter, or that reach further than they look.

For whoever consents, and for the author: none of it is an error.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.components.manifest.model import WORLDS, Manifest
from runtime.components.permissions.addresses import within
from runtime.components.permissions.hosts import HostPattern
from runtime.components.permissions.paths import PathPattern
from runtime.components.permissions.rules import HostRule, Rule, Rules

__all__ = ["Doubt", "doubts"]

_LONG: Final = "\ue000" * 1100
"""Stands for whatever a `*` may stand for: more than the `?` of any pattern."""
_MANY: Final = ["\ue000"] * 80
"""Stands for whatever a `**` may stand for."""
_ACTIONS: Final = ("read", "write", "delete", "list")
_NEEDS: Final = {"filesystem": WORLDS[1], "network": WORLDS[2], "process": WORLDS[3]}
_ONLY_FULL: Final = ("jobs", "rooms")
_CHANGING: Final = ("filesystem.write", "filesystem.delete")


@dataclass(frozen=True, slots=True)
class Doubt:
    """One rule, by its id, and what is odd about it."""

    rule: str
    reason: str


def doubts(manifest: Manifest) -> tuple[Doubt, ...]:
    """What is odd about the permissions of a manifest, rule by rule."""
    rules = manifest.permissions
    found = [*_swallowed(rules), *_beyond_world(manifest), *_about_mounts(manifest), *_everything(rules)]
    return tuple(sorted(found, key=lambda doubt: doubt.rule))


def _swallowed(rules: Rules) -> Iterator[Doubt]:
    """Allow rules of which a deny rule leaves nothing."""
    for action in _ACTIONS:
        deny = [(rule, rule.pattern) for rule in rules.of(f"filesystem.deny.{action}", "filesystem.deny.all")]
        yield from _paths_left([(rule, rule.pattern) for rule in rules.of(f"filesystem.{action}")], deny)
    commands = [(rule, rule.pattern) for rule in rules.of("process.deny")]
    yield from _paths_left([(rule, rule.command) for rule in rules.spawn], commands)
    refused = list(rules.hosts_of("network.deny"))
    for rule in (*rules.hosts_of("network.outbound"), *rules.hosts_of("network.inbound")):
        deny_rule = next((deny for deny in refused if _host_swallows(deny, rule)), None)
        if deny_rule is not None:
            yield _nothing_left(rule, deny_rule)


def _paths_left(allow: Sequence[tuple[Rule, str]], deny: Sequence[tuple[Rule, str]]) -> Iterator[Doubt]:
    for rule, pattern in allow:
        swallowing = next((refused for refused, other in deny if _path_swallows(other, pattern)), None)
        if swallowing is not None:
            yield _nothing_left(rule, swallowing)


def _nothing_left(rule: Rule, deny: Rule) -> Doubt:
    return Doubt(rule.id, f"allows nothing: {deny.id} denies all of it")


def _path_swallows(deny: str, allow: str) -> bool:
    pattern = PathPattern(deny)
    return all(pattern.fits(names) for names in _samples(allow))


def _samples(text: str) -> Iterable[list[str]]:
    """Paths that fit a pattern: the shortest, and one that only fits what fits them all."""
    segments = text[1:].split("/") if text != "/" else []
    shortest = [_spelled(segment, "") for segment in segments if segment != "**"]
    longest = [part for segment in segments for part in (_MANY if segment == "**" else [_spelled(segment, _LONG)])]
    return shortest, longest


def _spelled(segment: str, star: str) -> str:
    out, chars = "", iter(segment)
    for char in chars:
        out += next(chars, "") if char == "\\" else {"*": star, "?": "\ue000"}.get(char, char)
    return out


def _host_swallows(deny: HostRule, allow: HostRule) -> bool:
    refused, pattern = HostPattern(deny.host), HostPattern(allow.host)
    if not all(any(one.first <= port.first and port.last <= one.last for one in deny.ports) for port in allow.ports):
        return False
    if refused.any_name:
        return True
    if pattern.network is not None:
        return refused.network is not None and within(pattern.network, refused.network)
    names = pattern.examples()
    return bool(names) and all(refused.fits_name(name) for name in names)


def _beyond_world(manifest: Manifest) -> Iterator[Doubt]:
    world = manifest.component.world
    if world == WORLDS[-1]:
        return
    for rule in manifest.permissions:
        area = rule.group.partition(".")[0]
        if area in _ONLY_FULL or (area in _NEEDS and _NEEDS[area] != world):
            yield Doubt(rule.id, f"is of no use: the world {world} has no {area}")


def _about_mounts(manifest: Manifest) -> Iterator[Doubt]:
    for rule in manifest.permissions.patterns:
        if not rule.group.startswith("filesystem.") or rule.denies:
            continue
        above = [mount for mount in manifest.mounts if _may_be_below(rule.pattern, mount.guest)]
        if not above:
            yield Doubt(rule.id, f'is of no use: no mount holds "{rule.pattern}"')
        elif rule.group in _CHANGING and all(mount.read_only for mount in above):
            yield Doubt(rule.id, f'is of no use: "{above[0].guest}" is read-only')


def _may_be_below(pattern: str, guest: str) -> bool:
    """Whether a path that fits can lie in a mount: no segment before a `**` speaks against it."""
    names = guest[1:].split("/") if guest != "/" else []
    segments = pattern[1:].split("/") if pattern != "/" else []
    for place, name in enumerate(names):
        if place >= len(segments):
            return False
        if segments[place] == "**":
            return True
        if not PathPattern(f"/{segments[place]}").fits([name]):
            return False
    return True


def _everything(rules: Rules) -> Iterator[Doubt]:
    for rule in rules.patterns:
        if rule.group.startswith("filesystem.") and not rule.denies and PathPattern(rule.pattern).fits_all:
            yield Doubt(rule.id, "fits every path")
        elif rule.pattern == "*" and rule.group in {"network.resolve", "environment.read", "jobs.submit", "rooms.post"}:
            yield Doubt(rule.id, "fits everything")
        elif rule.group.startswith("messaging.") and set(rule.pattern) <= set("*/"):
            yield Doubt(rule.id, "fits everyone")
    for host in rules.hosts_of("network.outbound"):
        pattern = HostPattern(host.host)
        if pattern.any_name or (pattern.network is not None and pattern.network.prefixlen == 0):
            yield Doubt(host.id, "fits every host")
    for program in rules.spawn:
        if PathPattern(program.command).fits_all:
            yield Doubt(program.id, "fits every program")
