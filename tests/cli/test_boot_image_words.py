"""`orlop boot release`, `write`, `verify SHA256SUMS`, `keygen --secure-boot`: a line and an exit code for each case."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from boot.image.sums import sha256_of, write_sums
from tests.boot.image.small_releases import IMAGE, efi_program, release
from tests.boot.trust.signed import DAY_MS, KEYS
from tests.cli.program import Ran, inside


def run(place: Path, words: str) -> Ran:
    return inside(place, words.split(), cwd=place)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a key of nobody and a release that it signed a day ago."""
    now_ms = time.time_ns() // 1_000_000_000 * 1000
    image = replace(IMAGE, built_ms=now_ms - 2 * DAY_MS)
    release(tmp_path / "release", image, created_ms=now_ms - DAY_MS, expires_ms=now_ms + 30 * DAY_MS)
    (tmp_path / "root.key").write_bytes(bytes([1]) * 32)
    (tmp_path / "root.key").chmod(0o600)
    (tmp_path / "root.pub").write_text(KEYS[0].public_hex)
    return tmp_path


RELEASE = "boot release release --out images --key root.key"


def test_a_release_that_was_changed_is_refused_with_its_step(place: Path) -> None:
    (place / "release/kernel").write_bytes(efi_program(content=b"other" * 140))
    ran = run(place, RELEASE)
    assert ran.code == 3
    assert ran.talk.splitlines()[-1].startswith("orlop: boot: refused: hash: kernel has ")
    assert not (place / "images").exists()


REFUSED = {
    "a kind that there is none of": (2, f"{RELEASE} --images floppy", "`floppy` is no kind of image"),
    "a disk that is too small": (2, f"{RELEASE} --size 100MiB", "--size"),
    "a folder that is not there": (1, "boot release none --out images --key root.key", "no such file or directory"),
    "half of a key": (2, f"{RELEASE} --secure-boot-key root.key", "belong together"),
    "a key that is not there": (2, "boot release release --out images --key none.key", "no such key"),
    "a folder that is there": (2, "boot release release --out release --key root.key", "exists already"),
}


@pytest.mark.parametrize(("code", "words", "why"), REFUSED.values(), ids=REFUSED)
def test_release_refuses(code: int, words: str, why: str, place: Path) -> None:
    ran = run(place, words)
    assert ran.code == code, ran.talk
    assert why in ran.talk
    assert ran.talk.count("\n") == 1
    assert not (place / "images").exists()


def test_11_3_a_menu_waits_ten_seconds_unless_it_is_told_otherwise(place: Path) -> None:
    (said,) = [line for line in run(place, "boot release --help").out.decode().splitlines() if "--timeout" in line]
    assert said.endswith("of the boot menu, seconds (default: 10)")


def test_a_key_that_others_may_have_read_signs_nothing(place: Path) -> None:
    (place / "root.key").chmod(0o644)
    ran = run(place, RELEASE)
    assert ran.code == 1
    assert "others may have read it" in ran.talk


def test_images_are_verified_by_their_list(place: Path) -> None:
    images = place / "images"
    images.mkdir()
    (images / "a.img").write_bytes(b"image")
    write_sums(images, {"a.img": sha256_of(images / "a.img")}, KEYS[0])
    verify = "boot verify images/SHA256SUMS --root-key root.pub"
    ran = run(place, f"{verify} --json")
    assert (ran.code, ran.json["ok"], set(ran.json["files"])) == (0, True, {"a.img"})
    (images / "a.img").write_bytes(b"other")
    ran = run(place, verify)
    assert (ran.code, ran.talk[:33]) == (3, "orlop: boot: refused: hash: a.img")
    (images / "a.img").unlink()
    ran = run(place, verify)
    assert ran.code == 5
    assert "is missing" in ran.talk


def test_a_manifest_is_verified_for_a_machine_that_is_named(place: Path) -> None:
    ran = run(place, "boot verify release/manifest.json --root-key root.pub")
    assert ran.code == 2
    assert "--channel is missing" in ran.talk


def test_keys_for_a_firmware_are_made_once(place: Path) -> None:
    ran = run(place, "boot keygen --secure-boot --out keys --json")
    assert ran.code == 0
    assert len(ran.json["files"]) == 15
    assert (place / "keys/db.key").stat().st_mode & 0o777 == 0o600
    ran = run(place, "boot keygen --secure-boot --out keys")
    assert ran.code == 2
    assert "exists already" in ran.talk


def test_write_looks_at_the_image_and_at_the_device_first(place: Path) -> None:
    (place / "empty.img").write_bytes(b"")
    for words, why in (
        ("boot write none.img /dev/null", "none.img: no such file"),
        ("boot write empty.img /dev/null", "empty.img: is empty"),
        ("boot write release/kernel /dev/null", "no image of a disk"),
    ):
        ran = run(place, words)
        assert ran.code == 2, ran.talk
        assert why in ran.talk
