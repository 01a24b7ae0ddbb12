"""What peers must withstand and do, item by item, and the tests of each: by the mark in their names, or named here.

`test_row_07_…` holds row 7 of the table of hostile peers, `test_p5_…` what the original never did, `test_s6_…` and
`test_sec06_…` findings about it, `test_11_1_…` and `test_11_2_…` the acceptance list. One test may hold several.
"""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROWS = set(range(1, 35)) - {31, 32}
"""31 and 32 are of relays and of what others see as our address, which come with the way through NATs."""

MARKS = {
    *(f"row {row}" for row in ROWS),
    *("p1", "p4", "p5", "p6", "s5", "s6"),
    *("sec01", "sec03", "sec05", "sec06", "sec09", "sec10", "sec12"),
    *("11_1", "11_2"),
}
MARK = re.compile(r"rows?((?:_\d\d)+)_|(p\d+|s\d+|sec\d\d|11_[12])_|dht_row_\d+_")
ON_THE_WIRE = ("net/**/test_*.py", "cli/test_peers_*.py", "cli/test_jobs_on_peers.py", "cli/test_jobs_replicas.py")

BAD_INPUT = {
    "a malformed multiaddr": (
        "cli/test_peers_bad_input.py::test_what_is_no_multiaddr_is_neither_dialled_nor_listened_on",
        "net/test_multiaddr.py::test_what_is_not_spoken_to_is_refused_by_name",
    ),
    "a malformed PeerId or key": (
        "cli/test_peers_bad_input.py::test_what_is_no_peer_and_no_key_is_nobody",
        "net/test_peer_id.py::test_what_is_no_peer_id",
    ),
    "dialling oneself": (
        "cli/test_peers_words.py::test_oneself_is_not_dialled",
        "net/test_peer_host.py::test_dialling_ourselves_is_refused_by_name_and_by_key",
    ),
    "an unreachable address": ("cli/test_peers_words.py::test_where_nobody_answers_is_unreachable",),
    "an address of another key": (
        "cli/test_peers_words.py::test_who_proves_another_key_is_not_taken_for_the_one_that_was_meant",
    ),
    "a port in use": (
        "cli/test_peers_words.py::test_a_port_in_use_is_said_with_5",
        "cli/test_peers_bad_input.py::test_a_udp_port_in_use_is_said_with_5",
    ),
    "an address that is not ours to listen on": (
        "cli/test_peers_bad_input.py::test_an_address_of_somebody_else_is_not_listened_on",
    ),
    "IPv6 alone": ("cli/test_peers_bad_input.py::test_over_ipv6_alone_a_peer_is_dialled_and_runs_a_job",),
    "no network at all": (
        "namespaces/test_bad_networks.py::test_without_a_network_a_node_lives_and_says_what_it_cannot",
    ),
    "a network that comes and goes": (
        "namespaces/test_bad_networks.py::test_a_network_that_comes_later_is_used",
        "namespaces/test_bad_networks.py::test_jobs_outlive_a_partition_and_their_ends_come_when_it_heals",
    ),
    "a clock that is an hour off": (
        "net/jobs/test_rejections.py::test_row_16_an_offer_of_an_hour_ago_is_refused_and_the_requester_says_why",
        "net/dht/test_dht_bad_records.py::test_records_of_a_clock_an_hour_ahead_are_refused_and_of_one_behind_taken",
    ),
    "a record of a megabyte": (
        "net/dht/test_dht_bad_records.py::test_a_record_of_a_megabyte_is_dropped_with_its_datagrams",
        "net/dht/test_dht_record.py::test_a_record_of_a_megabyte_is_refused_by_its_size",
    ),
    "records that expired, of the future, unsigned, for another key": (
        "net/dht/test_dht_bad_records.py::test_row_26_sec12_a_record_that_is_none_is_not_stored",
        "net/capabilities/test_capabilities.py::test_what_breaks_a_bound_is_refused",
        "net/capabilities/test_capabilities.py::test_a_record_of_another_key_or_another_spelling_is_refused",
    ),
    "a policy of garbage while it runs": ("cli/test_peers_policy.py::test_garbage_leaves_the_old_policy_and_is_told",),
    "a peer that speaks HTTP or TLS": (
        "net/test_hostile_peers.py::test_rows_02_03_04_whoever_does_not_speak_as_he_should_is_cut_off",
        "cli/test_peers_words.py::test_who_speaks_something_else_is_a_fault_of_theirs",
    ),
    "a peer that says nothing at all": (
        "net/test_hostile_peers.py::test_row_01_a_handshake_that_takes_too_long_is_cut_off",
        "net/test_hostile_peers.py::test_row_01_a_listener_that_never_says_a_word_is_given_up",
    ),
}


UNITS = {
    "keys of the DHT": "net/dht/test_dht_record.py::test_11_2_each_kind_has_its_key_and_body",
    "records that expire": "net/dht/test_dht_store.py::test_11_2_a_record_is_gone_when_it_expires",
    "the TXT of mDNS": "net/lan/test_announcement.py::test_11_2_what_is_announced_is_read",
    "offer, answer, request and result": "net/jobs/test_messages.py::test_11_2_what_is_written_is_read",
    "runtimes": "net/jobs/test_offer_check.py::test_11_2_what_stands_before_the_first_hyphen_classifies_a_runtime",
}
"""Section 11.2 of the acceptance list, as far as it is of the network and no finding holds it already."""


@cache
def names(path: Path) -> frozenset[str]:
    """The tests of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def marks(name: str) -> set[str]:
    """What a test's name begins with."""
    found: set[str] = set()
    rest = name.removeprefix("test_")
    while mark := MARK.match(rest):
        rows, other = mark.groups()
        found |= {f"row {int(row)}" for row in (rows or "").split("_")[1:]} | ({other} if other else set())
        rest = rest[mark.end() :]
    return found


def marked() -> dict[str, set[str]]:
    """The tests of each mark, of those that let peers or their bytes in."""
    found: dict[str, set[str]] = defaultdict(set)
    for pattern in ON_THE_WIRE:
        for path in TESTS.glob(pattern):
            for name in names(path):
                for mark in marks(name):
                    found[mark].add(name)
    return found


def test_marks_are_read_from_names() -> None:
    assert marks("test_rows_02_10_s6_a_nonce") == {"row 2", "row 10", "s6"}
    assert marks("test_row_29_dht_row_4_who_has_no_cookie") == {"row 29"}
    assert marks("test_p1_11_1_a_receipt") == {"p1", "11_1"}
    assert marks("test_rows_say_who_it_is") == marks("test_p_is_a_letter") == set()


def test_every_promise_has_tests_of_its_name_and_no_test_names_another() -> None:
    assert set(marked()) == MARKS


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_of_the_acceptance_list_has_its_test(unit: str) -> None:
    path, name = UNITS[unit].split("::")
    assert name in names(TESTS / path)


@pytest.mark.parametrize("what", BAD_INPUT)
def test_every_bad_input_has_its_tests(what: str) -> None:
    for test in BAD_INPUT[what]:
        path, name = test.split("::")
        assert name in names(TESTS / path), test
