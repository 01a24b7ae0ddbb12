"""The components that are shipped do what they say, installed and run by the real program.

The one in Python is built first, which takes its compiler: run by `make test-kit`.
"""

import hashlib
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import assets
from tests.cli.program import ROOT, Owner, Ran, inside, orlop

EXAMPLES = assets.path("components")
IN_C = sorted(path.parent.name for path in EXAMPLES.glob("*/*.wasm"))

ASKS: dict[str, list[str]] = {
    "greeter": ["network.inbound[0]"],
    "listener": ["messaging.receive[0]", "messaging.subscribe[0]"],
    "overseer": ["process.kill", "process.spawn[0]"],
    "ticker": ["messaging.publish[0]", "messaging.request[0]"],
    "tide-gauge": [],
    "word-count": ["filesystem.list[0]", "filesystem.read[0]"],
}
"""What each asks for, and no more."""


def components(home: Path, *words: str) -> Ran:
    """One command about components."""
    return inside(home, ["components", *words], cwd=home)


def said(home: Path, *words: str) -> str:
    """What an operation returned."""
    ran = components(home, "run", *words)
    assert (ran.code, ran.talk) == (0, ""), words
    return ran.text


def install(home: Path, name: str, *words: str) -> None:
    ran = components(home, "install", str(EXAMPLES / name), "--yes", *words)
    assert ran.code == 0, ran.talk


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder with texts, one of them private, and something that is no text."""
    folder = tmp_path / "texts"
    (folder / "private").mkdir(parents=True)
    (folder / "a.txt").write_text("one two\nthree\n")
    (folder / "umlauts.txt").write_text("ä  ö\t\nü")
    (folder / "private/diary.txt").write_text("secret")
    (folder / "notes.md").write_text("four five")
    return folder


def eventually(holds: Callable[[], bool]) -> None:
    """Asks a running program until it says so; the suite's own limit ends what never comes."""
    while not holds():
        pass


def test_there_is_one_example_for_each_that_is_listed() -> None:
    assert sorted(ASKS) == IN_C


@pytest.mark.parametrize("name", IN_C)
def test_an_example_passes_its_check_and_asks_for_no_more_than_it_needs(tmp_path: Path, name: str) -> None:
    folder = EXAMPLES / name
    manifest = tomllib.loads((folder / "Component.toml").read_text())
    assert manifest["component"]["sha256"] == hashlib.sha256((folder / f"{name}.wasm").read_bytes()).hexdigest()
    checked = components(tmp_path, "check", str(folder))
    assert (checked.code, checked.text) == (0, f"local/{name}: nothing is wrong\n")
    seen = components(tmp_path, "inspect", str(folder), "--json").json
    allowed = [line["rule"] for line in seen["asked"] if line["rule"] and ".deny." not in line["rule"]]
    assert sorted(rule.removeprefix("permissions.") for rule in allowed) == ASKS[name]
    groups = {rule.partition(".")[0] for rule in ASKS[name]}
    assert set(manifest.get("permissions", {}).get("reasons", {})) == groups


def test_the_file_processor_counts_what_it_may_read_and_nothing_else(alone: Path, texts: Path) -> None:
    install(alone, "word-count", "--dir", f"{texts}:/data")
    assert said(alone, "word-count", "count", "/data/a.txt") == "2 3 14 /data/a.txt\n"
    assert said(alone, "word-count", "report", "/data") == "2 3 14 a.txt\n1 3 7 umlauts.txt\n3 6 21 in all\n"
    for path in ("/data/private/diary.txt", "/data/notes.md", "/data/../etc/passwd", "/etc/passwd"):
        refused = components(alone, "run", "word-count", "count", path)
        assert (refused.code, refused.text) == (1, ""), path
        assert "processing-failed" in refused.talk
    shown = components(alone, "show", "word-count").text
    assert (
        "filesystem.open /data/private/diary.txt: denied, permissions.filesystem.deny.all[0], Component.toml:" in shown
    )
    assert "orlop components permissions local/word-count --grant filesystem.read=/data/notes.md" in shown
    granted = components(alone, "permissions", "word-count", "--grant", "filesystem.read=/data/notes.md")
    assert granted.code == 0, granted.talk
    assert said(alone, "word-count", "count", "/data/notes.md") == "0 2 9 /data/notes.md\n"
    assert components(alone, "uninstall", "word-count", "--yes").code == 0
    assert (texts / "a.txt").read_text() == "one two\nthree\n"


