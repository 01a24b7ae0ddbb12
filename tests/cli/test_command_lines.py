"""Reading command lines: options on both sides of the verb, one line for each mistake, bytes that are no UTF-8."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.cmdline.verbline import read_line
from runtime.errors import OrlopError, UsageError


def test_options_stand_before_and_behind_the_verb() -> None:
    line = read_line(["--state-dir", "/a", "rooms", "list", "--json", "--quiet"])
    assert line.command is not None
    assert (line.command.name, line.options.state_dir, line.options.json, line.options.quiet) == (
        "rooms list",
        "/a",
        True,
        True,
    )


def test_the_later_of_two_options_counts() -> None:
    assert read_line(["--state-dir=/a", "rooms", "list", "--state-dir=/b"]).options.state_dir == "/b"


def test_options_stand_between_places() -> None:
    line = read_line(["rooms", "say", "--json", "harbor", "--quiet", "hello there"])
    assert dict(line.args) == {"room": "harbor", "text": "hello there"}


def test_two_dashes_end_the_options() -> None:
    assert dict(read_line(["rooms", "say", "harbor", "--", "--json"]).args) == {"room": "harbor", "text": "--json"}


def test_what_stands_behind_two_dashes_is_the_guests() -> None:
    line = read_line(["jobs", "run", "a.wasm", "--env", "A=1", "--env", "B=", "--", "--json", "-x", "--"])
    assert line.args["args"] == ["--json", "-x", "--"]
    assert line.args["env"] == ["A=1", "B="]
    assert not line.options.json


def test_numbered_paths_of_repeated_arguments() -> None:
    line = read_line(["jobs", "run", "a.wasm", "--dir", "a:/a", "--dir", "b:/b:ro"])
    assert dict(line.paths) == {"module": "a.wasm", "dir.0": "a:/a", "dir.1": "b:/b:ro"}


def test_nothing_opens_the_screen() -> None:
    line = read_line(["--demo", "--no-ui", "--for", "5s"])
    assert line.command is None
    assert (line.options.demo, line.options.no_ui, line.options.run_for) == (True, True, "5s")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rom list", "rom: unknown command; did you mean rooms?"),
        (
            "rooms",
            ("rooms: which command?; one of create, list, show, tasks, task, say, invite, join, leave, members, verify,"
            " remove, rotate, relay, undo, set, keep, reclock, export, import, burn"),
        ),
        ("rooms lst", "rooms lst: unknown command; did you mean rooms list?"),
        ("rooms list --jsn", "rooms list: --jsn: unknown option; did you mean --json?"),
        ("rooms list --js", "rooms list: --js: unknown option; did you mean --json?"),
        ("--jsn", "--jsn: unknown option; did you mean --json?"),
        ("rooms show", "rooms show: ROOM is missing; the room: its name, its id, or at least four characters of it"),
        ("rooms list x", "rooms list: x: one argument too many"),
        ("jobs run a b", "jobs run: b: one argument too many; arguments of the guest stand behind --: -- b"),
        ("receipts export --format v2", "receipts export: --format: `v2` is none of receipt, legacy, in-toto, bundle"),
        ("jobs run a --memory 1 --memory 2", "jobs run: --memory: given more than once"),
        ("--demo rooms list", "rooms list: --demo: stands only without a command"),
        ("rooms list --no-ui", "rooms list: --no-ui: unknown option; see orlop rooms list --help"),
        ("agents try a", "agents try: --manifest is missing; its manifest, JSON"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_line(words: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_line(words.split())
    assert str(caught.value) == said


def test_text_must_be_utf_8_and_paths_need_not() -> None:
    with pytest.raises(UsageError, match="not valid UTF-8"):
        read_line(["rooms", "say", "harbor", "\udcff"])
    line = read_line(["jobs", "run", "a\udcff.wasm"])
    assert line.paths["module"] == "a\udcff.wasm"
    assert line.args["module"] == "a\\udcff.wasm"


@given(
    st.lists(
        st.text(max_size=12) | st.sampled_from(["rooms", "jobs", "run", "list", "--json", "--", "-", "help", "--for"])
    )
)
def test_any_words_are_a_line_or_one_clear_line(words: list[str]) -> None:
    try:
        said = read_line(words).words
    except OrlopError as error:
        said = (str(error),)
    assert all(said)
