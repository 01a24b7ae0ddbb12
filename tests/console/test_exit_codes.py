"""Exit statuses: the contract, number by number."""

import pytest

from console.client import Fault, Result
from console.exit_codes import ExitCode, exit_code_for, exit_code_of
from runtime import errors


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.UsageError, 2),
        (errors.AmbiguousError, 2),
        (errors.NotFoundError, 1),
        (errors.RefusedError, 1),
        (errors.ReadOnlyError, 1),
        (errors.FailedError, 1),
        (errors.UnavailableError, 1),
        (errors.NetworkError, 5),
        (errors.InUseError, 6),
    ],
)
def test_every_kind_of_error_has_its_status(kind: type[errors.OrlopError], code: int) -> None:
    assert exit_code_for(Fault(kind.code, "why")) == code


def test_a_result_ends_with_its_own_status_or_that_of_its_fault() -> None:
    assert exit_code_of(Result(ok=True)) == 0
    assert exit_code_of(Result(ok=True, exit_code=7)) == 7
    assert exit_code_of(Result(ok=False, fault=Fault("usage", "why"))) == 2
    assert exit_code_of(Result(ok=False, fault=Fault("usage", "why"), exit_code=125)) == 125
    assert exit_code_of(Result(ok=False)) == 1


def test_the_numbers_that_scripts_rely_on() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "BOOT_REFUSED": 3,
        "NOT_VERIFIED": 4,
        "NETWORK": 5,
        "IN_USE": 6,
        "RAN_OUT": 7,
        "TRIPPED": 8,
        "DEADLINE": 124,
        "NOT_RUN": 125,
        "GUEST_FAILED": 134,
        "HUNG_UP": 129,
        "INTERRUPTED": 130,
        "CANCELLED": 137,
        "TERMINATED": 143,
    }
