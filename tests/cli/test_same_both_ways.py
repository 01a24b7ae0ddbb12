"""Each verb prints the same and exits the same with an owner and without: one script, run in both kinds of home."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.registry import COMMANDS
from tests.cli.program import ROOT, Owner, inside, orlop

HELLO = str(ROOT / "assets/jobs/hello/hello.wasm")
GAUGE = str(ROOT / "assets/components/tide-gauge")
UNBLOCK = ROOT / "assets/agents/unblock"
FAULTY = ROOT / "assets/agents/faulty"
PEER = "12D3KooWBiLeB9Qn575rSEFdWgvwXwRfTdN8XFrCEpXWcWjbNDWa"
KEY = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"

_SAME = (
    (re.compile(r"12D3KooW[1-9A-HJ-NP-Za-km-z]+"), "PEER"),
    (re.compile(r"\bt-[0-9a-f]{12}\b"), "TASK"),
    (re.compile(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{32}\b|\b[0-9a-f]{16}(?=…|\\u2026)|\b[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}[ T][0-9:]{8}(\.[0-9]{3}Z)?"), "TIME"),
    (re.compile(r'("[a-z_]*(?:_ms|_us|At)"):[0-9]+'), r"\1:N"),
    (re.compile(r"\b[0-9.]+m?s\b"), "DURATION"),
    (re.compile(r'"seq":[0-9]+'), '"seq":N'),
    (re.compile(r'("(?:fuel_used|signature|worker_pubkey)"):"[^"]*"'), r'\1:"X"'),
    (re.compile(r"\[[0-9]+(,[0-9]+){31}\]"), "BYTES"),
    (re.compile(r'"[0-9a-f]{128}"'), '"SIGNATURE"'),
    (re.compile(r" {2,}|-{2,}"), "  "),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the script, and its exit status."""

    words: str
    code: int = 0
    stdin: bytes = b""


