"""`orlop boot …` by the real program: keys, releases, roots, and a line and an exit code for every refusal."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.program import Ran, inside

VERIFY = "boot verify release/manifest.json --root-key keys/root.pub --channel stable --arch x86_64"


def run(place: Path, words: str) -> Ran:
    return inside(place, words.split(), cwd=place)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a key and a signed release."""
    release = tmp_path / "release"
    release.mkdir()
    for name in ("kernel", "initramfs", "rootfs"):
        (release / name).write_bytes(name.encode() * 100)
    assert run(tmp_path, "boot keygen --out keys").code == 0
    assert run(tmp_path, f"boot sign release --key keys/root.key {NEW}").code == 0
    return tmp_path


NEW = "--channel stable --arch x86_64 --version 7"


def test_from_a_key_to_a_release_that_verifies_in_three_commands(place: Path) -> None:
    assert (place / "keys/root.key").stat().st_mode & 0o777 == 0o600
    ran = run(place, f"{VERIFY} --artifacts release --json")
    assert (ran.code, ran.talk) == (0, "")
    assert ran.json["ok"]
    assert [step["name"] for step in ran.json["steps"]] == [
        "form", "schema", "root", "signatures", "payload", "channel", "arch", "time", "version", "artifacts",
    ]  # fmt: skip
    assert not (place / ".local").exists(), "no state directory"


REFUSALS = {
    "channel": VERIFY.replace("stable", "nightly"),
    "arch": VERIFY.replace("x86_64", "arm64"),
    "rollback": f"{VERIFY} --min-version 8",
    "expired": f"{VERIFY} --now 2099-01-01T00:00:00Z",
    "not-yet-valid": f"{VERIFY} --now 2001-01-01T00:00:00Z",
}


@pytest.mark.parametrize(("step", "words"), REFUSALS.items())
def test_a_refusal_is_one_line_and_exit_3(place: Path, step: str, words: str) -> None:
    ran = run(place, words)
    assert ran.code == 3
    assert ran.talk.startswith(f"orlop: boot: refused: {step}: ")
    assert ran.talk.count("\n") == 1


def test_what_was_changed_after_it_was_signed_is_refused(place: Path) -> None:
    manifest = place / "release/manifest.json"
    document = json.loads(manifest.read_bytes())
    document["payload"]["cmdline"] = "init=/bin/sh"
    manifest.write_text(json.dumps(document))
    assert run(place, VERIFY).talk.startswith("orlop: boot: refused: bad-signature: ")
    manifest.write_bytes(b"x" * 70_000)
    assert run(place, VERIFY).talk.startswith("orlop: boot: refused: too-large: ")


def test_other_bytes_than_those_signed_are_refused_and_missing_ones_could_not_be_checked(place: Path) -> None:
    (place / "release/kernel").write_bytes(b"KERNEL" * 100)
    ran = run(place, f"{VERIFY} --artifacts release")
    assert (ran.code, ran.talk[:26]) == (3, "orlop: boot: refused: hash")
    (place / "release/kernel").unlink()
    ran = run(place, f"{VERIFY} --artifacts release")
    assert ran.code == 5
    assert "kernel is missing" in ran.talk
    (place / "release/kernel").symlink_to("/etc/hostname")
    assert run(place, f"{VERIFY} --artifacts release").code == 5


