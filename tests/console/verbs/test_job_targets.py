"""Who is to run a job: what the options mean together, and what does not fit."""

import pytest

from console.cmdline.verbline import read_line
from console.registry import COMMANDS
from console.verbs.job_targets import Targets, targets_of
from runtime.errors import UsageError

ALIKE = "--deterministic"


def targets(*words: str, command: str = "run") -> Targets:
    line = read_line(["jobs", command, "x.wasm", *words])
    return targets_of(COMMANDS[f"jobs {command}"], line.args)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ((), Targets()),
        (("--on", "ada"), Targets(names=("ada",))),
        (("--discover",), Targets(discover=True)),
        (("--discover", "--any-peer"), Targets(discover=True)),
        ((ALIKE, "--replicas", "3"), Targets(replicas=3, agree=2)),
        ((ALIKE, "--replicas", "4", "--agree", "4"), Targets(replicas=4, agree=4)),
        ((ALIKE, "--replicas", "3", "--discover"), Targets(discover=True, replicas=3, agree=2)),
        ((ALIKE, "--replicas", "2", "--on", "a", "--on", "b"), Targets(names=("a", "b"), replicas=2, agree=2)),
    ],
)
def test_options_name_peers_look_for_some_or_leave_the_job_here(words: tuple[str, ...], meant: Targets) -> None:
    assert targets(*words) == meant
    assert meant.here == (words == ())


def test_a_job_of_the_queue_has_one_peer_or_none() -> None:
    assert targets(command="submit").here
    assert targets("--on", "ada", command="submit") == Targets(names=("ada",))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--any-peer",), "--any-peer: goes with --discover or --replicas"),
        (("--agree", "2"), "--agree: goes with --replicas"),
        (("--on", "a", "--on", "b"), "--on: names 2 peers; --replicas 2 asks all of them"),
        (("--on", "a", "--discover"), "--on: names a peer, and --discover looks for one"),
        (("--on", "a", "--discover", "--any-peer"), "--on: names a peer, and --discover looks for one"),
        ((ALIKE, "--replicas", "2", "--on", "a", "--on", "b", "--any-peer"), "--on: names a peer"),
        (("--replicas", "2"), "--replicas: is for jobs that run alike everywhere"),
        ((ALIKE, "--replicas", "4", "--agree", "2"), "--agree: 2 of 4 is no majority; from 3 to 4"),
        ((ALIKE, "--replicas", "2", "--agree", "3"), "--agree: 3 of 2 is no majority; from 2 to 2"),
        ((ALIKE, "--replicas", "3", "--on", "a"), "--replicas: asks for 3 peers, and --on names 1"),
        (("--on", "a", "--dir", ".:/data"), "--dir: a directory cannot be given to another node"),
        (("--discover", "--priority", "1"), "--priority: is for jobs that run here"),
        ((ALIKE, "--replicas", "2", "--keep-output"), "--keep-output: is for jobs that run here"),
    ],
)
def test_what_does_not_fit_together_names_the_option(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        targets(*words)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("words", [("--retries", "2"), ("--expires", "1m")])
def test_terms_of_the_queue_are_for_jobs_that_run_here(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="is for jobs that run here"):
        targets("--on", "ada", *words, command="submit")
