"""What is wrong with a component, to the real program: one clear line for each fault, its exit code, nothing kept."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import wasmtime

from tests.cli.program import ROOT, Ran, inside, orlop
from tests.hostile import job, leb, section, vec

DOER = (ROOT / "tests/runtime/components/guests/doer.wasm").read_bytes()
LIFE = "orlop:core/component-lifecycle@1.0.0"
COMPONENT = b"\0asm\x0d\0\1\0"
HEAD = 'schema = 1\n[package]\nname = "doer"\nnamespace = "local"\nversion = "1.0.0"\n[component]\nfile = "doer.wasm"\n'

Write = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    assert inside(tmp_path / "home", ["init"], cwd=tmp_path).code == 0
    return tmp_path / "home"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """The folder of a component as an author would make it, but for what is said."""

    def made(wasm: bytes = DOER, more: str = "", *, head: str = HEAD, sha256: str = "") -> Path:
        folder = tmp_path / "doer"
        folder.mkdir(exist_ok=True)
        (folder / "doer.wasm").write_bytes(wasm)
        digest = sha256 or hashlib.sha256(wasm).hexdigest()
        (folder / "Component.toml").write_text(f'{head}sha256 = "{digest}"\n{more}')
        return folder

    return made


def wat(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


def components(home: Path, *words: str) -> Ran:
    return inside(home, ["components", *words], cwd=home)


def refused(ran: Ran, code: int, *said: str, lines: int = 1) -> None:
    """Nothing on stdout, so many harmless lines on stderr, and these words in them."""
    assert (ran.code, ran.out) == (code, b""), ran
    assert ran.talk.count("\n") == lines, ran.talk
    assert all(line.isprintable() for line in ran.talk.splitlines())
    for words in ("Traceback", "unexpected", "mistake in orlop"):
        assert words not in ran.talk
    for part in said:
        assert part in ran.talk, ran.talk


def nothing_is_installed(home: Path) -> None:
    listed = components(home, "list", "--json")
    assert json.loads(listed.out)["items"] == []


EXPORTED = f'(instance $i) (export "{LIFE}" (instance $i))'


@pytest.mark.parametrize(
    ("wasm", "code", "words"),
    [
        (b"", 1, "the file is empty"),
        (b"(component)", 1, "text, not a binary component"),
        (job("returns"), 1, "this is a core module, not a component; make a component of it: wasm-tools component"),
        (DOER[:-100], 1, "is truncated or damaged"),
        (COMPONENT + section(10, leb(1_001)), 1, "1,001 imports"),
        (COMPONENT + b"\x04" + b"\x7f" * 5, 1, "damaged"),
        (COMPONENT + section(10, vec([b"\0\1\x1b\1\0"])), 1, r"\x1b"),
        (wat("(component " * 12 + ")" * 12), 1, "deep"),
        (wat("(component)"), 2, f"Component.toml:6: component.world: doer.wasm does not export {LIFE}"),
        (
            wat(f'(component (import "wasi:cli/environment@0.2.0" (instance)) {EXPORTED})'),
            2,
            "imports wasi:cli/environment@0.2.0, which no world includes",
        ),
        (
            wat(f'(component (import "orlop:core/storage@2.0.0" (instance)) {EXPORTED})'),
            2,
            "imports orlop:core/storage@2.0.0, and orlop has orlop:core/storage@1.0.0",
        ),
        (
            wat(f'(component (import "orlop:ext-network/socket@1.0.0" (instance)) {EXPORTED})'),
            2,
            "imports orlop:ext-network/socket@1.0.0, which this world does not include",
        ),
        (
            wat(EXPORTED.join(["(component ", ")"]).replace("@1.0.0", "@2.0.0")),
            2,
            f"exports {LIFE.replace('@1', '@2')}, and {LIFE} is needed",
        ),
    ],
)
def test_what_is_no_component_of_ours_is_refused_and_nothing_is_kept(
    home: Path, write: Write, wasm: bytes, code: int, words: str
) -> None:
    folder = str(write(wasm))
    refused(components(home, "check", folder), code, "components check: ", words)
    refused(components(home, "install", folder, "--yes"), code, "components install: ", words)
    nothing_is_installed(home)


def invalid_types() -> bytes:
    """A component whose exported instance is made of a type that is made of itself."""
    whole = wat(f'(component (type $t (record (field "a" u8))) {EXPORTED})')
    record = b"\x72\x01\x01a\x7d"
    assert whole.count(record) == 1
    return whole.replace(record, b"\x72\x01\x01a\x00")


def test_types_in_a_circle_are_refused_by_the_compiler(home: Path, write: Write) -> None:
    folder = str(write(invalid_types()))
    refused(components(home, "install", folder, "--yes"), 1, "components install: ")
    nothing_is_installed(home)


def test_a_larger_file_than_a_component_may_be_is_not_read_whole(home: Path, write: Write) -> None:
    folder = write()
    os.truncate(folder / "doer.wasm", 1 << 40)
    refused(components(home, "install", str(folder), "--yes"), 1, "doer.wasm: larger than 64MiB")


def test_a_component_given_as_an_agent_or_a_job_is_called_so(home: Path, write: Write) -> None:
    wasm = str(write() / "doer.wasm")
    assert inside(home, ["rooms", "create", "harbor"], cwd=home).code == 0
    uploaded = inside(home, ["agents", "upload", "harbor", wasm, "--unsigned", "--grant", "none"], cwd=home)
    refused(uploaded, 1, "agents upload: ", "this is a component, not a core module")
    ran = inside(home, ["jobs", "run", wasm], cwd=home)
    refused(ran, 125, "jobs run: ", "this is a component, not a core module")


@pytest.mark.parametrize(
    ("more", "line", "words"),
    [
        ("stateful = 1\n", 9, "component.stateful: "),
        ("state = true\n", 9, "component.state: "),
        ("[limits]\nmemory = true\n", 10, "limits.memory: "),
        ("[limits]\nmemory = 99999999999999\n", 10, "limits.memory: "),
        ("[permissions.filesystem]\nread = 3\n", 10, "permissions.filesystem.read: "),
        ('[permissions.filesystem]\nread = ["../x"]\n', 10, "permissions.filesystem.read"),
        ("[permission]\n", 9, "permission: "),
        ("[supervision]\nbackoff_initial = '1m'\nbackoff_max = '1s'\n", 11, "supervision.backoff_max: "),
        ("[limits\n", 9, "Component.toml:9"),
    ],
)
def test_each_fault_of_the_manifest_is_a_line_with_its_place(
    home: Path, write: Write, more: str, line: int, words: str
) -> None:
    folder = str(write(more=more))
    refused(components(home, "check", folder), 2, f"Component.toml:{line}: ", words)
    refused(components(home, "install", folder, "--yes"), 2, f"Component.toml:{line}: ", words)
    nothing_is_installed(home)


def test_several_faults_are_as_many_lines(home: Path, write: Write) -> None:
    folder = str(write(more="stateful = 1\nstate = true\n"))
    refused(components(home, "check", folder), 2, "component.stateful", "component.state", lines=2)


def test_a_pattern_that_matches_everything_is_red_at_consent(home: Path, write: Write) -> None:
    everything = '[permissions.filesystem]\nread = ["/**"]\n[permissions.messaging]\nsend = ["*/*"]\n'
    seen = components(home, "inspect", str(write(more=everything)), "--json")
    levels = {one["rule"]: one["level"] for one in json.loads(seen.out)["asked"]}
    assert levels["permissions.filesystem.read[0]"] != "plain"
    assert levels["permissions.messaging.send[0]"] != "plain"


def test_another_hash_and_other_metadata_than_the_manifest_says(home: Path, write: Write) -> None:
    folder = str(write(sha256="0" * 64))
    refused(components(home, "install", folder, "--yes"), 2, "Component.toml:8: component.sha256: doer.wasm has ")
    folder = str(write(head=HEAD.replace("1.0.0", "1.0.1")))
    assert components(home, "install", folder, "--yes").code == 0
    ran = components(home, "run", "doer", "echo")
    refused(ran, 125, "Component.toml:5: package.version: doer.wasm calls itself doer 1.0.0, not 1.0.1")


def test_functions_that_its_lifecycle_lacks_are_named_when_it_starts(home: Path, write: Write) -> None:
    assert components(home, "install", str(write(wat(f"(component {EXPORTED})"))), "--yes").code == 0
    ran = components(home, "run", "doer", "echo")
    refused(ran, 125, f"{LIFE}#metadata: the component does not export it")


def test_a_signature_that_does_not_fit(home: Path, write: Write) -> None:
    key, signature = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29", "A" * 86 + "=="
    signed = f'[signature]\npublic_key = "{key}"\nsignature = "{signature}"\n'
    refused(components(home, "install", str(write(more=signed)), "--yes"), 1, "signature: it does not fit")
    nothing_is_installed(home)


def test_what_a_folder_may_not_hold(home: Path, write: Write) -> None:
    folder = write()
    (folder / "link").symlink_to("/etc/passwd")
    refused(components(home, "install", str(folder), "--yes"), 1, "link: neither a file nor a folder")
    (folder / "link").unlink()
    os.mkfifo(folder / "pipe")
    refused(components(home, "install", str(folder), "--yes"), 1, "pipe: neither a file nor a folder")
    (folder / "pipe").unlink()
    (folder / "huge").touch()
    os.truncate(folder / "huge", 1 << 40)
    refused(components(home, "install", str(folder), "--yes"), 1, "huge: the folder holds more than 256MiB")
    (folder / "huge").unlink()
    strange = folder / os.fsdecode(b"\xff")
    strange.mkdir()
    refused(components(home, "install", str(folder), "--yes"), 1, "a name that is no UTF-8")
    strange.rmdir()
    (folder / "doer.wasm").unlink()
    refused(components(home, "install", str(folder), "--yes"), 2, "doer.wasm: no such file")
    (folder / "doer.wasm").symlink_to(ROOT / "tests/runtime/components/guests/doer.wasm")
    refused(components(home, "install", str(folder), "--yes"), 2, "doer.wasm: ")
    nothing_is_installed(home)


def test_who_is_installed_already_or_not_at_all(home: Path, write: Write) -> None:
    folder = str(write())
    assert components(home, "install", folder, "--yes").code == 0
    refused(components(home, "install", folder, "--yes"), 2, "local/doer: 1.0.0 is installed already; --upgrade puts")
    other = str(write(head=HEAD.replace('"local"', '"other"')))
    assert components(home, "install", other, "--yes").code == 0
    refused(components(home, "stop", "doer"), 2, "`doer` could be local/doer, other/doer")
    refused(components(home, "stop", "other/doer"), 2, "components stop: other/doer: does not run")
    refused(components(home, "suspend", "other/doer"), 2, "components suspend: other/doer: does not run")
    refused(components(home, "uninstall", "nobody", "--yes"), 1, "no component `nobody`; orlop components list")


def test_new_rules_of_another_version_need_consent(home: Path, write: Write) -> None:
    reads = '[permissions.filesystem]\nread = ["/data/a"]\n'
    assert components(home, "install", str(write(more=reads)), "--yes").code == 0
    same = components(home, "install", str(write(more=reads)), "--upgrade")
    assert same.code == 0, same.talk  # nothing is new, so nothing is asked
    more = str(write(more=reads.replace('"/data/a"', '"/data/a", "/data/b"')))
    refused(
        components(home, "install", more, "--upgrade"), 2, "--yes agrees to all that it asks for, --grant to a part"
    )
    assert components(home, "install", more, "--upgrade", "--grant", "none").code == 0
    asked = json.loads(components(home, "permissions", "doer", "--json").out)["asked"]
    assert {one["rule"]: one["in_force"] for one in asked} == {
        "permissions.filesystem.read[0]": True,
        "permissions.filesystem.read[1]": False,
    }
    refused(components(home, "install", more, "--upgrade", "--grant", "rooms.post[9]"), 2, "no rule `permissions.rooms")
    granted = components(home, "install", more, "--upgrade", "--grant", "filesystem.read[1]", "--json")
    assert json.loads(granted.out)["granted"] == ["permissions.filesystem.read[0]", "permissions.filesystem.read[1]"]


def test_another_version_of_a_world_that_it_does_not_fit_changes_nothing(home: Path, write: Write) -> None:
    assert components(home, "install", str(write()), "--yes").code == 0
    before = components(home, "list", "--json").out
    worse = str(write(wat(f'(component (import "orlop:core/storage@2.0.0" (instance)) {EXPORTED})')))
    refused(components(home, "install", worse, "--yes", "--upgrade"), 2, "orlop has orlop:core/storage@1.0.0")
    assert components(home, "list", "--json").out == before


@pytest.mark.parametrize(
    ("words", "code", "out"),
    [
        (("echo", "hello"), 0, b"hello"),
        (("nonsense",), 1, b""),
        (("spin", "--timeout", "50ms"), 124, b""),
        (("trap",), 125, b""),
    ],
)
def test_the_exit_code_of_an_operation_says_how_it_ended(
    home: Path, write: Write, words: tuple[str, ...], code: int, out: bytes
) -> None:
    assert components(home, "install", str(write()), "--yes").code == 0
    ran = components(home, "run", "doer", *words)
    assert (ran.code, ran.out) == (code, out), ran
    if code:
        refused(ran, code, f"components run: local/doer: {words[0]}: ")


def test_what_cannot_be_run_at_all(home: Path, write: Write) -> None:
    refused(components(home, "run", "nobody", "echo"), 125, "no component `nobody`")
    assert components(home, "install", str(write()), "--yes").code == 0
    refused(components(home, "run", "doer"), 2, "nothing runs here that would keep it running")


def test_under_read_only_nothing_of_it_changes(home: Path, write: Write) -> None:
    folder = str(write())
    assert components(home, "install", folder, "--yes").code == 0
    changes = (
        ["install", folder, "--yes", "--upgrade"],
        ["run", "doer", "echo"],
        ["stop", "doer"],
        ["suspend", "doer"],
        ["resume", "doer"],
        ["permissions", "doer", "--grant", "filesystem.read=/x"],
        ["uninstall", "doer", "--yes"],
    )
    for words in changes:
        ran = inside(home, ["--read-only", "components", *words], cwd=home)
        assert ran.code not in {0, 125}, (words, ran)
        assert "--read-only" in ran.talk
    for words in (["list"], ["logs", "doer"], ["inspect", folder], ["check", folder]):
        assert inside(home, ["--read-only", "components", *words], cwd=home).code == 0, words


def test_the_real_process_says_the_same(home: Path, write: Write) -> None:
    ran = orlop(home, "components", "install", str(write(b"")), "--yes")
    refused(ran, 1, "orlop: components install: the file is empty")
