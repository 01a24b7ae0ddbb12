"""Bad input to the real program: one clear line that names what was bad, the right status, nothing half done."""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from runtime import database
from tests import hostile, tmpfs
from tests.cli.program import ROOT, Owner, Ran, command, environment, inside, orlop

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")
STATE = ".local/state/orlop"
ESCAPES = "e\x1b[2J\x1b]0;x\x07\r\u202e"
HARMLESS = "e\\x1b[2J\\x1b]0;x\\x07\\r\\u202e"
PERMISSIONS = ["read_tasks", "read_members", "emit_events", "persist_state"]

Kept = tuple[dict[str, list[Any]], dict[str, str]]


def kept(home: Path) -> Kept:
    """Everything in a state directory but what it says about what happened: rows by table, files by content."""
    state = home / STATE
    with contextlib.closing(sqlite3.connect(f"file:{state}/orlop.db?mode=ro", uri=True)) as found:
        tables = [name for (name,) in found.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        rows = {name: found.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
    for name in ("journal", "meta"):
        del rows[name]
    files = {
        str(path.relative_to(state)): sha256(path.read_bytes()).hexdigest()
        for path in state.rglob("*")
        if path.is_file() and not path.name.startswith(("orlop.db", "owner.lock"))
    }
    return rows, files


def one_line(ran: Ran, code: int, *said: str) -> None:
    """Refused: nothing on stdout, one harmless line on stderr that says these things."""
    assert (ran.code, ran.out) == (code, b""), ran
    clear(ran, *said)


def clear(ran: Ran, *said: str) -> None:
    assert ran.talk.startswith("orlop: ")
    assert ran.talk.count("\n") == 1
    assert ran.talk.endswith("\n")
    assert ran.talk[:-1].isprintable()
    for word in ("Traceback", "unexpected", "mistake in orlop"):
        assert word not in ran.talk
    for part in said:
        assert part in ran.talk


def without_privileges() -> None:
    """Takes from root, before the program starts, what lets it pass over modes of files."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


def plainly(home: Path, *words: str, env: dict[str, str] | None = None) -> Ran:
    """As `orlop`, held to the modes of files."""
    done = subprocess.run(
        command(*words),
        capture_output=True,
        env=environment(home, **(env or {})),
        cwd=home,
        preexec_fn=without_privileges,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def in_shell(home: Path, line: str) -> Ran:
    """A line for bash; `orlop` stands for the program."""
    program = " ".join(str(word) for word in command())
    done = subprocess.run(
        ["bash", "-c", line.replace("orlop ", f"{program} ")],
        capture_output=True,
        env=environment(home),
        cwd=home,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


# --- modules ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def harbor(owned: Path) -> Path:
    """A home that an owner holds, with the room `harbor`."""
    assert inside(owned, ["rooms", "create", "harbor"], cwd=owned).code == 0
    return owned


def stored(folder: Path, name: str, wasm: bytes) -> Path:
    path = folder / f"{name}.wasm"
    path.write_bytes(wasm)
    manifest = {"name": "bad", "version": "1", "description": "", "author": "", "permissions": PERMISSIONS}
    (folder / "manifest.json").write_text(json.dumps(manifest | {"wasmHash": sha256(wasm).hexdigest()}))
    return path


def upload(path: Path) -> list[str]:
    return ["agents", "upload", "harbor", str(path), "--manifest", "manifest.json", "--grant", "all", "--unsigned"]


RUNS_AND_TRAPS = {"function_name_1mib", "function_name_escape"}


@pytest.mark.parametrize("name", hostile.BINARIES)
def test_a_file_that_is_no_sound_module_is_refused_by_every_command(harbor: Path, tmp_path: Path, name: str) -> None:
    path = stored(tmp_path, name, hostile.binary(name))
    before = kept(harbor)
    one_line(inside(harbor, upload(path), cwd=tmp_path), 1, f"orlop: agents upload: {name}.wasm: Invalid WASM binary")
    assert kept(harbor) == before
    words = ["agents", "try", str(path), "--manifest", "manifest.json"]
    one_line(inside(harbor, words, cwd=tmp_path), 2, f"orlop: agents try: {path}: Invalid WASM binary")
    ran = inside(harbor, ["jobs", "run", str(path)], cwd=tmp_path)
    one_line(ran, 134 if name in RUNS_AND_TRAPS else 125, f"orlop: jobs run: {name}.wasm: ")
    files = [
        {item: one for item, one in found[1].items() if "/compiled/" not in item} for found in (before, kept(harbor))
    ]
    assert files[0] == files[1]


BAD_AGENTS = {
    "memory_as_function": "Missing required export: memory",
    "memory_min161": "at least 161 pages, and an agent gets 160",
    "missing_event": "Missing required export: on_task_event",
    "missing_init": "Missing required export: init",
    "missing_tick": "Missing required export: on_tick",
    "no_memory": "Missing required export: memory",
    "now_f32": "env.host_get_now has type () -> f32",
    "tick_is_a_global": "on_tick is a global, not a function",
    "unknown_import": "Unknown import: env.host_launch",
    "unknown_module": "Unknown import: sys.host_log",
    "wasi_import": "agents have no WASI",
    "wrong_import_kind": "env.host_log is a function, not a global",
    "wrong_import_type": "env.host_log has type (i64) -> ()",
}


@pytest.mark.parametrize("name", BAD_AGENTS)
def test_what_no_agent_may_be(harbor: Path, tmp_path: Path, name: str) -> None:
    path = stored(tmp_path, name, hostile.agent(name))
    before = kept(harbor)
    one_line(inside(harbor, upload(path), cwd=tmp_path), 1, f"{name}.wasm: Invalid WASM binary: ", BAD_AGENTS[name])
    words = ["agents", "try", str(path), "--manifest", "manifest.json", "--json"]
    tried = inside(harbor, words, cwd=tmp_path)
    assert (tried.code, tried.json["v"], tried.json["error"]["code"]) == (2, 1, "refused")
    clear(tried, BAD_AGENTS[name])
    assert kept(harbor) == before


@pytest.mark.parametrize("name", ["trap_init", "trap_start", "recurse_start"])
def test_an_agent_that_cannot_start_stays_off(harbor: Path, tmp_path: Path, name: str) -> None:
    path = stored(tmp_path, name, hostile.agent(name))
    assert inside(harbor, upload(path), cwd=tmp_path).code == 0
    one_line(inside(harbor, ["agents", "activate", "bad"], cwd=tmp_path), 1, "orlop: agents activate: bad: ")
    assert inside(harbor, ["agents", "show", "bad", "--json"], cwd=tmp_path).json["state"] != "active"
    assert inside(harbor, ["agents", "delete", "bad", "--yes"], cwd=tmp_path).code == 0


BAD_JOBS = {
    "bad_conversion": "invalid conversion to integer",
    "c_stack_overflow": "the guest's own stack in linear memory overflowed",
    "data_outside": "out of bounds memory access",
    "divides_by_zero": "integer division by zero",
    "grows_little_and_traps": "memory peak 128KiB of 128MiB",
    "integer_overflow": "integer overflow",
    "null_call": "indirect call to null",
    "pointer_outside": "trap: Pointer out of bounds",
    "random_4gib": "exceeds limit",
    "table_outside": "out of bounds table access",
    "wrong_signature": "indirect call with a wrong type",
}


@pytest.mark.parametrize("name", BAD_JOBS)
def test_a_guest_that_breaks_its_rules_is_a_trap_with_a_receipt(harbor: Path, tmp_path: Path, name: str) -> None:
    path = stored(tmp_path, name, hostile.job(name))
    one_line(inside(harbor, ["jobs", "run", str(path), "--receipt", "r"], cwd=tmp_path), 134, BAD_JOBS[name])
    assert inside(harbor, ["receipts", "verify", "r"], cwd=tmp_path).code == 0


NO_JOBS = [
    "no_memory_export",
    "start_is_a_global",
    "start_with_params",
    "start_with_result",
    "wasi_unstable",
    "wrong_wasi_type",
]


@pytest.mark.parametrize("name", NO_JOBS)
def test_what_no_job_may_be(harbor: Path, tmp_path: Path, name: str) -> None:
    path = stored(tmp_path, name, hostile.job(name))
    one_line(inside(harbor, ["jobs", "run", str(path)], cwd=tmp_path), 125, f"{name}.wasm: the module")


def test_a_module_that_would_compile_for_ever_is_given_up(harbor: Path, tmp_path: Path) -> None:
    start = hostile.leb(6) + b"_start" + b"\0\0"
    code = hostile.binary("if_chain_bomb")
    types_and_functions = code[: code.index(b"\x0a", 8 + 6 + 4)]
    bomb = types_and_functions + hostile.section(7, hostile.vec([start])) + code[len(types_and_functions) :]
    path = stored(tmp_path, "bomb", bomb)
    one_line(inside(harbor, ["jobs", "run", str(path)], cwd=tmp_path), 125, "bomb.wasm: compiling exceeds ")


@pytest.fixture
def no_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `<&-`."""
    monkeypatch.setattr("console.cmdline.files.is_closed", lambda _number: True)


@pytest.mark.parametrize(
    ("path", "said", "codes"),
    [
        ("nowhere", "nowhere: no such file or directory", (2, 125, 2)),
        (".", ".: is a directory, not a file", (2, 125, 2)),
        (ESCAPES, f"{HARMLESS}: no such file or directory", (2, 125, 2)),
        ("/dev/zero", "larger than", (1, 125, 2)),
        ("-", "-: standard input is closed", (2, 125, 2)),
    ],
)
@pytest.mark.usefixtures("no_stdin")
def test_files_that_cannot_be_read(
    harbor: Path, tmp_path: Path, path: str, said: str, codes: tuple[int, int, int]
) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    commands = (
        ["agents", "upload", "harbor", path, "--manifest", "manifest.json", "--grant", "all", "--unsigned"],
        ["jobs", "run", path],
        ["agents", "try", path, "--manifest", "manifest.json"],
    )
    before = kept(harbor)
    for words, code in zip(commands, codes, strict=True):
        one_line(inside(harbor, words, cwd=tmp_path), code, f"orlop: {' '.join(words[:2])}: ", said)
    assert kept(harbor) == before


def test_a_refusal_names_the_manifest_where_that_is_bad(harbor: Path, tmp_path: Path) -> None:
    path = stored(tmp_path, "quiet", hostile.agent("quiet"))
    (tmp_path / "manifest.json").write_text("[")
    one_line(
        inside(harbor, upload(path), cwd=tmp_path), 1, "orlop: agents upload: manifest.json: Invalid agent manifest: "
    )
    words = ["agents", "try", str(path), "--manifest", "manifest.json"]
    one_line(inside(harbor, words, cwd=tmp_path), 2, "orlop: agents try: manifest.json: Invalid agent manifest: ")
    named = tmp_path / "Not A Name.wasm"
    named.write_bytes(path.read_bytes())
    words = ["agents", "upload", "harbor", str(named), "--grant", "all", "--unsigned"]
    one_line(inside(harbor, words, cwd=tmp_path), 1, '"not a name" must be 1 to 32', "name it with --name")


# --- the state directory ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a room, an agent that has a state, and two jobs with receipts; to be copied."""
    home = tmp_path_factory.mktemp("pristine")
    keeper, escapes = (stored(home, name, make(name)) for name, make in (
        ("out_of_bounds", hostile.agent), ("writes_escapes", hostile.job)))  # fmt: skip
    for words in (
        ["rooms", "create", "harbor"],
        ["rooms", "task", "harbor", "--add", "/task Mend the net"],
        ["agents", "upload", "harbor", str(keeper), "--name", "keeper", "--grant", "all", "--unsigned"],
        ["agents", "activate", "keeper"],
        ["jobs", "run", HELLO],
        ["jobs", "run", str(escapes)],
    ):
        assert inside(home, words, cwd=home).code == 0
    return home


@pytest.fixture
def home_copy(pristine: Path, tmp_path: Path) -> Path:
    """The same, to be broken."""
    return Path(shutil.copytree(pristine, tmp_path / "home"))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize("key", ["identity.key", "vault.key"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b""), "has 0 bytes"),
        (lambda path: path.write_bytes(bytes(33)), "has 33 bytes"),
        (lambda path: path.write_bytes(bytes(10_000)), "is larger than"),
        (a_folder, "is not a regular file"),
        (a_link, "is a symbolic link, not a regular file"),
        (a_pipe, "is not a regular file"),
    ],
    ids=["empty", "long", "huge", "folder", "link", "pipe"],
)
def test_a_key_that_is_none(home_copy: Path, key: str, spoil: Callable[[Path], None], said: str) -> None:
    spoil(home_copy / STATE / key)
    before = kept(home_copy)
    one_line(inside(home_copy, ["jobs", "run", HELLO], cwd=home_copy), 125, "orlop: jobs run: ", f"{key}: {said}")
    one_line(inside(home_copy, ["init", "--yes"], cwd=home_copy), 1, f"{key}: {said}")
    assert kept(home_copy) == before


