"""The Peers pane under keys: what is shown of other nodes, and what the operator does with them."""

from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from console.client import Result
from console.ui.app import OrlopApp
from console.ui.figures import NOTHING
from console.ui.panes.peers import PeersPane
from console.ui.screens.confirm import ConfirmScreen
from runtime import events
from tests.console.ui import anchorage, harbor
from tests.console.ui.anchorage import BANNED, BUOY, HEARSAY, HULL, LIAR, PILOT, peer, peer_id
from tests.console.ui.fake_core import FakeCore
from tests.console.ui.screen import (
    NARROW,
    WIDE,
    drained,
    opened,
    pane,
    press,
    row_of,
    said,
    settled,
    sheet,
    shown,
    toasts,
    typed,
    until,
)

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x40", "80x24"])


async def ask(pilot: Pilot[int], key: str) -> None:
    """Presses a key that opens a question: what waits for an answer never settles."""
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
    await drained(pilot)


def words_of(app: OrlopApp) -> str:
    """What a dialog says, without what lies under it."""
    return " ".join(str(each.content) for each in app.screen.query(Static))


async def test_rows_say_who_it_is_what_it_may_and_how_far_it_is() -> None:
    async with opened(harbor.harbor(), (200, 40)) as (app, pilot):
        await press(pilot, "3")
        assert isinstance(pane(app), PeersPane)
        model = pane(app).main.model
        assert model.order == [HULL.peer, BUOY.peer, LIAR.peer, PILOT.peer, HEARSAY.peer, BANNED.peer]
        assert [" ".join(cell for cell in model.at(place).cells).split() for place in (0, 2, 5)] == [
            [
                "●",
                "hull-2",
                "connected",
                "runs,",
                "gives",
                "quic",
                "→",
                "█▄▄▄",
                "0.8ms",
                NOTHING,
                "41",
                "1",
                "now",
                NOTHING,
            ],
            [
                "○",
                "mirage",
                "known",
                NOTHING,
                NOTHING,
                NOTHING,
                NOTHING,
                "2",
                "1",
                "14:02",
                "lied:",
                *LIAR.problem.split(),
            ],
            [
                "✗",
                model.at(5).cells[1],
                "banned",
                NOTHING,
                NOTHING,
                NOTHING,
                NOTHING,
                "0",
                "0",
                "20",
                "Nov",
                *BANNED.problem.split(),
            ],
        ]


@SIZES
async def test_columns_go_by_priority_and_never_name_state_or_problem(size: tuple[int, int]) -> None:
    async with opened(harbor.harbor(), size) as (app, pilot):
        await press(pilot, "3")
        head = next(line for line in shown(app).splitlines() if "PEER" in line and "STATE" in line)
        assert {"PEER", "STATE", "MAY", "RTT", "PROBLEM"} <= {word.strip("▼│") for word in head.split()}
        assert "lied: " in shown(app)
        assert "RAN" not in head


async def test_the_row_of_panes_counts_connected_and_known() -> None:
    core = harbor.harbor()
    async with opened(core) as (app, pilot):
        await until(pilot, lambda: "3 Peers  2/6" in row_of(app, "strip"))
        core.emit(events.PeerConnected(peer=PILOT.peer, address=PILOT.address, transport="tcp", dialled=True))
        await until(pilot, lambda: "3 Peers  3/6" in row_of(app, "strip"))
        core.emit(events.PeerFound(peer=peer_id("new"), source="lan", addresses=("/ip4/192.0.2.1/tcp/1",)))
        await until(pilot, lambda: "3 Peers  3/7" in row_of(app, "strip"))


async def test_a_lie_marks_the_pane_until_it_is_looked_at_and_is_told_at_once() -> None:
    core = harbor.harbor()
    async with opened(core) as (app, pilot):
        core.emit(events.PeerLied(peer=HULL.peer, job="ab" * 32, reason="signature: does not fit"))
        await until(pilot, lambda: "3 Peers  2/6▲" in row_of(app, "strip") and bool(toasts(app)))
        assert toasts(app) == [
            "hull-2 gave a false receipt and gets no job until it is trusted anew: signature: does not fit"
        ]
        await press(pilot, "3")
        await until(pilot, lambda: "✗ it gave a false receipt: signature: does not fit" in sheet(app, "peer"))
        assert "▲" not in row_of(app, "strip")
        assert "· run jobs for this node" in sheet(app, "peer")


async def test_a_ban_by_score_is_told_of_those_that_the_operator_has_to_do_with() -> None:
    core = harbor.harbor()
    until_then = "2025-11-21T15:03:22.000Z"
    async with opened(core) as (app, pilot):
        for row in (BUOY, PILOT):
            core.emit(events.PeerBanned(peer=row.peer, banned=True, reason="bad frames", until=until_then))
        core.emit(events.PeerBanned(peer="", banned=True, reason="192.0.2.9: bad frames", until=until_then))
        await until(pilot, lambda: bool(toasts(app)))
        await settled(pilot)
        assert toasts(app) == [f"pilot is banned until {until_then}: bad frames"]