SCRIPT = (
    Step("init --json"),
    Step("rooms list"),
    Step("rooms create quiet-harbor --json"),
    Step("rooms create north-pier"),
    Step(f"components check {GAUGE}"),
    Step(f"components inspect {GAUGE} --json"),
    Step(f"components install {GAUGE} --yes"),
    Step(f"components install {GAUGE} --yes", 2),
    Step("components list"),
    Step("components list --json"),
    Step("components show tide-gauge --json"),
    Step("components permissions tide-gauge"),
    Step("components permissions tide-gauge --grant filesystem.read=/x --json"),
    Step("components permissions tide-gauge --revoke rooms.post[7]", 2),
    Step("components logs tide-gauge"),
    Step("components run nobody pump", 125),
    Step("components stop tide-gauge", 2),
    Step("components suspend tide-gauge", 2),
    Step("components resume tide-gauge", 2),
    Step("components uninstall tide-gauge", 2),
    Step("components uninstall tide-gauge --yes"),
    Step("components bindings orlop:core/component"),
    Step("rooms create bad\x1bname", 2),
    Step("rooms task quiet-harbor --add Publish|split_into:_a,_b|due:_2h|urgent --json"),
    Step("rooms task quiet-harbor --add Sign"),
    Step("rooms task quiet-harbor --add Weigh --under Publish --on Sign --json"),
    Step("rooms task quiet-harbor --block Publish --on Sign --on Weigh"),
    Step("rooms task quiet-harbor --unblock Publish --on Weigh"),
    Step("rooms task quiet-harbor --start Sign"),
    Step("rooms task quiet-harbor --urgent Sign"),
    Step("rooms task quiet-harbor --describe Sign --text with-care"),
    Step("rooms task quiet-harbor --due Sign --text 2h"),
    Step("rooms task quiet-harbor --due Sign --text never", 2),
    Step("rooms task quiet-harbor --auto-assign --preview --json"),
    Step("rooms task quiet-harbor --auto-assign"),
    Step("rooms task quiet-harbor --done Sign"),
    Step("rooms task quiet-harbor --reopen Sign"),
    Step("rooms task quiet-harbor --title Sign --text Seal"),
    Step("rooms task quiet-harbor --assign Seal"),
    Step("rooms task quiet-harbor --unblock Publish --on Seal"),
    Step("rooms task quiet-harbor --done nothing", 1),
    Step("rooms task quiet-harbor --done", 2),
    Step("rooms task quiet-harbor", 2),
    Step("rooms task quiet-harbor --done Seal --start Seal", 2),
    Step("rooms task quiet-harbor --title Seal", 2),
    Step("rooms task quiet-harbor --assign Seal --to nobody", 1),
    Step("rooms say quiet-harbor hello"),
    Step("rooms say quiet-harbor /task_Announce|urgent"),
    Step("rooms say quiet-harbor /burn", 2),
    Step("peers list"),
    Step(f"peers trust {PEER} --name ada --json"),
    Step("peers trust ada --jobs"),
    Step("peers trust nobody", 1),
    Step("peers dial /nonsense", 2),
    Step("peers dial ada --insecure-any", 2),
    Step("peers ping nobody", 1),
    Step("peers discover --kind else", 2),
    Step("peers ping ada --count 0", 2),
    Step("peers trust 12D", 2),
    Step("peers name ada eve --note a_machine"),
    Step(f"peers name {PEER} /ip4/192.0.2.1", 2),
    Step("peers show eve"),
    Step("peers show BiLeB9 --json"),
    Step("peers show 12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X", 1),
    Step("peers list --trusted"),
    Step("peers ban eve", 2),
    Step("peers ban eve --reason enough --yes --json"),
    Step("peers trust eve", 2),
    Step("peers ban eve --remove --reason enough --yes", 2),
    Step("peers ban eve --remove --yes"),
    Step("peers ban eve --remove --yes", 1),
    Step("peers list --json"),
    Step("rooms list --json"),
    Step("rooms show quiet-harbor"),
    Step("rooms show quiet-harbor --json"),
    Step("rooms tasks quiet-harbor"),
    Step("rooms tasks quiet-harbor --json"),
    Step("rooms show nowhere", 1),
    Step("rooms say quiet-harbor /help"),
    Step("rooms say quiet-harbor /dance", 2),
    Step("rooms say quiet-harbor /rotate", 2),
    Step("rooms members quiet-harbor"),
    Step("rooms members quiet-harbor --json"),
    Step("rooms invite quiet-harbor", 2),
    Step("rooms invite quiet-harbor --relay nowhere", 2),
    Step("rooms create shared --relay nowhere", 2),
    Step("rooms join nonsense", 1),
    Step("rooms verify quiet-harbor nobody", 1),
    Step("rooms remove quiet-harbor nobody", 2),
    Step("rooms remove quiet-harbor nobody --yes --json", 1),
    Step("rooms rotate quiet-harbor", 2),
    Step("rooms relay --bind nowhere", 2),
    Step("rooms create left-alone"),
    Step("rooms leave left-alone", 2),
    Step("rooms leave left-alone --yes --json"),
    Step("rooms say left-alone again", 1),
    Step("rooms show qu", 1),
    Step(f"agents upload quiet-harbor {UNBLOCK}/unblock.wasm --manifest {UNBLOCK}/unblock.json --grant all --json"),
    Step(f"agents upload quiet-harbor {FAULTY}/faulty.wasm --manifest {FAULTY}/faulty.json --grant none"),
    Step(f"agents upload north-pier {UNBLOCK}/unblock.wasm --grant read_tasks,emit_events --name unblock", 1),
    Step(f"agents upload north-pier {UNBLOCK}/unblock.wasm --grant read_tasks,emit_events --name unblock --unsigned"),
    Step(f"agents upload north-pier {UNBLOCK}/unblock.wasm --grant none --name unblock --version 2 --unsigned --json"),
    Step("agents rollback unblock --room north-pier --json"),
    Step("agents rollback unblock 7 --room north-pier", 1),
    Step("agents keygen HOME/signing.key"),
    Step("agents keygen HOME/signing.key", 2),
    Step(f"components sign {GAUGE} --key HOME/signing.key --out tide-gauge.toml"),
    Step(f"components sign {GAUGE} --key nowhere.key", 2),
    Step(f"agents sign {UNBLOCK}/unblock.json --key HOME/signing.key --out signed.json"),
    Step(f"agents upload north-pier {UNBLOCK}/unblock.wasm --manifest signed.json", 1),
    Step(f"agents trust {KEY} --room north-pier --note Mara --json"),
    Step(f"agents trust {KEY}"),
    Step("agents trust nobody", 2),
    Step("agents trusted"),
    Step("agents trusted --room quiet-harbor --json"),
    Step(f"agents trust {KEY} --remove"),
    Step(f"agents trust {KEY} --remove", 1),
    Step(f"agents upload quiet-harbor {UNBLOCK}/unblock.wasm --manifest {FAULTY}/faulty.json --grant all", 1),
    Step(f"agents upload quiet-harbor {HELLO} --grant all --name hello --unsigned", 1),
    Step(f"agents upload quiet-harbor {UNBLOCK}/unblock.wasm --grant fly --name x", 2),
    Step(f"agents upload quiet-harbor {UNBLOCK}/unblock.wasm --grant all --name Bad_Name", 1),
    Step("agents upload quiet-harbor nowhere.wasm --grant all", 2),
    Step("agents list"),
    Step("agents list --room quiet-harbor --json"),
    Step("agents show unblock", 2),
    Step("agents show unblock --room north-pier"),
    Step("agents activate unblock --room quiet-harbor --json"),
    Step("agents deactivate unblock --room quiet-harbor"),
    Step("agents grant unblock none --room north-pier --json"),
    Step("agents grant faulty read_members", 2),
    Step("agents probe faulty", 2),
    Step("agents logs faulty --json"),
    Step("agents delete unblock --room north-pier", 2),
    Step("agents delete unblock --room north-pier --yes --json"),
    Step("agents show nothing", 1),
    Step("agents new Night_Watch", 1),
    Step("agents build nowhere", 2),
    Step("components bindings orlop:core/component --lang js", 2),
    Step("boot keygen", 2),
    Step("boot build --out x --root-key nowhere.pub", 2),
    Step("boot sign . --key nowhere.key", 2),
    Step("boot release . --out x --key nowhere.key", 2),
    Step("boot write nowhere.img /dev/null", 2),
    Step("boot rotate nowhere.pub --key nowhere.key --out next.json", 2),
    Step("boot serve . --bind nowhere", 2),
    Step("boot fetch http://127.0.0.1:1/ --root-key nowhere.pub --channel stable --arch x86_64 --out x", 2),
    Step("boot discover --wait never", 2),
    Step("boot status", 0),
    Step("boot stop", 1),
    Step("boot verify nowhere.json --root-key nowhere.pub --channel stable --arch x86_64", 2),
    Step(f"jobs run {HELLO} --stdin -", 0, b"Hello, harbor"),
    Step(f"jobs run {HELLO} --stdin - --json", 134, b"\xff"),
    Step("jobs list"),
    Step("jobs list --state failed"),
    Step("jobs show ffff", 1),
    Step("jobs show ff", 2),
    Step("jobs cancel ffff", 1),
    Step(f"jobs submit {HELLO} --dir .:/data", 2),
    Step("jobs submit nowhere.wasm", 2),
    Step("jobs rerun ffff", 1),
    Step("receipts list"),
    Step("receipts show ffff", 1),
    Step("receipts verify ffff", 1),
    Step("receipts export ffff", 1),
    Step("receipts rerun ffff", 1),
    Step("receipts export --out all.jsonl"),
    Step("rooms undo quiet-harbor", 1),
    Step("rooms task quiet-harbor --urgent Announce --off"),
    Step("rooms undo quiet-harbor --json"),
    Step("rooms set quiet-harbor history=all auto_delete=on"),
    Step("rooms set quiet-harbor history=all --json"),
    Step("rooms set quiet-harbor colour=blue", 2),
    Step("rooms set quiet-harbor auto_delete", 2),
    Step("rooms keep quiet-harbor --duration 72h --json"),
    Step("rooms keep quiet-harbor --duration never", 2),
    Step("rooms reclock quiet-harbor"),
    Step("rooms export quiet-harbor kept.room --passphrase-file none", 2),
    Step("rooms import nowhere.room", 2),
    Step("rooms burn north-pier", 2),
    Step("rooms burn north-pier --yes --json"),
    Step("rooms burn north-pier --yes", 1),
    Step("lock", 1),
    Step("pin status"),
    Step("pin set", 2),
    Step("pin set --pin-file -", 0, b"493027"),
    Step("pin set --pin-file -", 2, b"12"),
    Step("pin status --json"),
    Step("unlock", 2),
    Step("unlock --pin-file -", 0, b"493027"),
    Step("unlock --passphrase --pin-file -", 2),
    Step("pin clear", 2),
    Step("pin clear --yes"),
    Step("config"),
    Step("config set jobs.memory 64MiB --json"),
    Step("config set jobs.memry 64MiB", 2),
    Step("config set jobs.memory lots", 2),
    Step("config --json"),
    Step("completion bash"),
    Step("audit --command rooms_* --outcome failed"),
    Step("audit --command agents_* --json"),
    Step("audit --since yesterday", 2),
    Step("audit --uid root", 2),
    Step("backup kept --passphrase-file none", 2),
    Step("backup - --passphrase-file none", 2),
    Step("restore kept --passphrase-file none", 2),
)


