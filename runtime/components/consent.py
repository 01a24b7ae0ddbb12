"""What a manifest asks for, in plain words, with what is risky in it; and what to say about a denied call. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from runtime.components.manifest.doubts import doubts
from runtime.components.manifest.model import Manifest, Mount
from runtime.components.permissions.addresses import is_special
from runtime.components.permissions.decision import Decision
from runtime.components.permissions.hosts import HostPattern
from runtime.components.permissions.paths import PathPattern
from runtime.components.permissions.ports import PORT_MAX
from runtime.components.permissions.rules import KILL, HostRule, PatternRule, SpawnRule, StorageRule
from runtime.quantities import format_size
from runtime.sanitise import clean

__all__ = ["AskedLine", "Level", "asked_lines", "denied_lines"]

Level = Literal["plain", "risky", "red"]
"""Plain: what its purpose needs. Risky: think about it. Red: as good as everything."""

_TEXT: Final = 200
_WIDE: Final = {4: 24, 6: 64}
"""Prefixes shorter than these are many machines."""
_SECRETS: Final = ("SECRET", "TOKEN", "PASS", "KEY", "CREDENTIAL", "AUTH")
_INTERPRETERS: Final = (
    "sh", "bash", "dash", "zsh", "ksh", "fish", "busybox", "env", "python", "perl", "ruby", "node", "php", "lua", "awk",
    "gawk", "mawk", "tclsh", "expect", "xargs", "find", "make", "git", "vi", "vim", "ed", "sed", "ssh", "su", "sudo",
    "doas", "docker", "podman", "nsenter", "unshare", "systemctl", "systemd-run", "gdb", "strace", "tar", "nohup",
    "nice", "timeout", "setsid", "script", "watch",
)  # fmt: skip
"""Programs that run whatever they are told to."""

_DOES: Final = {
    "filesystem.read": "reads {}",
    "filesystem.write": "writes {}",
    "filesystem.delete": "deletes {}",
    "filesystem.list": "lists {}",
    "network.resolve": "asks for the addresses of {}",
    "process.signals": "sends its programs the signal {}",
    "process.deny": "never starts {}",
    "environment.read": "reads the variable {}",
    "messaging.send": "sends messages to {}",
    "messaging.request": "sends requests to {}",
    "messaging.broadcast": "sends messages to all of {}",
    "messaging.receive": "takes messages from {}",
    "messaging.publish": "publishes to the topic {}",
    "messaging.subscribe": "hears the topic {}",
    "jobs.submit": "runs jobs of the module {}",
    "rooms.post": "writes to the room {}",
    KILL: "ends the programs that it started",
}


@dataclass(frozen=True, slots=True)
class AskedLine:
    """One thing that is asked for.

    Attributes:
        level: how much thought it needs.
        text: what the component may do then, harmless, one line.
        rule: the id of the rule; empty for what is no permission.
        why: what is risky, or odd; empty when nothing is.
        reason: the author's, for the group; harmless.
    """

    level: Level
    text: str
    rule: str = ""
    why: str = ""
    reason: str = ""


def asked_lines(manifest: Manifest) -> tuple[AskedLine, ...]:
    """What a manifest asks for, the riskiest first, each with its reason."""
    odd: dict[str, list[str]] = {}
    for doubt in doubts(manifest):
        odd.setdefault(doubt.rule, []).append(doubt.reason)
    lines = []
    for line in _lines(manifest):
        why = "; ".join(filter(None, [line.why, *odd.get(line.rule, [])]))
        area = line.rule.removeprefix("permissions.").partition(".")[0]
        reason = clean(manifest.reasons.get(area, ""), 300)
        lines.append(AskedLine(line.level, clean(line.text, _TEXT), line.rule, clean(why, 400), reason))
    order = {"red": 0, "risky": 1, "plain": 2}
    return tuple(sorted(lines, key=lambda line: order[line.level]))


def denied_lines(component: str, decision: Decision, file: str = "Component.toml") -> tuple[str, ...]:
    """What to tell an operator about a denied call: the rule or its absence, where, and what would allow it.

    Args:
        component: its name, as commands take it.
        decision: of the policy; denied.
        file: the manifest's name.
    """
    where = f" ({clean(file, 80)}:{decision.line})" if decision.line else ""
    first = f"denied: {clean(decision.reason, 400)}{where}"
    if not decision.remedy:
        return first, "nothing allows this"
    return first, f"to allow it: orlop components permissions {clean(component, 140)} {decision.remedy}"


def _lines(manifest: Manifest) -> Iterator[AskedLine]:
    yield from map(_mount, manifest.mounts)
    for rule in manifest.permissions.patterns:
        yield _pattern(rule, manifest)
    for host in manifest.permissions.hosts:
        yield _host(host)
    for program in manifest.permissions.spawn:
        yield _program(program)
    for namespace in manifest.permissions.storage:
        yield _namespace(namespace)
    for name in manifest.environment:
        yield AskedLine("plain", f"gets the variable {name}")
    limits = manifest.limits
    yield AskedLine(
        "plain", f"uses up to {format_size(limits.memory)} of memory, {format_size(limits.storage)} of storage"
    )
    if manifest.lifecycle.autostart:
        yield AskedLine("plain", "starts with the console")
    if manifest.signature is None:
        yield AskedLine("risky", "nobody signed it", why="whoever passed it on may have changed it")


def _mount(mount: Mount) -> AskedLine:
    reads = " (read only)" if mount.read_only else ""
    if mount.source != "operator":
        kept = "kept" if mount.source == "private" else "emptied when it stops"
        return AskedLine("plain", f"has a directory of its own at {mount.guest}, {kept}{reads}")
    return AskedLine("plain" if mount.read_only else "risky", f"needs a directory of yours at {mount.guest}{reads}")


def _pattern(rule: PatternRule, manifest: Manifest) -> AskedLine:
    if rule.denies and rule.group.startswith("filesystem."):
        action = rule.group.rpartition(".")[2].replace("all", "touch")
        return AskedLine("plain", f"may never {action} {rule.pattern}", rule.id)
    text = _DOES[rule.group].format(rule.pattern)
    level, why = _judged(rule, manifest)
    return AskedLine(level, text, rule.id, why)


def _judged(rule: PatternRule, manifest: Manifest) -> tuple[Level, str]:
    area, _, action = rule.group.partition(".")
    if rule.denies:
        return "plain", ""
    if area == "filesystem":
        return _judged_path(rule, action, manifest)
    if area == "environment":
        return _judged_variable(rule.pattern)
    if area in {"jobs", "rooms"}:
        return _judged_tail(rule.pattern)
    if rule.group == "network.resolve":
        return ("risky", "names can carry data out") if rule.pattern == "*" else ("plain", "")
    return ("risky", "any component") if area == "messaging" and set(rule.pattern) <= set("*/") else ("plain", "")


def _judged_path(rule: PatternRule, action: str, manifest: Manifest) -> tuple[Level, str]:
    if PathPattern(rule.pattern).fits_all:
        return "red", "every file of every mount"
    if action in {"write", "delete"} and any(one.source == "operator" and not one.read_only for one in manifest.mounts):
        return "risky", "changes files of yours where a directory of yours is mounted"
    return "plain", ""


def _judged_variable(pattern: str) -> tuple[Level, str]:
    if set(pattern) <= set("*?"):
        return "red", "every variable, secrets included"
    if any(word in pattern.upper() for word in _SECRETS):
        return "red", "looks like a secret"
    return ("risky", "more than one variable") if set(pattern) & set("*?") else ("plain", "")


def _judged_tail(pattern: str) -> tuple[Level, str]:
    if pattern == "*":
        return "red", "all of them"
    return ("risky", "more than one") if pattern.endswith("*") else ("plain", "")


def _host(rule: HostRule) -> AskedLine:
    ports = ", ".join(
        "any port" if (one.first, one.last) in {(0, PORT_MAX), (1, PORT_MAX)} else str(one) for one in rule.ports
    )
    where = f"{rule.host} ({ports})"
    if rule.denies:
        return AskedLine("plain", f"may never reach {where}", rule.id)
    pattern = HostPattern(rule.host)
    judged: list[tuple[Level, str]] = list(_judged_ports(rule))
    if rule.group == "network.inbound":
        judged += _judged_listening(pattern)
        text = f"listens at {where}"
    else:
        judged += _judged_target(rule, pattern)
        text = f"connects to {where}"
    level: Level = "red" if any(one == "red" for one, _ in judged) else "risky" if judged else "plain"
    return AskedLine(level, text, rule.id, "; ".join(why for _, why in judged))


def _judged_ports(rule: HostRule) -> Iterator[tuple[Level, str]]:
    if any(one.last - one.first >= PORT_MAX - 1 for one in rule.ports):
        yield "risky", "any port"
    if rule.private:
        yield "risky", "may lead into your own network"
    if rule.tls_insecure:
        yield "red", "certificates need not be verified"


def _judged_listening(pattern: HostPattern) -> Iterator[tuple[Level, str]]:
    address = pattern.network[0] if pattern.network is not None else None
    if address is None or address.is_unspecified:
        yield "red", "every network of this machine"
    elif not address.is_loopback:
        yield "risky", "others on the network reach it"


def _judged_target(rule: HostRule, pattern: HostPattern) -> Iterator[tuple[Level, str]]:
    if pattern.any_name:
        yield "red", "any host there is"
    elif pattern.network is None:
        if rule.host.startswith("*."):
            yield "risky", "every host below that name"
    elif pattern.network.prefixlen == 0:
        yield "red", "any address there is"
    elif is_special(pattern.network[0]):
        yield "risky", "an address of this machine or of your own network"
    elif pattern.network.prefixlen < _WIDE[pattern.network.version]:
        yield "risky", "many machines"


def _program(rule: SpawnRule) -> AskedLine:
    arguments = " ".join(rule.args)
    text = f"starts {rule.command} {arguments}".rstrip()
    name = rule.command.rpartition("/")[2].rstrip("0123456789.*?")
    if PathPattern(rule.command).fits_all or set(rule.command.rpartition("/")[2]) <= set("*?"):
        return AskedLine("red", text, rule.id, "any program, with the rights of your user")
    if name in _INTERPRETERS:
        return AskedLine("red", text, rule.id, "a program that runs whatever it is told to")
    why = "a program runs with the rights of your user, outside the sandbox"
    if rule.args and rule.args[-1] == "**":
        why += "; with any arguments"
    return AskedLine("risky", text, rule.id, why)


def _namespace(rule: StorageRule) -> AskedLine:
    text = f"keeps data in {rule.name} ({', '.join(rule.actions)})"
    if not rule.name.startswith("shared:"):
        return AskedLine("plain", text, rule.id)
    return AskedLine("risky", text, rule.id, "other components see and may change it")