async def test_the_status_row_says_where_this_node_is_reached() -> None:
    core = harbor.harbor()
    core.node = replace(core.node, listen=())
    async with opened(core) as (app, pilot):
        await press(pilot, "3")
        assert row_of(app, "status").startswith(" 2 connected · listens nowhere · 6 peers · sort seen▼")
        core.emit(events.NetListening(addrs=anchorage.LISTEN))
        told = " 2 connected · listens at /ip4/203.0.113.9/tcp/4001 and 1 more · 6 peers"
        await until(pilot, lambda: row_of(app, "status").startswith(told))


async def test_a_measured_round_trip_moves_the_line_beside_it() -> None:
    core = harbor.harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "3")
        assert "0.8ms, best 0.8ms, worst 1.9ms" in " ".join(sheet(app, "peer").split())
        core.emit(events.PeerMeasured(peer=HULL.peer, rtt_us=95_000))
        await until(pilot, lambda: "95ms, best 0.8ms, worst 95ms" in " ".join(sheet(app, "peer").split()))
        await until(pilot, lambda: "▁▁▁█  95ms" in shown(app))
        for _ in range(100):
            core.emit(events.PeerMeasured(peer=HULL.peer, rtt_us=500))
        await until(pilot, lambda: "best 0.5ms, worst 0.5ms" in " ".join(sheet(app, "peer").split()))
        assert len(app.desk.recent.peer(HULL.peer).trips) == 30


async def test_jobs_that_run_there_are_counted_and_named_with_those_that_it_gave() -> None:
    core = harbor.harbor()
    running = replace(harbor.JOBS[0], job="aa" * 32, where=HULL.peer, name="far.wasm")
    given = replace(harbor.JOBS[1], job="bb" * 32, submitter=anchorage.key_of("hull").hex(), name="theirs.wasm")
    core.jobs = [running, given]
    async with opened(core, (170, 40)) as (app, pilot):
        await press(pilot, "3")
        model = pane(app).main.model
        place = [column.name for column in model.columns].index("jobs")
        assert model.rows[HULL.peer].cells[place] == "1"
        text = sheet(app, "peer")
        assert text.index("ran there:") < text.index("far.wasm") < text.index("it gave to this node:")
        assert text.index("it gave to this node:") < text.index("theirs.wasm")
        core.emit(events.JobState(job=running.job, state="done", previous="running", reason="exit"))
        await until(pilot, lambda: model.rows[HULL.peer].cells[place] == NOTHING)
        await until(pilot, lambda: "far.wasm  done" in sheet(app, "peer"))


async def test_the_detail_says_what_is_proven_and_what_is_hearsay() -> None:
    async with opened(harbor.harbor()) as (app, pilot):
        await press(pilot, "3")
        text = " ".join(sheet(app, "peer").split())
        assert HULL.peer in text
        assert "the machine in the cellar" in text
        assert "orlop/0.1.0 (it says)" in text
        assert "✓ run jobs for this node: its receipts are believed, jobs are given to it" in text
        assert "✓ give this node jobs: its programs run here, in limits, without files" in text
        assert "by quic, this node dialled it" in text
        assert "✓ /ip4/10.0.0.7/udp/4001/quic-v1 proven there at 14:02:24" in text
        assert "? /ip4/198.51.100.4/tcp/4001 only a hint of the peer itself" in text
        assert "connected by quic, this node dialled" in text
        pane(app).main.select(HEARSAY.peer)
        await until(pilot, lambda: "never proven: only hearsay" in sheet(app, "peer"))
        assert "· give this node jobs: each offer of it is refused" in " ".join(sheet(app, "peer").split())


async def test_what_happened_is_bounded_and_the_newest_stands_first() -> None:
    core = harbor.harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "3")
        for number in range(40):
            core.emit(events.PeerFault(peer=HULL.peer, address="", rule="bad-frame", reason=f"frame {number}"))
        await until(pilot, lambda: "frame 39" in sheet(app, "peer"))
        text = sheet(app, "peer")
        assert text.index("frame 39") < text.index("frame 38")
        assert "frame 20" not in text
        assert len(app.desk.recent.peer(HULL.peer).records) == 20


async def test_one_key_trusts_and_takes_it_back_without_a_question() -> None:
    core = harbor.harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "3")
        pane(app).main.select(BUOY.peer)
        await press(pilot, "t")
        assert core.changing() == [("peers trust", {"peer": BUOY.peer})]
        core.emit(events.PeerTrusted(peer=BUOY.peer, worker=True, submitter=False))
        await until(pilot, lambda: "✓ run jobs for this node" in sheet(app, "peer"))
        await press(pilot, "t")
        assert core.changing()[-1] == ("peers trust", {"peer": BUOY.peer, "remove": "true"})


