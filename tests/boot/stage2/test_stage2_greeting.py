"""The first job of a booted node: through a real node, its receipt printed and delivered, and what goes wrong said."""

import asyncio
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from boot.stage1.handover import Handover
from boot.stage2.facts import booted_of
from boot.stage2.greeting import Greeting, deliver, greet
from tests.boot.fetch.scripted import Answer, Scripted, scripted, status
from tests.cli.program import ROOT, environment
from tests.cli.running import Running

HANDOVER = Handover(
    mode="internet",
    channel="stable",
    arch="x86_64",
    release="1",
    manifest_version=7,
    manifest_hash="ab" * 32,
    session="cd" * 16,
    report=True,
)


def delivered(answers: dict[str, list[Answer]], path: str = "/") -> tuple[bool, list[str], Scripted]:
    """Delivers a receipt to a server that answers so."""

    async def run() -> tuple[bool, list[str], Scripted]:
        said: list[str] = []
        async with scripted(answers) as script:
            given = replace(HANDOVER, provider=script.url(path))
            return await asyncio.to_thread(deliver, b"{}", given, said.append), said, script

    return asyncio.run(run())


def test_a_receipt_goes_to_whoever_served_the_release_with_the_session() -> None:
    done, said, script = delivered({"/receipts": [status(202)]}, "/stable/x86_64/manifest.json")
    assert done
    assert said == [f"receipt delivered to {script.url('/receipts')}"]
    assert "POST /receipts HTTP/1.1" in script.asked[0].fields
    assert f"orlop-session: {'cd' * 16}\r\n" in script.asked[0].fields
    assert "Content-Type: application/json\r\n" in script.asked[0].fields


def test_a_server_that_does_not_take_it_is_not_asked_again() -> None:
    done, said, script = delivered({"/receipts": [status(400)]})
    assert (done, said, len(script.asked)) == (False, ["receipt not delivered: answers 400"], 1)


def test_a_server_that_is_gone_is_tried_again_and_then_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("boot.stage2.greeting.time.sleep", pauses.append)
    said: list[str] = []

    async def nowhere() -> str:
        async with scripted({}) as script:
            return script.url()

    given = replace(HANDOVER, provider=asyncio.run(nowhere()))
    assert not deliver(b"{}", given, said.append)
    assert len(pauses) == 3
    assert said == ["receipt not delivered: connection refused"]


# --- with a node ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    """A node that was told what booted it, and its configuration file."""
    folder = tmp_path_factory.mktemp("booted")
    (folder / "booted.json").write_bytes(booted_of(HANDOVER, session=True).document())
    config = folder / "config.toml"
    config.write_text(f'[node]\nbooted = "{folder / "booted.json"}"\n')
    running = Running(folder / "home", "--no-ui", "--config", str(config))
    running.until("core.ready")
    yield running, config
    running.close()


def greeting_of(node: tuple[Running, Path], folder: Path) -> Greeting:
    running, config = node
    return Greeting(
        command=(sys.executable, "-m", "console"),
        environment=environment(running.home),
        state=running.home / ".local/state/orlop",
        config=config,
        module=ROOT / "assets/jobs/hello/hello.wasm",
        receipt=folder / "receipt.json",
        kept=False,
        pauses_s=(),
    )


def greeted(greeting: Greeting, handover: Handover = HANDOVER) -> tuple[int, list[str]]:
    said: list[str] = []
    return greet(greeting, handover, said.append), said


def test_the_job_runs_and_its_receipt_is_printed_and_nothing_is_delivered_without_a_server(
    node: tuple[Running, Path], tmp_path: Path
) -> None:
    code, said = greeted(greeting_of(node, tmp_path))
    assert code == 0
    assert re.fullmatch(r"identity 12D3KooW\w+ \(new\)", said[0])
    assert re.fullmatch(r"receipt [0-9a-f]{64}", said[1])
    assert said[2:] == ["ready"]
    assert node[0].until("receipt.issued")["receipt"] == said[1].split()[1]


def test_a_node_that_was_there_before_is_said_to_be_kept(node: tuple[Running, Path], tmp_path: Path) -> None:
    code, said = greeted(replace(greeting_of(node, tmp_path), kept=True))
    assert code == 0
    assert said[0].endswith(" (kept)")


def test_a_job_that_did_not_run_is_tried_again(node: tuple[Running, Path], tmp_path: Path) -> None:
    once = tmp_path / "once"
    greeting = greeting_of(node, tmp_path)
    words = f'mkdir {once} && exit 1; exec {sys.executable} -m console "$@"'
    busy = replace(greeting, command=("/bin/sh", "-c", words, "sh"), pauses_s=(0.0,))
    code, said = greeted(busy)
    assert (code, said[-1]) == (0, "ready")
    assert once.exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda one: replace(one, module=Path("/missing.wasm")), "failed: hello: status 125: "),
        (lambda one: replace(one, receipt=Path("/missing/receipt.json")), "failed: hello: status 125: "),
        (lambda one: replace(one, command=("/bin/echo",)), "failed: hello: status 0: jobs run"),
        (lambda one: replace(one, command=("/missing",)), "failed: hello: FileNotFoundError"),
        (
            lambda one: replace(one, state=Path("/missing"), ready_s=0.0),
            "failed: hello: the node was not there within 0 s",
        ),
    ],
)
def test_what_goes_wrong_is_one_line(
    node: tuple[Running, Path], tmp_path: Path, change: Callable[[Greeting], Greeting], why: str
) -> None:
    code, said = greeted(change(greeting_of(node, tmp_path)))
    assert code == 1
    assert len(said) == 1
    assert said[0].startswith(why)
