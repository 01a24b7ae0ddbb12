"""What panes say, without a screen: hostile text, odd documents, figures, wrapping, completion."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from console.registry import COMMANDS
from console.ui import figures
from console.ui.ascii_only import to_ascii
from console.ui.bound import Keys
from console.ui.feed import Feed
from console.ui.paths import complete_path
from console.ui.pulse import Pulse
from console.ui.recent import KEPT_RECORDS, Recent
from console.ui.sheet import Line, cut, fit, line, plain, wrap
from console.ui.spelling import command_line, summary
from console.ui.suggest import expects_path, suggestions
from console.ui.text.agents import agent_row, agent_sheet, one_line
from console.ui.text.causes import split_cause
from console.ui.text.chain import Chains
from console.ui.text.job_sheet import JobFacts, job_sheet
from console.ui.text.jobs import Tail, job_row
from console.ui.text.json_lines import json_sheet
from console.ui.text.log import log_row, loudness
from console.ui.text.members import member_rows, member_sheet
from console.ui.text.receipts import ReceiptFacts, receipt_row, receipt_sheet, verdict_of
from console.ui.text.rooms import chat_lines, room_row
from console.ui.text.slash import meaning
from console.ui.text.tasks import DONE_SECTION, progress_spans, task_rows, task_sheet
from console.ui.text.waiting import circles, waiting_rows
from console.ui.text.whom import whom
from console.ui.themes import DARK, INKS, LIGHT
from console.view import View
from runtime import events
from runtime.codec import event_types
from runtime.events import Record
from tests.console.ui import harbor as world
from tests.console.ui.fake_core import NOW

HOSTILE = "a\x1b]52;c;QUFB\x07\x9b31m\u202egnp\u2066\u200b\U000e0041\n\0\x7f👩\u200d👩\u200d👧"
ANY_TEXT = st.one_of(st.just(HOSTILE), st.text(max_size=40))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), ANY_TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(ANY_TEXT, inner, max_size=3)),
    max_leaves=8,
)
ROOM_KEYS = st.sampled_from(
    [
        "tasks",
        "members",
        "messages",
        "progress",
        "name",
        "id",
        "title",
        "status",
        "parentId",
        "blockedBy",
        "dueAt",
        "urgent",
        "assignee",
        "text",
        "author",
        "ts_ms",
        "identityKey",
        "displayName",
    ]
)
DOCUMENT = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), ANY_TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(ROOM_KEYS, inner, max_size=6)),
    max_leaves=20,
)


def harmless(text: str) -> bool:
    return all(char == "\n" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in text)


def words(lines: list[Line]) -> str:
    return plain(lines)


@given(ANY_TEXT)
def test_no_text_of_an_agent_reaches_a_cell_or_sheet_raw(text: str) -> None:
    row = world.agent(
        text, room_name=text, version=text, mark=text, reasons=(text,), failures=1, problem=text, permissions=(text,)
    )
    document = {
        "manifest": {"description": text, "author": text},
        "log": [{"ts_ms": 1, "text": text}],
        "drops": [{"ts_ms": 1, "reason": text}],
        "runs": [{"ts_ms": 1, "trigger": text, "duration_us": 1, "reason": text}],
    }
    shown = (
        "".join(agent_row(row, NOW).cells)
        + words(agent_sheet(row, document, NOW, Keys()))
        + "".join(t for t, _ in one_line(row, Keys()))
    )
    assert harmless(shown)


@given(ANY_TEXT)
def test_no_text_of_a_job_or_receipt_reaches_a_cell_or_sheet_raw(text: str) -> None:
    row = world.job(
        1,
        name=text,
        module=text,
        where=text,
        submitter=text,
        state="failed",
        outcome=text,
        reason=text,
        receipt=text,
        tripped=text,
    )
    tail = Tail()
    tail.put(0, text.encode("utf-8", "surrogatepass"))
    step = events.Record(1, NOW, events.JobStep(job=text, step=text, detail=text))
    own = {"argv": [text, text], "env": [text], "dirs": [text, f"{text}:rw"], "stdin_sha256": text}
    document = {"manifest": {"created_at": text, "payload": {"orlop": own}}}
    shown = "".join(job_row(row, {}, NOW).cells) + words(
        job_sheet(row, JobFacts(document=document, output={"stdout": tail}, verdict=text, way=[step]), NOW)
    )
    receipt = world.receipt(3, worker=text, own=False, outcome=text, job=text, previous=text)
    steps = [events.Step(name=text, ok=None, detail=text)]
    extra = {"result": {"metrics": {"extra": {"module_hash": text, "orlop.engine": text}}}, "signature": text}
    facts = ReceiptFacts(steps=steps, chains=Chains([receipt]), document=extra)
    shown += "".join(receipt_row(receipt, Chains([receipt]), NOW).cells) + words(
        receipt_sheet(receipt, facts, NOW, Keys())
    )
    assert harmless(shown)


@given(DOCUMENT)
def test_any_document_of_a_room_can_be_shown(document: object) -> None:
    rows = task_rows(document, NOW)  # type: ignore[arg-type]
    shown = "".join(cell for row in rows for cell in row.cells)
    members = member_rows(document, [world.FAULTY])  # type: ignore[arg-type]
    shown += words(chat_lines(document)) + "".join(cell for row in members for cell in row.cells)  # type: ignore[arg-type]
    shown += words(member_sheet(document, members[0].key))  # type: ignore[arg-type]
    shown += "".join(text for text, _ in progress_spans(document))  # type: ignore[arg-type]
    for row in rows[:3]:
        shown += words(task_sheet(document, row.key, NOW))  # type: ignore[arg-type]
        choice = waiting_rows(document, row.key, frozenset())  # type: ignore[arg-type]
        shown += "".join(cell for each in choice for cell in each.cells)
        shown += "".join(circles(document, row.key).values())  # type: ignore[arg-type]
    shown += whom(document, HOSTILE) + whom(document, members[0].key[:8])  # type: ignore[arg-type]
    assert harmless(shown)


@given(ANY_TEXT)
def test_what_a_chat_line_means_is_harmless_whatever_is_typed(text: str) -> None:
    for typed in (text, f"/{text}", f"/task {text}", f"/task x | due: {text}"):
        assert harmless("".join(words for words, _ in meaning(typed, NOW)))


@given(JSON)
def test_any_json_can_be_shown(value: object) -> None:
    assert harmless(words(json_sheet(value)))  # type: ignore[arg-type]


def test_long_json_is_cut() -> None:
    lines = json_sheet([[number] for number in range(5_000)])
    assert plain(lines[-1:]).startswith("… and ")
    assert len(lines) == 2_001


@given(st.sampled_from(sorted(event_types())), ANY_TEXT)
def test_every_event_is_a_harmless_line_of_the_log(name: str, text: str) -> None:
    cls = event_types()[name]
    values = {field: _value(annotation, text) for field, annotation in _annotations(cls).items()}
    row = log_row(Record(7, NOW, cls(**values)), lambda room: room)
    assert row.cells[2] == name
    assert harmless("".join(row.cells))
    assert loudness(cls(**values)) in INKS


def _annotations(cls: type) -> dict[str, object]:
    import typing

    return {
        name: kind for name, kind in typing.get_type_hints(cls).items() if name not in {"TYPE", "LIVE_ONLY", "cause"}
    }


def _value(kind: object, text: str) -> object:
    shown = str(kind)
    if shown.startswith("tuple[str"):
        return (text,)
    if "Drop" in shown:
        return (events.Drop(reason=text),)
    if "Step" in shown:
        return (events.Step(name=text, ok=True, detail=text),)
    if "str" in shown:
        return text
    return "bool" not in shown and 3


def test_the_rows_of_the_small_world_say_what_they_should() -> None:
    cells = agent_row(world.FAULTY, NOW).cells
    assert cells[:5] == ("✗", "faulty", "quiet-harbor", "tripped", "14:02:20")
    assert cells[8] == "▮▮▮"
    assert room_row(world.room("r" * 32, "pier", open=3)).cells == (" ", "pier", "3", "2", "3", "4")
    tasks = {row.key: row for row in task_rows(world.ROOM, NOW)}
    assert [*tasks][:3] == ["t07", "t01", "t02"]
    assert tasks["t02"].cells[7] == "Rotate the relay's keys"
    assert tasks["t02"].cells[2] == "waits"
    assert tasks["t07"].cells[6] == "12 m late"
    assert (tasks["t04"].parent, tasks["t09"].parent) == ("t03", DONE_SECTION)
    assert job_row(world.JOBS[5], {}, NOW).cells[9] == "124"
    assert receipt_row(world.receipt(0), Chains(), NOW).cells[7] == "first"


def test_verdicts_follow_the_contract() -> None:
    assert verdict_of(world.STEPS) == "valid"
    assert verdict_of(world.TAMPERED) == "invalid"
    assert verdict_of(world.UNCHECKED) == "unchecked"
    assert verdict_of(()) == "unchecked"
    after = (*world.STEPS[:7], events.Step(name="chain", ok=None, detail="not here"))
    assert verdict_of(after) == "valid"


@pytest.mark.parametrize(
    ("reason", "parts"),
    [
        ("out of bounds memory access (a bad pointer)", ("out of bounds memory access", "a bad pointer")),
        ("it ran over its deadline: an endless loop", ("it ran over its deadline", "an endless loop")),
        ("trap: unreachable", ("trap: unreachable", "")),
        ("", ("", "")),
    ],
)
def test_a_reason_in_two_parts(reason: str, parts: tuple[str, str]) -> None:
    assert split_cause(reason) == parts


# --- figures and layout ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (figures.millis(None), figures.NOTHING),
        (figures.millis(88), "88µs"),
        (figures.millis(412), "0.4ms"),
        (figures.millis(12_000), "12ms"),
        (figures.millis(5_000_310), "5.0s"),
        (figures.took(125_000), "2m 05s"),
        (figures.took(11_400_000), "3h 10m"),
        (figures.took(4 * 86_400_000 + 7_200_000), "4d 2h"),
        (figures.uptime(59_999), "<1m"),
        (figures.uptime(3 * 86_400_000), "3d 0h"),
        (figures.size(312), "312B"),
        (figures.size(1_114_112), "1.1M"),
        (figures.size(2**70), "1024E"),
        (figures.count(9_999), "9,999"),
        (figures.count(214_377), "214k"),
        (figures.count(10**9), "1G"),
        (figures.age(NOW, NOW), "now"),
        (figures.age(NOW - 240_000, NOW), "4m"),
        (figures.age(NOW - 9 * 86_400_000, NOW), "9d"),
        (figures.due(NOW - 720_000, NOW), "12 m late"),
        (figures.due(NOW + 26 * 3_600_000, NOW), "in 26 h"),
        (figures.due(NOW + 96 * 3_600_000, NOW), "in 4 d"),
        (figures.day_clock(NOW - 86_400_000, NOW), "20 Nov 14:03"),
        (figures.clock(10**18), figures.NOTHING),
        (figures.precise(NOW + 114), "14:03:22.114"),
        (figures.bar(1, 1_000, 4), "▏   "),
        (figures.bar(500, 1_000, 4), "██  "),
        (figures.bar(2_000, 1_000, 4), "████"),
        (figures.bar(None, 1_000, 4), "    "),
        (figures.meter(5, 3), "▮▮▮"),
    ],
)  # fmt: skip
def test_figures(shown: str, expected: str) -> None:
    assert shown == expected


@given(st.text(max_size=30), st.integers(1, 40), st.booleans())
def test_a_cell_is_exactly_as_wide_as_its_column(text: str, width: int, right: bool) -> None:
    from runtime.sanitise import clean

    cell = fit(clean(text), width, right=right)
    assert cell_len(cell) == width
    assert cell_len(cut(clean(text), width)) <= width


@given(
    st.lists(st.tuples(st.text(max_size=30), st.sampled_from(["", "dim"])), max_size=4),
    st.integers(0, 12),
    st.integers(1, 30),
)
@example([("0⺀", "")], 1, 2)
def test_wrapping_loses_nothing_and_keeps_the_width(parts: list[tuple[str, str]], indent: int, width: int) -> None:
    from runtime.sanitise import clean

    each = Line(tuple((clean(text), ink) for text, ink in parts), indent)
    rows = wrap([each], width)
    wide = max((cell_len(char) for text, _ in each.spans for char in text), default=1)
    assert all(sum(cell_len(text) for text, _ in row.spans) <= max(width, wide) for row in rows)
    whole = "".join(text for text, _ in each.spans)
    pieces = ["".join(text for text, _ in row.spans) for row in rows]
    assert "".join(pieces).replace(" ", "") == whole.replace(" ", "")
    assert all(whole[row.start :].startswith(piece[row.indent :]) for row, piece in zip(rows, pieces, strict=True))


def test_wrapping_hangs_under_the_label() -> None:
    rows = wrap([line(("LABEL  ", "dim"), "one two three four", indent=7)], 16)
    assert ["".join(text for text, _ in row.spans) for row in rows] == ["LABEL  one two", "       three", "       four"]


@given(st.text(max_size=40))
def test_ascii_only_keeps_widths(text: str) -> None:
    from runtime.sanitise import clean

    shown = to_ascii(clean(text))
    assert shown.isascii()
    assert abs(cell_len(shown) - cell_len(clean(text))) <= sum(
        unicodedata.combining(char) > 0 or cell_len(char) == 0 for char in clean(text)
    )


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_every_ink_can_be_read_on_every_ground(theme: object) -> None:
    from textual.color import Color

    palette = theme.variables  # type: ignore[attr-defined]

    def luminance(name: str) -> float:
        parts = Color.parse(palette[f"orlop-{name}"]).normalized
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for ink in ("text", "dim", "accent", "link", "ok", "warn", "trip", "agent"):
        for ground in ("ground", "raised", "blurred"):
            light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.2, (ink, ground)


# --- completion, spelling, feed -------------------------------------------------------------------------------------


def test_completion_follows_the_kinds_of_arguments() -> None:
    core = world.harbor()
    view = View()
    view.load(core.snapshot("rooms", "agents", "jobs", "receipts").result())
    shown = lambda text, tasks=None: [each.shown for each in suggestions(text, view, tasks)]  # noqa: E731 - read as a table
    assert shown("agents act") == ["agents activate", "agents deactivate"]
    assert shown("agents activate un") == ["unblock"]
    assert "--room" in shown("agents activate unblock --")
    assert shown("agents activate unblock --room qui") == ["quiet-harbor"]
    assert shown("jobs show 0001") == [world.JOBS[0].job[:12]]
    assert shown("receipts verify 0076") == [world.RECEIPTS[0].receipt[:12]]
    assert shown("rooms task quiet-harbor --done t0", world.TASKS)[0] == "t01"
    assert shown("jobs list --state fai") == ["failed"]
    assert expects_path("jobs run ./he") == "./he"
    assert expects_path("agents show x") is None


@given(st.text(max_size=30))
def test_completion_takes_any_text(text: str) -> None:
    for each in suggestions(text, View()):
        assert each.line
    expects_path(text)


def test_paths_complete_as_far_as_they_agree(tmp_path: Path) -> None:
    for name in ("hello.wasm", "help.wasm", "notes.txt", ".hidden.wasm", "bad\x1b.wasm"):
        (tmp_path / name).touch()
    (tmp_path / "heap").mkdir()
    found = complete_path("he", ".wasm", tmp_path)
    assert found.common == "he"
    assert found.names == ("hello.wasm", "help.wasm", "heap/")
    assert complete_path(f"{tmp_path}/hel", ".wasm").common == f"{tmp_path}/hel"
    assert complete_path("not", "", tmp_path).common == "notes.txt"
    assert complete_path("nowhere/x", "", tmp_path).names == ()
    assert complete_path("a\0b", "", tmp_path).names == ()


def test_the_equivalent_command_line_reads_back_as_the_same_command() -> None:
    import shlex

    from console.cmdline.verbline import read_line

    args = {"room": "quiet harbor", "add": "it's | due: 2h"}
    text = command_line(COMMANDS["rooms task"], args)
    back = read_line(shlex.split(text)[1:])
    assert back.args == args
    assert summary([f"n{n}" for n in range(10)], 8)[-1] == "and 2 more"


def test_the_end_of_an_output_is_kept_whatever_comes_twice_or_not_at_all() -> None:
    tail = Tail()
    tail.put(0, b"hello ")
    tail.put(0, b"hello world")
    tail.put(3, b"lo")
    tail.put(20, b"later")
    assert tail.data == b"hello worldlater"
    tail.put(25, b"x" * 100_000)
    assert len(tail.data) == 65_536
    assert tail.at == 100_025


def test_a_feed_that_nobody_empties_counts_what_it_lost() -> None:
    taken: list[tuple[int, int]] = []
    feed = Feed(lambda records, lost: taken.append((len(records), lost)), frames=10, limit=3)
    records = [Record(number, NOW, events.CoreReady(ms=1)) for number in range(2)]
    for _ in range(3):
        feed.sink(records)
    assert feed.waiting == 2
    feed.hand_over()
    feed.hand_over()
    assert taken == [(2, 4)]


def test_a_feed_holds_a_bounded_weight_of_output() -> None:
    taken: list[tuple[int, int]] = []
    feed = Feed(lambda records, lost: taken.append((len(records), lost)), frames=10, weight=100)
    piece = events.JobOutput(job="j", stream="stdout", offset=0, length=45, data_b64="A" * 60)
    for number in range(3):
        feed.sink([Record(number, NOW, piece)])
    feed.hand_over()
    feed.sink([Record(9, NOW, piece)])
    feed.hand_over()
    assert taken == [(1, 2), (1, 0)]


def test_what_is_kept_of_records_holds_no_output() -> None:
    recent = Recent()
    piece = events.JobOutput(job="j", stream="stdout", offset=0, length=5, data_b64="aGVsbG8=")
    dropped = (events.Drop(reason="no", event="x" * 99),)
    drop = events.TickCompleted(room="r", agent="a", n=1, trigger="tick", duration_us=1, emitted=0, dropped=dropped)
    slim = recent.take([Record(1, NOW, piece), Record(2, NOW, drop)])
    assert "aGVsbG8" not in repr(slim)
    assert "xxx" not in repr(slim)
    assert recent.tail("j", "stdout").text == "hello"
    assert list(recent.records) == ["1", "2"]
    for number in range(3, KEPT_RECORDS + 9):
        recent.take([Record(number, NOW, events.CoreReady(ms=1))])
    assert len(recent.records) == KEPT_RECORDS


def test_the_pulse_counts_events_and_lateness() -> None:
    pulse = Pulse()
    pulse.count(30)
    pulse.tick(100.0)
    pulse.count(10)
    pulse.tick(101.25)
    assert (pulse.rate, pulse.lag_ms) == (20, 250)