async def test_who_lied_is_trusted_anew_only_after_the_lie_was_read() -> None:
    core = harbor.harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "3")
        pane(app).main.select(LIAR.peer)
        for answer in (("enter",), ("right", "enter")):
            await ask(pilot, "t")
            assert "mirage gave a false receipt: commitment: is of other bytes than those that came." in words_of(app)
            assert f"orlop peers trust {LIAR.peer}" in words_of(app)
            assert core.changing() == []
            await press(pilot, *answer)
        assert core.changing() == [("peers trust", {"peer": LIAR.peer})]


async def test_letting_a_peer_give_jobs_says_what_that_means_first() -> None:
    core = harbor.harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "3")
        pane(app).main.select(PILOT.peer)
        await ask(pilot, "T")
        assert "Programs that it sends will run on this machine" in words_of(app)
        assert f"pilot  {PILOT.peer}" in words_of(app)
        await press(pilot, "enter")
        assert core.changing() == []
        await ask(pilot, "T")
        await press(pilot, "right", "enter")
        assert core.changing() == [("peers trust", {"peer": PILOT.peer, "jobs": "true"})]
        pane(app).main.select(HULL.peer)
        await press(pilot, "T")
        assert core.changing()[-1] == ("peers trust", {"peer": HULL.peer, "jobs": "true", "remove": "true"})


async def test_a_ban_and_its_end_ask_first() -> None:
    core = harbor.harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "3")
        await ask(pilot, "b")
        assert "every trust is taken from it" in words_of(app)
        await press(pilot, "enter")
        assert core.changing() == []
        await ask(pilot, "b")
        await press(pilot, "right", "enter")
        assert core.changing() == [("peers ban", {"peer": HULL.peer})]
        pane(app).main.select(BANNED.peer)
        await ask(pilot, "b")
        assert "It gets no trust back" in words_of(app)
        await press(pilot, "right", "enter")
        assert core.changing()[-1] == ("peers ban", {"peer": BANNED.peer, "remove": "true"})


@pytest.mark.parametrize("key", ["t", "T"])
async def test_a_banned_peer_is_trusted_with_nothing(key: str) -> None:
    core = harbor.harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "3")
        pane(app).main.select(BANNED.peer)
        await press(pilot, key)
        assert toasts(app)[-1].endswith("b lifts the ban")
        assert core.changing() == []


async def test_marked_peers_are_banned_together() -> None:
    core = harbor.harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "3", "space", "space")
        await ask(pilot, "b")
        assert "(and 1 more)" in words_of(app)
        await press(pilot, "right", "enter")
        assert [args["peer"] for _, args in core.changing()] == [HULL.peer, BUOY.peer]


async def test_a_ping_tells_each_round_trip() -> None:
    core = harbor.harbor()
    core.answers["peers ping"] = lambda args: Result(
        ok=True, value={"v": 1, "peer": args["peer"], "rtts_us": [790, 812]}
    )
    async with opened(core) as (app, pilot):
        await press(pilot, "3", "P")
        assert core.changing() == [("peers ping", {"peer": HULL.peer})]
        assert toasts(app) == ["hull-2 answered after 0.8ms, 0.8ms"]
        core.refuse("peers ping", "nobody answers", "check the address")
        await press(pilot, "P")
        assert "nobody answers" in toasts(app)[-1]


async def test_a_dialled_address_ends_at_who_answered() -> None:
    core = harbor.harbor()
    address = f"/ip4/192.0.2.7/tcp/4001/p2p/{PILOT.peer}"
    core.answers["peers dial"] = lambda _args: Result(ok=True, value={"v": 1, "peer": PILOT.peer, "transport": "tcp"})
    async with opened(core) as (app, pilot):
        await press(pilot, "3", "d")
        assert "Whoever answers must prove the key that the address names" in words_of(app)
        await press(pilot, "ctrl+s")
        assert "✗ an address is needed" in words_of(app)
        await typed(pilot, address)
        assert f"orlop peers dial {address}" in words_of(app)
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: pane(app).main.model.cursor == PILOT.peer and bool(toasts(app)))
        assert core.changing() == [("peers dial", {"peer": address})]
        assert toasts(app) == [f"connected by tcp with {PILOT.peer}, which has proven its key"]
        assert len(app.screen_stack) == 1