def test_no_new_key_is_made_for_what_the_old_one_sealed(home_copy: Path) -> None:
    (home_copy / STATE / "vault.key").unlink()
    before = kept(home_copy)
    for words, code in ((["rooms", "show", "harbor"], 1), (["jobs", "run", HELLO], 125), (["init", "--yes"], 1)):
        one_line(
            inside(home_copy, words, cwd=home_copy), code, "vault.key: is gone, and the database holds what it sealed"
        )
    assert kept(home_copy) == before


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(mode=0o500), ("cannot be written; run chmod 700 on it, or name another one",)),
        (lambda path: (path.mkdir(mode=0o700), path.parent.chmod(0o600)), ("permission denied",)),
        (lambda path: path.parent.chmod(0o500), ("permission denied",)),
        (lambda path: path.symlink_to(path), ("too many levels of symbolic links", "is not a directory")),
        (lambda path: path.symlink_to(path.parent / "none" / "s"), ("is not a directory",)),
    ],
    ids=["unwritable", "unreachable", "parent", "loop", "dangling"],
)
def test_a_directory_that_cannot_be_used(tmp_path: Path, make: Callable[[Path], object], said: tuple[str, ...]) -> None:
    place = tmp_path / "place"
    place.mkdir()
    make(place / "state")
    env = {"ORLOP_STATE_DIR": str(place / "state")}
    try:
        for words, code in ((["jobs", "run", HELLO], 125), (["--no-ui", "--for", "0s"], 1), (["init", "--yes"], 1)):
            ran = plainly(tmp_path, *words, env=env)
            one_line(ran, code, "place/state: ")
            assert any(part in ran.talk for part in said)
    finally:
        place.chmod(0o700)
    assert [path for path in place.rglob("*") if path.name != "state"] == []


