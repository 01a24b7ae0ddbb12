"""Who vouches for an agent, and what an update adds, on screen: consent, trust, upload and the pane's detail."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from console.client import Args, Json, Result
from console.ui.app import OrlopApp
from console.ui.text.agents import agent_key
from console.ui.text.trust import (
    added_since,
    kept_versions,
    key_lines,
    mark_cell,
    mark_span,
    roll_back_lines,
    update_lines,
    vouching,
)
from console.ui.widgets.frame_view import FrameView
from runtime.agents.manifest import parse_manifest
from runtime.agents.signature import sign_manifest
from runtime.identity import Identity
from tests.console.ui.fake_core import FakeCore, clock
from tests.console.ui.harbor import HARBOR, NOW, agent, harbor
from tests.console.ui.screen import opened, pane, press, settled, sheet, shown, toasts, typed, until

Compare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["120x40", "80x24"])
MARA, IVO = Identity(b"\1" * 32), Identity(b"\2" * 32)
MANIFEST: dict[str, Any] = {
    "name": "notify",
    "version": "2.0",
    "description": "says it again",
    "author": "mara",
    "wasmHash": "00" * 32,
    "permissions": ["read_tasks", "emit_events", "persist_state"],
}
SIGNED = sign_manifest(parse_manifest(MANIFEST), MARA)
KEYS: dict[str, Json] = {
    "v": 1,
    "items": [
        {"key": MARA.public_hex, "room": HARBOR, "room_name": "quiet-harbor", "note": "Mara, pier 4", "added_ms": NOW},
        {"key": "ab" * 32, "room": None, "room_name": "", "note": "", "added_ms": NOW},
    ],
}
VERSIONS = [
    {
        "upload_no": number,
        "version": version,
        "hash": f"{number:02}" * 32,
        "uploaded_ms": NOW - 86_400_000 * (4 - number),
        "mark": mark,
        "present": number == 3,
        "kept": number > 1,
        "permissions": asked,
        "state_bytes": 0,
    }
    for number, version, mark, asked in (
        (1, "1.0", "unsigned", []),
        (2, "1.1", f"signed by {MARA.public_hex[:16]}", ["read_tasks"]),
        (3, "1.2", f"signed by {MARA.public_hex[:16]}", ["read_tasks", "emit_events"]),
    )
]


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in a picture depends on how fast the machine is."""
    monkeypatch.setattr(FrameView, "tick", FrameView.draw)


def trusting(mark: str = f"signed by {MARA.public_hex[:16]}", signer: str = MARA.public_hex) -> FakeCore:
    """A room that trusts a key, with an agent that it signed and that was updated."""
    core = harbor()
    row = agent("notify", mark=mark, version="1.2", permissions=("read_tasks", "emit_events"), granted=("read_tasks",))
    core.agents = [row, *(one for one in core.agents if one.agent != "notify")]
    core.answers["agents trusted"] = lambda _args: Result(ok=True, value=KEYS)
    document: dict[str, Json] = {"runs": [], "versions": VERSIONS, "size_bytes": 412, "signer": signer}

    def show(args: Args) -> Result:
        return Result(ok=True, value=document if args["agent"] == "notify" else {"runs": []})

    core.answers["agents show"] = show
    core.answers["agents rollback"] = lambda args: Result(ok=True, value=going_back(args))
    return core


def going_back(args: Args) -> dict[str, Json]:
    """What the core says of a roll-back to upload 2: it loses a permission, and its state of then is back."""
    return {
        "v": 1,
        "version": "1.1",
        "mark": f"signed by {MARA.public_hex[:16]}",
        "granted": ["read_tasks"],
        "warnings": [],
        "change": {
            "version": "1.2",
            "asks_more": [],
            "asks_less": ["emit_events"],
            "gained": [],
            "lost": ["emit_events"],
            "state": "kept" if "keep_state" in args else "restored",
        },
    }


def picture(compare: Compare, core: FakeCore, keys: tuple[str, ...], size: tuple[int, int]) -> bool:
    async def run(pilot: Any) -> None:
        app = pilot.app
        await until(pilot, lambda: app.desk.ready)
        await settled(pilot)
        await press(pilot, "2", "j")
        for key in keys:
            await press(pilot, key)
        await settled(pilot)
        await pilot.pause()

    app = OrlopApp(core.options(), clock())
    try:
        return compare(app, terminal_size=size, run_before=run)
    finally:
        app.desk.close()


