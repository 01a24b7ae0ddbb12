"""Rules in few words, for the tests of permissions."""

from runtime.components.permissions.ports import read_ports
from runtime.components.permissions.rules import HostRule, PatternRule, Rules, SpawnRule, StorageRule

FROM = "permissions"


def patterns(group: str, *texts: str) -> Rules:
    return Rules(patterns=tuple(PatternRule(group, index, FROM, text) for index, text in enumerate(texts)))


def hosts(group: str, *texts: str) -> Rules:
    """Each as `HOST PORTS [private] [tls_insecure]`."""
    rules = []
    for index, text in enumerate(texts):
        host, ports, *flags = text.split()
        lowest = 0 if group.endswith("inbound") else 1
        read = tuple(read_ports(one, lowest) for one in ports.split(","))
        rules.append(HostRule(group, index, FROM, host, read, "private" in flags, "tls_insecure" in flags))
    return Rules(hosts=tuple(rules))


def programs(*rules: tuple[str, tuple[str, ...]]) -> Rules:
    return Rules(
        spawn=tuple(
            SpawnRule("process.spawn", index, FROM, command, args) for index, (command, args) in enumerate(rules)
        )
    )


def storage(*rules: tuple[str, tuple[str, ...]]) -> Rules:
    return Rules(
        storage=tuple(
            StorageRule("storage.namespaces", index, FROM, name, actions) for index, (name, actions) in enumerate(rules)
        )
    )
