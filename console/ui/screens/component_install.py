"""Installing a component, or another version of one: its folder first, then what it may do, in plain words."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from console.client import Json
from console.ui.actions import Actions
from console.ui.figures import size
from console.ui.screens.components import rule_box
from console.ui.screens.form import Box, Element, Field, FormScreen, Note
from console.ui.text.component_sheet import rule_label, rule_words
from console.ui.text.documents import Object, flag, integer, items, objects, text
from runtime.errors import UsageError
from runtime.sanitise import clean, clean_multiline

__all__ = ["AgreeScreen", "FolderScreen", "Proposal", "UpgradeScreen", "install", "install_line"]

_UNSIGNED = "unsigned"
_FOLDERS = "/"
"""No name of a file ends in it: only folders are offered."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What stands in the dialogs at first."""

    folder: str = ""
    granted: Sequence[str] | None = None
    """Rules that are ticked, without `permissions.`; None for those that need no thought."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Folders of the operator's by the guest's path."""


def install(actions: Actions, proposal: Proposal | None = None, done: Callable[[str], None] = lambda _: None) -> None:
    """Opens the dialog for the folder, and then the one for what the component may do.

    Args:
        actions: runs it.
        proposal: what stands in them at first.
        done: called with the name of what was installed.
    """
    if not actions.allowed("components install"):
        return
    wanted = proposal or Proposal()
    first = FolderScreen(actions, wanted.folder)

    def looked(found: bool | None) -> None:
        if found:
            screen = UpgradeScreen if text(first.seen, "before") else AgreeScreen
            second = screen(actions, first.folder, first.seen, wanted)
            actions.app.push_screen(second, lambda agreed: done(second.component) if agreed else None)

    actions.app.push_screen(first, looked)


def install_line(actions: Actions, words: Sequence[str]) -> bool:
    """Opens the dialogs for a line of the prompt.

    Args:
        actions: runs it.
        words: `components install …`.

    Returns:
        False where the line is for the core as it is: it agrees to everything by `--yes`, or cannot be read.
    """
    from console.cmdline.verbline import read_line

    try:
        line = read_line(words)
    except UsageError:
        return False
    if line.yes or line.help:
        return False
    granted = line.args.get("grant")
    rules = [granted] if isinstance(granted, str) else granted
    hosts = {}
    for name, path in line.paths.items():
        host, _, guest = path.removesuffix(":ro").removesuffix(":rw").rpartition(":")
        if name.startswith("dir."):
            hosts[guest] = host
    known = None if rules is None else [rule_label(rule) for rule in rules]
    install(actions, Proposal(line.paths.get("folder", ""), known, hosts))
    return True


def _named(path: str) -> str:
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        return path


class FolderScreen(FormScreen):
    """Asks for the folder, and looks what is in it; nothing is changed.

    Args:
        actions: runs the command.
        folder: that is proposed.
    """

    TITLE = "Install a component"
    GO = "Look inside"

    def __init__(self, actions: Actions, folder: str) -> None:
        super().__init__(actions)
        self._proposed = folder
        self.folder = ""
        self.seen: Json = None
        """As `components inspect` has it, once the folder was looked at."""

    def fields(self) -> Iterable[Element]:
        """The folder."""
        yield Note(name="what", text="A component is a folder with a Component.toml. You see what it asks for first.")
        yield Field(
            name="folder",
            label="Folder",
            value=self._proposed,
            hint=self.path_hint("the folder"),
            path=True,
            suffix=_FOLDERS,
        )
        yield Note(name="faults", text="")

    def words(self) -> list[str]:
        """`components inspect …`."""
        return ["components", "inspect", _named(self.value("folder"))]

    def equivalent(self) -> str:
        """Nothing while there is no folder."""
        return super().equivalent() if self.value("folder") else ""

    async def carry_out(self) -> str:
        """Looks inside; every fault of the manifest has a line."""
        if not self.value("folder"):
            return "the folder of the component is needed"
        self.note("faults", "")
        folder = _named(self.value("folder"))
        result = await self.actions.line(self.words(), quiet=True)
        if result is None or not result.ok:
            why = result.fault.text if result is not None and result.fault else ""
            if "\n" in why:
                self.note("faults", clean_multiline(why, 4_000))
                return "its Component.toml does not pass"
            return result.fault.line if result is not None and result.fault else "nothing was done"
        self.folder, self.seen = folder, result.value
        return ""


