"""`SHA256SUMS`: signed by a key of the root, and every file in it is what it says."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from boot.errors import BootRefusedError, BootUnavailableError
from boot.image.sums import RELEASE_DOMAIN, check_sums, write_sums
from tests.boot.trust.signed import KEYS, TRUSTED

FILES = {"a.img": b"a" * 100_000, "b.qcow2": b"b"}


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    write_sums(tmp_path, {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}, KEYS[0])
    return tmp_path / "SHA256SUMS"


def test_the_list_is_that_of_sha256sum_and_its_signature_is_over_the_domain_and_its_bytes(sums: Path) -> None:
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in FILES.items()]
    assert sums.read_text() == "".join(lines)
    signature = bytes.fromhex((sums.parent / "SHA256SUMS.sig").read_text().strip())
    assert signature == KEYS[0].sign(RELEASE_DOMAIN, sums.read_bytes())


def test_what_was_written_verifies_and_names_who_signed(sums: Path) -> None:
    key, files = check_sums(sums, TRUSTED)
    assert key == KEYS[0].public_hex
    assert set(files) == set(FILES)


def _changed_file(sums: Path) -> None:
    (sums.parent / "a.img").write_bytes(b"A" * 100_000)


def _changed_list(sums: Path) -> None:
    sums.write_text(sums.read_text().replace("a.img", "b.img"))


def _other_key(sums: Path) -> None:
    (sums.parent / "SHA256SUMS.sig").write_text(KEYS[1].sign(RELEASE_DOMAIN, sums.read_bytes()).hex())


def _upper_case(sums: Path) -> None:
    signature = sums.parent / "SHA256SUMS.sig"
    signature.write_text(signature.read_text().upper())


def _signed(text: str) -> Callable[[Path], None]:
    def change(sums: Path) -> None:
        sums.write_text(text)
        (sums.parent / "SHA256SUMS.sig").write_text(KEYS[0].sign(RELEASE_DOMAIN, sums.read_bytes()).hex())

    return change


REFUSED: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a file was changed": ("hash", _changed_file),
    "the list was changed": ("bad-signature", _changed_list),
    "somebody else signed": ("bad-signature", _other_key),
    "a signature in other letters": ("malformed", _upper_case),
    "an empty list": ("malformed", _signed("")),
    "a name that leaves the folder": ("malformed", _signed(f"{'00' * 32}  ../a.img\n")),
    "a name twice": ("malformed", _signed(f"{'00' * 32}  a.img\n{'11' * 32}  a.img\n")),
}


@pytest.mark.parametrize(("step", "change"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_when(step: str, change: Callable[[Path], None], sums: Path) -> None:
    change(sums)
    with pytest.raises(BootRefusedError) as refused:
        check_sums(sums, TRUSTED)
    assert refused.value.step == step


def _without_file(sums: Path) -> None:
    (sums.parent / "a.img").unlink()


def _without_signature(sums: Path) -> None:
    (sums.parent / "SHA256SUMS.sig").unlink()


def _link(sums: Path) -> None:
    (sums.parent / "a.img").rename(sums.parent / "c.img")
    (sums.parent / "a.img").symlink_to("c.img")


def _folder(sums: Path) -> None:
    (sums.parent / "a.img").unlink()
    (sums.parent / "a.img").mkdir()


@pytest.mark.parametrize("change", [_without_file, _without_signature, _link, _folder])
def test_what_cannot_be_read_could_not_be_checked(change: Callable[[Path], None], sums: Path) -> None:
    change(sums)
    with pytest.raises(BootUnavailableError):
        check_sums(sums, TRUSTED)
