"""The bytes of a component's own folders: one account, whichever instance keeps, deletes, holds open or dies."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.components.folder_account import FolderAccount
from runtime.components.host.context import HostLimits
from tests.runtime.components.host.frame import Files, case_of, files_in, policy_of, value_of
from tests.runtime.components.host.test_open_files import ALL, opened

Join = Callable[[], Files]


@pytest.fixture
def join(tmp_path: Path) -> Iterator[Join]:
    """Makes an instance with the same 100 bytes as all others, at `/data`."""
    (tmp_path / "data").mkdir()
    account = FolderAccount()
    made: list[Files] = []

    def another() -> Files:
        limits, policy = HostLimits(filesystem=100), policy_of(**ALL)
        made.append(files_in({"/data": (tmp_path / "data", "private")}, policy, limits, account.descriptor()))
        return made[-1]

    yield another
    for files in made:
        if files.mounts.find("/data") is not None:  # else it left before
            files.close()


def used(files: Files) -> int:
    return files.filesystem.quota().used_bytes


def dies_within(join: Join, act: Callable[[Files], object]) -> None:
    """Another process joins, acts, and is killed: nothing of it is closed in order."""
    child = os.fork()
    if child == 0:
        try:
            act(join())
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)  # it failed; the tests go on in the parent alone
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_what_one_keeps_the_other_cannot(join: Join) -> None:
    one, other = join(), join()
    value_of(one.filesystem.write_file_atomic("/data/a", bytes(60)))
    assert used(other) == 60
    assert case_of(other.filesystem.write_file_atomic("/data/b", bytes(41))) == "quota-exceeded"
    file = opened(other, "/data/a")
    assert case_of(file.write_at(60, bytes(41))) == "quota-exceeded"
    value_of(file.set_length(10))
    value_of(one.filesystem.write_file_atomic("/data/b", bytes(90)))
    assert (used(one), used(other)) == (100, 100)


def test_what_one_deletes_and_the_other_has_open_counts_until_it_is_closed(join: Join) -> None:
    one, other = join(), join()
    file = opened(other, "/data/a")
    value_of(file.write(bytes(50)))
    value_of(one.filesystem.delete_file("/data/a"))
    value_of(file.write(bytes(40)))
    assert case_of(one.filesystem.write_file_atomic("/data/b", bytes(11))) == "quota-exceeded"
    value_of(file.close())
    assert (used(one), used(other)) == (0, 0)
    value_of(one.filesystem.write_file_atomic("/data/b", bytes(100)))


def test_one_that_leaves_in_order_leaves_what_it_kept(join: Join) -> None:
    one, other = join(), join()
    value_of(one.filesystem.write_file_atomic("/data/a", bytes(60)))
    one.close()
    assert used(other) == 60
    value_of(other.filesystem.delete_file("/data/a"))
    assert used(other) == 0


@pytest.mark.parametrize("next_is", ["there", "new"])
def test_what_a_killed_one_had_open_counts_no_longer(join: Join, next_is: str) -> None:
    one = join()

    def act(files: Files) -> None:
        file = opened(files, "/data/a")
        value_of(file.write(bytes(70)))
        value_of(files.filesystem.delete_file("/data/a"))
        assert used(files) == 70

    dies_within(join, act)
    asked = one if next_is == "there" else join()
    value_of(asked.filesystem.write_file_atomic("/data/b", bytes(100)))
    assert used(one) == 100


def test_what_a_killed_one_took_room_for_and_did_not_write_is_free_again(join: Join) -> None:
    one = join()
    value_of(one.filesystem.write_file_atomic("/data/a", bytes(10)))

    def act(files: Files) -> None:
        ledger = files.mounts.find("/data/a")[0].ledger  # type: ignore[index]
        assert ledger is not None
        ledger.charge(90)

    dies_within(join, act)
    value_of(one.filesystem.write_file_atomic("/data/b", bytes(90)))
    assert used(one) == 100


def test_one_that_is_killed_while_it_holds_the_account_keeps_nobody_out(join: Join) -> None:
    one = join()
    value_of(one.filesystem.write_file_atomic("/data/a", bytes(10)))
    dies_within(join, lambda files: files.mounts.account.held().__enter__())
    assert used(one) == 10
    assert used(join()) == 10


def test_folders_that_nobody_uses_any_more_are_counted_anew(join: Join, tmp_path: Path) -> None:
    one = join()
    value_of(one.filesystem.write_file_atomic("/data/a", bytes(10)))
    one.close()
    (tmp_path / "data" / "a").unlink()
    assert used(join()) == 0
