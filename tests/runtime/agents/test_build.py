"""An author's folder: what is made, what is built of it, and what is refused before anything is written."""

import json
from pathlib import Path

import pytest

import assets
from runtime import durable
from runtime.agents import toolchain
from runtime.agents.binary import BinaryRefusedError, module_digest
from runtime.agents.build import build, create, needed
from runtime.agents.interface import FUNCTIONS, NEEDS
from runtime.agents.manifest import ManifestRefusedError, Permission, read_manifest
from runtime.errors import NotFoundError, OrlopError, RefusedError, UnavailableError

OVERDUE = assets.path("agents/overdue/overdue.wasm").read_bytes()
HELLO = assets.path("jobs/hello/hello.wasm").read_bytes()
METADATA = 'name = "mine"\nversion = "1"\ndescription = ""\nauthor = ""\n'


def folder(tmp_path: Path, metadata: str = METADATA, wasm: bytes | None = OVERDUE) -> Path:
    (tmp_path / "agent.toml").write_text(metadata)
    if wasm is not None:
        (tmp_path / "mine.wasm").write_bytes(wasm)
    return tmp_path


def test_the_c_template_is_the_agent_that_is_shipped_with_its_source(tmp_path: Path) -> None:
    files = create(tmp_path / "overdue", "overdue", "c")
    assert [path.name for path in files] == ["overdue.c", "agent.toml", "tasks.json", "orlop_agent.h"]
    shipped = assets.path("agents/overdue/overdue.c").read_bytes()
    assert files[0].read_bytes() == shipped
    assert files[3].read_bytes() == assets.path("agents/kit/orlop_agent.h").read_bytes()
    (other, *_) = create(tmp_path / "mine", "mine", "c")
    assert other.read_bytes() == shipped.replace(b"overdue", b"mine")


def test_an_agent_called_tasks_does_not_overwrite_its_example(tmp_path: Path) -> None:
    assert "room.json" in [path.name for path in create(tmp_path / "tasks", "tasks", "c")]


@pytest.mark.parametrize("there", ["file", "folder", "link"])
def test_nothing_is_ever_overwritten(tmp_path: Path, there: str) -> None:
    place = tmp_path / "mine"
    {"file": place.touch, "folder": place.mkdir, "link": lambda: place.symlink_to("nowhere")}[there]()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RefusedError, match="exists already, and nothing was changed"):
        create(place, "mine", "c")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["", "Mine", "../mine", "a/b", ".mine", "x" * 33, "mine\n"])
def test_a_name_that_no_agent_may_have_makes_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ManifestRefusedError, match="must be 1 to 32 of"):
        create(tmp_path / "folder", name, "c")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_filled_is_taken_away_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = durable.create
    made: list[Path] = []

    def full(path: Path, data: bytes, *, mode: int = 0o600) -> bool:
        if len(made) == 2:
            raise UnavailableError("no space left on device", where=str(path))
        made.append(path)
        return real(path, data, mode=mode)

    monkeypatch.setattr("runtime.agents.build.durable.create", full)
    with pytest.raises(UnavailableError, match="no space"):
        create(tmp_path / "mine", "mine", "c")
    assert list(tmp_path.iterdir()) == []


def test_a_finished_module_gets_a_manifest_that_asks_for_what_it_needs(tmp_path: Path) -> None:
    built = build(folder(tmp_path))
    manifest = read_manifest((tmp_path / "mine.json").read_bytes())
    assert manifest.wasm_hash == module_digest(OVERDUE)
    assert manifest.permissions == (Permission.READ_TASKS, Permission.EMIT_EVENTS)
    assert (built.module, built.size, built.symbols) == (tmp_path / "mine.wasm", len(OVERDUE), None)
    assert (tmp_path / "mine.wasm").read_bytes() == OVERDUE


def test_the_layout_of_the_state_is_passed_on(tmp_path: Path) -> None:
    build(folder(tmp_path, METADATA + "stateVersion = 3\n"))
    assert json.loads((tmp_path / "mine.json").read_text())["stateVersion"] == 3


def test_a_manifest_that_says_the_same_keeps_its_signature(tmp_path: Path) -> None:
    build(folder(tmp_path))
    path = tmp_path / "mine.json"
    signed = json.dumps(json.loads(path.read_text()) | {"signer": "ab" * 32, "signature": "v2:x"})
    path.write_text(signed)
    build(tmp_path)
    assert path.read_text() == signed
    folder(tmp_path, METADATA.replace('"1"', '"2"'))
    build(tmp_path)
    assert "signature" not in json.loads(path.read_text())


@pytest.mark.parametrize("junk", [b"", b"\xff", b"[]", b"{", b"{" * 100_000])
def test_a_manifest_that_cannot_be_read_is_written_anew(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "mine.json").write_bytes(junk)
    build(folder(tmp_path))
    assert read_manifest((tmp_path / "mine.json").read_bytes()).name == "mine"


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ("name = ", "is no TOML"),
        ('name = "mine"', "`version` must be a text"),
        (METADATA.replace('"1"', "1"), "`version` must be a text"),
        (METADATA + "stateVersion = 0\n", "Manifest.stateVersion must be an integer from 1"),
        (METADATA + 'licence = "x"\n', "unknown key `licence`"),
        (METADATA + "permissions = []\n", "unknown key `permissions`.*permissions follow from"),
        (METADATA.replace("mine", "../mine"), "must be 1 to 32 of"),
    ],
)
def test_metadata_that_is_not_as_it_should_be_is_named(tmp_path: Path, metadata: str, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        build(folder(tmp_path, metadata))
    assert not (tmp_path / "mine.json").exists()


def test_a_folder_without_an_agent_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"agent\.toml: no such file; orlop agents new makes a folder"):
        build(tmp_path)
    folder(tmp_path, wasm=None)
    with pytest.raises(NotFoundError, match=r"holds none of mine\.c, mine\.zig, mine\.wasm"):
        build(tmp_path)
    for name in ("mine.c", "mine.zig"):
        (tmp_path / name).touch()
    with pytest.raises(RefusedError, match=r"holds mine\.c and mine\.zig: which one is it\?"):
        build(tmp_path)


@pytest.mark.parametrize(
    "wasm", [b"", b"\0asm", HELLO, b"\0asm\x01\0\0\0"], ids=["empty", "cut", "a job", "without exports"]
)
def test_a_module_that_no_room_would_take_gets_no_manifest(tmp_path: Path, wasm: bytes) -> None:
    with pytest.raises((BinaryRefusedError, RefusedError)):
        build(folder(tmp_path, wasm=wasm))
    assert not (tmp_path / "mine.json").exists()


def test_without_the_compiler_one_line_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(tmp_path / "mine", "mine", "c")
    monkeypatch.setattr(toolchain, "PACKAGE", "no_such_package")
    before = sorted((tmp_path / "mine").iterdir())
    with pytest.raises(OrlopError) as caught:
        build(tmp_path / "mine")
    assert "the compiler no_such_package is not installed; pip install no_such_package==0.17.0" in str(caught.value)
    assert sorted((tmp_path / "mine").iterdir()) == before


def test_every_host_function_has_its_permissions() -> None:
    assert set(NEEDS) == set(FUNCTIONS)


@pytest.mark.parametrize("name", ["auto-balance", "digest", "due-watch", "faulty", "overdue", "triage", "unblock"])
def test_the_shipped_agents_ask_for_what_they_need(name: str) -> None:
    manifest = read_manifest(assets.path(f"agents/{name}/{name}.json").read_bytes())
    assert needed(assets.path(f"agents/{name}/{name}.wasm").read_bytes()) == manifest.permissions