def same(data: bytes, home: Path, member: str) -> str:
    """What a run printed, without what differs between two nodes and two moments."""
    text = data.decode().replace(str(home), "HOME").replace(member, "MEMBER").replace(member[:12], "MEMBER")
    for pattern, word in _SAME:
        text = pattern.sub(word, text)
    return text


def test_every_verb_prints_the_same_with_and_without_an_owner(owner: Owner, tmp_path: Path) -> None:
    folder = tmp_path / "cwd"
    folder.mkdir()
    homes = (tmp_path, owner.home)
    members = [orlop(home, "init", "--yes", "--json").json["member"] for home in homes]
    for step in SCRIPT:
        words = [
            word.replace("_", " ") if (word[:1] in "PS/" and "|" in word) or word.endswith("_*") else word
            for word in step.words.split()
        ]
        alone, owned = (
            inside(home, [word.replace("HOME", str(home)) for word in words], stdin=step.stdin, cwd=folder)
            for home in homes
        )
        assert (step.words, owned.code) == (step.words, step.code)
        assert (step.words, alone.code) == (step.words, step.code)
        assert same(alone.err, homes[0], members[0]) == same(owned.err, homes[1], members[1])
        assert same(alone.out, homes[0], members[0]) == same(owned.out, homes[1], members[1])
        assert alone.talk.count("\n") == (step.code != 0), step.words


def test_every_verb_is_in_the_script() -> None:
    elsewhere = {"agents try", "receipts verify", "jobs logs", "status", "doctor", "schema"}
    tried = {" ".join(step.words.split()[:2]) for step in SCRIPT} | {step.words.split()[0] for step in SCRIPT}
    assert set(COMMANDS) - tried - elsewhere == set()


@pytest.mark.parametrize("verb", ["jobs show", "jobs logs", "receipts show", "receipts verify"])
def test_things_made_in_both_homes_are_shown_alike(owner: Owner, tmp_path: Path, verb: str) -> None:
    shown = []
    for home in (tmp_path, owner.home):
        job = orlop(home, "jobs", "run", HELLO, "--stdin", "-", "--json", stdin=b"abc").json["job"]
        name = job if verb.startswith("jobs") else orlop(home, "jobs", "show", job, "--json").json["receipt"]
        ran = orlop(home, *verb.split(), name[:16])
        assert (ran.code, ran.err) == (0, b"")
        shown.append(same(ran.out, home, "no member").partition("chain")[0])
    assert shown[0]
    assert shown[0].count("\n") == shown[1].count("\n")