@SIZES
@pytest.mark.parametrize(
    ("name", "keys"),
    [("consent", ("c",)), ("trust", ("t",)), ("roll-back", ("R",)), ("detail", ("enter",))],
    ids=["consent", "trust", "roll-back", "detail"],
)
def test_picture(snap_compare: Compare, name: str, keys: tuple[str, ...], size: tuple[int, int]) -> None:
    assert picture(snap_compare, trusting(), keys, size)


async def test_w13_consent_says_who_signed_and_what_is_new_and_grants_exactly_what_is_ticked() -> None:
    core = trusting()
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "notify"))
        await press(pilot, "c")
        await until(pilot, lambda: "New since 1.1: emit_events." in shown(app))
        assert f"✓ signed by {MARA.public_hex[:16]}" in shown(app)
        assert "change tasks" in shown(app)
        await press(pilot, "ctrl+s")
        name, args = core.changing()[-1]
        assert (name, args["permissions"]) == ("agents grant", "read_tasks")


async def test_w12_a_key_is_trusted_in_the_room_of_the_agent_or_in_all() -> None:
    core = trusting()
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "notify"))
        await press(pilot, "t")
        await until(pilot, lambda: "Mara, pier 4" in shown(app))
        assert "abababababababab…  in all rooms" in shown(app)
        await typed(pilot, IVO.public_hex)
        await press(pilot, "tab")
        await typed(pilot, "Ivo")
        await press(pilot, "ctrl+s")
        trusted = {"key": IVO.public_hex, "room": HARBOR, "note": "Ivo"}
        assert core.changing()[-1] == ("agents trust", trusted)
        await press(pilot, "t")
        await typed(pilot, IVO.public_hex)
        await press(pilot, "tab", "tab", "right", "tab", "space")
        await press(pilot, "ctrl+s")
        assert core.changing()[-1] == ("agents trust", {"key": IVO.public_hex, "remove": "true"})


async def test_w13_an_upload_shows_what_an_update_adds_and_keeps_what_was_granted(tmp_path: Path) -> None:
    (tmp_path / "notify.wasm").write_bytes(bytes(2_000))
    (tmp_path / "notify.json").write_text(json.dumps(SIGNED))
    core = trusting()
    async with opened(core) as (app, pilot):
        await press(pilot, "2", "u")
        await typed(pilot, f"{tmp_path}/notify.wasm")
        await until(pilot, lambda: "Update of notify: 1.2 → 2.0" in shown(app))
        assert "It asks for more: persist_state." in shown(app)
        assert f"✓ Signed by {MARA.public_hex[:16]}…, Mara, pier 4." in shown(app)
        assert "although nobody vouches" not in shown(app)
        assert "SIGNER CHANGES" not in shown(app)
        await press(pilot, "ctrl+s")
        name, args = core.changing()[-1]
        assert (name, args["grant"], "unsigned" in args) == ("agents upload", "read_tasks", False)


async def test_w12_an_upload_for_which_nobody_vouches_needs_a_tick_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "notify.wasm").write_bytes(b"\0asm")
    (tmp_path / "notify.json").write_text(json.dumps(MANIFEST))
    core = trusting()
    async with opened(core) as (app, pilot):
        await press(pilot, "2", "u")
        await typed(pilot, f"{tmp_path}/notify.wasm")
        await until(pilot, lambda: "THE SIGNER CHANGES" in shown(app))
        assert "▲ Nobody vouches for it: Module signature required but not provided." in shown(app)
        await press(pilot, "ctrl+s")
        assert "unsigned" not in core.changing()[-1][1]
        await press(pilot, "u")
        await typed(pilot, f"{tmp_path}/notify.wasm")
        await until(pilot, lambda: "THE SIGNER CHANGES" in shown(app))
        app.screen.query_one("#unsigned").focus()
        await press(pilot, "space", "ctrl+s")
        assert core.changing()[-1][1]["unsigned"] == "true"


