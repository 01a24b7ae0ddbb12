"""The limits that are asked for: none that no job can have, none above what an operator allows."""

from dataclasses import replace

import pytest

from runtime.errors import UsageError
from runtime.jobs.limits import CEILINGS, LIMITS, JobLimits


@pytest.mark.parametrize(
    "limits",
    [
        {"memory_bytes": 0},
        {"memory_bytes": -1},
        {"memory_bytes": (1 << 32) + 1},
        {"timeout_ms": 0},
        {"max_output_bytes": 0},
        {"fuel": 0},
        {"fuel": 1 << 63},
        {"cpu_ms": 0},
        {"stack_bytes": 65_535},
        {"stack_bytes": (1 << 20) + 1},
        {"table_elements": 0},
        {"table_elements": 10_001},
        {"open_files": 0},
        {"dir_bytes": 0},
    ],
)
def test_impossible_limits_are_usage_errors(limits: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        JobLimits(**limits)


def test_limits_above_the_ceilings_are_named() -> None:
    small = JobLimits(
        memory_bytes=1 << 20, fuel=10, timeout_ms=10, max_output_bytes=10, cpu_ms=10, stack_bytes=1 << 16,
        table_elements=10, open_files=10, dir_bytes=10,
    )  # fmt: skip
    assert JobLimits().above(CEILINGS) is None
    assert small.above(small) is None
    found = [replace(small, **{limit.name: getattr(small, limit.name) * 2}).above(small) for limit in LIMITS]
    assert [(error.tripped, error.why) for error in found if error] == [
        ("memory_bytes", "memory limit 2MiB is above this node's 1MiB (memory_bytes)"),
        ("fuel", "fuel limit 20 is above this node's 10 (fuel)"),
        ("timeout_ms", "time limit 20ms is above this node's 10ms (timeout_ms)"),
        ("max_output_bytes", "output limit 20B is above this node's 10B (max_output_bytes)"),
        ("cpu_ms", "CPU time limit 20ms is above this node's 10ms (cpu_ms)"),
        ("stack_bytes", "stack limit 128KiB is above this node's 64KiB (stack_bytes)"),
        ("table_elements", "table limit 20 is above this node's 10 (table_elements)"),
        ("open_files", "limit of open files 20 is above this node's 10 (open_files)"),
        ("dir_bytes", "directory quota 20B is above this node's 10B (dir_bytes)"),
    ]
