"""Uploading an agent: module, manifest or its words, and the permissions that are granted."""

import asyncio
import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from console.client import Json
from console.rows import AgentRow
from console.ui.actions import Actions
from console.ui.desk import Desk
from console.ui.once import only_newest
from console.ui.screens.form import Box, Element, Field, FormScreen, Note
from console.ui.text.agents import PERMISSIONS
from console.ui.text.documents import text, texts
from console.ui.text.trust import MEANING, Vouching, update_lines, vouching
from console.ui.widgets.tick import Tick
from runtime.sanitise import clean

__all__ = ["UploadScreen", "read_manifest"]

_MANIFEST_MAX = 1 << 20
_NOBODY = "▲ Without a signed manifest nobody vouches for it."
_WORDS = ("name", "version", "description", "author")


def read_manifest(path: str) -> Json:
    """A manifest for a look at it before the upload; None when it cannot be read. The core judges it."""
    try:
        with Path(path).expanduser().open("rb") as file:
            raw = file.read(_MANIFEST_MAX + 1)
        document: Json = json.loads(raw) if len(raw) <= _MANIFEST_MAX else None
        return document
    except (OSError, ValueError, RecursionError):
        return None


class UploadScreen(FormScreen):
    """The upload dialog.

    Args:
        desk: for rooms.
        actions: runs the upload.
        room: id of the room that is proposed.
    """

    AUTO_FOCUS = "#module"  # the room is proposed
    TITLE = "Upload an agent"
    GO = "Upload"

    def __init__(self, desk: Desk, actions: Actions, *, room: str) -> None:
        super().__init__(actions)
        self._desk = desk
        rooms = desk.view.rooms
        proposed = rooms.get(room) or next(iter(rooms.values()), None)
        self._room = proposed.name if proposed else ""

    def fields(self) -> Iterable[Element]:
        """Room, files, words, boxes."""
        yield Field(name="room", label="Room", value=self._room, hint="name or id")
        yield Field(name="module", label="Module", hint=self.path_hint("the .wasm file"), path=True, suffix=".wasm")
        yield Field(
            name="manifest",
            label="Manifest",
            hint="path of the .json file; empty: say it below",
            path=True,
            suffix=".json",
        )
        yield Note(name="describe", text="Without a manifest:")
        yield Field(name="name", label="Name", hint="lower case, 1 to 32 characters")
        yield Field(name="version", label="Version", hint="0.0.0")
        yield Field(name="description", label="About", hint="what it does")
        yield Field(name="author", label="Author", hint="who wrote it")
        yield Note(name="update", text="")
        yield Note(name="signed", text=_NOBODY)
        yield Box(name="unsigned", label="store it although nobody vouches for it")
        yield Note(name="asks", text="It may:")
        for permission in PERMISSIONS:
            yield Box(name=permission, label=f"{permission:<14} {MEANING[permission]}")

    def words(self) -> list[str]:
        """`agents upload …`."""
        granted = [permission for permission in PERMISSIONS if self.ticked(permission) and self.shows(permission)]
        words = ["agents", "upload", self.value("room"), self.value("module")]
        if self.value("manifest"):
            words += ["--manifest", self.value("manifest")]
        else:
            for name in _WORDS:
                if self.value(name):
                    words += [f"--{name}", self.value(name)]
        unsigned = ["--unsigned"] if self.ticked("unsigned") and self.shows("unsigned") else []
        return [*words, "--grant", ",".join(granted) or "none", *unsigned]

    def changed(self, name: str) -> None:
        """A module proposes the manifest beside it; a manifest says what it asks for."""
        if name in {"module", "manifest", "room"}:
            only_newest(self, partial(self._look, name), "look")

    async def _look(self, name: str) -> None:
        module, manifest = self.value("module"), self.value("manifest")
        if name == "module" and module.endswith(".wasm") and not manifest:
            beside = await asyncio.to_thread(_beside, module)
            if beside and self.value("module") == module:
                from textual.widgets import Input

                self.query_one("#manifest", Input).value = beside
            return
        document = await asyncio.to_thread(read_manifest, manifest) if manifest else None
        await self._explain(document if isinstance(document, dict) else None)

    async def _explain(self, manifest: dict[str, Json] | None) -> None:
        row = self._present(manifest)
        keys = await self._desk.ask("agents trusted", {"room": self.value("room")}) if manifest else None
        named = {} if row is None else {"agent": row.agent, "room": row.room}
        before = await self._desk.ask("agents show", named) if named else None
        size = await asyncio.to_thread(_size_of, self.value("module"))
        own = manifest is None
        judged = Vouching(mark="", line=_NOBODY, unvouched=True)
        if manifest is not None:
            judged = vouching(manifest, keys.value if keys is not None and keys.ok else None)
        self.note("describe", "Without a manifest:" if manifest is None else _introduced(manifest))
        for name in _WORDS:
            self.show_field(name, on=own)
        shown = before.value if before is not None and before.ok else None
        self.note("update", update_lines(row, shown, manifest, judged, size))
        self.note("signed", judged.line)
        self.show_field("unsigned", on=judged.unvouched)
        asked = texts(manifest, "permissions")
        for permission in PERMISSIONS:
            self.show_field(permission, on=own or permission in asked)
        said = "It may:" if own else f"It asks for {', '.join(clean(name, 30) for name in asked) or 'nothing'}. It may:"
        self.note("asks", said)
        self._tick_again(row, asked)
        self.preview()

    def _present(self, manifest: dict[str, Json] | None) -> AgentRow | None:
        """The agent that this would be a version of."""
        room, name = self.value("room"), text(manifest, "name", limit=40)
        found = [
            one for one in self._desk.view.agents.values() if one.agent == name and room in {one.room, one.room_name}
        ]
        return found[0] if name and len(found) == 1 else None

    def _tick_again(self, row: AgentRow | None, asked: list[str]) -> None:
        """An update keeps what was granted, as far as it asks for it again; once, so that no tick is undone."""
        if row is None or self._ticked_for == (row.room, row.agent):
            return
        self._ticked_for = (row.room, row.agent)
        for permission in row.granted:
            if permission in asked:
                self.query_one(f"#{permission}", Tick).ticked = True

    _ticked_for: tuple[str, str] | None = None


def _introduced(manifest: Json) -> str:
    name, version = text(manifest, "name", limit=40), text(manifest, "version", limit=20)
    author, about = text(manifest, "author", limit=40), text(manifest, "description", limit=160)
    return f"{name} {version} by {author}: {about}"


def _size_of(module: str) -> int | None:
    try:
        return Path(module).expanduser().stat().st_size if module else None
    except (OSError, ValueError, RuntimeError):
        return None


def _beside(module: str) -> str:
    """The manifest next to a module, if there is one."""
    stem = module.removesuffix(".wasm")
    for name in (f"{stem}.json", f"{stem.rpartition('/')[0]}/manifest.json" if "/" in stem else "manifest.json"):
        if Path(name).expanduser().is_file():
            return name
    return ""
