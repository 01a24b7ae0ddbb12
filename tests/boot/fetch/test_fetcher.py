"""Fetching from servers that cut, lie, dawdle and send too much."""

import hashlib
import os
from dataclasses import replace

import pytest

from boot.errors import BootRefusedError, BootUnavailableError
from boot.fetch.fetcher import FileSink, MissingError, fetch_artifact, fetch_document, post
from boot.fetch.pace import Pace, Patience
from boot.trust.manifest import Artifact
from runtime.errors import UnavailableError
from tests.boot.fetch.scripted import QUICK, Answer, Scripted, dripped, raw, scripted, silent, status, whole

DATA = bytes(range(251)) * 4000
SIGNED = Artifact(len(DATA), hashlib.sha256(DATA).hexdigest())
IMPATIENT = replace(QUICK, window_s=0.3, tries=2)


class Memory:
    """Keeps what came."""

    def __init__(self) -> None:
        self.data = b""
        self.restarts = 0

    def restart(self) -> None:
        self.data = b""
        self.restarts += 1

    def write(self, part: bytes) -> None:
        self.data += part


async def fetched(script: Scripted, memory: Memory, patience: Patience = QUICK) -> None:
    await fetch_artifact(script.at("/kernel"), "kernel", SIGNED, memory, patience)


async def test_a_connection_that_is_cut_twice_is_resumed_where_it_broke_off() -> None:
    memory = Memory()
    answers = [whole(DATA, cut=400_000), whole(DATA, cut=300_000), whole(DATA)]
    async with scripted({"/kernel": answers}) as script:
        await fetched(script, memory)
    assert memory.data == DATA
    assert len(script.asked) == 3
    assert [asked.start for asked in script.asked] == [0, 400_000, 700_000]


async def test_a_server_that_ignores_ranges_is_taken_from_the_beginning() -> None:
    memory = Memory()
    answers = [whole(DATA, cut=400_000), whole(DATA, ranges=False)]
    async with scripted({"/kernel": answers}) as script:
        await fetched(script, memory)
    assert (memory.data, memory.restarts) == (DATA, 2)


async def test_a_range_that_the_server_cannot_give_begins_anew() -> None:
    memory = Memory()
    async with scripted({"/kernel": [whole(DATA, cut=1000), status(416), whole(DATA)]}) as script:
        await fetched(script, memory)
    assert (memory.data, script.asked[2].start) == (DATA, 0)


def part(first: int, last: int, total: int) -> Answer:
    return raw(
        f"HTTP/1.1 206 x\r\nContent-Range: bytes {first}-{last}/{total}\r\n".encode()
        + f"Content-Length: {last - first + 1}\r\n\r\n".encode()
        + DATA[first:]
    )


LAST = len(DATA) - 1


@pytest.mark.parametrize(
    "second",
    [
        part(999, LAST, len(DATA)),
        part(1000, LAST, len(DATA) + 1),
        part(1000, LAST - 1, len(DATA)),
        raw(b"HTTP/1.1 206 x\r\nContent-Type: multipart/byteranges; boundary=x\r\n\r\n--x"),
    ],
    ids=["earlier", "other total", "shorter", "several parts"],
)
async def test_another_part_than_was_asked_for_is_refused(second: Answer) -> None:
    async with scripted({"/kernel": [whole(DATA, cut=1000), second]}) as script:
        with pytest.raises(BootRefusedError) as caught:
            await fetched(script, Memory())
    assert caught.value.step == "length"


@pytest.mark.parametrize(
    ("answer", "step"),
    [
        (whole(DATA + b"x"), "length"),
        (whole(DATA[:-1]), "length"),
        (raw(b"HTTP/1.1 200 x\r\n\r\n" + DATA + b"x" * 100_000), "length"),
        (whole(DATA, fields=["Content-Encoding: gzip"]), "length"),
        (whole(DATA[:-1] + b"?"), "hash"),
    ],
    ids=["says more", "says less", "sends more", "encoded", "other bytes"],
)
async def test_what_is_not_what_was_signed_is_refused_at_once(answer: Answer, step: str) -> None:
    memory = Memory()
    async with scripted({"/kernel": [answer]}) as script:
        with pytest.raises(BootRefusedError) as caught:
            await fetched(script, memory)
    assert caught.value.step == step
    assert len(script.asked) == 1
    assert len(memory.data) <= len(DATA) + 1