def test_names_of_directories(tmp_path: Path) -> None:
    for name, code, said in (("x" * 300, 1, "file name too long"), ("file/below", 1, "file: not a directory")):
        (tmp_path / "file").touch()
        one_line(inside(tmp_path, ["--state-dir", name, "--no-ui", "--for", "0s"], cwd=tmp_path), code, said)
    odd = orlop(tmp_path, "--state-dir", os.fsencode(ESCAPES) + b"\xff", "rooms", "list")
    assert odd.code == 0
    clear(odd, f"made the state directory {tmp_path}/{HARMLESS}\\udcff; ")


def test_a_lock_that_is_a_link_leads_nowhere(home_copy: Path) -> None:
    lock = home_copy / STATE / "owner.lock"
    lock.unlink(missing_ok=True)
    lock.symlink_to(home_copy / "evil")
    one_line(inside(home_copy, ["rooms", "list"], cwd=home_copy), 1, "owner.lock: is a symbolic link")
    assert not (home_copy / "evil").exists()


@pytest.mark.parametrize("name", ["owner.lock", "config.d/50-set.toml"])
def test_a_pipe_in_the_place_of_a_file_is_waited_for_by_nobody(home_copy: Path, name: str) -> None:
    path = home_copy / STATE / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    a_pipe(path)
    for words, code in ((["rooms", "list"], 1), (["jobs", "run", HELLO], 125), (["--no-ui", "--for", "0s"], 1)):
        one_line(inside(home_copy, words, cwd=home_copy), code, f"{name}: is not a regular file")


