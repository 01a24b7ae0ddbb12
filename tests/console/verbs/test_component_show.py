"""What a screen asks about components: one in full, and a folder beside what is installed."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from runtime.component_events import ComponentDenied
from tests.console.living import Harbor
from tests.runtime.components.components_here import author

FILES = 'world = "orlop:worlds/with-filesystem"\n'
READS = '[permissions.filesystem]\nread = ["/data/**"]\n'
MOUNTS = '[[mounts]]\nguest = "/data"\nsource = "operator"\n'
STORES = '[permissions.storage]\nnamespaces = [{name = "doer:notes", actions = ["read"]}]\n'


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Harbor]:
    harbor = Harbor(tmp_path)
    await harbor.start()
    yield harbor
    await harbor.core.stop("test")


async def asked(home: Harbor, command: str, place: Path, more: str, **args: Any) -> Any:
    """Runs a command on the folder of a doer with these lines in its manifest."""
    author(place, more)
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        given = {"folder": folder, **({"dir.0": folder} if "dir" in args else {})}
        return await home.well(command, descriptors=given, folder=str(place), **args)
    finally:
        os.close(folder)


async def test_a_component_is_shown_with_what_it_may_stores_was_denied_and_logged(home: Harbor, tmp_path: Path) -> None:
    await asked(home, "components install", tmp_path / "doer", STORES)
    await home.do("components run", component="doer", operation="store", input="hello")
    await home.told(ComponentDenied)
    shown = await home.well("components show", component="doer")
    assert (shown["component"], shown["state"], shown["limits"]["call_timeout"]) == ("local/doer", "running", 5000)
    (rule,) = shown["asked"]
    assert (rule["rule"], rule["level"], rule["in_force"]) == ("permissions.storage.namespaces[0]", "plain", True)
    (denial,) = shown["denials"]
    assert denial["op"] == "storage.set"
    assert denial["remedy"] == "--grant storage.namespaces=doer:notes:write"
    assert denial == shown["audit"][0]
    assert shown["storage_used"] == 0
    assert shown["handles_used"] == 0
    assert shown["log"] == []


async def test_what_is_used_of_the_processor_is_shown(home: Harbor, tmp_path: Path) -> None:
    await asked(home, "components install", tmp_path / "doer", "")
    await home.well("components run", component="doer", operation="work", input="100000000")
    assert (await home.well("components show", component="doer"))["cpu_used_ms"] > 0


async def test_a_change_by_the_operator_and_what_is_stored_are_shown(home: Harbor, tmp_path: Path) -> None:
    await asked(home, "components install", tmp_path / "doer", STORES)
    more = ["storage.namespaces=doer:notes:write", "filesystem.read=/x/**"]
    await home.well("components permissions", component="doer", grant=more)
    await home.well("components run", component="doer", operation="store", input="hello")
    shown = await home.well("components show", component="doer")
    assert shown["storage_used"] > len("hello")
    assert [one["text"] for one in shown["added"]] == ["reads /x/**", "keeps data in doer:notes (write)"]
    assert all(one["rule"].startswith("operator.") and one["in_force"] for one in shown["added"])


async def test_the_log_is_shown_made_harmless(home: Harbor, tmp_path: Path) -> None:
    await asked(home, "components install", tmp_path / "doer", "")
    await home.well("components run", component="doer", operation="log", input="2")
    await home.core.write(lambda _: None)  # what was logged before is written then
    shown = await home.well("components show", component="doer")
    assert [(one["level"], one["text"]) for one in shown["log"]] == [("info", r"a line\x1b[2J")] * 2


async def test_a_folder_of_a_first_version_asks_for_everything(home: Harbor, tmp_path: Path) -> None:
    seen = await asked(home, "components inspect", tmp_path / "new", FILES + MOUNTS + READS)
    assert seen["before"] is None
    assert seen["gone"] == []
    assert [one["rule"] for one in seen["asked"] if one["new"]] == ["permissions.filesystem.read[0]"]
    assert seen["mounts"] == [{"guest": "/data", "source": "operator", "read_only": False, "host": ""}]


async def test_a_folder_of_another_version_says_what_is_new_and_what_is_gone(home: Harbor, tmp_path: Path) -> None:
    await asked(home, "components install", tmp_path / "old", FILES + MOUNTS + READS, dir=["x:/data"])
    wanted = FILES + MOUNTS + '[permissions.filesystem]\nwrite = ["/data/**"]\n' + STORES
    seen = await asked(home, "components inspect", tmp_path / "new", wanted)
    assert seen["before"] == "1.0.0"
    new = ["permissions.filesystem.write[0]", "permissions.storage.namespaces[0]"]
    assert [one["rule"] for one in seen["asked"] if one["new"]] == new
    assert seen["gone"] == ["reads /data/**"]
    assert seen["mounts"][0]["host"] == str(tmp_path / "old")
    kept = await asked(home, "components inspect", tmp_path / "kept", FILES + MOUNTS + READS)
    assert [(one["new"], one["in_force"]) for one in kept["asked"] if one["rule"]] == [(False, True)]


async def test_who_agrees_to_none_grants_nothing(home: Harbor, tmp_path: Path) -> None:
    done = await asked(home, "components install", tmp_path / "doer", STORES, grant=["none"])
    assert done["granted"] == []