@pytest.mark.parametrize(
    ("answer", "asked"),
    [(status(404), 1), (status(403), 1), (status(500), 5), (status(429), 5), (status(408), 5), (raw(b""), 5),
     (raw(b"HTTP/1.1 200 OK\r\n" + b"".join(b"f%d: x\r\n" % n for n in range(300)) + b"\r\n"), 5)],
    ids=["404", "403", "500", "429", "408", "no answer", "300 header fields"],
)  # fmt: skip
async def test_what_cannot_be_had_is_not_bad(answer: Answer, asked: int) -> None:
    async with scripted({"/kernel": [answer]}) as script:
        with pytest.raises(BootUnavailableError):
            await fetched(script, Memory())
    assert len(script.asked) == asked


async def test_a_server_that_cuts_for_ever_is_given_up() -> None:
    async with scripted({"/kernel": [whole(DATA, cut=1000)]}) as script:
        with pytest.raises(BootUnavailableError):
            await fetched(script, Memory())
    assert [asked.start for asked in script.asked] == [0, 1000, 2000, 3000, 4000]


@pytest.mark.parametrize(
    "answer",
    [
        silent(len(DATA)),
        dripped(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        dripped(f"HTTP/1.1 200 OK\r\nContent-Length: {len(DATA)}\r\n\r\n".encode(), DATA),
    ],
    ids=["silent after the head", "head byte by byte", "body byte by byte"],
)
async def test_a_server_that_dawdles_is_given_up(answer: Answer) -> None:
    async with scripted({"/kernel": [answer]}) as script:
        with pytest.raises(BootUnavailableError, match="too slow"):
            await fetched(script, Memory(), IMPATIENT)


async def test_three_redirects_are_followed_and_no_more() -> None:
    def to(path: str) -> Answer:
        return status(302, [f"Location: {path}"])

    hops = {"/1": [to("/2")], "/2": [to("3")], "/3": [to("/4?x=1")], "/4?x=1": [whole(b"here")], "/0": [to("/1")]}
    async with scripted(hops) as script:
        answer = await fetch_document(script.at("/1"), 10, QUICK)
        assert (answer.body, answer.location.target) == (b"here", "/4?x=1")
        with pytest.raises(MissingError, match="redirects more than 3 times"):
            await fetch_document(script.at("/0"), 10, QUICK)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://u:p@127.0.0.1/", "http://[::1"])
async def test_a_redirect_to_elsewhere_than_the_web_is_not_followed(target: str) -> None:
    async with scripted({"/x": [status(301, [f"Location: {target}"])]}) as script:
        with pytest.raises(MissingError, match="redirects to what"):
            await fetch_document(script.at("/x"), 10, QUICK)


@pytest.mark.parametrize("length", [True, False])
async def test_of_a_document_no_more_than_one_byte_too_many_is_taken(length: bool) -> None:
    answer = whole(b"x" * 100) if length else raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100)
    async with scripted({"/m": [answer]}) as script:
        assert len((await fetch_document(script.at("/m"), 64, QUICK)).body) == 65


async def test_the_nonce_of_the_session_comes_with_the_document() -> None:
    async with scripted({"/m": [whole(b"{}", fields=["Orlop-Session: " + "ab" * 16])]}) as script:
        assert (await fetch_document(script.at("/m"), 64, QUICK)).session == "ab" * 16


async def test_a_port_where_nobody_listens_is_unavailable() -> None:
    async with scripted({}) as script:
        place = script.at("/m")
    with pytest.raises(BootUnavailableError, match="refused"):
        await fetch_document(place, 64, QUICK)


async def test_something_is_told_once() -> None:
    async with scripted({"/report": [status(202)]}) as script:
        assert await post(script.at("/report"), b"{}", "application/x-ndjson", QUICK) == 202
    assert "Content-Length: 2\r\n" in script.asked[0].fields


def test_memory_takes_an_artifact_and_forgets_it() -> None:
    descriptor = os.memfd_create("artifact")
    try:
        sink = FileSink(descriptor)
        sink.write(b"abc")
        sink.restart()
        sink.write(b"de")
        assert os.pread(descriptor, 10, 0) == b"de"
    finally:
        os.close(descriptor)


def test_a_place_without_room_says_so() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(UnavailableError, match="no space left"):
            FileSink(descriptor).write(b"abc")
    finally:
        os.close(descriptor)


def test_the_pace_is_judged_window_by_window() -> None:
    pace = Pace(replace(QUICK, rate=100, window_s=10), 5.0)
    pace.took(999, 14.9)
    pace.took(1, 15.0)
    assert pace.until == 25.0
    with pytest.raises(BootUnavailableError, match="too slow: 0 bytes in 10 s"):
        pace.took(0, 25.0)
