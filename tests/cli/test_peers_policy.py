"""`p2p.accept_jobs`: whether jobs of peers are taken is changed while the node runs, and never by a mistake."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.program import ROOT, Ran, orlop
from tests.cli.running import Running

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")


@dataclass(frozen=True, slots=True)
class Pair:
    """Ada, who listens and has a file of settings, and the home of Bob, who may give her jobs."""

    ada: Running
    bob: Path
    file: Path

    def set(self, text: str) -> None:
        """Writes her file, and has her read it again."""
        self.file.write_text(text)
        self.ada.run("config", "set", "journal.days", "3")

    def run(self) -> Ran:
        """Gives her a job."""
        return orlop(self.bob, "jobs", "run", HELLO, "--on", "ada")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    file = tmp_path / "ada/.config/orlop/config.toml"
    file.parent.mkdir(parents=True)
    file.touch()
    ada, bob = Running(tmp_path / "ada", "--no-ui", "--p2p-listen", "/ip4/127.0.0.1/tcp/0"), tmp_path / "bob"
    bob.mkdir()
    ada.until("core.ready")
    (place,) = ada.run("status")["listen"]
    orlop(bob, "init", "--yes")
    ada.run("peers", "trust", orlop(bob, "status", "--json").json["peer_id"], "--jobs")
    assert orlop(bob, "peers", "dial", place).code == 0
    assert orlop(bob, "peers", "name", place.rpartition("/")[2], "ada").code == 0
    yield Pair(ada, bob, file)
    ada.close()


def found(pair: Pair) -> int:
    """How many nodes Bob finds that run jobs."""
    return len(orlop(pair.bob, "peers", "discover", "--wait", "0s", "--json").json["items"])


def test_it_holds_at_once_and_keeps_the_list(pair: Pair) -> None:
    assert (pair.run().code, found(pair)) == (0, 1)
    pair.set("[p2p]\naccept_jobs = false\n")
    ran = pair.run()
    assert (ran.code, "takes no jobs now" in ran.talk, ran.talk.count("\n")) == (125, True, 1)
    assert found(pair) == 0
    assert "p2p.accept_jobs" in pair.ada.until("core.config")["changed"]
    assert [row["submitter"] for row in pair.ada.run("peers", "list")["items"]] == [True]
    pair.set("[p2p]\naccept_jobs = true\n")
    assert (pair.run().code, found(pair)) == (0, 1)


@pytest.mark.parametrize("garbage", ['accept_jobs = "perhaps"', "accept_jobz = true", "= = =", "accept_jobs = 1\x00"])
def test_garbage_leaves_the_old_policy_and_is_told(pair: Pair, garbage: str) -> None:
    pair.set("[p2p]\naccept_jobs = false\n")
    assert pair.run().code == 125
    pair.set(f"[p2p]\n{garbage}\n")
    told = pair.ada.until("core.error", where="configuration")
    assert "config.toml" in told["error"]
    assert pair.run().code == 125
    pair.set("[p2p]\naccept_jobs = true\n")
    assert pair.run().code == 0
