"""A node on a machine that was started from a release: what its receipts say of it."""

import json
from pathlib import Path
from typing import Any

from runtime.booted import Booted
from tests.cli.program import ROOT, orlop
from tests.cli.running import Running

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")
FACTS = Booted(manifest="ab" * 32, version="7", mode="internet", session="cd" * 16)


def receipt(home: Path, name: str) -> dict[str, Any]:
    ran = orlop(home, "jobs", "run", HELLO, "--receipt", str(home / name))
    assert (ran.code, ran.talk) == (0, "")
    assert orlop(home, "receipts", "verify", str(home / name)).code == 0
    extra: dict[str, Any] = json.loads((home / name).read_bytes())["result"]["metrics"]["extra"]
    return extra


def test_every_receipt_claims_what_was_booted_and_the_first_has_the_sessions_nonce(tmp_path: Path) -> None:
    facts, config = tmp_path / "booted.json", tmp_path / "config.toml"
    facts.write_bytes(FACTS.document())
    config.write_text(f'[node]\nbooted = "{facts}"\n')
    node = Running(tmp_path / "home", "--no-ui", "--config", str(config))
    try:
        node.until("core.ready")
        first, second = receipt(node.home, "first.json"), receipt(node.home, "second.json")
    finally:
        node.close()
    for extra in (first, second):
        environment = json.loads(extra["orlop.environment"])
        assert {name: environment[name] for name in environment if name.startswith("boot_")} == dict(FACTS.claims)
    assert first["orlop.nonce"] == FACTS.session
    assert second["orlop.nonce"] != FACTS.session


def test_facts_that_are_none_stop_the_node_before_it_says_anything(tmp_path: Path) -> None:
    facts, config = tmp_path / "booted.json", tmp_path / "config.toml"
    facts.write_text("{}")
    config.write_text(f'[node]\nbooted = "{facts}"\n')
    ran = orlop(tmp_path, "--no-ui", "--config", str(config))
    assert (ran.code, ran.out) == (1, b"")
    assert (
        ran.talk == f"orlop: {facts}: an object with manifest, version, mode, session is needed; node.booted names it\n"
    )
