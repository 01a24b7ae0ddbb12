"""The command line: words for orlop are understood or refused, and little of the rest reaches the second kernel."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.errors import BootRefusedError
from boot.modes import MODES
from boot.stage1.cmdline import (
    COMMAND_LINE_MAX,
    CommandLine,
    parse_command_line,
    second_command_line,
)

_START = "/ip4/192.0.2.1/udp/4001/quic-v1/p2p/12D3KooWGRUfwmRkKHTpPnFyhGJyxLMHSpcMpBzMrsr1hNTdbxAe"


def test_every_word_is_read() -> None:
    text = (
        "BOOT_IMAGE=/vmlinuz console=ttyS0 orlop.mode=private orlop.channel=testing orlop.provider=http://10.0.2.2:80/ "
        f"orlop.cache=off orlop.nowrite=on orlop.report=off orlop.bootstrap={_START},{_START} orlop.onfail=hold "
        "orlop.fails=2\n"
    )
    assert parse_command_line(text) == CommandLine(
        mode="private",
        channel="testing",
        provider="http://10.0.2.2:80/",
        cache=False,
        nowrite=True,
        report=False,
        bootstrap=(_START, _START),
        onfail="hold",
        fails=2,
    )


def test_what_is_not_said_has_a_safe_value_and_the_later_word_wins() -> None:
    line = parse_command_line("orlop.mode=internet quiet orlop.mode=local")
    assert line == CommandLine(mode="local", report=True, cache=True, nowrite=False, onfail="reboot", fails=0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mode=local",
        "orlop.mode",
        "orlop.mode=",
        "orlop.mode=Internet",
        "orlop.mode=tor",
        "orlop.mode=local orlop.mode=tor orlop.mode=local",
        "orlop.mode=local orlop.shell=on",
        "orlop.mode=local orlop.=x",
        "orlop.mode=local orlop.channel=edge",
        "orlop.mode=local orlop.cache=yes",
        "orlop.mode=local orlop.nowrite",
        "orlop.mode=local orlop.provider=ftp://10.0.2.2/",
        "orlop.mode=local orlop.provider=http://me:secret@10.0.2.2/",
        "orlop.mode=local orlop.provider=http://10.0.2.2/\u00e9",
        "orlop.mode=local orlop.bootstrap=10.0.2.2",
        f"orlop.mode=local orlop.bootstrap={','.join([_START] * 17)}",
        "orlop.mode=local orlop.onfail=shell",
        "orlop.mode=local orlop.fails=10",
        "orlop.mode=local orlop.fails=-1",
        'orlop.mode=local "orlop.mode=private"',
        'orlop.mode=local x="a orlop.mode=private"',
    ],
)
def test_a_machine_refuses_rather_than_guesses(text: str) -> None:
    with pytest.raises(BootRefusedError) as caught:
        parse_command_line(text)
    assert caught.value.step == "cmdline"
    assert caught.value.line().startswith("boot: refused: cmdline: ")


def test_words_of_others_are_passed_over() -> None:
    assert parse_command_line("orlop orlopmode=x mode=y orlop.mode=local") == CommandLine(mode="local")


def test_a_hostile_word_is_shown_harmless() -> None:
    with pytest.raises(BootRefusedError) as caught:
        parse_command_line("orlop.mode=\x1b[2Jlocal")
    assert caught.value.why.isprintable()


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BootRefusedError):
        assert parse_command_line(f"orlop.mode=local {text}").mode in MODES


def test_the_second_kernel_gets_few_words_and_then_those_that_were_signed() -> None:
    first = (
        "BOOT_IMAGE=/k init=/bin/sh console=ttyS0,115200n8 quiet no_timer_check panic=-1 "
        "module_blacklist=virtio_net rdinit=/bin/sh "
        "orlop.mode=local orlop.provider=http://h/ orlop.fails=1 -- single"
    )
    assert second_command_line(first, "loglevel=3 panic=5", 2) == (
        "console=ttyS0,115200n8 quiet no_timer_check panic=-1 orlop.mode=local orlop.provider=http://h/ orlop.fails=2 "
        "loglevel=3 panic=5"
    )


@pytest.mark.parametrize("word", ['console="ttyS0', "panic=1;init=/bin/sh", "console=tty0\x01", "quiet=1", "QUIET"])
def test_a_carried_word_cannot_hide_another(word: str) -> None:
    assert second_command_line(f"{word} orlop.mode=local", "", 0) == "orlop.mode=local orlop.fails=0"


def test_words_that_stand_twice_keep_their_order() -> None:
    first = "orlop.mode=local orlop.mode=private orlop.mode=local"
    second = second_command_line(first, "", 0)
    assert parse_command_line(second).mode == parse_command_line(first).mode


def test_a_line_that_the_kernel_would_cut_is_refused() -> None:
    first = "orlop.mode=local " + " ".join(["console=ttyS0"] * 100)
    used = len(second_command_line(first, "", 0)) + 1
    signed = "x" * (COMMAND_LINE_MAX - 1 - used)
    assert len(second_command_line(first, signed, 0)) == COMMAND_LINE_MAX - 1
    with pytest.raises(BootRefusedError, match="2048"):
        second_command_line(first, f"{signed}x", 0)


@given(st.text(max_size=300), st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=200))
def test_what_is_carried_is_parsed_to_the_same(text: str, signed: str) -> None:
    first = f"orlop.mode=private {text}"
    try:
        line = parse_command_line(first)
    except BootRefusedError:
        return
    again = parse_command_line(second_command_line(first, "", line.fails))
    assert again == line
    assert second_command_line(first, signed, 0).endswith(signed)