def test_a_database_that_somebody_keeps_locked(home_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.05)
    other = sqlite3.connect(home_copy / STATE / "orlop.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for words, code in ((["rooms", "create", "late"], 1), (["jobs", "run", HELLO], 125)):
        one_line(
            inside(home_copy, words, cwd=home_copy), code, "orlop.db: the database: another process kept it locked"
        )
    assert inside(home_copy, ["rooms", "list"], cwd=home_copy).code == 0
    other.execute("ROLLBACK")
    other.close()


@pytest.fixture
def full_disk(pristine: Path, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A home on a disk without room, and the file that takes it; where none may be mounted, an ordinary home."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = tmpfs.mount(place, "size=8m,mode=700")
    try:
        home = Path(shutil.copytree(pristine, place / "home"))
        ballast = place / "ballast"
        descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT, 0o600)
        with contextlib.suppress(OSError):
            while mounted:
                os.write(descriptor, bytes(4096))
        os.close(descriptor)
        yield home, ballast
    finally:
        if mounted:
            tmpfs.unmount(place)


def test_a_full_disk_loses_nothing(full_disk: tuple[Path, Path], pristine: Path, tmp_path: Path) -> None:
    home, ballast = full_disk
    if os.path.ismount(ballast.parent):
        for words, code in ((["rooms", "create", "late"], 1), (["jobs", "run", HELLO], 125), (["status"], 1)):
            one_line(inside(home, words, cwd=tmp_path), code, "orlop.db: the database: the disk is full")
        one_line(inside(home, ["--no-ui", "--for", "0s"], cwd=tmp_path), 1, "no space left on device")
    ballast.unlink()
    assert kept(home) == kept(pristine)
    roomy = {"ORLOP_STORAGE_MIN_FREE": "0"}  # the whole disk is smaller than what is kept free else
    assert orlop(home, "jobs", "run", HELLO, "--stdin", "-", stdin=b"abc", env=roomy) == Ran(0, b"cba", b"")


SHOW_JOB, SHOW_RECEIPT = "jobs show", "receipts show"


def changed(home: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(home / STATE / "orlop.db")) as connection:
        connection.executescript(sql)
        connection.commit()


@pytest.mark.parametrize(
    ("sql", "words", "said"),
    [
        ("DROP TABLE journal", "rooms list", "the database is damaged: no such table: journal; move it away"),
        ("DROP TABLE receipts", "status", "the database is damaged: no such table: receipts"),
        ("DELETE FROM meta", "rooms list", "the database is damaged: its table `meta`"),
        ("UPDATE meta SET value = 'x'", "rooms list", "the database is damaged: its table `meta`"),
        ("UPDATE agents SET manifest = '{' || char(27)", "agents show keeper", ":keeper: `manifest` holds no JSON"),
        ("UPDATE agents SET granted = '['", "agents activate keeper", ":keeper: `granted` holds no JSON"),
        ("UPDATE agents SET granted = '['", "agents logs keeper", ":keeper: `granted` holds no JSON"),
        ("UPDATE agents SET builtin = 'x'", "agents grant keeper none", ":keeper: `builtin` holds a text"),
        ("UPDATE agent_versions SET version = x'00'", "agents show keeper", "table `agent_versions`, row 1: `version`"),
        ("UPDATE agent_state SET version = 'x'", "agents activate keeper", ":keeper: `version` holds a text"),
        ("UPDATE agent_state SET hash = x'00'", "agents activate keeper", "table `agent_state`, row "),
        ("UPDATE rooms SET name = x'00'", "rooms list", "table `rooms`, row "),
        ("UPDATE rooms SET sealed_key = 7", "rooms show harbor", "`sealed_key` holds a whole number, not bytes"),
        ("UPDATE room_members SET sealed = 1.5", "rooms tasks harbor", "`sealed` holds a fraction, not bytes"),
        ("UPDATE room_log SET timestamp_ms = 'x'", "rooms tasks harbor", "row 1: `timestamp_ms` holds a text"),
        ("UPDATE secrets SET sealed = 'x'", "rooms list", "row member-account: `sealed` holds a text, not bytes"),
        ("UPDATE jobs SET manifest = '{'", SHOW_JOB, "its stored manifest is damaged: not JSON"),
        ("UPDATE receipts SET document = '{'", SHOW_RECEIPT, "its stored document is damaged: not JSON"),
        ("UPDATE receipts SET document = '{'", "receipts export", "a stored receipt: not JSON"),
        ("UPDATE rooms SET sealed_key = x'00'", "rooms show harbor", "room harbor: sealed data of an unknown form"),
        ("UPDATE room_members SET sealed = x'00'", "rooms tasks harbor", "room harbor: sealed data of an unknown form"),
        ("UPDATE room_log SET sealed = x'00'", "rooms tasks harbor", "entry 1 of its log: sealed data"),
        ("UPDATE secrets SET sealed = x'00'", "rooms list", "the member account cannot be opened"),
    ],
)
def test_rows_that_somebody_changed(home_copy: Path, sql: str, words: str, said: str) -> None:
    line = words.split()
    if words in {SHOW_JOB, SHOW_RECEIPT}:
        listed = inside(home_copy, [line[0], "list", "--json"], cwd=home_copy).json["items"][0]
        line.append(listed[line[0].removesuffix("s")])
    changed(home_copy, sql)
    one_line(inside(home_copy, line, cwd=home_copy), 1, said)


def test_one_damaged_agent_is_told_and_hides_nobody(home_copy: Path) -> None:
    quiet = stored(home_copy, "quiet", hostile.agent("quiet"))
    again = ["agents", "upload", "harbor", str(quiet), "--grant", "all", "--unsigned", "--name"]
    assert inside(home_copy, [*again, "other"], cwd=home_copy).code == 0
    changed(home_copy, "UPDATE agents SET granted = char(27) || '[2J' WHERE agent = 'keeper'")
    listed = inside(home_copy, ["agents", "list"], cwd=home_copy)
    assert (listed.code, listed.err) == (0, b"")
    _, keeper, other, why = listed.text.splitlines()
    assert keeper.split()[:3] == ["keeper", "harbor", "damaged"]
    assert other.split()[:3] == ["other", "harbor", "off"]
    assert why.startswith("keeper: the database is damaged: table `agents`, row ")
    assert why.endswith(":keeper: `granted` holds no JSON; delete the agent, or upload it again")
    words = ["--no-ui", "--for", "60s", "--until", "core.ready", "--events", "core.error"]
    told = [json.loads(line) for line in inside(home_copy, words, cwd=home_copy).out.splitlines()]
    assert [line["error"] for line in told if line["type"] == "core.error"] == [why.removeprefix("keeper: ")]
    assert inside(home_copy, [*again, "keeper"], cwd=home_copy).code == 0
    assert "damaged" not in inside(home_copy, ["agents", "list"], cwd=home_copy).text
    changed(home_copy, "UPDATE agents SET manifest = 'x', builtin = 1 WHERE agent = 'keeper'")
    assert inside(home_copy, ["agents", "delete", "keeper", "--yes"], cwd=home_copy).code == 0
    assert "keeper" not in inside(home_copy, ["agents", "list"], cwd=home_copy).text


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SET usage = '{'", "`usage` is no JSON object"),
        ("SET limits = '[]'", "`limits` is no JSON object"),
        ("SET priority = 'high'", "`priority` holds a text, not a whole number"),
        ("SET name = x'00'", "`name` holds bytes, not a text"),
    ],
)
def test_a_damaged_job_is_named_and_hides_no_other(home_copy: Path, sql: str, said: str) -> None:
    rows = inside(home_copy, ["jobs", "list"], cwd=home_copy).text.count("\n")
    changed(home_copy, f"UPDATE jobs {sql} WHERE number = 1")
    ran = inside(home_copy, ["jobs", "list"], cwd=home_copy)
    assert (ran.code, ran.err, len(ran.text.splitlines())) == (0, b"", rows + 1)
    assert sum("  damaged  " in line for line in ran.text.splitlines()) == 1
    why = ran.text.splitlines()[-1]
    assert "the database is damaged: table `jobs`, row " in why
    assert said in why


