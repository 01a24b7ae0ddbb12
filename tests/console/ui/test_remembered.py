"""What the screen remembers: written whole and private, read with care, never in the way."""

import stat
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.ui.actions import Actions
from console.ui.remembered import Notebook, Order, Remembered, from_toml, to_toml
from tests.console.ui.harbor import harbor
from tests.console.ui.screen import opened, pane, press, until

CHOSEN = Remembered(
    theme="light",
    mouse=False,
    pane=4,
    follow=False,
    orders=MappingProxyType({"agents": Order("agent", descending=True), "jobs": Order("", descending=False)}),
)
NAMES = st.text(st.characters(codec="utf-8"), max_size=12)


@pytest.fixture(autouse=True)
def _introduced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents are explained within a second, which is then remembered too: a story of its own."""
    monkeypatch.setattr("console.ui.app.introduce", lambda _app: None)


# --- the file -------------------------------------------------------------------------------------------------------


@given(
    st.builds(
        Remembered,
        theme=st.none() | NAMES,
        mouse=st.none() | st.booleans(),
        pane=st.none() | st.integers(-9, 9),
        follow=st.none() | st.booleans(),
        agents_told=st.none() | st.booleans(),
        orders=st.dictionaries(NAMES, st.builds(Order, NAMES, st.booleans()), max_size=3),
    )
)
def test_what_was_written_is_read_again(kept: Remembered) -> None:
    assert from_toml(to_toml(kept)) == kept


def test_what_a_later_version_wrote_is_passed_over() -> None:
    assert from_toml('theme = "light"\nsplit = 40\n[panes.rooms]\nwidth = 3') == Remembered(theme="light")


@pytest.mark.parametrize(
    "text",
    [
        "theme =",
        "theme = 3",
        "pane = true",
        "mouse = 1",
        "agents_told = 1",
        "sort = 3",
        "sort.agents = 'x'",
        "sort.jobs.column = 1",
    ],
)
def test_what_is_not_ours_is_told_from_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_toml(text)


def test_nothing_is_remembered_without_a_file() -> None:
    book = Notebook(None)
    assert (book.kept, book.notice, book.write(lambda: CHOSEN)) == (Remembered(), "", "")


def test_the_file_is_private_and_only_written_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "ui.toml"
    book = Notebook(path)
    assert (book.kept, book.notice) == (Remembered(), "")
    assert book.write(Remembered) == ""
    assert not path.exists()
    assert book.write(lambda: CHOSEN) == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Notebook(path).kept == CHOSEN
    written = path.stat().st_ino
    assert book.write(lambda: CHOSEN) == ""
    assert path.stat().st_ino == written


@pytest.mark.parametrize(
    "content",
    [b"theme = ", b"\xff\xfe", b"theme = 3", b"x = " + b"[" * 5_000, b"#" * (65 << 10), b"\0"],
    ids=["no TOML", "no UTF-8", "wrong type", "nested", "large", "binary"],
)
def test_a_damaged_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ui.toml"
    path.write_bytes(content)
    book = Notebook(path)
    assert book.kept == Remembered()
    assert f"{path} is damaged (" in book.notice
    assert path.read_bytes() == content, "the directory is not ours yet"
    book.set_aside()
    assert book.notice.endswith("the screen begins afresh; the file is kept as ui.toml.damaged")
    assert (tmp_path / "ui.toml.damaged").read_bytes() == content
    assert book.write(lambda: CHOSEN) == ""
    assert Notebook(path).kept == CHOSEN


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text('theme = "light"')
    path = tmp_path / "ui.toml"
    path.symlink_to(target)
    book = Notebook(path)
    assert book.kept == Remembered()
    book.set_aside()
    book.write(lambda: CHOSEN)
    assert target.read_text() == 'theme = "light"'
    assert Notebook(path).kept == CHOSEN


def test_that_it_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    book = Notebook(tmp_path / "gone" / "ui.toml")
    assert book.write(lambda: CHOSEN).startswith("what the screen remembers cannot be written: ")
    assert book.write(lambda: CHOSEN) == ""
    (tmp_path / "gone").mkdir()
    assert book.write(lambda: CHOSEN) == ""
    assert Notebook(tmp_path / "gone" / "ui.toml").kept == CHOSEN


@pytest.fixture
def notices(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was told: a toast goes by itself after seconds, which a busy machine may take."""
    told: list[str] = []
    monkeypatch.setattr(Actions, "refuse", lambda _self, line: told.append(line))
    return told


