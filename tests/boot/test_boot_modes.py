"""Every cell of the matrix of modes, by name, and that words of the command line only take away."""

from itertools import product
from typing import get_args

import pytest

from boot.modes import MODES, RULES, Mode, Rules, mode_of, narrowed

CELLS: list[tuple[str, Mode, object]] = [
    ("network", "internet", "required"),
    ("network", "local", "optional"),
    ("network", "private", "required"),
    ("routes", "internet", True),
    ("routes", "local", False),
    ("routes", "private", True),
    ("dns", "internet", True),
    ("dns", "local", False),
    ("dns", "private", True),
    ("ipv6_advertisements", "internet", True),
    ("ipv6_advertisements", "local", False),
    ("ipv6_advertisements", "private", True),
    ("discovery", "internet", ("url", "lan", "dht")),
    ("discovery", "local", ("url", "lan", "cache", "seed")),
    ("discovery", "private", ("url", "lan", "dht")),
    ("identity", "internet", "kept"),
    ("identity", "local", "kept"),
    ("identity", "private", "new"),
    ("storage", "internet", "write"),
    ("storage", "local", "write"),
    ("storage", "private", "none"),
    ("block_devices", "internet", "cache"),
    ("block_devices", "local", "cache"),
    ("block_devices", "private", "read-only"),
    ("writes", "internet", True),
    ("writes", "local", True),
    ("writes", "private", False),
    ("stores_receipts", "internet", True),
    ("stores_receipts", "local", True),
    ("stores_receipts", "private", False),
    ("reports", "internet", True),
    ("reports", "local", True),
    ("reports", "private", False),
    ("joins", "internet", True),
    ("joins", "local", True),
    ("joins", "private", False),
    ("random_mac", "internet", False),
    ("random_mac", "local", False),
    ("random_mac", "private", True),
    ("check", "internet", ""),
    ("check", "local", "no-default-route"),
    ("check", "private", "no-writable-disk"),
]


@pytest.mark.parametrize(("row", "mode", "cell"), CELLS, ids=[f"{row} in {mode}" for row, mode, _ in CELLS])
def test_cell(row: str, mode: Mode, cell: object) -> None:
    assert getattr(RULES[mode], row) == cell


def test_no_cell_is_without_a_line_here() -> None:
    properties = {name for name, value in vars(Rules).items() if isinstance(value, property)}
    rows = set(Rules.__dataclass_fields__) | properties
    assert {(row, mode) for row, mode, _ in CELLS} == set(product(rows, MODES))


def test_every_mode_has_its_rules() -> None:
    assert tuple(RULES) == MODES == get_args(Mode)


@pytest.mark.parametrize("word", ["", "Internet", "internet ", "shell", "private,local"])
def test_a_word_that_is_no_mode_is_none(word: str) -> None:
    assert mode_of(word) is None


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_is_known_by_its_word(mode: Mode) -> None:
    assert mode_of(mode) == mode


@pytest.mark.parametrize("mode", MODES)
def test_without_words_a_mode_is_as_it_is(mode: Mode) -> None:
    assert narrowed(mode) == RULES[mode]


@pytest.mark.parametrize("mode", ["internet", "local"])
def test_without_a_cache_nothing_is_mounted_written_or_kept(mode: Mode) -> None:
    rules = narrowed(mode, cache=False)
    assert (rules.storage, rules.writes, rules.identity, rules.block_devices) == ("none", False, "new", "read-only")
    assert not {"cache", "seed"} & set(rules.discovery)


def test_without_writing_the_cache_is_read_still() -> None:
    rules = narrowed("local", nowrite=True)
    assert (rules.storage, rules.block_devices, rules.identity) == ("read", "read-only", "new")
    assert rules.discovery == ("url", "lan", "cache", "seed")
    assert not rules.stores_receipts


def test_reports_can_be_switched_off_and_never_on() -> None:
    assert not narrowed("internet", report=False).reports
    assert not narrowed("private", report=True).reports


@pytest.mark.parametrize("options", list(product([False, True], repeat=3)))
def test_words_give_private_nothing(options: tuple[bool, bool, bool]) -> None:
    cache, nowrite, report = options
    assert narrowed("private", cache=cache, nowrite=nowrite, report=report) == RULES["private"]
