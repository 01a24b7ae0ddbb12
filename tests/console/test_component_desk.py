"""What components may ask of their node: jobs of modules that it holds, and words in rooms, under their own name."""

import hashlib
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from assets import path as asset
from console.component_desk import outside
from console.core import Core, CoreOptions
from runtime.canonical import Json
from runtime.components.answers import Asked, Seat
from runtime.components.errors import CaseError
from runtime.components.health import UNASKED
from runtime.components.host.context import ComponentId
from runtime.components.mailbox import Mailbox
from runtime.components.manifest.read import read_manifest
from runtime.components.permissions.grants import Grants
from runtime.components.post import Box
from runtime.components.worker.wire import bytes_of, text_of
from runtime.rooms.members import component_actor

HELLO = asset("jobs/hello/hello.wasm").read_bytes()
HASH = hashlib.sha256(HELLO).hexdigest()


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[Core]:
    started = await Core.start(CoreOptions(state_path=tmp_path / "state", owner=True))
    yield started
    await started.stop("test")


def seat(name: str = "asker", permissions: str = "") -> Seat:
    text = f'schema = 1\n[package]\nname = "{name}"\nversion = "1.0.0"\n[component]\nfile = "a.wasm"\n{permissions}'
    policy = Grants(asked=read_manifest(text.encode()).permissions).policy()
    box = Box(f"local/{name}", policy, Mailbox(), 1000, 4)
    return Seat(ComponentId("local", name, "1.0.0", 0), box, policy, 0, "", "running", UNASKED)


JOBS = f'[permissions.jobs]\nsubmit = ["{HASH[:8]}*"]\n'
ROOMS = '[permissions.rooms]\npost = ["harbor"]\n'


def spec(module: str = HASH, **more: Json) -> dict[str, Json]:
    return {
        "module_hash": module, "entry": None, "arguments": [], "stdin": "", "timeout": None, "max_memory_bytes": None,
    } | more  # fmt: skip


async def refused(work: Awaitable[object]) -> str:
    with pytest.raises(CaseError) as caught:
        await work
    return caught.value.case


async def test_a_job_runs_and_leaves_a_signed_receipt(core: Core) -> None:
    ask, asker = outside(core), seat(permissions=JOBS)
    core.jobs.blobs.put(HELLO, limit=len(HELLO))
    job = await ask["jobs.submit"](asker, spec(stdin=text_of(b"given")))
    done = await ask["jobs.wait"](asker, {"id": job, "timeout_ms": 60_000})
    assert isinstance(done, dict)
    assert (done["outcome"], done["exit_code"]) == ("exit", 0)
    assert bytes_of(done["stdout"]) == b"nevig"  # the shipped job turns its input round
    assert await core.receipts.document(str(done["receipt"]))


async def test_a_module_that_is_not_here_or_not_allowed_is_not_run(core: Core) -> None:
    ask = outside(core)
    assert await refused(ask["jobs.submit"](seat(permissions=JOBS), spec())) == "not-found"
    assert await refused(ask["jobs.submit"](seat(), spec())) == "permission-denied"
    assert await refused(ask["jobs.submit"](seat(permissions=JOBS), spec("ab" * 32))) == "permission-denied"
    assert await refused(ask["jobs.submit"](seat(permissions=JOBS), spec(entry="main"))) == "invalid-argument"


async def test_a_component_sees_its_own_jobs_only(core: Core) -> None:
    ask, asker = outside(core), seat(permissions=JOBS)
    core.jobs.blobs.put(HELLO, limit=len(HELLO))
    job = await ask["jobs.submit"](asker, spec())
    other = seat("other", JOBS)
    assert await refused(ask["jobs.wait"](other, {"id": job, "timeout_ms": 1})) == "not-found"
    assert await refused(ask["jobs.cancel"](other, {"id": job})) == "not-found"
    await ask["jobs.wait"](asker, {"id": job, "timeout_ms": 60_000})
    assert await refused(ask["jobs.cancel"](asker, {"id": job})) == "invalid-argument"


async def _room(core: Core) -> str:
    room = core.rooms.create("harbor").result(60)
    return room.room


async def test_what_it_says_stands_under_its_own_name(core: Core) -> None:
    ask, room = outside(core), await _room(core)
    said = await ask["rooms.post-message"](seat(permissions=ROOMS), {"room": "harbor", "text": "tide is up"})
    [message] = core.rooms.state(room).messages
    actor = component_actor("local/asker", core.account.identity_key)
    assert (message.id, message.text, message.author) == (said, "tide is up", actor)


async def test_a_task_that_it_makes_is_there(core: Core) -> None:
    ask, room = outside(core), await _room(core)
    fields: dict[str, Json] = {"room": "harbor", "title": "Look at the gauge", "description": "it stuck"}
    task = await ask["rooms.create-task"](seat(permissions=ROOMS), fields)
    made = core.rooms.state(room).tasks[str(task)]
    assert (made.title, made.created_by) == (
        "Look at the gauge",
        component_actor("local/asker", core.account.identity_key),
    )


@pytest.mark.parametrize(
    ("kind", "room", "more", "case"),
    [
        ("rooms.post-message", "bay", {"text": "x"}, "permission-denied"),
        ("rooms.post-message", "harbor", {"text": " "}, "invalid-argument"),
        ("rooms.create-task", "harbor", {"title": "", "description": ""}, "invalid-argument"),
    ],
)
async def test_what_is_not_allowed_or_no_sound_words_is_refused(
    core: Core, kind: str, room: str, more: dict[str, Json], case: str
) -> None:
    await _room(core)
    ask: Asked = outside(core)[kind]
    assert await refused(ask(seat(permissions=ROOMS), {"room": room, **more})) == case


async def test_a_room_that_does_not_exist_is_not_found(core: Core) -> None:
    assert (
        await refused(outside(core)["rooms.post-message"](seat(permissions=ROOMS), {"room": "harbor", "text": "x"}))
        == "not-found"
    )
