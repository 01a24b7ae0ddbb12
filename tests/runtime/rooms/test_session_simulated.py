"""A few fixed runs of the simulator; `make sim` does a thousand."""

import pytest

from tests.runtime.rooms.sim_run import faults_of


@pytest.mark.parametrize("seed", [1, 4, 7, 11, 17, 25, 29, 44, 45, 68, 842])
def test_members_agree_after_any_trouble_and_nothing_leaves_in_the_clear(seed: int) -> None:
    assert faults_of(seed) == []
