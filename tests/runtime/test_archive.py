"""The index of a backup: names that a state directory has, each once, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.archive import Entry, Index, is_name, read_index
from runtime.errors import OrlopError, RefusedError, UsageError

HEX = "ab" + "0" * 62
KEYS = [["identity.key", 32], ["orlop.db", 4096], ["vault.key", 32]]


def document(**changes: object) -> bytes:
    whole = {"v": 1, "created_ms": 5, "orlop": "1", "schema": 2, "files": KEYS}
    return json.dumps(whole | changes).encode()


GOOD = f"""VERSION identity.key vault.key orlop.db ui.toml config.d/50-set.toml config.d/ä.toml
    modules/sha256/ab/{HEX} blobs/sha256/ab/{HEX} output/{HEX}""".split()
BAD = f""". .. /etc/passwd ../identity.key identity.key/ ./identity.key IDENTITY.KEY owner.lock control.sock run/x
    cache/compiled/x config.d/../x.toml config.d/.x.toml config.d/a/b.toml config.d/x modules/sha256/ba/{HEX}
    modules/sha256/ab/{HEX.upper()} modules/sha256/../{HEX} output/{HEX}/x output/{HEX[1:]}
    output/../orlop.db""".split()
UNPRINTABLE = (
    "",
    "config.d/x.toml\n",
    "config.d/\x1b[2J.toml",
    "config.d/x\0.toml",
    f"output/{HEX}\n",
    "config.d/\ud800.toml",
)


@pytest.mark.parametrize("name", GOOD)
def test_names_of_a_state_directory(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", [*BAD, *UNPRINTABLE], ids=ascii)
def test_no_other_name_is_one(name: str) -> None:
    assert not is_name(name)


@given(st.text(max_size=30))
def test_no_name_leads_out_of_the_directory(name: str) -> None:
    if is_name(name):
        assert not name.startswith("/")
        assert ".." not in name.split("/")


def test_what_is_written_is_read() -> None:
    index = Index(created_ms=5, program="1", schema=2, entries=tuple(Entry(name, size) for name, size in KEYS))
    assert read_index(index.document()) == index
    assert index.size == 4160


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "its index is damaged"),
        (b"[]", "its index is damaged"),
        (document(created_ms="now"), "its index is damaged"),
        (document(files={}), "lacks identity.key, orlop.db, vault.key"),
        (document(files=KEYS[:2]), "lacks vault.key"),
        (document(files=[*KEYS, ["ui.toml", -1]]), "its index is damaged"),
        (document(files=[*KEYS, ["ui.toml", True]]), "its index is damaged"),
        (document(files=[*KEYS, ["ui.toml"]]), "its index is damaged"),
        (document(files=[*KEYS, ["../x", 1]]), "holds `../x`, which is no file of a state directory"),
        (document(files=[*KEYS, ["orlop.db", 1]]), "names a file twice"),
    ],
)
def test_a_wrong_index_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_index(data)
    assert caught.value.why.startswith(words)


def test_a_later_index_is_named() -> None:
    with pytest.raises(UsageError, match="index 2, this one knows 1"):
        read_index(document(v=2, files="something new"))


@given(st.binary(max_size=200))
def test_any_bytes_are_an_index_or_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(OrlopError):
        read_index(data)
