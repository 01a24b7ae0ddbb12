"""The Boot pane under keys: what is served, how far machines are, and what the operator does about it."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input, Static

from console.client import Fault, Result
from console.cmdline import boot_build
from console.cmdline.verbline import Line
from console.ui.app import OrlopApp
from console.ui.figures import NOTHING
from console.ui.panes.boot import BootPane
from console.ui.screens.boot import BuildScreen, KeygenScreen, ServeScreen, SignScreen
from console.ui.widgets.tick import Tick
from runtime.boot_events import BootMachine, BootReceipt, BootReport, BootServing, BootStopped
from runtime.errors import RefusedError
from tests.boot.serve.releases import release
from tests.console.ui import harbor, slipway
from tests.console.ui.fake_core import FakeCore
from tests.console.ui.screen import NARROW, WIDE, opened, pane, press, row_of, said, sheet, shown, toasts, typed, until
from tests.console.ui.slipway import ASKED, BOOTED, FETCHING, OLD, RELEASE, STOPPED, STRANGE

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x40", "80x24"])


def empty() -> FakeCore:
    return FakeCore(node=harbor.node())


def words_of(app: OrlopApp) -> str:
    """What a dialog says, without what lies under it."""
    return " ".join(str(each.content) for each in app.screen.query(Static))


def fill(app: OrlopApp, **values: str) -> None:
    for name, value in values.items():
        app.screen.query_one(f"#{name}", Input).value = value


# --- what is shown --------------------------------------------------------------------------------------------------


async def test_machines_stand_in_the_order_in_which_they_were_heard_of_last() -> None:
    async with opened(harbor.harbor(), (200, 40)) as (app, pilot):
        await press(pilot, "6")
        assert isinstance(pane(app), BootPane)
        model = pane(app).main.model
        assert model.order == [row.session for row in (FETCHING, BOOTED, STRANGE, STOPPED, ASKED)]
        assert model.rows[BOOTED.session].cells == (
            "●", "4f4f4f4f", "10.0.0.17", "booted", "✓✓✓✓✓✓✓✓✓✓✓", "████   96M", "12M/s", "✓ valid", "9s", "ready",
        )  # fmt: skip
        assert model.rows[STOPPED.session].cells[3:5] == ("stopped", "✓✓✓✗·····")
        assert model.rows[STOPPED.session].cells[-1] == "threshold: 1 of 2 signatures that are needed"
        assert model.rows[STRANGE.session].cells[7] == "? unknown"
        assert model.rows[ASKED.session].cells[6:8] == (NOTHING, NOTHING)


async def test_each_mark_of_a_step_has_its_own_ink() -> None:
    async with opened(harbor.harbor()) as (app, pilot):
        await press(pilot, "6")
        table = pane(app).main
        strip = table.render_line(table.model.order.index(STOPPED.session) + 1)
        inks = {
            segment.text.strip(): segment.style for segment in strip if segment.text.strip() in {"✓✓✓", "✗", "·····"}
        }
        colors = [style.color for style in inks.values() if style is not None]
        assert len(colors) == len(set(colors)) == 3


@SIZES
async def test_columns_go_by_priority_and_never_state_trust_or_bytes(size: tuple[int, int]) -> None:
    async with opened(harbor.harbor(), size) as (app, pilot):
        await press(pilot, "6")
        head = next(line for line in shown(app).splitlines() if "MACHINE" in line and "STATE" in line)
        assert {"STATE", "TRUST", "SENT", "RECEIPT", "AT"} <= set(head.replace("▼", " ").split())


async def test_the_row_of_panes_counts_machines() -> None:
    core = harbor.harbor()
    async with opened(core) as (app, pilot):
        await until(pilot, lambda: "6 Boot  5" in row_of(app, "strip"))
        core.emit(
            BootMachine(
                session="e5" * 16, address="::1", manifest=RELEASE.hash, artifact="", bytes=0, size=RELEASE.size
            )
        )
        await until(pilot, lambda: "6 Boot  6" in row_of(app, "strip"))


async def test_a_machine_that_stops_marks_the_pane_until_it_is_looked_at() -> None:
    core = harbor.harbor()
    async with opened(core) as (app, pilot):
        core.emit(BootReport(session=ASKED.session, address="::1", step="rollback", ok=False, detail="3 is below 12"))
        await until(pilot, lambda: "▲" in row_of(app, "strip"))
        await press(pilot, "6")
        assert "▲" not in row_of(app, "strip")
        assert pane(app).main.model.rows[ASKED.session].cells[-1] == "rollback: 3 is below 12"


async def test_what_a_machine_does_is_followed_in_its_row_and_at_its_side() -> None:
    core = harbor.harbor()
    core.machines = [FETCHING]
    async with opened(core) as (app, pilot):
        await press(pilot, "6")
        told = BootMachine(
            session=FETCHING.session,
            address=FETCHING.address,
            manifest=RELEASE.hash,
            artifact="rootfs",
            bytes=RELEASE.size,
            size=RELEASE.size,
        )
        core.emit(told, BootReport(session=FETCHING.session, address="", step="kexec", ok=True, detail="loaded"))
        await until(pilot, lambda: "fetched" in pane(app).main.model.rows[FETCHING.session].cells)
        assert "✓ kexec      loaded" in sheet(app, "boot-sheet")
        core.emit(
            BootReceipt(
                session=FETCHING.session, address="", receipt="ab" * 32, key="cd" * 32, ok=False,
                detail="signature: does not fit", names_manifest=False,
            )
        )  # fmt: skip
        await until(pilot, lambda: "✗ invalid" in sheet(app, "boot-sheet"))
        assert "signature: does not fit" in sheet(app, "boot-sheet")
        assert "it does not name the manifest that is served" in sheet(app, "boot-sheet")


async def test_the_sheet_says_how_trust_was_established_and_that_the_machine_says_so() -> None:
    async with opened(harbor.harbor()) as (app, pilot):
        await press(pilot, "6", "j", "j", "j")
        words = sheet(app, "boot-sheet")
        for line in (
            "✗ stopped  from 10.0.0.23",
            "for harbor-14, version 14",
            "TRUST  reported by the machine",
            "✓ root       version 3, 2 of 3 keys",
            "✗ signatures threshold: 1 of 2 signatures that are needed",
            "· payload",
            "none was delivered",
        ):
            assert line in words, line
        await press(pilot, "k", "k")
        assert "it names the manifest that is served; a claim" in sheet(app, "boot-sheet")


async def test_the_sheet_of_a_release_says_keys_threshold_and_expiry() -> None:
    async with opened(harbor.harbor()) as (app, pilot):
        await press(pilot, "6", "tab")
        words = sheet(app, "boot-sheet")
        for line in (
            "harbor-14  version 14",
            "asked by  5 machines",
            f"signed by {slipway.KEY}",
            "needed    2 of 3 keys, by root version 3, which is served too",
            "in 29 d",
        ):
            assert line in words, line
        await press(pilot, "j")
        words = sheet(app, "boot-sheet")
        assert "as many as the root in the images asks for" in words
        assert "orlop.provider=http://127.0.0.1:8081/" in words


async def test_an_expired_release_is_loud_and_one_with_too_few_signatures_too() -> None:
    core = harbor.harbor()
    core.releases = [replace(RELEASE, expires_ms=core.now_ms - 1, keys=(slipway.KEY,))]
    async with opened(core) as (app, pilot):
        await press(pilot, "6", "tab")
        row = pane(app).table.model.at(0)
        assert (row.cells[0], row.cells[5], row.inks[5]) == ("✗", "expired", "alarm")
        assert (row.cells[6], row.inks[6]) == ("1/2", "trip")
        assert "expired, no machine boots it" in sheet(app, "boot-sheet")


async def test_releases_come_and_go_as_they_are_served() -> None:
    core = empty()
    async with opened(core) as (app, pilot):
        await press(pilot, "6")
        assert "Nothing is served to machines." in said(app)
        assert "keygen, build, sign, serve" in said(app)
        core.emit(
            BootServing(
                urls=(OLD.url,), announced=(), release="quay-3", manifest_version=3, channel="testing", arch="arm64",
                hash=OLD.hash, created_ms=OLD.created_ms, expires_ms=OLD.expires_ms, size=1, keys=(), root_version=0,
                root_keys=0, threshold=0,
            )
        )  # fmt: skip
        await until(pilot, lambda: "No machine asked yet." in said(app))
        assert f"orlop.provider={OLD.url}" in said(app).replace("\n", "")
        core.emit(BootStopped(urls=(OLD.url,), requests=0, bytes=0))
        await until(pilot, lambda: "No machine asked yet." not in said(app))


async def test_text_of_machines_is_harmless() -> None:
    core = harbor.harbor()
    async with opened(core) as (app, pilot):
        await press(pilot, "6")
        evil = "\x1b]52;c;AAAA\x07[red]\u202e"
        core.emit(BootReport(session=ASKED.session, address="", step="arch", ok=False, detail=evil))
        await until(pilot, lambda: "stopped" in pane(app).main.model.rows[ASKED.session].cells)
        cells = "".join(pane(app).main.model.rows[ASKED.session].cells) + sheet(app, "boot-sheet")
        assert not {"\x1b", "\x07", "\u202e"} & set(cells)
        assert "[red]" in cells


async def test_filter_search_and_json_work_as_in_other_panes() -> None:
    async with opened(harbor.harbor()) as (app, pilot):
        await press(pilot, "6", "slash")
        await typed(pilot, "state:stopped")
        await press(pilot, "enter")
        assert pane(app).main.model.order == [STOPPED.session]
        await press(pilot, "escape", "slash")
        await typed(pilot, "/kexec")
        await press(pilot, "enter", "escape", "J")
        assert '"verdict": ""' in sheet(app, "sheet")


async def test_a_click_opens_what_is_served() -> None:
    async with opened(harbor.harbor()) as (app, pilot):
        await press(pilot, "6")
        await pilot.click("#releases", offset=(6, 3))
        await until(pilot, lambda: pane(app).current == "releases")
        assert "Release quay-3" in str(app.query_one("#boot-sheet").border_title)


# --- what the operator does -----------------------------------------------------------------------------------------


async def test_a_release_is_served_from_here(tmp_path: Path) -> None:
    core = empty()
    path = release(tmp_path / "release")
    async with opened(core) as (app, pilot):
        await press(pilot, "6", "r")
        assert isinstance(app.screen, ServeScreen)
        await press(pilot, "ctrl+s")
        assert "the folder of the release is needed" in words_of(app)
        fill(app, release=str(path), bind="127.0.0.1:0")
        await press(pilot)
        assert "Signed as 2026.11, version 7, stable, x86_64." in words_of(app)
        app.screen.query_one("#mdns", Tick).action_switch()
        await press(pilot, "ctrl+s")
        assert core.changing() == [
            ("boot serve", {"release": str(path), "bind": "127.0.0.1:0", "no_mdns": "true"}),
        ]
        assert set(core.files[-1]) == {"release"}
        assert len(app.screen_stack) == 1


async def test_what_is_not_as_it_was_signed_is_said_in_the_dialog(tmp_path: Path) -> None:
    core = empty()
    core.answers["boot serve"] = lambda _args: Result(
        ok=False, fault=Fault("boot-refused", "hash: kernel is another", "boot: refused")
    )
    async with opened(core) as (app, pilot):
        await press(pilot, "6", "r")
        fill(app, release=str(release(tmp_path / "release")))
        await press(pilot, "ctrl+s")
        assert "boot: refused: hash: kernel is another" in words_of(app)
        assert isinstance(app.screen, ServeScreen)


async def test_what_is_under_the_cursor_is_served_no_more() -> None:
    core = harbor.harbor()
    async with opened(core) as (_, pilot):
        await press(pilot, "6", "tab", "j", "S")
        assert core.changing() == [("boot stop", {"release": OLD.url})]


async def test_a_key_is_made_by_this_process_and_never_by_the_core(tmp_path: Path) -> None:
    core = empty()
    async with opened(core) as (app, pilot):
        await press(pilot, "6", "K")
        assert isinstance(app.screen, KeygenScreen)
        await press(pilot, "ctrl+s")
        assert "a folder is needed" in words_of(app)
        fill(app, out=str(tmp_path / "keys"))
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert (tmp_path / "keys" / "root.key").stat().st_mode & 0o777 == 0o600
        assert "root.key and root.pub lie in" in toasts(app)[-1]
        await press(pilot, "K")
        fill(app, out=str(tmp_path / "keys"))
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: "exists already" in words_of(app))
    assert "boot keygen" not in [name for name, _ in core.calls]


async def test_a_release_is_signed_by_this_process_and_a_signed_one_signed_again(tmp_path: Path) -> None:
    folder = tmp_path / "release"
    folder.mkdir()
    for name in ("kernel", "initramfs"):
        (folder / name).write_bytes(name.encode())
    key, second = tmp_path / "root.key", tmp_path / "second.key"
    for number, path in enumerate((key, second)):
        path.write_bytes(bytes([number]) * 32)
        path.chmod(0o600)
    core = empty()
    async with opened(core) as (app, pilot):
        await press(pilot, "6", "i")
        assert isinstance(app.screen, SignScreen)
        fill(app, release=str(folder), key=str(key))
        await press(pilot, "ctrl+s")
        assert "a version is needed" in words_of(app)
        fill(app, version="3", name="quay-3")
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert b"quay-3" in (folder / "manifest.json").read_bytes()
        await press(pilot, "i")
        fill(app, release=str(folder))
        await until(pilot, lambda: "Signed as quay-3, version 3, stable, x86_64." in words_of(app))
        assert not app.screen.query_one("#anew", Tick).ticked
        fill(app, key=str(second))
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert (folder / "manifest.json").read_bytes().count(b'"signature"') == 2
    assert "boot sign" not in [name for name, _ in core.calls]


async def test_how_a_build_goes_is_said_until_it_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()

    def build(_line: Line, told: Callable[[str], None]) -> Result:
        told("unpacks python3.11")
        assert goes_on.wait(100)
        raise RefusedError("mksquashfs is missing", hint="apt-get install squashfs-tools")

    monkeypatch.setattr(boot_build, "build", build)
    async with opened(empty()) as (app, pilot):
        await press(pilot, "6", "b")
        assert isinstance(app.screen, BuildScreen)
        await press(pilot, "ctrl+s")
        assert "a folder is needed" in words_of(app)
        fill(app, out=str(tmp_path / "release"), root=str(tmp_path / "root.pub"), version="14")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "◐ unpacks python3.11" in words_of(app))
        goes_on.set()
        await until(pilot, lambda: "mksquashfs is missing; apt-get install squashfs-tools" in words_of(app))
        assert "unpacks" not in words_of(app)


@pytest.mark.parametrize("fails", [True, False])
async def test_a_build_goes_on_when_its_dialog_is_closed_and_its_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    goes_on = threading.Event()

    def build(_line: Line, told: Callable[[str], None]) -> Result:
        told("unpacks python3.11")
        assert goes_on.wait(100)
        if fails:
            raise RefusedError("mksquashfs is missing")
        return Result(ok=True)

    monkeypatch.setattr(boot_build, "build", build)
    async with opened(empty()) as (app, pilot):
        await press(pilot, "6", "b")
        fill(app, out=str(tmp_path / "release"), root=str(tmp_path / "root.pub"))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "unpacks python3.11; it goes on when this is closed" in words_of(app))
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        goes_on.set()
        end = "mksquashfs is missing" if fails else "release is built; sign it next"
        await until(pilot, lambda: any(end in each for each in toasts(app)))


async def test_the_prompt_makes_keys_too_without_the_core(tmp_path: Path) -> None:
    core = empty()
    async with opened(core) as (app, pilot):
        await press(pilot, "colon")
        app.screen.query_one(Input).value = f"boot keygen --out {tmp_path / 'keys'}"
        await press(pilot, "enter")
        await until(pilot, (tmp_path / "keys" / "root.pub").exists)
    assert core.calls == []


async def test_a_screen_that_only_reads_serves_nothing() -> None:
    core = harbor.harbor(read_only=True)
    async with opened(core) as (app, pilot):
        await press(pilot, "6", "r", "S")
        assert core.changing() == []
        assert len(app.screen_stack) == 1
        assert "changing commands are off" in toasts(app)[-1]


async def test_nothing_to_stop_is_said() -> None:
    async with opened(empty()) as (app, pilot):
        await press(pilot, "6", "S")
        assert toasts(app)[-1] == "nothing is served"