def test_the_network_service_answers_over_http_and_ends_when_it_is_stopped(owner: Owner) -> None:
    home = owner.home
    install(home, "greeter")
    address = said(home, "greeter", "address").strip()
    with ThreadPoolExecutor(1) as aside:
        served = aside.submit(orlop, home, "components", "run", "greeter", "serve", "3", timeout=120)
        with urllib.request.urlopen(address, timeout=60) as answer:
            assert (answer.status, answer.read()) == (200, b"Ahoy, caller 1\n")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address}elsewhere", timeout=60)
        with pytest.raises(urllib.error.HTTPError, match="405"):
            urllib.request.urlopen(address, data=b"", timeout=60)
        assert served.result().text == "3 answered\n"
    assert components(home, "stop", "greeter").code == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=60)


def test_the_process_manager_speaks_with_its_program_and_ends_it(owner: Owner) -> None:
    home = owner.home
    install(home, "overseer")
    assert components(home, "run", "overseer", "say", "hello").code == 1
    assert said(home, "overseer", "start") == "started\n"
    assert said(home, "overseer", "say", "ahoy") == "ahoy"
    assert said(home, "overseer", "end") == "it ended when it was asked\n"
    assert components(home, "permissions", "overseer", "--revoke", "process.spawn[0]").code == 0
    refused = components(home, "run", "overseer", "start")
    assert (refused.code, refused.text) == (1, "")
    assert components(home, "stop", "overseer").code == 0


def test_the_two_that_speak_publish_ask_and_answer(owner: Owner) -> None:
    home = owner.home
    for name in ("listener", "ticker"):
        install(home, name)
    assert components(home, "run", "listener").code == 0
    assert said(home, "ticker", "tick") == "tick 1, listeners: 1\n"
    eventually(lambda: said(home, "ticker", "heard") == "1 tick came\n")
    assert said(home, "ticker", "tick") == "tick 2, listeners: 1\n"
    eventually(lambda: said(home, "ticker", "heard") == "2 ticks came\n")
    assert said(home, "listener", "count") == "2 ticks came\n"
    eventually(lambda: "info   tick 2\n" in components(home, "logs", "listener").text)
    assert components(home, "permissions", "listener", "--revoke", "messaging.receive[0]").code == 0
    refused = components(home, "run", "ticker", "tick")
    assert refused.code == 1
    for name in ("listener", "ticker"):
        assert components(home, "stop", name).code == 0


@pytest.mark.kit
@pytest.mark.timeout(600)
def test_the_one_in_python_counts_words_and_its_bytes_are_named_by_its_manifest(alone: Path, texts: Path) -> None:
    subprocess.run([sys.executable, "tools/guests.py", "python"], cwd=ROOT, check=True, capture_output=True)
    folder = ROOT / "build/components/common-words"
    (texts / "song.txt").write_text("row row row your boat\nRow your boat")
    installed = orlop(alone, "components", "install", str(folder), "--yes", "--dir", f"{texts}:/data", timeout=400)
    assert installed.code == 0, installed.talk
    ran = orlop(alone, "components", "run", "common-words", "top", "/data/song.txt")
    assert (ran.code, ran.text) == (0, "4 row\n2 your\n2 boat\n"), ran.talk
    refused = orlop(alone, "components", "run", "common-words", "top", "/data/notes.md")
    assert (refused.code, "processing-failed" in refused.talk) == (1, True)
