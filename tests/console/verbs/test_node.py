"""The verbs without a noun, run through a core as the screen does: the same documents as on the command line."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from console import config
from console.completion import script
from console.core import Core, CoreOptions
from runtime.codec import json_schema


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[Core]:
    path = tmp_path / "state"

    def read() -> config.Config:
        return config.load(None, path / "config.d")

    started = await Core.start(CoreOptions(state_path=path, owner=True, reload=read))
    yield started
    await started.stop("test")


async def ask(core: Core, command: str, **args: str) -> Any:
    interrupted = asyncio.get_running_loop().create_future()
    result = await core.execute(command, args, {}, interrupted=interrupted, uid=os.geteuid(), face="test")
    assert result.ok, result.fault
    return result.value


async def test_who_this_node_is(core: Core) -> None:
    document = await ask(core, "init")
    assert (document["peer_id"], document["protected"]) == (core.identity.peer_id, False)
    assert document["member"] == core.account.identity_key


async def test_status_is_that_from_outside(core: Core) -> None:
    document = await ask(core, "status")
    assert (document["running"], document["pid"]) == (True, os.getpid())
    assert document["peer_id"] == core.identity.peer_id


async def test_a_setting_is_read_again_at_once(core: Core) -> None:
    before = core.config.jobs.memory_bytes
    assert (await ask(core, "config set", key="jobs.memory", value="64MiB"))["restart"] is False
    assert (before, core.config.jobs.memory_bytes) == (128 << 20, 64 << 20)
    items = (await ask(core, "config"))["items"]
    assert next(item for item in items if item["key"] == "jobs.memory")["origin"] == "50-set.toml:2"


async def test_documents_that_need_no_core(core: Core) -> None:
    assert (await ask(core, "doctor"))["ok"] is True
    assert await ask(core, "schema") == json_schema()
    assert (await ask(core, "completion", shell="bash"))["script"] == script("bash")
