"""Who runs an agent, what it uses, and its last hour, as lines of its sheet."""

from console.ui.bound import Keys
from console.ui.sheet import plain
from console.ui.text.agent_use import hour_lines, next_probe, runner_lines, sparkline, use_lines
from console.ui.text.agents import agent_row, agent_sheet
from tests.console.ui import harbor as world

NOW = world.NOW
MINUTE = 60_000
LIMITS = {"calls": 1200, "emissions": 1200, "log_bytes": 1 << 20, "cpu_ms": 20_000, "state_bytes": 1 << 20}


def test_a_sparkline_is_as_high_as_the_share_of_the_greatest() -> None:
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "  "
    assert sparkline([0, 1, 4, 8]) == " ▁▄█"
    assert sparkline([7]) == "█"


def test_the_runner_is_named_where_others_are_in_the_room() -> None:
    assert runner_lines(world.agent("a")) == []
    assert "mara  this one stands by" in plain(runner_lines(world.agent("a", state="standby", runner="mara")))
    assert "nobody yet  this one stands by" in plain(runner_lines(world.agent("a", state="standby")))
    assert "me  the others stand by" in plain(runner_lines(world.agent("a", runner="me")))
    assert agent_row(world.agent("a", state="standby"), NOW).cells[0] == "◌"


def test_a_tripped_agent_says_when_it_is_probed() -> None:
    assert "by itself at 14:0" in next_probe(world.agent("a", next_probe_ms=NOW + MINUTE), NOW)
    assert "not probed by itself any more" in next_probe(world.agent("a"), NOW)
    sheet = plain(agent_sheet(world.agent("a", state="tripped", next_probe_ms=NOW), {}, NOW, Keys()))
    assert "It is probed by itself at" in sheet


def test_what_is_used_of_each_quota_is_shown_for_this_minute_only() -> None:
    used = {"used_calls": 600, "used_cpu_us": 19_000_000, "used_emissions": 7, "used_log_bytes": 2048}
    row = world.agent("a", minute=NOW // MINUTE, **used)
    text = plain(use_lines(row, {"limits": LIMITS}, NOW))
    for part in ("600 of 1200", "19.0s of 20.0s", "7 of 1200"):
        assert part in text, text
    assert "600" not in plain(use_lines(row, {"limits": LIMITS}, NOW + MINUTE))
    assert use_lines(world.agent("a"), {}, NOW) == []


def test_the_last_hour_has_a_cell_for_each_three_minutes_and_fits_beside_the_table() -> None:
    def at(minutes_ago: int, **figures: int) -> dict[str, int]:
        return {"from_ms": (NOW // MINUTE - minutes_ago) * MINUTE, "calls": 2, "p95_us": 800, "failures": 0, **figures}

    assert hour_lines({}, NOW) == []
    document = {"minutes": [at(59), at(1, failures=1), at(0, calls=4, p95_us=-5), at(200, calls=99)]}
    text = plain(hour_lines(document, NOW))
    calls = next(line for line in text.splitlines() if "calls" in line)
    assert calls.endswith("max 6")
    assert [calls.count(level) for level in "▃▇"] == [1, 1]
    assert max(map(len, text.splitlines())) <= 44
    assert "failures" in text
    assert "failures" not in plain(hour_lines({"minutes": [at(1)]}, NOW))
