"""Messages between real components in real workers: in order, with back-pressure, and never without an answer."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.component_events import ComponentDeadLetter
from runtime.components.installer import Install
from runtime.sandbox.compile import Compiler
from tests.runtime.components.components_here import Node, author, node
from tests.runtime.components.puppet import PUPPET, Puppet, RefusedError
from tests.runtime.components.puppets_here import FULL, puppet

TALKS = """[permissions.messaging]
send = ["*/*"]
request = ["*/*"]
broadcast = ["*/*"]
receive = ["a/*", "b/*"]
publish = ["tides/*"]
subscribe = ["tides/*"]
[limits]
call_timeout = "2m"
"""
DEAF = "[permissions.messaging]\nreceive = []\n"
SHORT = (
    '[permissions.messaging]\nreceive = ["*/*"]\n[limits]\ncall_timeout = "300ms"\n[supervision]\nrestart = "never"\n'
)
MESSAGES = 10_000


@pytest.fixture
async def here(tmp_path: Path, component_compiler: Compiler) -> AsyncIterator[Node]:
    async with node(tmp_path, lambda: component_compiler) as made:
        yield made


async def talker(here: Node, namespace: str, more: str = TALKS) -> Puppet:
    """One that runs, by its namespace."""
    return await puppet(here, here.state.path.parent, more, namespace=namespace)


def to(name: str) -> tuple[str, str, str, int]:
    """A component by its name."""
    namespace, _, short = name.partition("/")
    return (namespace, short, "", 0)


async def another_version(here: Node, namespace: str) -> Puppet:
    """Takes the place of a talker."""
    made = author(here.state.path.parent / namespace, FULL + TALKS, namespace=namespace, wasm=PUPPET, name="puppet")
    await here.components.install(Install(folder=made, upgrade=True))

    async def told(operation: str, given: bytes) -> object:
        return (await here.components.execute(f"{namespace}/puppet", operation, given, 120_000, "test")).value

    return Puppet(told)


async def heard(one: Puppet, begin: str | tuple[str, ...], count: int) -> list[str]:
    """So many messages or callbacks, as they came."""
    found: list[str] = []
    while len(found) < count:
        found += [line for line in await one.heard() if line.startswith(begin)]
    return found


async def test_ten_thousand_messages_of_two_come_to_a_third_in_the_order_of_each(
    here: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.components.post._PER_SECOND", 1e6)
    monkeypatch.setattr("runtime.components.post._BURST", 1_000_000)
    for namespace in "abc":
        await here.running(TALKS + 'cpu_per_minute = "1m"\n', namespace=namespace)
    each = str(MESSAGES // 2).encode()
    sent = {"ok": base64.b64encode(each).decode()}

    async def send(name: str) -> None:
        while await here.told(name, "send-numbered", each) != sent:
            assert here.components.unit(name).life.state == "running"  # only a deadline came before the last one

    await asyncio.gather(send("a/doer"), send("b/doer"))
    box = here.components.post.box("c/doer")
    async with asyncio.timeout(120):
        while box is not None and len(box.mailbox):
            await here.told("c/doer", "in-order")
    # The call goes in behind the message that was taken out last.
    came = await here.told("c/doer", "in-order")
    assert came == {"ok": base64.b64encode(str(MESSAGES).encode()).decode()}


async def test_a_full_mailbox_turns_senders_away_and_keeps_what_it_took(here: Node) -> None:
    sender, target = await talker(here, "a"), await talker(here, "b", f"{TALKS}[messaging]\nmailbox = 16\n")
    unit = here.components.unit("b/puppet")
    unit.want("suspend")
    await asyncio.sleep(0)
    answers = [await sender.answer("send-message", to("b/puppet"), "", str(number).encode()) for number in range(40)]
    taken = [answer[0] for answer in answers].count("ok")
    assert taken == 16
    assert {answer[1][0] for answer in answers if answer[0] == "err"} == {"mailbox-full"}
    [told] = await here.until_heard(ComponentDeadLetter)
    assert (told.component, told.sender, told.reason) == ("b/puppet", "a/puppet", "mailbox-full")
    unit.want("resume")
    assert await heard(target, "message:", taken) == [f"message:{number}" for number in range(taken)]


async def test_a_request_is_answered_once_whatever_befalls_the_other(here: Node) -> None:
    asker = await talker(here, "a")
    await here.running(SHORT, namespace="c")
    await asker("send-request", to("c/doer"), "", b"hello", 60_000)
    assert await heard(asker, "callback:", 1) == ["callback:hello"]
    assert await here.told("c/doer", "spin-in", b"handle-message") == {"ok": "aGFuZGxlLW1lc3NhZ2U="}
    await asker("send-request", to("c/doer"), "", b"hello", 60_000)
    assert await heard(asker, "callback:", 1) == ["callback:target-failed"]
    await here.components.start("c/doer")
    here.components.unit("c/doer").want("suspend")
    await asker("send-request", to("c/doer"), "", b"hello", 50)
    assert await heard(asker, "callback:", 1) == ["callback:timeout"]
    await asker("send-request", to("c/doer"), "", b"hello", 60_000)
    await here.components.stop("c/doer")
    assert await heard(asker, "callback:", 1) == ["callback:target-gone"]
    with pytest.raises(RefusedError) as gone:
        await asker("send-request", to("c/doer"), "", b"hello", 60_000)
    assert gone.value.case == "component-not-found"


async def test_who_asks_back_the_one_that_waits_for_its_answer_is_told_that_this_is_a_circle(here: Node) -> None:
    one, other = await talker(here, "a"), await talker(here, "b")
    await one("send-request", to("b/puppet"), "ask back", b"hello", 60_000)
    assert await heard(other, "asked back:", 1) == ["asked back:deadlock"]
    assert await heard(one, ("callback:", "message:"), 1) == ["callback:hello"]  # what was refused did not come
    await other("send-request", to("a/puppet"), "", b"afterwards", 60_000)  # nobody waits any more
    assert await heard(other, "callback:", 1) == ["callback:afterwards"]
    await one("send-message", to("b/puppet"), "ask back", b"who does not wait may be asked")
    assert await heard(other, ("asked back:", "callback:"), 2) == [
        "asked back:ok",
        "callback:who does not wait may be asked",
    ]


async def test_a_broadcast_says_how_it_went_for_each(here: Node) -> None:
    sender, hears = await talker(here, "a"), await talker(here, "b")
    await talker(here, "c", DEAF)
    told = await sender("broadcast", "*/*", "", b"all of you")
    assert [(target[0], None if why is None else why[0]) for target, why in told] == [
        ("b", None),
        ("c", "permission-denied"),
    ]
    assert await heard(hears, "message:", 1) == ["message:all of you"]


async def test_whoever_listens_to_a_topic_hears_it(here: Node) -> None:
    sender, listens = await talker(here, "a"), await talker(here, "b")
    await listens("subscribe", "tides/*")
    assert await sender("publish", "tides/cuxhaven", "", b"high") == 1
    assert await heard(listens, "message:", 1) == ["message:tides/cuxhaven:high"]
    await listens("unsubscribe", "tides/*")
    assert await sender("publish", "tides/cuxhaven", "", b"low") == 0


async def test_what_waits_goes_to_the_version_that_takes_the_place(here: Node) -> None:
    sender = await talker(here, "a")
    await talker(here, "b")
    here.components.unit("b/puppet").want("suspend")
    for number in range(5):
        await sender("send-message", to("b/puppet"), "", str(number).encode())
    came = await heard(await another_version(here, "b"), "message:", 5)
    assert came == [f"message:{number}" for number in range(5)]


async def test_an_answer_to_the_old_version_is_a_dead_letter_and_never_reaches_the_new(here: Node) -> None:
    asker = await talker(here, "a")
    await here.running('[permissions.messaging]\nreceive = ["*/*"]\n', namespace="c")
    here.components.unit("c/doer").want("suspend")
    await asker("send-request", to("c/doer"), "", b"asked by the old", 600_000)
    asker = await another_version(here, "a")
    assert await asker("mailbox") == (0, 256, 0, 0)  # nothing that it asked is open
    here.components.unit("c/doer").want("resume")
    await asker("send-request", to("c/doer"), "", b"asked by the new", 600_000)
    assert await heard(asker, "callback:", 1) == ["callback:asked by the new"]
    dead = here.components.post.dead[-1]
    assert (dead.sender, dead.target, dead.reason) == ("c/doer", "a/puppet", "nobody waits")
    [told] = await here.until_heard(ComponentDeadLetter)
    assert (told.sender, told.component, told.reason, told.count) == ("c/doer", "a/puppet", "nobody waits", 1)
    assert await asker.heard() == []
