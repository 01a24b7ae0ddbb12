"""Where this machine is, and when that is another place than before."""

import pytest

from net.networks import has_moved, own_addresses


@pytest.mark.parametrize(
    ("before", "now", "moved"),
    [
        (["192.0.2.1"], ["192.0.2.2"], True),
        (["192.0.2.1"], ["192.0.2.1", "2001:db8::1"], True),
        (["192.0.2.1", "2001:db8::1"], ["192.0.2.1"], True),
        ([], ["192.0.2.1"], True),
        (["192.0.2.1", "2001:db8::1"], ["2001:db8::1", "192.0.2.1"], False),
        (["192.0.2.1"], ["192.0.2.1", "192.0.2.1"], False),
        (["192.0.2.1"], [], False),
        ([], [], False),
    ],
)
def test_a_machine_has_moved_when_it_has_other_addresses_and_some(
    before: list[str], now: list[str], moved: bool
) -> None:
    assert has_moved(before, now) is moved


def test_both_kinds_of_addresses_together_are_all() -> None:
    assert sorted(own_addresses()) == sorted(own_addresses("ip4") + own_addresses("ip6"))
