"""Rules as an operator writes them on a command line: `GROUP=VALUE`, such as `filesystem.read=/data/x`."""

import difflib
import shlex
from typing import Final

from runtime.components.permissions.errors import PatternError
from runtime.components.permissions.policy import Policy
from runtime.components.permissions.ports import read_ports
from runtime.components.permissions.rules import (
    KILL,
    PATTERN_GROUPS,
    HostRule,
    PatternRule,
    Rules,
    SpawnRule,
    StorageRule,
)
from runtime.components.permissions.signals import KILLING, read_signal
from runtime.errors import UsageError
from runtime.sanitise import clean

__all__ = ["GROUPS", "OPERATOR", "read_rule"]

OPERATOR: Final = "operator"
_HOSTS: Final = ("network.outbound", "network.inbound", "network.deny")
_STORAGE: Final = "storage.namespaces"
_SPAWN: Final = "process.spawn"
_FLAGS: Final = ("private", "tls_insecure")
_ACTIONS: Final = ("read", "write", "delete")

GROUPS: Final = (*PATTERN_GROUPS, *_HOSTS, _SPAWN, KILL, _STORAGE)
"""What a rule can be of: the keys below `permissions`."""


def read_rule(text: str, index: int) -> Rules:
    """One rule of the operator's.

    Args:
        text: `GROUP=VALUE`. The value is a pattern; for hosts `HOST:PORT[,private][,tls_insecure]`; for
            `process.spawn` the command and patterns of its arguments, as a shell splits them; for
            `storage.namespaces` `PREFIX:NAME[:ACTION[,ACTION…]]`; for `process.kill` `true`.
        index: of the rule among the operator's.

    Raises:
        UsageError: no such group, or the value is none of its kind.
    """
    group, _, value = text.partition("=")
    if group not in GROUPS:
        near = difflib.get_close_matches(group[:60], GROUPS, 1)
        hint = f"did you mean {near[0]}?" if near else f"these are: {', '.join(GROUPS)}"
        raise UsageError(f"`{clean(group, 60)}` is no group of permissions", hint=hint)
    try:
        rules = _read(group, value, index)
        Policy(rules)  # compiles every pattern, which refuses what is none
    except PatternError as error:
        raise UsageError(error.why, where=clean(text, 120)) from None
    return rules


def _read(group: str, value: str, index: int) -> Rules:
    if group in _HOSTS:
        return Rules(hosts=(_host(group, value, index),))
    if group == _STORAGE:
        return Rules(storage=(_storage(value, index),))
    if group == _SPAWN:
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise PatternError(str(error)) from None
        if not words:
            raise PatternError("a command is needed")
        return Rules(spawn=(SpawnRule(group, index, OPERATOR, words[0], tuple(words[1:])),))
    if group == KILL and value != "true":
        raise PatternError("true is needed; --revoke process.kill takes it away")
    if group == "process.signals" and read_signal(value) in KILLING:
        raise PatternError("process.kill=true allows it")
    return Rules(patterns=(PatternRule(group, index, OPERATOR, value),))


def _host(group: str, value: str, index: int) -> HostRule:
    address, *flags = value.split(",")
    host, found, port = address.rpartition(":")
    if not found or not host:
        raise PatternError("HOST:PORT is needed")
    if unknown := [flag for flag in flags if flag not in _FLAGS or group != _HOSTS[0]]:
        raise PatternError(f"{unknown[0]} is not known here")
    ports = read_ports(port, 0 if group == _HOSTS[1] else 1)
    return HostRule(group, index, OPERATOR, host, (ports,), "private" in flags, "tls_insecure" in flags)


def _storage(value: str, index: int) -> StorageRule:
    prefix, found, rest = value.partition(":")
    name, _, actions = rest.partition(":")
    asked = tuple(actions.split(",")) if actions else ("read",)
    if not found or not name or not set(asked) <= set(_ACTIONS):
        raise PatternError("PREFIX:NAME:ACTION is needed, with read, write and delete for ACTION")
    return StorageRule(_STORAGE, index, OPERATOR, f"{prefix}:{name}", asked)
