"""Dialogs of the Boot pane: a key, a release that is signed, a release that is served from this node."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from boot.folder import MANIFEST
from boot.serve.shelf import open_small
from boot.trust.documents import read_document
from boot.trust.manifest import BootManifest, manifest_of
from console.syntax.boot_serving import BIND
from console.ui.screens.form import Box, Choose, Element, Field, FormScreen, Note
from console.ui.widgets.tick import Tick
from runtime.errors import OrlopError
from runtime.sanitise import clean

__all__ = ["BuildScreen", "KeygenScreen", "ServeScreen", "SignScreen"]

_FOLDERS = "/"
"""No name of a file ends in it: only folders are offered."""

_GOES_ON = "it goes on when this is closed"

_CHANNELS = ("stable", "testing", "nightly")
_ARCHES = ("x86_64", "arm64")


def named(path: str) -> str:
    """A path as it was typed, with `~` for home."""
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        return path


class KeygenScreen(FormScreen):
    """Makes a key that signs releases."""

    TITLE = "Make a key for releases"
    GO = "Make it"

    def fields(self) -> Iterable[Element]:
        """The folder."""
        words = "root.key signs releases and stays with you (mode 0600); root.pub goes into images."
        yield Note(name="what", text=words)
        yield Field(name="out", label="Folder", hint="where both go; it is made", path=True, suffix=_FOLDERS)

    def words(self) -> list[str]:
        """`boot keygen …`."""
        return ["boot", "keygen", "--out", named(self.value("out"))]

    def equivalent(self) -> str:
        """Nothing while there is no folder."""
        return super().equivalent() if self.value("out") else ""

    async def carry_out(self) -> str:
        """Makes it, and says which it is."""
        if not self.value("out"):
            return "a folder is needed"
        problem = await super().carry_out()
        if not problem:
            self.actions.tell(f"root.key and root.pub lie in {clean(named(self.value('out')), 200)}")
        return problem


class BuildScreen(FormScreen):
    """Builds kernel, initramfs and root file system; says how it goes, for it takes minutes."""

    TITLE = "Build a release"
    GO = "Build"

    _told = ""

    def fields(self) -> Iterable[Element]:
        """Folder and root, and what it is for."""
        yield Field(name="out", label="Folder", hint="for the release; it is made", path=True, suffix=_FOLDERS)
        yield Field(name="root", label="Root", hint=self.path_hint("root.pub, which machines trust"), path=True)
        yield Choose(name="channel", label="Channel", choices=_CHANNELS, chosen=_CHANNELS[0])
        yield Choose(name="arch", label="For", choices=_ARCHES, chosen=_ARCHES[0])
        yield Choose(name="kernel", label="Kernel", choices=("cloud", "full"), chosen="cloud")
        yield Field(name="version", label="Version", value="1")
        yield Field(name="name", label="Name", hint="of the release; empty: its version")
        yield Note(name="progress", text="")

    def on_mount(self) -> None:
        """Looks now and then how it goes."""
        super().on_mount()
        self.set_interval(0.5, self._show_progress)

    def words(self) -> list[str]:
        """`boot build …`."""
        words = ["boot", "build", "--out", named(self.value("out")), "--root-key", named(self.value("root"))]
        words += ["--channel", self.chosen("channel"), "--arch", self.chosen("arch"), "--kernel", self.chosen("kernel")]
        words += ["--version", self.value("version") or "1"]
        return [*words, "--name", self.value("name")] if self.value("name") else words

    def equivalent(self) -> str:
        """Nothing while what it needs is missing."""
        return super().equivalent() if self.value("out") and self.value("root") else ""

    def _hear(self, words: str) -> None:
        """On the thread that builds."""
        self._told = words

    def _show_progress(self) -> None:
        if self._told:
            self.note("progress", f"◐ {clean(self._told, 200)}; {_GOES_ON}")

    async def carry_out(self) -> str:
        """Builds it, and says that it is to be signed next; whoever closes the dialog meanwhile is told by a toast."""
        for name, words in (("out", "a folder"), ("root", "the file root.pub")):
            if not self.value(name):
                return f"{words} is needed"
        self._hear("begins")
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.app.run_worker(self._build(self.words(), named(self.value("out")), ended), group="action")
        problem = await ended
        self._hear("")
        self.note("progress", "")
        return problem

    async def _build(self, words: list[str], out: str, ended: "asyncio.Future[str]") -> None:
        """Outlives the dialog, whose wait for the end is cancelled when it closes."""
        result = await self.actions.line(words, quiet=True, told=self._hear)
        problem = ""
        if result is None or not result.ok:
            problem = result.fault.line if result is not None and result.fault else "nothing was built"
        else:
            self.actions.tell(f"{clean(out, 200)} is built; sign it next")
        if not ended.done():
            ended.set_result(problem)
        elif problem:
            self.actions.fail(problem)


class SignScreen(FormScreen):
    """Signs a release, or adds a signature to one."""

    TITLE = "Sign a release"
    GO = "Sign"

    def fields(self) -> Iterable[Element]:
        """Folder and key; and what a release is that was not signed before."""
        yield Field(name="release", label="Release", hint=self.path_hint("its folder"), path=True, suffix=_FOLDERS)
        yield Field(name="key", label="Key", hint=self.path_hint("root.key"), path=True)
        yield Note(name="before", text="")
        yield Box(name="anew", label="sign it anew, with another version", ticked=True)
        yield Choose(name="channel", label="Channel", choices=_CHANNELS, chosen=_CHANNELS[0])
        yield Choose(name="arch", label="For", choices=_ARCHES, chosen=_ARCHES[0])
        yield Field(name="version", label="Version", hint="a number higher than that of every release before")
        yield Field(name="expires", label="Of use for", value="30d")
        yield Field(name="name", label="Name", hint="of the release; empty: its version")

    def on_mount(self) -> None:
        """Asks for everything: nothing is known of the folder yet."""
        super().on_mount()
        self.show_field("anew", on=False)

    def changed(self, name: str) -> None:
        """A folder that is signed already gets another signature, unless it is signed anew."""
        if name == "release":
            signed = _signed(self.value("release"))
            self.show_field("anew", on=signed is not None)
            self.query_one("#anew", Tick).ticked = signed is None
            self.note("before", _described(signed) if signed is not None else "")
        anew = self.ticked("anew")
        for field in ("channel", "arch", "version", "expires", "name"):
            self.show_field(field, on=anew)

    def words(self) -> list[str]:
        """`boot sign …`."""
        words = ["boot", "sign", named(self.value("release")), "--key", named(self.value("key"))]
        if not self.ticked("anew"):
            return words
        words += ["--channel", self.chosen("channel"), "--arch", self.chosen("arch"), "--version"]
        words += [self.value("version"), "--expires", self.value("expires") or "30d"]
        return [*words, "--name", self.value("name")] if self.value("name") else words

    def equivalent(self) -> str:
        """Nothing while what it needs is missing."""
        return "" if self._missing() else super().equivalent()

    def _missing(self) -> str:
        needs = {"release": "the folder of the release", "key": "the file of a key"}
        if self.ticked("anew"):
            needs["version"] = "a version"
        return next((f"{words} is needed" for name, words in needs.items() if not self.value(name)), "")

    async def carry_out(self) -> str:
        """Hashes the artifacts and signs."""
        missing = self._missing()
        if missing:
            return missing
        self.note("before", "hashing what is signed…")
        problem = await super().carry_out()
        self.note("before", "")
        if not problem:
            self.actions.tell(f"{clean(named(self.value('release')), 200)} is signed")
        return problem


class ServeScreen(FormScreen):
    """Serves a release from this node."""

    TITLE = "Serve a release"
    GO = "Serve"

    def fields(self) -> Iterable[Element]:
        """Folder, address, who hears of it."""
        yield Field(name="release", label="Release", hint=self.path_hint("its folder"), path=True, suffix=_FOLDERS)
        yield Note(name="signed", text="")
        yield Field(name="bind", label="At", value=BIND, hint="0.0.0.0:8080 for machines on the network")
        yield Box(name="mdns", label="announce it on the link, where it can be reached from there", ticked=True)

    def changed(self, name: str) -> None:
        """Says what the folder holds."""
        if name == "release":
            signed = _signed(self.value("release"))
            self.note("signed", _described(signed) if signed is not None else "")

    def words(self) -> list[str]:
        """`boot serve …`."""
        words = ["boot", "serve", named(self.value("release")), "--bind", self.value("bind") or BIND]
        return words if self.ticked("mdns") else [*words, "--no-mdns"]

    def equivalent(self) -> str:
        """Nothing while there is no folder."""
        return super().equivalent() if self.value("release") else ""

    async def carry_out(self) -> str:
        """Reads and hashes the release; only what was signed is served."""
        if not self.value("release"):
            return "the folder of the release is needed"
        self.note("signed", "hashing the release: only what was signed is served…")
        problem = await super().carry_out()
        self.note("signed", "")
        return problem


def _signed(folder: str) -> BootManifest | None:
    """What a folder's manifest says, for a look; None where there is none that can be read."""
    if not folder:
        return None
    try:
        raw, _ = open_small(Path(named(folder)) / MANIFEST)
        return manifest_of(read_document(raw, "manifest"))
    except (OrlopError, OSError, ValueError):
        return None


def _described(manifest: BootManifest) -> str:
    version = f"version {manifest.manifest_version}, {manifest.channel}, {manifest.arch}"
    return f"Signed as {clean(manifest.release, 64)}, {version}."
