"""The slash commands of the chat line: what each does, and what a line that is being typed would do. Pure."""

from console.ui.sheet import BLANK, Line, Span, heading, line
from console.ui.text.due import stands
from runtime.errors import UsageError
from runtime.sanitise import clean

__all__ = ["SLASH", "meaning", "slash_help", "verb_of"]

SLASH = {
    "/task": "add a task: /task Title | split into: a, b | due: 2h | desc: … | urgent",
    "/rotate": "change the keys of the room: who left cannot read what comes",
    "/burn": "destroy the room for everybody; its name must be typed first",
    "/help": "list these commands",
}
"""Command → what it does."""


def verb_of(text: str) -> str:
    """The slash command of a line: one of `SLASH`, the word that is none, or an empty text for what is just said."""
    if not text.startswith("/"):
        return ""
    word = text.split(maxsplit=1)[0].lower()
    # As in the original a task's title may follow at once: /taskfoo is a task named foo.
    return "/task" if word.startswith("/task") else word


def meaning(text: str, now_ms: int) -> tuple[Span, ...]:
    """What a line would do, in one line; empty for what is just said."""
    verb = verb_of(text)
    if not verb:
        return ()
    if verb == "/task" and text[len(verb) :].strip():
        return _task(text, now_ms)
    if verb in SLASH:
        return ((f" {verb}", "key"), (f"  {SLASH[verb]}", "dim"))
    near = [each for each in SLASH if each.startswith(verb)]
    if near:
        return tuple(span for each in near for span in ((f" {each}", "key"), (f"  {SLASH[each]}  ", "dim")))
    return ((f" {clean(verb, 30)} is no command:", "warn"), (f" there are {', '.join(SLASH)}", "dim"))


def _task(text: str, now_ms: int) -> tuple[Span, ...]:
    from runtime.rooms.slash import parse

    try:
        task = parse(text, now_ms)
    except UsageError as error:
        return ((f" ✗ {clean(str(error), 160)}", "warn"),)
    parts = [f"task “{clean(task.title, 40)}”"]
    if task.subtasks:
        parts.append(f"{len(task.subtasks)} part{'' if len(task.subtasks) == 1 else 's'}")
    if task.due_at is not None:
        parts.append(f"due {stands(task.due_at, now_ms)}")
    parts += ["described"] if task.description else []
    return ((f" {', '.join(parts)}", "link"), (", urgent" if task.urgent else "", "urgent"))


def slash_help() -> list[Line]:
    """What can be typed in the chat line."""
    lines = [heading("COMMANDS OF THE CHAT LINE")]
    lines += [line((f"  {verb:<9}", "key"), does, indent=11) for verb, does in SLASH.items()]
    return [
        *lines,
        BLANK,
        heading("PARTS OF A /task LINE"),
        line(("  Title      ", "key"), "what is to be done; all other parts may be left out", indent=13),
        line(("  split into ", "key"), "subtasks, separated by commas", indent=13),
        line(("  due        ", "key"), "30m, 2h, 1d 12h, 1w, today 17:30, tomorrow, 2026-01-31 17:00", indent=13),
        line(("  desc       ", "key"), "a description", indent=13),
        line(("  urgent     ", "key"), "it stands before the others", indent=13),
        BLANK,
        line(("Anything else is said to everybody in the room. Another text that begins with / is refused.", "dim")),
    ]