def test_names_in_rows_that_somebody_changed_are_shown_harmless(home_copy: Path) -> None:
    evil = "'a' || char(27) || '[2J' || char(10) || char(0x9b) || 'b'"
    changed(home_copy, f"UPDATE rooms SET name = {evil}; UPDATE jobs SET name = {evil}, reason = {evil};"
            f"UPDATE receipts SET outcome = {evil}, verdict = {evil}; UPDATE agents SET mark = {evil}")  # fmt: skip
    for words in ("rooms list", "jobs list", "receipts list", "agents list", "agents show keeper", "status"):
        ran = inside(home_copy, words.split(), cwd=home_copy)
        assert (ran.code, ran.err) == (0, b"")
        assert all(line.isprintable() for line in ran.text.split("\n")), ran.text


def test_a_journal_that_cannot_be_read_says_so_in_its_place(home_copy: Path) -> None:
    changed(home_copy, "UPDATE journal SET body = '{' || char(27) WHERE type = 'room.created'")
    ran = inside(
        home_copy, ["--no-ui", "--for", "0s", "--since", "0", "--events", "core.error,core.stopped"], cwd=home_copy
    )
    assert (ran.code, ran.err) == (0, b"")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["type"] for line in lines] == ["core.error", "core.started", "core.stopped"]
    assert lines[0]["where"] == "journal"
    assert "cannot be read" in lines[0]["error"]


