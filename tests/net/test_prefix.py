"""What strangers are counted by."""

import pytest

from net.prefix import is_loopback, prefix_of, wide_prefix_of

HOSTS = {
    "203.0.113.7": ("203.0.113.7", "203.0.113.7", False),
    "127.0.0.9": ("127.0.0.9", "127.0.0.9", True),
    "::ffff:203.0.113.7": ("203.0.113.7", "203.0.113.7", False),
    "2001:db8:1:2:3:4:5:6": ("2001:db8:1:2::/64", "2001:db8:1::/48", False),
    "fe80::1%eth0": ("fe80::/64", "fe80::/48", False),
    "::1": ("::/64", "::/48", True),
    "": ("", "", False),
    "a socket of another kind": ("a socket of another kind", "a socket of another kind", False),
}


@pytest.mark.parametrize("host", HOSTS)
def test_one_host_is_an_ipv4_address_or_a_network_of_ipv6(host: str) -> None:
    assert (prefix_of(host), wide_prefix_of(host), is_loopback(host)) == HOSTS[host]
