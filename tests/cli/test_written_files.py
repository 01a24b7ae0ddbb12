"""Files that the command line writes: whole or not at all, in place of what was there."""

import os
from pathlib import Path

import pytest

from console.cmdline.files import check_out, names_file, open_input, write_out
from runtime.errors import FailedError, UsageError


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


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    write_out(str(tmp_path / "link"), b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"x"


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