def files(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


# --- the screen -----------------------------------------------------------------------------------------------------


async def test_what_was_chosen_on_the_screen_holds_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "ui.toml"
    async with opened(harbor(), memory=path) as (app, pilot):
        await press(pilot, "7", "f", "2", "greater_than_sign", "I", "M", "4")
        app.action_look("light")
        await pilot.exit(0)
        app.remember()
    agents = Notebook(path).kept.orders["agents"]
    async with opened(harbor(), memory=path) as (app, pilot):
        assert pane(app).NUMBER == 4
        assert app.theme == "orlop-light"
        assert not app.mouse_on
        await press(pilot, "2")
        model = pane(app).main.model
        assert Order(model.sort, model.descending) == agents
        await press(pilot, "7")
        assert not pane(app).main.follow


async def test_moving_up_the_log_is_no_choice(tmp_path: Path) -> None:
    path = tmp_path / "ui.toml"
    async with opened(harbor(), memory=path) as (app, pilot):
        await press(pilot, "7", "k")
        assert not pane(app).main.follow
        await pilot.exit(0)
        app.remember()
    assert Notebook(path).kept == Remembered(pane=7)


async def test_an_order_that_was_put_back_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "ui.toml"
    path.write_text(to_toml(Remembered(orders={"agents": Order("agent", descending=False)})))
    async with opened(harbor(), memory=path) as (app, pilot):
        await press(pilot, "2")
        pane(app).main.model.sort_by("state", descending=True)
        await pilot.exit(0)
        app.remember()
    assert not Notebook(path).kept.orders


async def test_it_is_written_while_the_screen_is_open(tmp_path: Path) -> None:
    path = tmp_path / "ui.toml"
    async with opened(harbor(), memory=path) as (app, pilot):
        await press(pilot, "5")
        app._second()
        await until(pilot, lambda: Notebook(path).kept.pane == 5)


async def test_options_win_over_what_was_chosen(tmp_path: Path) -> None:
    path = tmp_path / "ui.toml"
    path.write_text(to_toml(Remembered(theme="light", mouse=False)))
    async with opened(harbor(), memory=path, theme="dark", mouse=True) as (app, _):
        assert app.theme == "orlop-dark"
        assert app.mouse_on


async def test_what_no_longer_is_is_passed_over(tmp_path: Path, notices: list[str]) -> None:
    path = tmp_path / "ui.toml"
    kept = Remembered(theme="mauve", pane=99, orders={"rooms": Order("gone", descending=True)})
    path.write_text(to_toml(kept))
    async with opened(harbor(), memory=path) as (app, _):
        assert pane(app).NUMBER == 1
        assert app.theme == "orlop-dark"
        assert notices == []


async def test_a_damaged_file_is_told_and_the_screen_opens(tmp_path: Path, notices: list[str]) -> None:
    path = tmp_path / "ui.toml"
    path.write_text("theme =")
    async with opened(harbor(), memory=path):
        assert len(notices) == 1
        assert "ui.toml.damaged" in notices[0]


async def test_a_read_only_screen_writes_nothing(tmp_path: Path, notices: list[str]) -> None:
    path = tmp_path / "ui.toml"
    path.write_text("theme =")
    async with opened(harbor(read_only=True), memory=path) as (app, pilot):
        assert len(notices) == 1
        await press(pilot, "5")
        app._second()
        await pilot.exit(0)
        app.remember()
    assert files(tmp_path) == ["ui.toml"]
    assert path.read_text() == "theme ="


async def test_one_notice_when_it_cannot_be_written(tmp_path: Path, notices: list[str]) -> None:
    async with opened(harbor(), memory=tmp_path / "gone" / "ui.toml") as (app, pilot):
        for key in ("5", "4", "2"):
            await press(pilot, key)
            app._second()
            await until(pilot, lambda: not app._writing)
        assert len(notices) == 1
        assert notices[0].startswith("what the screen remembers cannot be written: ")
