"""A whole release from servers of which some lie or fail."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from boot.errors import BootRefusedError, BootUnavailableError
from boot.fetch.fetcher import SESSION
from boot.fetch.keeping import Keeping
from boot.fetch.release import Fetched, Listener, Order, fetch_release
from boot.trust.manifest import Artifact
from boot.trust.signing import sign_root
from boot.trust.verifier import Step
from tests.boot.fetch.scripted import QUICK, Answer, scripted, status, whole
from tests.boot.trust.signed import KEYS, TRUSTED, WANTED, manifest, root

FILES = {"kernel": b"k" * 5000, "initramfs": b"i" * 70_000}
SIGNED = {name: Artifact(len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()}
NONCE = "0123456789abcdef" * 2


class Heard(Listener):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failures: list[str] = []
        self.steps: list[str] = []
        self.have: dict[str, int] = {}

    def asks(self, provider: str) -> None:
        self.asked.append(provider)

    def gave_up(self, provider: str, error: BootRefusedError | BootUnavailableError) -> None:
        self.failures.append(f"{provider} {error.line()}")

    def passed(self, step: Step) -> None:
        self.steps.append(step.name)

    def got(self, name: str, have: int, size: int) -> None:
        assert have <= size
        self.have[name] = have


def honest(**changed: bytes) -> dict[str, list[Answer]]:
    answers = {f"/{name}": [whole(data)] for name, data in FILES.items()}
    answers["/manifest.json"] = [whole(manifest(artifacts=SIGNED), fields=[f"Orlop-Session: {NONCE}"])]
    return answers | {f"/{name}": [whole(data)] for name, data in changed.items()}


async def fetch(folder: Path, *urls: str, heard: Heard | None = None) -> Fetched:
    with Keeping(folder) as keeping:
        order = Order(
            trusted=TRUSTED, wanted=WANTED, sink_of=keeping.sink, patience=QUICK, listener=heard or Listener()
        )
        fetched = await fetch_release(urls, order)
        keeping.keep(fetched)
        return fetched


def kept(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_a_release_is_verified_and_then_kept(tmp_path: Path) -> None:
    heard = Heard()
    async with scripted(honest()) as script:
        fetched = await fetch(tmp_path / "out", script.url(), heard=heard)
    assert kept(tmp_path / "out") == {**FILES, "manifest.json": manifest(artifacts=SIGNED)}
    assert (fetched.session, fetched.verified.manifest.manifest_version) == (NONCE, 7)
    assert heard.steps[-1] == "version"
    assert heard.have == {name: len(data) for name, data in FILES.items()}
    assert all(f"{SESSION}: {NONCE}" in asked.fields for asked in script.asked if asked.path == "/kernel")


async def test_the_url_may_be_that_of_a_folder_or_of_the_manifest(tmp_path: Path) -> None:
    answers = {f"/stable/x86_64{path}": answer for path, answer in honest().items()}
    async with scripted(answers) as script:
        for number, path in enumerate(("/stable/x86_64", "/stable/x86_64/", "/stable/x86_64/manifest.json")):
            await fetch(tmp_path / str(number), script.url(path))


@pytest.mark.parametrize("name", ["kernel", "manifest.json"])
async def test_a_server_that_lies_is_left_for_the_next_and_not_asked_again(tmp_path: Path, name: str) -> None:
    heard = Heard()
    async with scripted(honest(**{name: b"k" * 4999 + b"?"})) as liar, scripted(honest()) as other:
        fetched = await fetch(tmp_path / "out", liar.url(), other.url(), heard=heard)
    assert fetched.provider == other.url()
    assert heard.asked == [liar.url(), other.url()]
    assert kept(tmp_path / "out")["kernel"] == FILES["kernel"]


async def test_a_server_that_fails_is_asked_again_after_the_others(tmp_path: Path) -> None:
    busy = honest()
    busy["/manifest.json"].insert(0, status(503))
    heard = Heard()
    async with scripted(busy) as one, scripted({}) as empty:
        fetched = await fetch(tmp_path / "out", one.url(), empty.url(), heard=heard)
    assert fetched.provider == one.url()
    assert heard.failures[0].startswith(f"{one.url()} boot: unavailable: ")


async def test_of_lies_alone_nothing_is_kept(tmp_path: Path) -> None:
    async with scripted(honest(kernel=b"?" * 5000)) as liar, scripted({}) as empty:
        with pytest.raises(BootRefusedError) as caught:
            await fetch(tmp_path / "out", empty.url(), liar.url())
    assert caught.value.line().startswith("boot: refused: hash: kernel ")
    assert kept(tmp_path / "out") == {}


async def test_without_an_answer_nothing_is_said_about_the_release(tmp_path: Path) -> None:
    async with scripted({}) as empty:
        with pytest.raises(BootUnavailableError):
            await fetch(tmp_path / "out", empty.url())
        assert len(empty.asked) == QUICK.rounds
    with pytest.raises(BootUnavailableError, match="no server is known"):
        await fetch(tmp_path / "out")


async def test_the_deadline_is_for_everything_together(tmp_path: Path) -> None:
    with Keeping(tmp_path / "out") as keeping:
        patience = replace(QUICK, deadline_s=0.2, back_off_s=1000.0, back_off_most_s=1000.0)
        order = Order(trusted=TRUSTED, wanted=WANTED, sink_of=keeping.sink, patience=patience)
        async with scripted({}) as empty:
            with pytest.raises(BootUnavailableError, match=r"not all of it came within 0\.2 s"):
                await fetch_release([empty.url()], order)


async def test_newer_roots_are_followed_one_by_one_and_kept(tmp_path: Path) -> None:
    second = sign_root(root(2, 1, 1), [KEYS[0], KEYS[1]])
    answers = honest()
    answers["/root/2.json"] = [whole(second)]
    answers["/manifest.json"] = [whole(manifest(1, artifacts=SIGNED))]
    async with scripted(answers) as script:
        fetched = await fetch(tmp_path / "out", script.url())
    assert fetched.trusted.root.version == 2
    assert kept(tmp_path / "out")["root/2.json"] == second


async def test_a_session_that_is_no_nonce_is_passed_over(tmp_path: Path) -> None:
    answers = honest()
    answers["/manifest.json"] = [whole(manifest(artifacts=SIGNED), fields=["Orlop-Session: hello"])]
    async with scripted(answers) as script:
        assert (await fetch(tmp_path / "out", script.url())).session == ""
