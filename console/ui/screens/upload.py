"""Uploading an agent: module, manifest or its words, and the permissions that are granted."""

import asyncio
import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from console.client import Json
from console.ui.actions import Actions
from console.ui.desk import Desk
from console.ui.once import only_newest
from console.ui.screens.form import Box, Element, Field, FormScreen, Note
from console.ui.text.agents import PERMISSIONS
from console.ui.text.documents import text, texts
from runtime.sanitise import clean

__all__ = ["UploadScreen", "read_manifest"]

_MANIFEST_MAX = 1 << 20
_WORDS = ("name", "version", "description", "author")
_MEANING = {
    "read_tasks": "see the room's tasks",
    "read_members": "see who is in the room",
    "emit_events": "change tasks",
    "persist_state": "keep a state of its own",
}


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
        yield Note(name="asks", text="It may:")
        for permission in PERMISSIONS:
            yield Box(name=permission, label=f"{permission:<14} {_MEANING[permission]}")

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
        return [*words, "--grant", ",".join(granted) or "none"]

    def changed(self, name: str) -> None:
        """A module proposes the manifest beside it; a manifest says what it asks for."""
        if name in {"module", "manifest"}:
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
        self._explain(document)

    def _explain(self, document: Json) -> None:
        given = document if isinstance(document, dict) else None
        own = given is None
        self.note("describe", "Without a manifest:" if own else _introduced(given))
        for name in _WORDS:
            self.show_field(name, on=own)
        asked = texts(given, "permissions")
        for permission in PERMISSIONS:
            self.show_field(permission, on=own or permission in asked)
        said = "It may:" if own else f"It asks for {', '.join(clean(name, 30) for name in asked) or 'nothing'}. It may:"
        self.note("asks", said)
        self.preview()


def _introduced(manifest: Json) -> str:
    name, version = text(manifest, "name", limit=40), text(manifest, "version", limit=20)
    author, about = text(manifest, "author", limit=40), text(manifest, "description", limit=160)
    return f"{name} {version} by {author}: {about}"


def _beside(module: str) -> str:
    """The manifest next to a module, if there is one."""
    stem = module.removesuffix(".wasm")
    for name in (f"{stem}.json", f"{stem.rpartition('/')[0]}/manifest.json" if "/" in stem else "manifest.json"):
        if Path(name).expanduser().is_file():
            return name
    return ""