@pytest.mark.parametrize("sealed", ["x'01' || substr(sealed, 3) || x'00'", "x''", "'text'"])
def test_a_state_that_does_not_open_is_said_and_started_without(home_copy: Path, sealed: str) -> None:
    changed(home_copy, f"UPDATE agent_state SET sealed = {sealed}")
    ran = inside(home_copy, ["agents", "activate", "keeper"], cwd=home_copy)
    assert (ran.code, ran.out) == (0, b"keeper: active\n")
    clear(ran, ":keeper: the stored state cannot be opened: ", "; the agent starts without a state")
    said = inside(home_copy, ["agents", "logs", "keeper"], cwd=home_copy).text
    assert "the stored state cannot be opened" in said
    with contextlib.closing(sqlite3.connect(home_copy / STATE / "orlop.db")) as found:
        (aside,) = found.execute("SELECT agent FROM agent_state WHERE agent GLOB 'keeper!*'").fetchone()
    assert f"its bytes are kept as {aside} in the table agent_state" in said


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "WASM hash mismatch at instantiation"),
        (Path.unlink, "the stored module is gone"),
        (a_folder, "is not a regular file"),
        (a_link, "is a symbolic link"),
    ],
    ids=["changed", "gone", "folder", "link"],
)
def test_a_stored_module_that_somebody_changed(home_copy: Path, spoil: Callable[[Path], None], said: str) -> None:
    (module,) = (path for path in (home_copy / STATE / "modules").rglob("*") if path.is_file())
    spoil(module)
    one_line(
        inside(home_copy, ["agents", "activate", "keeper"], cwd=home_copy), 1, "keeper: Failed to activate agent", said
    )


# --- settings, receipts, values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--config", "."], ".: no such file"),
        (["--config", "/dev/zero"], "/dev/zero: no such file"),
        (["--config", "large.toml"], "large.toml: larger than 1MiB"),
        (["--config", f"{ESCAPES}.toml"], f"{HARMLESS}.toml:1: unknown key `a\\x1b[2J`"),
        (["--passphrase-file", "/dev/zero"], "--passphrase-file: /dev/zero: holds no passphrase"),
        (["--passphrase-file", "/dev/null"], "--passphrase-file: /dev/null: holds no passphrase"),
        (["--passphrase-file", "."], "--passphrase-file: .: is a directory"),
    ],
)
def test_files_of_settings(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "large.toml").write_bytes(b"#" * (2 << 20))
    (tmp_path / f"{ESCAPES}.toml").write_text('"a\\u001b[2J" = 1\n')
    one_line(inside(tmp_path, [*words, "rooms", "list"], cwd=tmp_path), 2, said)
    assert not (tmp_path / ".local").exists()


