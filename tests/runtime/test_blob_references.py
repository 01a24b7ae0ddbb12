import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from runtime.blob_references import TREE, Collected, collect, refer, references, release
from runtime.blob_trees import put_tree
from runtime.blobs import Blob, BlobGoneError, Blobs
from runtime.clock import SystemClock
from runtime.errors import UnavailableError
from runtime.store import Store, Transaction


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "orlop.db", SystemClock(), owner=True) as opened:
        yield opened


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def link(store: Store, job: str, role: str, blob: Blob) -> None:
    store.write(lambda work: refer(work, job, role, blob)).result()


def let_hours_pass(store: Store, tmp_path: Path) -> None:
    """All that is stored becomes old, on the disk and in the database."""
    for path in (tmp_path / "blobs").rglob("*"):
        if path.is_file():
            os.utime(path, (1e9, 1e9))
    store.write(lambda work: work.execute("UPDATE blobs SET created_ms = 0").rowcount).result()


def rows(store: Store) -> list[str]:
    return [
        row[0] for row in store.read_now(lambda connection: connection.execute("SELECT hash FROM blobs").fetchall())
    ]


def kept(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file()}


def test_what_a_job_needs_is_known_by_role(store: Store, blobs: Blobs) -> None:
    module, stdin = blobs.put(b"module", limit=9), blobs.put(b"input", limit=9)
    link(store, "j", "module", module)
    link(store, "j", "stdin", module)
    link(store, "j", "stdin", stdin)
    link(store, "k", "module", module)
    assert store.read_now(lambda db: references(db, "j")) == {"module": module, "stdin": stdin}
    store.write(lambda work: release(work, "j")).result()
    assert store.read_now(lambda db: references(db, "j")) == {}
    assert store.read_now(lambda db: references(db, "k")) == {"module": module}


def test_a_reference_is_made_with_its_transaction_or_not_at_all(store: Store, blobs: Blobs) -> None:
    blob = blobs.put(b"module", limit=9)

    def fails(work: Transaction) -> None:
        refer(work, "j", "module", blob)
        raise UnavailableError("no")

    with pytest.raises(UnavailableError):
        store.write(fails).result()
    assert store.read_now(lambda db: references(db, "j")) == {}


def test_what_no_job_needs_is_collected_after_an_hour(store: Store, blobs: Blobs, tmp_path: Path) -> None:
    needed, orphan = blobs.put(b"needed", limit=9), blobs.put(b"orphan", limit=9)
    shared = blobs.put(b"shared", limit=9)
    for job in ("j", "k"):
        link(store, job, "stdin", shared)
    link(store, "j", "module", needed)
    assert collect(store, blobs) == Collected(0, 0)
    let_hours_pass(store, tmp_path)
    young = blobs.put(b"young", limit=9)
    assert collect(store, blobs) == Collected(1, 6)
    assert kept(tmp_path) == {needed.hash, shared.hash, young.hash}
    store.write(lambda work: release(work, "j")).result()
    assert collect(store, blobs) == Collected(1, 6)
    assert kept(tmp_path) == {shared.hash, young.hash}
    assert rows(store) == [shared.hash]
    with pytest.raises(BlobGoneError):
        blobs.claim(orphan.hash)


def test_a_tree_keeps_its_files(store: Store, blobs: Blobs, tmp_path: Path) -> None:
    place = tmp_path / "given"
    (place / "a").mkdir(parents=True)
    (place / "a" / "file").write_bytes(b"inside")
    descriptor = os.open(place, os.O_RDONLY)
    tree = put_tree(blobs, descriptor, limit=99)
    os.close(descriptor)
    link(store, "j", f"{TREE}/data", tree.listing)
    let_hours_pass(store, tmp_path)
    assert collect(store, blobs) == Collected(0, 0)
    store.write(lambda work: release(work, "j")).result()
    assert collect(store, blobs).blobs == 2
    assert kept(tmp_path) == set()


def test_a_damaged_tree_does_not_stop_the_collection(store: Store, blobs: Blobs, tmp_path: Path) -> None:
    no_tree = blobs.put(b"no tree", limit=9)
    link(store, "j", f"{TREE}/data", no_tree)
    link(store, "k", f"{TREE}/data", Blob("ab" * 32, 1))
    blobs.put(b"orphan", limit=9)
    let_hours_pass(store, tmp_path)
    assert collect(store, blobs) == Collected(1, 6)
    assert kept(tmp_path) == {no_tree.hash}


def test_many_are_collected_in_steps_between_which_others_write(
    store: Store, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step is a work of its own that waits for its turn, so that what others queued meanwhile comes between."""
    for number in range(200):
        blobs.put(str(number).encode(), limit=9)
    let_hours_pass(store, tmp_path)
    steps: list[int] = []
    write = store.write

    def counted(work: Callable[[Transaction], object], *, urgent: bool) -> "Future[object]":
        left = len(kept(tmp_path))
        steps.append(left)
        return write(work, urgent=urgent)

    monkeypatch.setattr(store, "write", counted)
    assert collect(store, blobs).blobs == 200
    assert steps == [200, 136, 72, 8, 0]


def test_content_that_is_referred_to_while_it_is_collected_stays(store: Store, blobs: Blobs, tmp_path: Path) -> None:
    """Claim, then refer, on one side; collections without pause on the other: no reference ever leads nowhere."""
    with ThreadPoolExecutor(1) as pool:
        for number in range(30):
            blob = blobs.put(b"again", limit=9)
            let_hours_pass(store, tmp_path)
            collecting = pool.submit(collect, store, blobs)
            try:
                claimed = blobs.claim(blob.hash)
            except BlobGoneError:
                collecting.result()
                continue
            link(store, f"j{number}", "stdin", claimed)
            collecting.result()
            assert blobs.read(blob.hash, limit=9) == b"again"
            store.write(partial(release, job=f"j{number}")).result()
