"""The operator's ceilings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.components.manifest.ceilings import CEILINGS, Cut, cut_down
from runtime.components.manifest.model import Limits, Messaging
from runtime.errors import UsageError
from tests.runtime.components.manifest.writing import manifest

ASKED = manifest('[limits]\nmemory = "128MiB"\ncall_timeout = "30s"\n[messaging]\nmailbox = 100\n')


def test_ceilings_cut_down_never_up() -> None:
    ceilings = {"limits.memory": 64 * 2**20, "limits.fuel": 1000, "limits.handles": 9999, "messaging.mailbox": 10}
    limits, messaging, cuts = cut_down(ASKED, ceilings)
    assert limits == Limits(memory=64 * 2**20, call_timeout=30_000, fuel=1000)
    assert messaging == Messaging(mailbox=10)
    assert cuts == (
        Cut("limits.memory", 128 * 2**20, 64 * 2**20),
        Cut("limits.fuel", None, 1000),
        Cut("messaging.mailbox", 100, 10),
    )


def test_without_ceilings_nothing_is_cut() -> None:
    assert cut_down(ASKED, {}) == (ASKED.limits, ASKED.messaging, ())


@given(st.dictionaries(st.sampled_from(CEILINGS), st.integers(0, 2**40)))
def test_no_limit_is_above_its_ceiling_or_above_what_was_asked(ceilings: dict[str, int]) -> None:
    limits, messaging, cuts = cut_down(ASKED, ceilings)
    for key in CEILINGS:
        area, _, name = key.partition(".")
        given_, asked = (
            (getattr(limits, name), getattr(ASKED.limits, name))
            if area == "limits"
            else (getattr(messaging, name), getattr(ASKED.messaging, name))
        )
        bounds = [bound for bound in (asked, ceilings.get(key)) if bound is not None]
        assert given_ == (min(bounds) if bounds else None)
        assert (given_ != asked) == any(cut.key == key for cut in cuts)


@pytest.mark.parametrize("ceilings", [{"limits.memry": 1}, {"supervision.window": 1}, {"limits.memory": -1}])
def test_a_ceiling_for_something_else_is_refused(ceilings: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="is not a ceiling"):
        cut_down(ASKED, ceilings)