def test_settings_in_the_directory_and_the_environment(tmp_path: Path) -> None:
    assert inside(tmp_path, ["init", "--yes"], cwd=tmp_path).code == 0
    one_line(orlop(tmp_path, "rooms", "list", env={"ORLOP_JOBS_MEMORY": "\x1b[2J"}), 2, "ORLOP_JOBS_MEMORY: `\\x1b[2J`")
    extra = tmp_path / STATE / "config.d" / "50-set.toml"
    extra.write_text("[jobs]\nmemroy = 1\n")
    one_line(
        inside(tmp_path, ["rooms", "list"], cwd=tmp_path), 2, "50-set.toml:2: unknown key `jobs.memroy`; did you mean"
    )
    a_folder(extra)
    one_line(inside(tmp_path, ["jobs", "run", HELLO], cwd=tmp_path), 125, "50-set.toml: Is a directory")


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r | {"schema_version": 3},
        lambda r: r | {"schema_version": "1"},
        lambda r: r | {"extra\x1b[2J": 1},
        lambda r: {key: value for key, value in r.items() if key != "signature"},
        lambda r: r | {"result": []},
        lambda r: r | {"worker_pubkey": "\x1b[2J"},
        lambda r: r | {"completed_at": 0},
    ],
)
def test_a_document_of_another_form_is_bad(pristine: Path, tmp_path: Path, change: Callable[[Any], Any]) -> None:
    listed = inside(pristine, ["receipts", "list", "--json"], cwd=tmp_path).json["items"][0]["receipt"]
    receipt = inside(pristine, ["receipts", "show", listed, "--json"], cwd=tmp_path).json
    (tmp_path / "r.json").write_text(json.dumps(change(receipt)))
    ran = inside(pristine, ["receipts", "verify", "r.json"], cwd=tmp_path)
    assert (ran.code, ran.err) == (4, b"")
    assert ran.text.startswith("BAD         schema ")
    assert "\x1b" not in ran.text


def test_inputs_of_a_verification_that_cannot_be_read(pristine: Path, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("{}")
    for words in (["/dev/zero"], ["r.json", "--manifest", "/dev/zero"], ["r.json", "--previous", "/dev/zero"]):
        one_line(inside(pristine, ["receipts", "verify", *words], cwd=tmp_path), 2, "larger than ")
    (tmp_path / "r.json").chmod(0)
    one_line(plainly(tmp_path, "receipts", "verify", "r.json"), 2, "r.json: permission denied")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--no-ui --for abc", "--for: `abc` is not a duration"),
        ("--no-ui --for 99999d", "--for: `99999d` is too large"),
        ("--no-ui --since -1", "--since: `-1` is not a duration; write a seq, or a time such as 10m"),
        ("--no-ui --since 99999999999999999999", "--since: `99999999999999999999` is too large"),
        ("--no-ui --until (((", "--until: `(((` fits no type of event"),
        ("--no-ui --events ,", "--events: names no type of event"),
        ("--no-ui --events !nope", "--events: `nope` fits no type of event"),
        ("jobs list --limit 0", "--limit: `0` is too small; allowed are 1 to 1000"),
        ("jobs list --limit 1e9", "--limit: `1e9` is not a whole number"),
        ("jobs list --state \x1b[2J", "--state: `\\x1b[2J` is none of"),
        ("jobs show ab", "`ab` is shorter than 4 characters"),
        ("completion \x1b[2J", "`\\x1b[2J` is none of bash, fish, zsh"),
        ("--color \x1b[2J", "--color: invalid choice"),
        ("agents upload harbor x --grant \x1b[2J", "x: no such file or directory"),
    ],
)
def test_values_that_are_none(pristine: Path, tmp_path: Path, words: str, said: str) -> None:
    one_line(inside(pristine, words.split(" "), cwd=tmp_path), 2, said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([b"rooms", b"create", b"\xff"], "NAME: not valid UTF-8"),
        ([b"rooms", b"show", b"\xff"], "ROOM: not valid UTF-8"),
        ([b"--no-ui", b"--until", b"\xff"], "--until: `\\udcff` fits no type of event"),
        ([b"--config", b"\xff", b"rooms", b"list"], "\\udcff: no such file"),
        ([b"agents", b"try", b"\xff", b"--manifest", b"\xff"], "\\udcff: no such file or directory"),
    ],
)
def test_command_lines_that_are_no_text(tmp_path: Path, words: list[bytes], said: str) -> None:
    one_line(orlop(tmp_path, *words), 2, said)
    assert list(tmp_path.iterdir()) == []


