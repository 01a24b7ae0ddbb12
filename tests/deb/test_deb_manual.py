"""Manual pages: one for each group and each command, which names every argument; nothing in them is a stray request."""

import re

from console.registry import COMMANDS, GROUPS
from tools.deb.manual import pages

PAGES = dict(pages("1.2.3", 1_700_000_000))
REQUESTS = {".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".BR", ".br", ".nf", ".fi"}


def read(page: str) -> str:
    return page.replace("\\-", "-").replace("\\&", "")


def test_every_group_and_every_command_outside_of_groups_has_a_page() -> None:
    alone = {name for name in COMMANDS if " " not in name}
    assert set(PAGES) == {"orlop"} | {f"orlop-{name}" for name in (*GROUPS, *alone)}


def test_a_page_names_each_command_of_its_group_and_each_option() -> None:
    for command in COMMANDS.values():
        page = read(PAGES[f"orlop-{command.name.partition(' ')[0]}"])
        assert f".SS {command.name}\n" in page
        for arg in command.args:
            if arg.option:
                assert f"--{arg.name.replace('_', '-')}" in page, (command.name, arg.name)


def test_the_first_page_leads_to_all_others() -> None:
    assert {f"{name}(1)" for name in PAGES if name != "orlop"} <= set(
        re.findall(r"orlop-[a-z]+\(1\)", read(PAGES["orlop"]))
    )


def test_a_line_that_begins_with_a_dot_is_a_request_that_is_meant() -> None:
    for page in PAGES.values():
        for line in page.splitlines():
            assert line.isascii()
            assert not line.startswith("'")
            assert not line.startswith(".") or line.split()[0] in REQUESTS, line


def test_the_date_is_that_of_the_build() -> None:
    assert all('1 "2023-11-14" "orlop 1.2.3"' in page.splitlines()[0] for page in PAGES.values())
