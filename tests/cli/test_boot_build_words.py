"""`orlop boot build` by the real program: what is wrong is said before anything is downloaded."""

from pathlib import Path

import pytest

from tests.cli.program import inside

BUILD = "boot build --out release --root-key keys/root.pub"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    assert inside(tmp_path, ["boot", "keygen", "--out", "keys"], cwd=tmp_path).code == 0
    return tmp_path


WRONG = {
    "boot build --out release --root-key nowhere.pub": "nowhere.pub",
    "boot build --out release --root-key keys/root.key": "is no root",
    f"{BUILD} --kernel nowhere.deb": "nowhere.deb: no such file; --kernel takes cloud, full or a kernel's package",
    f"{BUILD} --arch riscv64": "riscv64",
    f"{BUILD} --version 0": "--version",
    f"{BUILD} --name a/b": "--name: 1 to 64 letters",
    f"{BUILD} --compression 9": "9",
    f"{BUILD} --bootstrap nowhere": "--bootstrap: ",
    f"{BUILD} --debug-shell": "--debug-shell: an image with a shell is for the channel nightly; add --channel nightly",
    f"{BUILD} --secure-boot-key keys/root.key": "--secure-boot-key and --secure-boot-cert belong together",
    f"{BUILD} --secure-boot-key nowhere.key --secure-boot-cert nowhere.crt": "nowhere.key: no such file",
    "boot build --root-key keys/root.pub": "--out",
    "boot build --out release": "--root-key",
}


@pytest.mark.parametrize(("words", "says"), WRONG.items())
def test_what_was_typed_wrongly_is_one_line_and_nothing_is_written(place: Path, words: str, says: str) -> None:
    ran = inside(place, words.split(), cwd=place)
    assert ran.code == 2
    assert says in ran.talk
    assert "Traceback" not in ran.talk
    assert not (place / "release").exists()
    assert not (place / ".cache").exists()