async def test_an_unreachable_address_is_told_in_the_dialog_and_can_be_mended() -> None:
    core = harbor.harbor()
    core.refuse("peers dial", "nobody answers there", "is the port right?")
    async with opened(core) as (app, pilot):
        await press(pilot, "3")
        pane(app).main.select(PILOT.peer)
        await press(pilot, "d")
        assert app.screen.query_one("#where", Input).value == "pilot"
        await typed(pilot, "/ip4/192.0.2.9/tcp/1")
        await press(pilot, "tab", "space")
        assert "Compare the PeerId before you trust it" in words_of(app)
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: "nobody answers there" in words_of(app))
        assert core.changing() == [("peers dial", {"peer": "/ip4/192.0.2.9/tcp/1", "insecure_any": "true"})]
        assert not app.screen.query_one("#go").disabled
        await press(pilot, "escape")
        assert len(app.screen_stack) == 1


async def test_a_name_and_a_note_are_given_and_taken_away() -> None:
    core = harbor.harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "3", "e")
        assert app.screen.query_one("#name", Input).value == "hull-2"
        assert app.screen.query_one("#note", Input).value == "the machine in the cellar"
        await typed(pilot, "-cellar")
        app.screen.query_one("#note", Input).value = ""
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert core.changing() == [("peers name", {"peer": HULL.peer, "name": "-cellar", "note": ""})]
        core.peers[0] = replace(HULL, name="-cellar", note="")
        core.emit(events.PeerNamed(peer=HULL.peer, name="-cellar"))
        await until(pilot, lambda: "the machine in the cellar" not in sheet(app, "peer") and "-cellar" in shown(app))
        core.refuse("peers name", "is the name of another", "take another")
        await press(pilot, "e", "ctrl+s")
        await until(pilot, lambda: "is the name of another" in words_of(app))


async def test_nothing_is_changed_on_a_screen_that_only_reads() -> None:
    core = harbor.harbor(read_only=True)
    async with opened(core) as (app, pilot):
        await press(pilot, "3")
        for number, key in enumerate(("d", "P", "t", "T", "b", "e"), 1):
            await press(pilot, key)
            assert len(toasts(app)) == number, key
        assert all("changing commands are off" in line for line in toasts(app))
        assert core.changing() == []


async def test_an_empty_pane_says_how_to_begin() -> None:
    async with opened(FakeCore(node=harbor.node())) as (app, pilot):
        await press(pilot, "3")
        assert "No peers yet." in shown(app)
        assert "--p2p-listen /ip4/0.0.0.0/tcp/4001 lets others dial this node." in said(app)
        assert "d dials an address" in said(app)
        for key in ("P", "t", "T", "b", "e", "enter", "y", "Y"):
            await press(pilot, key)
        assert len(app.screen_stack) == 1


async def test_a_filter_finds_by_what_a_peer_may_and_how_far_it_is() -> None:
    async with opened(harbor.harbor()) as (app, pilot):
        await press(pilot, "3", "slash")
        for text, found in (
            ("may:runs rtt>1ms", {PILOT.peer}),
            ("state:banned", {BANNED.peer}),
            ("problem:lied", {LIAR.peer}),
        ):
            app.screen.query_one("Input", Input).value = text
            await settled(pilot)
            assert set(pane(app).main.model.order) == found


async def test_copy_offers_the_whole_id_and_the_address_to_dial() -> None:
    async with opened(harbor.harbor()) as (app, pilot):
        await press(pilot, "3", "Y")
        assert app.clipboard == HULL.peer
        await press(pilot, "y", "j", "j", "j", "j", "enter")
        assert app.clipboard == f"{HULL.address}/p2p/{HULL.peer}"


async def test_the_command_line_completes_peers_and_fills_in_the_one_under_the_cursor() -> None:
    async with opened(harbor.harbor()) as (app, pilot):
        await press(pilot, "3", "colon")
        await typed(pilot, "peers ping hul")
        assert "peer, connected" in said(app)
        await press(pilot, "escape")
        app.open_command("peers ban")
        await settled(pilot)
        assert app.screen.query_one("#line", Input).value == f"peers ban {HULL.peer} "


async def test_what_strangers_chose_is_shown_as_it_is() -> None:
    core = harbor.harbor()
    text = "[red]x[/]\x1b]52;c;RVZJTA==\x07\u202eevil\u200b"
    core.peers = [
        peer("x", name=text, note=text, agent=text, problem=text, address=text, transport=text, state="connected")
    ]
    async with opened(core) as (app, pilot):
        await press(pilot, "3")
        core.emit(events.PeerFault(peer=core.peers[0].peer, address=text, rule=text, reason=text))
        await until(pilot, lambda: "broke a rule" in sheet(app, "peer"))
        assert "[red]x[/]\\x1b" in shown(app)
        assert not {"\x1b", "\x07", "\u202e", "\u200b"} & set(shown(app) + sheet(app, "peer"))
        for key in ("e", "d"):
            await press(pilot, key)
            assert not {"\x1b", "\x07", "\u202e", "\u200b"} & set(shown(app))
            await press(pilot, "escape")