def test_paths_need_not_be_text(harbor: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wasm")
    shutil.copy(HELLO, odd)
    assert inside(harbor, ["jobs", "run", odd, "--stdin", "-"], stdin=b"abc", cwd=tmp_path) == Ran(0, b"cba", b"")
    assert "\\udcff.wasm" in inside(harbor, ["jobs", "list"], cwd=tmp_path).text
    for words in (["--", "\udcff"], ["--env", "A=\udcff"], ["--dir", ".:/\udcff"]):
        one_line(
            inside(harbor, ["jobs", "run", HELLO, *words], cwd=tmp_path), 125, "UTF-8" if words[0] != "--dir" else ""
        )


# --- streams and the host ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (f"orlop jobs run {HELLO} <&-", 0, ""),
        (f"orlop jobs run {HELLO} --stdin - <&-", 125, "-: standard input is closed"),
        (f"orlop jobs run {HELLO} --stdin - >&- <<< abc", 0, ""),
        (f"orlop jobs run {HELLO} --json >&-", 125, "standard output: is closed"),
        (
            f"orlop jobs run {HELLO} --stdin - >/dev/full <<< abc",
            125,
            "stdout could not be written: no space left on device",
        ),
        ("orlop receipts verify - <&-", 2, "-: standard input is closed"),
        ("orlop --no-ui --for 0s >/dev/full", 1, "standard output: could not be written"),
        ("orlop rooms list >/dev/full", 1, "standard output: could not be written: No space left on device"),
    ],
)
def test_streams_that_are_closed_or_full(pristine: Path, line: str, code: int, said: str) -> None:
    ran = in_shell(pristine, line)
    if said:
        one_line(ran, code, said)
    else:
        assert (ran.code, ran.err) == (code, b"")


@pytest.mark.parametrize("where", [">&-", ">/dev/full"])
@pytest.mark.parametrize("how", ["", "--json"])
def test_a_change_whose_answer_cannot_be_written_stands_and_says_so(home_copy: Path, where: str, how: str) -> None:
    ran = in_shell(home_copy, f"orlop rooms create late {how} {where}")
    one_line(ran, 1, "orlop: rooms create: standard output: ", "; what the command was to do is done")
    assert "late" in inside(home_copy, ["rooms", "list"], cwd=home_copy).text
    failed = in_shell(home_copy, f"orlop rooms say nowhere hi {how} {where}")
    one_line(failed, 1, "orlop: rooms say: nowhere: no such room")
    assert "is done" not in failed.talk


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("orlop --no-ui --for 0s 2>&-", 0),
        ("orlop rooms show nowhere 2>&-", 1),
        ("orlop nowhere 2>/dev/full", 2),
        (f"orlop jobs run {HELLO} --memory 0 2>/dev/full", 125),
    ],
)
def test_the_status_does_not_depend_on_who_listens(pristine: Path, line: str, code: int) -> None:
    ran = in_shell(pristine, line)
    assert (ran.code, ran.err) == (code, b"")
    assert all(json.loads(row)["v"] == 1 for row in ran.out.splitlines())


def test_a_host_that_has_no_more_descriptors_is_said(pristine: Path) -> None:
    ran = in_shell(pristine, f"ulimit -n 20; orlop jobs run {HELLO}")
    one_line(ran, 125, "too many open files")


def test_a_pipe_that_says_nothing_holds_up_its_own_command_only(owner: Owner, harbor: Path) -> None:
    pipes = [os.pipe() for _ in range(8)]  # more than the threads that the owner shares among everybody
    for _, writer in pipes:
        os.write(writer, bytes(fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, select.PIPE_BUF)))
    waiting = [
        subprocess.Popen(
            command("agents", "upload", "harbor", "/dev/stdin", "--name", "slow", "--grant", "none"),
            stdin=reader,
            stderr=subprocess.PIPE,
            env=environment(harbor),
            cwd=harbor,
        )
        for reader, _ in pipes
    ]
    for reader, writer in pipes:
        os.close(reader)
        assert select.select([], [writer], [], 30)[1]  # there is room again: the owner has begun to read
    assert inside(harbor, ["rooms", "show", "harbor"], cwd=harbor).code == 0
    waiting[0].send_signal(signal.SIGINT)
    _, said = waiting[0].communicate(timeout=30)
    one_line(Ran(waiting[0].returncode, b"", said), 130, "orlop: agents upload: stdin: interrupted")
    for _, writer in pipes:
        os.close(writer)
    for process in waiting[1:]:
        _, said = process.communicate(timeout=30)
        one_line(Ran(process.returncode, b"", said), 1, "this is no WebAssembly module")
    assert owner.process.poll() is None
