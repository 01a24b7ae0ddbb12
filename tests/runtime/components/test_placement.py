from dataclasses import replace

import pytest

from runtime.components.permissions import Policy
from runtime.components.permissions.ports import PortRange
from runtime.components.permissions.rules import HostRule, PatternRule, Rules, SpawnRule, StorageRule
from runtime.components.placement import Walls, walls_of
from tests.runtime.components.worker.component_life import LIMITS

WEB = HostRule("network.outbound", 0, "permissions", "example.org", (PortRange(443, 443), PortRange(8000, 8001)))
HERE = HostRule("network.inbound", 0, "permissions", "127.0.0.1", (PortRange(9100, 9100),))
ANY_FREE = replace(HERE, ports=(PortRange(0, 0),))
ALL_PORTS = replace(WEB, ports=(PortRange(1, 65_535),))
SPAWN = SpawnRule("process.spawn", 0, "permissions", "/usr/bin/true")
NAMES = PatternRule("network.resolve", 0, "permissions", "*.example.org")
STORE = StorageRule("storage.namespaces", 0, "permissions", "doer:notes", ("read",))


def policy(*rules: HostRule | SpawnRule | PatternRule | StorageRule) -> Policy:
    return Policy(
        Rules(
            tuple(rule for rule in rules if isinstance(rule, PatternRule)),
            tuple(rule for rule in rules if isinstance(rule, HostRule)),
            tuple(rule for rule in rules if isinstance(rule, SpawnRule)),
            tuple(rule for rule in rules if isinstance(rule, StorageRule)),
        )
    )


@pytest.mark.parametrize(
    ("rules", "walls"),
    [
        ((), Walls(alone=False)),
        ((STORE,), Walls(alone=False)),
        ((WEB,), Walls(True, True, (53, 443, 8000, 8001), (), False)),
        ((NAMES,), Walls(True, True, (53,), (), False)),
        ((HERE,), Walls(True, True, (53,), (9100,), False)),
        ((ANY_FREE,), Walls(True, True, (53,), None, False)),
        ((ALL_PORTS,), Walls(True, True, None, (), False)),
        ((SPAWN,), Walls(True, False, (), (), True)),
    ],
)
def test_what_a_policy_allows_stands_around_its_worker(
    rules: tuple[HostRule | SpawnRule | PatternRule | StorageRule, ...], walls: Walls
) -> None:
    assert walls_of(policy(*rules), LIMITS, 0) == walls


def test_files_much_memory_and_several_memories_take_a_worker() -> None:
    assert walls_of(Policy(), LIMITS, 1).alone
    assert walls_of(Policy(), replace(LIMITS, memory=(64 << 20) + 1), 0).alone
    assert walls_of(Policy(), replace(LIMITS, memories=2), 0).alone
    assert not walls_of(Policy(), replace(LIMITS, memory=64 << 20), 0).alone


@pytest.mark.parametrize(
    ("rules", "more", "holds"),
    [
        ((), (STORE,), True),
        ((), (WEB,), False),
        ((WEB,), (), True),
        ((WEB,), (WEB, HERE), False),
        ((WEB, HERE), (HERE,), True),
        ((WEB,), (replace(WEB, host="other.example"),), True),
        ((WEB,), (replace(WEB, ports=(PortRange(80, 80),)),), False),
        ((ALL_PORTS,), (WEB,), True),
        ((WEB,), (ALL_PORTS,), False),
        ((SPAWN,), (WEB,), False),
    ],
)
def test_a_policy_that_reaches_further_needs_other_walls(
    rules: tuple[HostRule | SpawnRule, ...], more: tuple[HostRule | SpawnRule | StorageRule, ...], holds: bool
) -> None:
    assert walls_of(policy(*rules), LIMITS, 0).let_through(walls_of(policy(*more), LIMITS, 0)) == holds
