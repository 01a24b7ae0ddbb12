from hypothesis import given
from hypothesis import strategies as st

from net.dht.cookies import Cookies, Jar, Met

HERE = ("192.0.2.1", 4001)
KEY, OTHER = b"k" * 32, b"o" * 32


def counted() -> Cookies:
    secrets = iter(range(10_000))
    return Cookies(lambda size: next(secrets).to_bytes(size))


def test_a_cookie_is_good_for_its_address_port_and_key_only() -> None:
    cookies = counted()
    cookie = cookies.give(HERE, KEY, 0.0)
    assert len(cookie) == 24
    assert cookies.fits(cookie, HERE, KEY, 0.0)
    assert not cookies.fits(cookie, ("192.0.2.2", 4001), KEY, 0.0)
    assert not cookies.fits(cookie, ("192.0.2.1", 4002), KEY, 0.0)
    assert not cookies.fits(cookie, HERE, OTHER, 0.0)


def test_a_cookie_is_good_for_ten_to_twenty_minutes() -> None:
    cookies = counted()
    cookie = cookies.give(HERE, KEY, 599.0)
    assert cookies.fits(cookie, HERE, KEY, 1199.0)
    assert not cookies.fits(cookie, HERE, KEY, 1200.0)


def test_a_cookie_of_the_future_or_of_another_node_is_none() -> None:
    early, late = counted(), Cookies(lambda size: b"x" * size)
    assert not early.fits(early.give(HERE, KEY, 1200.0), HERE, KEY, 0.0)
    assert not late.fits(early.give(HERE, KEY, 0.0), HERE, KEY, 0.0)


@given(st.binary(max_size=30))
def test_a_made_up_cookie_is_none(cookie: bytes) -> None:
    assert not counted().fits(cookie, HERE, KEY, 0.0)


def test_secrets_of_the_past_are_forgotten() -> None:
    cookies = counted()
    for minute in range(0, 600, 10):
        cookies.give(HERE, KEY, minute * 60.0)
    assert len(cookies._secrets) <= 2


def test_no_more_than_4096_are_remembered_and_the_longest_unused_go_first() -> None:
    met, jar = Met(), Jar()
    for number in range(4097):
        met.add(KEY, number.to_bytes(24))
        jar.put(("192.0.2.1", number), KEY, b"c" * 24)
        assert met.knows(KEY, (0).to_bytes(24)) or number in {0, 4096}
        jar.get(("192.0.2.1", 0), KEY)
    assert (len(met), len(jar)) == (4096, 4096)
    assert met.knows(KEY, (0).to_bytes(24))
    assert not met.knows(KEY, (1).to_bytes(24))
    assert jar.get(("192.0.2.1", 0), KEY) is not None
    assert jar.get(("192.0.2.1", 1), KEY) is None