async def test_w10_a_roll_back_asks_first_and_shows_what_it_changes() -> None:
    core = trusting()
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "notify"))
        await press(pilot, "R")
        await until(pilot, lambda: "It no longer asks for emit_events." in shown(app))
        assert "notify 1.2 in quiet-harbor" in shown(app)
        assert "(•) 2: 1.1" in shown(app)
        assert "Granted is what was granted then: read_tasks. It loses emit_events." in shown(app)
        assert "Its state of then is back; the present one waits with 1.2." in shown(app)
        asked = {"agent": "notify", "version": "2", "room": HARBOR}
        assert core.changing() == [("agents rollback", {**asked, "preview": "true"})]
        await press(pilot, "tab", "space")
        await until(pilot, lambda: "The present state goes on." in shown(app))
        await press(pilot, "ctrl+s")
        assert core.changing()[-1] == ("agents rollback", {**asked, "keep_state": "true"})
        assert len(app.screen_stack) == 1


async def test_w10_a_roll_back_that_is_not_wanted_changes_nothing() -> None:
    core = trusting()
    async with opened(core) as (app, pilot):
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "notify"))
        await press(pilot, "R", "escape")
        assert all(args.get("preview") for _, args in core.changing())
        pane(app).main.select(agent_key(HARBOR, "unblock"))
        await press(pilot, "R")
        assert toasts(app)[-1] == "unblock: no other version of it is kept"


@pytest.mark.parametrize("line", ["agents rollback notify", f"agents rollback notify 1.1 --room {HARBOR}"])
async def test_w10_the_prompt_asks_before_a_roll_back_too(line: str) -> None:
    core = trusting()
    async with opened(core) as (app, pilot):
        await press(pilot, "colon")
        app.screen.query_one("#line", Input).value = line
        await press(pilot, "enter")
        await until(pilot, lambda: "It no longer asks for emit_events." in shown(app))
        assert all(args.get("preview") for _, args in core.changing())


async def test_what_cannot_be_gone_back_to_is_the_cores_to_refuse() -> None:
    core = trusting()
    core.refuse("agents rollback", "there is no such agent")
    async with opened(core) as (app, pilot):
        await press(pilot, "colon")
        app.screen.query_one("#line", Input).value = "agents rollback nobody"
        await press(pilot, "enter")
        await until(pilot, lambda: bool(toasts(app)))
        assert "there is no such agent" in toasts(app)[-1]
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "notify"))
        await press(pilot, "R")
        await until(pilot, lambda: "✗ agents rollback: there is no such agent" in shown(app))


async def test_w10_the_detail_lists_the_versions_and_who_signed_each() -> None:
    async with opened(trusting()) as (app, pilot):
        await press(pilot, "2")
        pane(app).main.select(agent_key(HARBOR, "notify"))
        await press(pilot, "enter")
        await until(pilot, lambda: "VERSIONS" in sheet(app, "agent"))
        text = sheet(app, "agent")
        assert text.index("●   3") < text.index("○   2") < text.index("·   1")
        assert MARA.public_hex[:8] in text


