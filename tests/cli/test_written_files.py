"""Files that the command line writes: whole or not at all, in place of what was there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.cmdline.files import check_out, names_file, open_input, write_out
from runtime import durable
from runtime.errors import FailedError, UsageError
from tests.cli.program import ROOT


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("before")
    target.chmod(0o640)
    write_out(str(target), b"after")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"after", 0o640)
    assert list(tmp_path.iterdir()) == [target]


def test_a_new_file_gets_the_usual_mode(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_out(str(tmp_path / "out"), b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640


def test_a_link_stays_and_what_is_behind_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "target").write_text("before")
    (tmp_path / "near").symlink_to("folder/target")
    (tmp_path / "far").symlink_to("near")
    before = (tmp_path / "folder" / "target").stat().st_ino
    check_out(str(tmp_path / "far"))
    write_out(str(tmp_path / "far"), b"x")
    assert [path.is_symlink() for path in (tmp_path / "near", tmp_path / "far")] == [True, True]
    assert (tmp_path / "folder" / "target").read_bytes() == b"x"
    assert (tmp_path / "folder" / "target").stat().st_ino != before, "a reader would have seen half of it"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["target"]


@pytest.mark.parametrize("goal", ["nowhere", "link"], ids=["to nothing", "to itself"])
def test_a_link_to_nothing_is_refused_beforehand_and_later(tmp_path: Path, goal: str) -> None:
    (tmp_path / "link").symlink_to(goal)
    with pytest.raises(UsageError, match="is a symbolic link to nothing"):
        check_out(str(tmp_path / "link"))
    with pytest.raises(FailedError, match="could not be written: "):
        write_out(str(tmp_path / "link"), b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_a_link_that_appears_in_the_last_moment_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, other = tmp_path / "out", tmp_path / "other"
    other.write_text("of somebody else")
    real = durable.replace

    def late(path: Path, data: bytes, *, mode: int) -> None:
        path.symlink_to(other)
        real(path, data, mode=mode)

    monkeypatch.setattr(durable, "replace", late)
    write_out(str(target), b"x")
    assert (target.is_symlink(), target.read_bytes()) == (False, b"x")
    assert other.read_text() == "of somebody else"


def test_a_file_that_is_moved_away_meanwhile_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    target.write_text("before")
    real = os.readlink

    def late(path: str) -> str:
        found = real(path)
        target.rename(tmp_path / "moved")
        target.write_text("another")
        return found

    monkeypatch.setattr(os, "readlink", late)
    with pytest.raises(FailedError, match="was moved away meanwhile"):
        write_out(str(target), b"x")
    assert (target.read_text(), (tmp_path / "moved").read_text()) == ("another", "before")


def test_a_file_that_our_output_goes_to_is_written_on(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        words = (
            "from console.cmdline.files import write_out; print('first', flush=True); write_out('/dev/stdout', b'x')"
        )
        subprocess.run([sys.executable, "-c", words], stdout=file, cwd=ROOT, check=True)
    assert (tmp_path / "out").read_bytes() == b"first\nx"


def test_a_name_of_any_length_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 255)
    write_out(str(target), b"x")
    assert target.read_bytes() == b"x"


def test_a_device_is_written_to(tmp_path: Path) -> None:
    write_out("/dev/null", b"x")
    with pytest.raises(FailedError, match="could not be written: no space left on device"):
        write_out("/dev/full", b"x")


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FailedError):
        write_out(str(tmp_path / "none" / "out"), b"x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FailedError):
        write_out(str(tmp_path / "folder"), b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("name", ["none/out", ".", "file/out"])
def test_an_impossible_output_is_refused_beforehand(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError):
        check_out(name)


def test_possible_outputs(tmp_path: Path) -> None:
    for name in ("-", str(tmp_path / "new"), "/dev/null"):
        check_out(name)


@pytest.mark.parametrize("name", ["none", ".", "", "nul\0", "file/x"])
def test_what_cannot_be_opened_is_a_usage_error(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError):
        open_input(name)


def test_what_names_a_file_and_what_a_stored_receipt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "abcd").write_text("")
    assert [names_file(text) for text in ("abcd", "abce", "ABCE12", "-", "", "x.json", "nul\0", ".")] == [
        True, False, False, True, True, True, True, True,
    ]  # fmt: skip
