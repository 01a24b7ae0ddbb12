import pytest

from net.errors import MalformedError
from tests.net.fuzz import faults, input_of
from tests.net.fuzz_targets import TARGETS, Target

EACH = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


@EACH
def test_what_it_begins_with_is_taken(target: Target) -> None:
    assert target.seeds
    for raw in target.seeds:
        target.parse(raw)


@EACH
def test_every_input_is_taken_or_refused(target: Target) -> None:
    assert [str(fault) for fault in faults(target, 1, range(300))] == []


def test_names_are_not_given_twice() -> None:
    assert len({target.name for target in TARGETS}) == len(TARGETS)


def test_an_input_comes_again() -> None:
    target = TARGETS[0]
    assert [input_of(target, 7, number) for number in range(50)] == [
        input_of(target, 7, number) for number in range(50)
    ]
    assert len({input_of(target, seed, 0) for seed in range(50)}) > 10


def test_a_fault_is_found_and_says_how_it_comes_again() -> None:
    def careless(raw: bytes) -> object:
        if not raw:
            raise MalformedError("nothing")
        return raw[raw[0]]

    planted = Target("planted", careless, MalformedError, (b"\1\2",))
    found = list(faults(planted, 1, range(300)))
    assert {type(fault.error) for fault in found} == {IndexError}
    assert f"--target 'planted' --seed 1 --first {found[0].number} --runs 1" in str(found[0])
    assert next(faults(planted, 1, range(found[0].number, found[0].number + 1))).raw == found[0].raw