class TestWords:
    def test_each_mark_says_what_it_means_without_colour(self) -> None:
        said = {mark: "".join(words for words, _ in mark_span(mark, builtin=False)) for mark in (
            "unsigned", "hash only", "shipped", "signed by 0123456789abcdef")}  # fmt: skip
        assert said == {
            "unsigned": "▲ unsigned: nobody vouches for this module",
            "hash only": "▲ hash only: only the module is signed, not its name, version and permissions",
            "shipped": "✓ shipped: part of orlop",
            "signed by 0123456789abcdef": "✓ signed by 0123456789abcdef…",
        }
        assert mark_cell("signed by 0123456789abcdef") == "01234567"
        assert mark_cell("hash only") == "hash only"

    @pytest.mark.parametrize(
        ("manifest", "line", "unvouched"),
        [
            (SIGNED, f"✓ Signed by {MARA.public_hex[:16]}…, Mara, pier 4.", False),
            (MANIFEST, "▲ Nobody vouches for it: Module signature required but not provided.", True),
            (sign_manifest(parse_manifest(MANIFEST), IVO), "that signed it is not trusted.", True),
            (SIGNED | {"version": "3"}, "✗ Invalid module signature: it does not fit the manifest", False),
            ({"name": "x"}, "✗ Manifest.version must be a string", False),
            (None, "✗ Manifest must be an object", False),
            ({"name": "\x1b[2J"} | {key: MANIFEST[key] for key in MANIFEST if key != "name"}, "✗ Manifest.name", False),
        ],
    )
    def test_a_manifest_is_judged_before_the_upload(self, manifest: Any, line: str, unvouched: bool) -> None:
        judged = vouching(manifest, KEYS)
        assert line in judged.line
        assert "\x1b" not in judged.line
        assert judged.unvouched is unvouched

    def test_what_orlop_ships_is_told(self) -> None:
        import assets

        document = json.loads(assets.path("agents/unblock/unblock.json").read_bytes())
        assert vouching(document, None).line == "✓ It is part of orlop."

    def test_an_update_by_the_same_signer_is_quiet_and_by_another_loud(self) -> None:
        row = agent("notify", mark=f"signed by {MARA.public_hex[:16]}", version="1.2", permissions=("read_tasks",))
        before = {"size_bytes": 412, "signer": MARA.public_hex}
        same = update_lines(row, before, SIGNED, vouching(SIGNED, KEYS), 2_000)
        assert same.splitlines() == [
            "Update of notify: 1.2 → 2.0, 412B → 2.0K. It asks for more: emit_events, persist_state."
        ]
        other = update_lines(row, before, MANIFEST, vouching(MANIFEST, KEYS), None)
        assert "▲ THE SIGNER CHANGES: it was signed by" in other
        assert update_lines(None, None, SIGNED, vouching(SIGNED, KEYS), 1) == ""

    def test_what_is_new_is_told_against_the_version_before(self) -> None:
        assert added_since({"versions": VERSIONS}) == "New since 1.1: emit_events."
        assert added_since({"versions": VERSIONS[2:]}) == ""
        assert added_since({"versions": VERSIONS[:2]}) == ""
        assert added_since(None) == ""

    def test_w10_each_fate_of_the_state_is_told_before_a_roll_back(self) -> None:
        document = going_back({})
        change = document["change"]
        assert isinstance(change, dict)
        said = {
            fate: roll_back_lines({**document, "change": {**change, "state": fate}}).splitlines()[-1]
            for fate in ("none", "kept", "set aside", "restored", "broken")
        }
        assert said == {
            "none": "There is no state.",
            "kept": "The present state goes on.",
            "set aside": "The present state waits with 1.2; it begins without one.",
            "restored": "Its state of then is back; the present one waits with 1.2.",
            "broken": "▲ Its state of then does not open: it begins without one.",
        }

    def test_w10_a_roll_back_to_a_version_that_may_more_says_so(self) -> None:
        more = {"asks_more": ["emit_events"], "asks_less": [], "gained": ["emit_events"], "lost": [], "state": "none"}
        warned = {**going_back({}), "warnings": ["THE SIGNER CHANGED: it was a, it is b"], "granted": ["emit_events"]}
        assert roll_back_lines({**warned, "change": {"version": "1.2\x1b", **more}}).splitlines() == [
            f"1.2\\x1b → 1.1, signed by {MARA.public_hex[:16]}.",
            "It also asks for emit_events.",
            "Granted is what was granted then: emit_events. ▲ It gains emit_events.",
            "There is no state.",
            "▲ THE SIGNER CHANGED: it was a, it is b.",
        ]

    def test_the_version_before_the_present_one_is_proposed_first(self) -> None:
        kept = [{**one, "kept": True, "present": one["upload_no"] == 2} for one in VERSIONS]
        assert [one["upload_no"] for one in kept_versions({"versions": kept})] == [1, 3]
        assert kept_versions({"versions": VERSIONS[2:]}) == []

    def test_keys_are_listed_but_not_without_end(self) -> None:
        assert key_lines(None, "harbor") == "No key is trusted in harbor yet."
        many = {"items": [{"key": f"{number:064x}", "room": None, "note": "\x1b[2J"} for number in range(20)]}
        lines = key_lines(many, "harbor").splitlines()
        assert (len(lines), lines[-1]) == (8, "  and 14 more")
        assert "\x1b" not in "".join(lines)
