"""`[[notify]]` as it is written: what matches, and one line for each mistake."""

from pathlib import Path

import pytest

from console.config import Config, changed, keeping, load, set_value
from console.notify_rules import RATE, NotifyRule
from runtime.errors import UsageError
from runtime.events import (
    BreakerTripped,
    CommandDone,
    CoreStopped,
    CoreStopping,
    Event,
    NotifyFailed,
    ReceiptVerified,
    Record,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def rules(file: Path, text: str) -> tuple[NotifyRule, ...]:
    file.write_text(text)
    return load(file).notify


def matches(rule: NotifyRule, event: Event) -> bool:
    return rule.matches(Record(1, 1, event))


TRIPPED = BreakerTripped(room="r", agent="faulty", trigger="tick", failures=3, reasons=("trap",))
DONE = CommandDone(command="backup", uid=7, face="cli", ok=False, duration_ms=1, error="failed")
INVALID = ReceiptVerified(receipt="ab", verdict="invalid", steps=())
FAILED = NotifyFailed(rule="config.toml:1", program="x", reason="exit status 1")


def test_a_rule_with_everything(file: Path) -> None:
    text = '# mail\n[[notify]]\nevents = ["breaker.*", "receipt.verified"]\ncommand = ["mail", "me"]\nper_minute = 2\n'
    [rule] = rules(file, text)
    assert (rule.origin, rule.command, rule.bell, rule.per_minute) == ("config.toml:2", ("mail", "me"), False, 2)
    assert matches(rule, TRIPPED)
    assert not matches(rule, DONE)


def test_what_is_not_said_has_a_default(file: Path) -> None:
    [rule] = rules(file, '[[notify]]\nevents = ["*"]\nbell = true\n')
    assert (rule.command, rule.per_minute) == ((), RATE)
    assert RATE == 6


@pytest.mark.parametrize(
    ("where", "event", "holds"),
    [
        ('agent = "faulty"', TRIPPED, True),
        ('agent = "fau*"', TRIPPED, True),
        ('agent = "other"', TRIPPED, False),
        ('agent = "!=other"', TRIPPED, True),
        ("failures = 3", TRIPPED, True),
        ('failures = ">2"', TRIPPED, True),
        ('failures = ">=4"', TRIPPED, False),
        ("ok = false", DONE, True),
        ("ok = true", DONE, False),
        ('command = "backup", uid = 7', DONE, True),
        ('command = "backup", uid = 8', DONE, False),
        ('verdict = "invalid"', TRIPPED, False),
        ('verdict = "invalid"', INVALID, True),
    ],
)
def test_fields_choose_among_events(file: Path, where: str, event: Event, holds: bool) -> None:
    [rule] = rules(file, f'[[notify]]\nevents = ["*"]\nwhere = {{ {where} }}\nbell = true\n')
    assert matches(rule, event) is holds


def test_a_command_never_tells_of_notifications_and_a_bell_not_of_its_own(file: Path) -> None:
    command = '[[notify]]\nevents = ["*"]\ncommand = ["x"]\n'
    bell = '[[notify]]\nevents = ["*"]\nbell = true\n'
    first, second = rules(file, command + bell)
    assert (matches(first, FAILED), matches(second, FAILED)) == (False, True)
    [own] = rules(file, bell)
    assert not matches(own, FAILED)


def test_the_last_event_of_all_is_never_told(file: Path) -> None:
    [rule] = rules(file, '[[notify]]\nevents = ["core.*"]\nbell = true\n')
    assert matches(rule, CoreStopping(reason="x"))
    assert not matches(rule, CoreStopped(exit_code=0, uptime_s=1))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[notify]\nbell = true\n", 1, "notify: expected tables; write [[notify]]"),
        ("[ui]\nmouse = true\n[[notify]]\nbell = true\n", 3, "notify.events: expected a list of event types"),
        ('[[notify]]\nevents = "breaker.*"\n', 1, "notify: does nothing; give it command"),
        ('[[notify]]\nevents = "breaker.*"\nbell = true\n', 2, "notify.events: expected a list of event types"),
        ('[[notify]]\n\nevents = ["braker.tripped"]\nbell = true\n', 3, "did you mean `breaker.tripped`?"),
        ('[[notify]]\nevents = ["core.stopped"]\nbell = true\n', 2, "use core.stopping"),
        ('[[notify]]\nevents = ["*"]\nbell = "yes"\n', 3, "notify.bell: expected true or false"),
        ('[[notify]]\nevents = ["*"]\ncommand = "mail me"\n', 3, "there is no shell"),
        ('[[notify]]\nevents = ["*"]\ncommand = []\n', 3, "notify.command: expected a list of words"),
        ('[[notify]]\nevents = ["*"]\ncommand = [""]\n', 3, "notify.command: no program"),
        ('[[notify]]\nevents = ["*"]\ncommand = ["a\\u0000"]\n', 3, "notify.command: no program, too many words"),
        (
            '[[notify]]\nevents = ["*"]\nbell = true\nper_minute = 0\n',
            4,
            "notify.per_minute: expected a number, 1 to 600",
        ),
        ('[[notify]]\nevents = ["*"]\nbell = true\nper_minute = true\n', 4, "notify.per_minute: expected a number"),
        (
            '[[notify]]\nevents = ["*"]\nbell = true\nevery = 1\n',
            4,
            "notify.every: unknown key `every`; there are events",
        ),
        ('[[notify]]\nevents = ["*"]\nbell = true\nwhere = "x"\n', 4, "notify.where: expected a table"),
        ('[[notify]]\nevents = ["*"]\nbell = true\nwhere = { agnt = "x" }\n', 4, "did you mean `agent`?"),
        ('[[notify]]\nevents = ["*"]\nbell = true\nwhere = { agent = [] }\n', 4, "is compared with a text, a number"),
        ('[[notify]]\nevents = ["*"]\nbell = true\nwhere = { failures = ">x" }\n', 4, "`x` is no number"),
        ('[[notify]]\nevents = ["message.*"]\nbell = true\nwhere = { text = "x" }\n', 4, "is content"),
        (
            '[[notify]]\nevents = ["*"]\nbell = true\n[[notify]] # two\nbell = 1\n',
            5,
            "notify.bell: expected true or false",
        ),
        ('notify = [{ events = ["*"], bell = 1 }]\n', 1, "notify.bell: expected true or false"),
        ('[[notify]]\nevents = ["*"]\nbell = true\n[ui]\nmouse = 1\n', 5, "ui.mouse: expected a true or false"),
    ],
)
def test_each_mistake_is_one_line_with_file_line_and_key(file: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        rules(file, text)
    shown = str(caught.value)
    assert shown.startswith(f"configuration: {file}:{line}: ")
    assert words in shown
    assert "\n" not in shown


def test_rules_of_all_files_count_and_setting_a_value_keeps_them(tmp_path: Path, file: Path) -> None:
    file.write_text('[[notify]]\nevents = ["core.*"]\nbell = true\n')
    config_d = tmp_path / "config.d"
    config_d.mkdir()
    (config_d / "50-set.toml").write_text('[[notify]]\nevents = ["job.*"]\nbell = true\nwhere = { state = "lost" }\n')
    before = load(file, config_d)
    assert [rule.origin for rule in before.notify] == ["config.toml:1", "50-set.toml:1"]
    set_value(config_d, "ui.mouse", "false")
    after = load(file, config_d)
    assert after.notify[1].events == before.notify[1].events
    assert changed(before, after)[0] == ("ui.mouse", "notify")
    assert changed(Config(), after)[0] == ("ui.mouse", "notify")
    assert keeping(before, after, ("ui.mouse",)).notify == after.notify
