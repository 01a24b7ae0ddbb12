"""Answers of HTTP/1.1: bounded, in any pieces, and either read alike by everybody or refused."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.errors import BootUnavailableError
from boot.fetch.http import ContentRange, HttpError, Location, Response, request

BODY = bytes(range(256)) * 3
PART = (
    b"HTTP/1.1 206 Partial Content\r\nContent-Length: 768\r\nContent-Range: bytes 10-777/9000\r\n"
    b"Orlop-Session:  ab \r\n\r\n" + BODY
)


def read(*pieces: bytes) -> tuple[Response, bytes]:
    response = Response()
    return response, b"".join(response.feed(piece) for piece in pieces)


@given(st.lists(st.integers(0, len(PART)), max_size=12))
def test_an_answer_is_the_same_in_any_pieces(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(PART)]
    response, body = read(*(PART[a:b] for a, b in itertools.pairwise(places)))
    assert body == BODY
    assert response.complete
    assert response.head is not None
    assert response.head.content_range == ContentRange(10, 777, 9000)
    assert response.head.fields["orlop-session"] == "ab"


@given(st.lists(st.binary(max_size=200), max_size=20), st.booleans())
def test_any_bytes_give_an_answer_or_one_error(pieces: list[bytes], begins: bool) -> None:
    response = Response()
    with contextlib.suppress(HttpError):
        for piece in ([b"HTTP/1.1 200 OK\r\n"] if begins else []) + pieces:
            response.feed(piece)
        response.end()
        assert response.head is not None


def test_what_follows_the_body_is_dropped() -> None:
    response, body = read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcdef", b"more")
    assert (body, response.complete) == (b"ab", True)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    response, body = read(b"HTTP/1.0 200 OK\r\n\r\nabc", b"def")
    response.end()
    assert (body, response.complete) == (b"abcdef", False)


def test_interim_answers_are_passed_over() -> None:
    _, body = read(
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 4 + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"
    )
    assert body == b"a"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 103 x\r\n\r\n" * 5,
        b"HTTP/2 200\r\n\r\n",
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"f%d: x\r\n" % number for number in range(65)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 20_000,
    ],
    ids=range(11),
)
def test_an_answer_that_could_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    with pytest.raises(HttpError):
        read(raw)


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"])
def test_an_answer_that_breaks_off_is_none(raw: bytes) -> None:
    response, _ = read(raw)
    with pytest.raises(HttpError, match="ended"):
        response.end()


@pytest.mark.parametrize(
    "text",
    ["ftp://h/x", "file:///etc/passwd", "http://", "http://u:p@h/", "http://h:99999/", "http://h\n/", "//h/x", "",
     "http://[::1", "http://a b/", "javascript:1", "http://h/" + "x" * 3000],
)  # fmt: skip
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(BootUnavailableError):
        Location.parse(text)


def test_an_url_says_where_to_ask_and_for_what() -> None:
    place = Location.parse("http://[fe80::1%eth0]:8080/a b/manifest.json?x=1")
    assert (place.host, place.port, place.target) == ("fe80::1%eth0", 8080, "/a%20b/manifest.json?x=1")
    assert str(Location.parse("https://example.org")) == "https://example.org/"
    assert str(place.join("root/2.json")) == "http://[fe80::1%eth0]:8080/a%20b/root/2.json"


@given(st.text(max_size=60))
def test_nothing_in_an_url_breaks_the_request(path: str) -> None:
    try:
        made = request("GET", Location.parse(f"http://h/{path}"), start=5)
    except HttpError:
        return
    head, end, rest = made.partition(b"\r\n\r\n")
    assert (end, rest) == (b"\r\n\r\n", b"")
    assert head.count(b"\r\n") == head.count(b"\n") == 4
    assert b"\r\nRange: bytes=5-" in head