class AgreeScreen(FormScreen):
    """The consent: what it asks for, in plain words, and where its folders of yours are.

    Args:
        actions: runs the command.
        folder: of the component.
        seen: what is in it, as `components inspect` has it.
        proposal: what is ticked and named at first.
    """

    AUTO_FOCUS = "Tick, Input"
    TITLE = "Install"
    GO = "Install"

    def __init__(self, actions: Actions, folder: str, seen: Json, proposal: Proposal) -> None:
        super().__init__(actions)
        self._folder = folder
        self._seen = seen
        self._proposal = proposal
        self.component = text(seen, "component", limit=140)
        """Its name."""
        self._before = text(seen, "before", limit=64)
        asked = objects(seen, "asked")
        self._rules = [one for one in asked if text(one, "rule") and flag(one, "new")]
        self._kept = [one for one in asked if text(one, "rule") and not flag(one, "new")]
        self._facts = [one for one in asked if not text(one, "rule")] + ([] if self._before else self._kept)
        self._mounts = [one for one in objects(seen, "mounts") if text(one, "source") == "operator"]

    def fields(self) -> Iterable[Element]:
        """What it is, what it may do by itself, what it asks for, and the folders that it needs."""
        yield Note(name="what", text=self._introduced())
        yield Note(name="facts", text="\n".join(f"  {rule_words(one)}" for one in self._facts))
        yield Note(name="cuts", text=self._cut())
        if self._before:
            yield Note(name="diff", text=self._difference())
        if self._rules:
            yield Note(name="asks", text="It also asks for:" if self._before else "It asks for:")
        for number, rule in enumerate(self._rules):
            yield from rule_box(number, rule, ticked=self._proposed(rule))
        yield Note(name="reasons", text="\n".join(self._reasons()))
        if any(text(rule, "level") != "plain" for rule in self._rules):
            yield Note(name="risk", text="What is risky or red is granted only where you tick it.")
        for number, mount in enumerate(self._mounts):
            guest, only = text(mount, "guest", limit=100), ", read only" if flag(mount, "read_only") else ""
            kept = text(mount, "host", limit=200)
            hint = f"as before: {kept}" if kept else f"a folder of yours that it sees at {guest}{only}"
            host = self._proposal.hosts.get(guest, "")
            yield Field(name=f"mount-{number}", label=guest[-12:], value=host, hint=hint, path=True, suffix=_FOLDERS)
        if self._vouched_otherwise():
            yield Box(name="unsigned", label="take it although somebody else, or nobody, signed this version")

    def _proposed(self, rule: Object) -> bool:
        if self._proposal.granted is None:
            return text(rule, "level") == "plain"
        return rule_label(text(rule, "rule", limit=100)) in self._proposal.granted

    def _reasons(self) -> list[str]:
        """What its author says of what it asks for: once for each group."""
        found = {
            rule_label(text(rule, "rule", limit=100)).partition(".")[0]: text(rule, "reason", limit=300)
            for rule in self._rules
        }
        return [f"Its author says of {group}: “{reason}”" for group, reason in found.items() if reason]

    def _introduced(self) -> str:
        mark = text(self._seen, "mark", limit=64)
        signed = "" if mark == _UNSIGNED else f" signed by {mark[:16]}…,"
        about = text(self._seen, "description", limit=300)
        world = text(self._seen, "world", limit=60)
        head = f"{self.component} {text(self._seen, 'version', limit=64)},{signed} world {world}"
        return f"{head}\n{about}" if about else head

    def _cut(self) -> str:
        """Limits that are lower here than its author wanted."""
        cuts = [
            f"{text(cut, 'key', limit=60)} {_figure(cut)}" for cut in objects(self._seen, "cuts") if text(cut, "key")
        ]
        return f"Cut down by your configuration: {', '.join(cuts)}" if cuts else ""

    def _difference(self) -> str:
        """What an upgrade leaves as it is, and what it no longer asks for."""
        lines = [f"In the place of {self._before}, which goes on until this one runs."]
        lines += [f"  {'holds   ' if flag(rule, 'in_force') else 'withheld'} {rule_words(rule)}" for rule in self._kept]
        lines += [f"  no more  {clean(str(gone), 200)}" for gone in items(self._seen, "gone")]
        if not self._rules:
            lines.append("It asks for nothing new.")
        return "\n".join(lines)

    def _vouched_otherwise(self) -> bool:
        row = self.actions.desk.view.components.get(self.component)
        return row is not None and row.mark not in {_UNSIGNED, text(self._seen, "mark", limit=64)}

    def words(self) -> list[str]:
        """`components install …`, with exactly the rules that are ticked, of the folder that was shown."""
        words = ["components", "install", self._folder, "--folder-hash", text(self._seen, "folder_hash", limit=64)]
        granted = [
            rule_label(text(rule, "rule", limit=100))
            for number, rule in enumerate(self._rules)
            if self.ticked(f"rule-{number}")
        ]
        for rule in granted or ["none"]:
            words += ["--grant", rule]
        for number, mount in enumerate(self._mounts):
            host = self.value(f"mount-{number}")
            if host:
                words += ["--dir", f"{_named(host)}:{text(mount, 'guest', limit=1_000)}"]
        upgrade = ["--upgrade"] if self._before else []
        unsigned = ["--unsigned"] if self._vouched_otherwise() and self.ticked("unsigned") else []
        return [*words, *upgrade, *unsigned, "--yes"]

    async def carry_out(self) -> str:
        """Installs what was shown; a folder that is another one by now is refused."""
        for number, mount in enumerate(self._mounts):
            if not self.value(f"mount-{number}") and not text(mount, "host"):
                return f"a folder of yours is needed for {text(mount, 'guest', limit=100)}"
        self.say("")
        return await super().carry_out()


class UpgradeScreen(AgreeScreen):
    """The same for another version of what is installed."""

    TITLE = "Upgrade"
    GO = "Upgrade"


def _figure(cut: Object) -> str:
    given = integer(cut, "given") or 0
    sized = text(cut, "key").rpartition(".")[2] in {"memory", "storage", "filesystem", "message"}
    return f"to {size(given) if sized else given}"