def test_two_holders_sign_one_after_another_and_a_revoked_key_signs_nothing(place: Path) -> None:
    run(place, "boot keygen --out second")
    both = (place / "second/root.pub").read_text().strip()
    first = (place / "keys/root.pub").read_text().strip()
    rotate = "boot rotate keys/root.pub --out release/root/2.json"
    ran = run(place, f"{rotate} --key keys/root.key --add {both} --threshold 2 --json")
    assert (ran.json["missing_old"], ran.json["missing_new"]) == (0, 1)
    assert run(place, VERIFY).talk.startswith("orlop: boot: refused: root: ")  # nobody follows half a root
    assert run(place, f"{rotate} --key second/root.key --json").json["missing_new"] == 0
    assert run(place, VERIFY).talk.startswith("orlop: boot: refused: threshold: 1 of 2")
    assert run(place, "boot sign release --key second/root.key").code == 0
    assert run(place, VERIFY).code == 0
    alone = "boot rotate release/root/2.json --out release/root/3.json --key keys/root.key --key second/root.key"
    assert run(place, f"{alone} --remove {first} --threshold 1").code == 0
    assert run(place, VERIFY).code == 0  # the second key signed it, too
    assert run(place, f"boot sign release --key keys/root.key {NEW}").code == 0
    assert run(place, VERIFY).talk.startswith("orlop: boot: refused: revoked-key: ")


BAD = {
    "a key is never replaced": ("boot keygen --out keys", 2),
    "is missing": ("boot sign empty --key keys/root.key " + NEW, 2),
    "is empty": ("boot sign hollow --key keys/root.key " + NEW, 2),
    "is not a regular file": ("boot sign odd --key keys/root.key " + NEW, 1),
    "is a symbolic link": ("boot sign linked --key keys/root.key " + NEW, 1),
    "nested/kernel: is not a regular file": ("boot sign nested --key keys/root.key " + NEW, 1),
    "has more than 8GiB": ("boot sign huge --key keys/root.key " + NEW, 2),
    "keys: is not a regular file": ("boot sign release --key keys", 1),
    "is larger than 1024 bytes": ("boot sign release --key rsa.pem", 1),
    "others may have read it": ("boot sign release --key wide.key", 1),
    "a key has 32": ("boot sign release --key short.key", 1),
    "no such key": ("boot sign release --key nowhere.key", 2),
    "--channel is missing": ("boot sign release --key keys/root.key --version 8", 2),
    "no such file": (VERIFY.replace("manifest.json", "other.json"), 2),
    "is no root": (VERIFY.replace("keys/root.pub", "release/kernel"), 2),
    "not a time": (f"{VERIFY} --now soon", 2),
    "is no public key": ("boot rotate keys/root.pub --key keys/root.key --out r.json --add xyz", 2),
    "trusts nobody": ("boot rotate keys/root.pub --key keys/root.key --out r.json --remove OWN", 2),
    "cannot sign": ("boot rotate keys/root.pub --key keys/root.key --out r.json --threshold 2", 2),
}


@pytest.mark.parametrize(("said", "line"), BAD.items(), ids=list(BAD))
def test_bad_input_is_one_line_and_writes_nothing(place: Path, said: str, line: tuple[str, int]) -> None:
    for name in ("empty", "hollow", "odd", "linked", "nested", "nested/kernel", "huge"):
        (place / name).mkdir()
    with (place / "huge" / "kernel").open("wb") as file:
        file.truncate(9 << 30)  # without a byte on the disk
    for name in ("kernel", "initramfs"):
        (place / "hollow" / name).write_bytes(b"")
        (place / "linked" / name).symlink_to(place / "release" / name)
        os.mkfifo(place / "odd" / name)
    (place / "wide.key").write_bytes(bytes(32))
    (place / "wide.key").chmod(0o644)
    (place / "rsa.pem").write_text(f"-----BEGIN PRIVATE KEY-----\n{'A' * 1600}\n-----END PRIVATE KEY-----\n")
    (place / "rsa.pem").chmod(0o600)
    (place / "short.key").write_bytes(b"short")
    (place / "short.key").chmod(0o600)
    before = (place / "release/manifest.json").read_bytes()
    words, code = line
    ran = run(place, words.replace("OWN", (place / "keys/root.pub").read_text().strip()))
    assert said in ran.talk
    assert (ran.code, ran.talk.count("\n")) == (code, 1)
    assert (place / "release/manifest.json").read_bytes() == before
    assert not (place / "r.json").exists()
    assert not (place / "empty/manifest.json").exists()
