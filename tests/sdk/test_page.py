"""The page that verifies in a browser: opened from a file, in a real Chromium, with files dropped on it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.canonical import encode
from tests.sdk.chromium import Chromium
from tests.sdk.corpus import bundle
from tests.sdk.documents import FIRST, FULL, MANIFEST, STDERR, STDOUT, WORKER, make_receipt
from tests.sdk.interpreters import SDK

pytestmark = pytest.mark.sdk

PAGE = SDK / "js/verify.html"
WORD = "document.querySelector('#word').textContent"
TRUE, FALSE, OPEN = "✓", "✗", "\N{EN DASH}"
MARKS = "[...document.querySelectorAll('#steps .mark')].map((mark) => mark.textContent).join('')"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile"), PAGE) as browser:
        yield browser


@pytest.fixture
def page(browser: Chromium) -> Chromium:
    """The page as it is at first."""
    browser.open()
    return browser


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A receipt and all that belongs to it."""
    contents = {
        "receipt.json": FULL.receipt,
        "manifest.json": encode(MANIFEST),
        "out.bin": STDOUT,
        "errors.bin": STDERR,
        "before.json": encode(FIRST),
        "forged.json": FULL.receipt.replace(b'"exit_code":"0"', b'"exit_code":"1"'),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in contents}


def type_key(page: Chromium, key: str) -> None:
    page.evaluate("document.querySelector('#key').focus()")
    page.call("Input.insertText", text=key)


def test_a_dropped_receipt_is_valid_once_its_workers_key_is_typed(page: Chromium, files: dict[str, Path]) -> None:
    page.drop("#drop", files["receipt.json"])
    assert page.when(f"{MARKS} && {WORD}") == "NOT CHECKED"
    type_key(page, WORKER.peer_id)
    assert page.when(f"{WORD} === 'VALID' && {MARKS}") == TRUE * 4 + OPEN * 4


def test_everything_dropped_at_once_is_held_against_the_receipt(page: Chromium, files: dict[str, Path]) -> None:
    type_key(page, WORKER.public_hex)
    wanted = ("out.bin", "before.json", "manifest.json", "receipt.json", "errors.bin")
    page.drop("#drop", *(files[name] for name in wanted))
    assert page.when(f"{WORD} === 'VALID' && {MARKS}") == TRUE * 8
    shown = page.evaluate("document.querySelector('#files').innerText")
    assert "not given" in shown  # the module alone
    assert shown.count("not given") == 1


def test_a_forged_receipt_is_invalid_and_the_first_false_step_is_named(page: Chromium, files: dict[str, Path]) -> None:
    type_key(page, WORKER.public_hex)
    page.drop("#drop", files["forged.json"])
    assert page.when(f"{WORD} === 'INVALID' && {MARKS}") == TRUE * 3 + FALSE + OPEN * 4
    assert page.evaluate("document.querySelector('#why').textContent").startswith("signature: does not fit")


def test_what_is_no_receipt_and_what_is_no_key_are_said_so(
    page: Chromium, files: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "none.json").write_bytes(b'{"signature": "<img src=x onerror=alert(1)>"')
    page.drop("#drop", tmp_path / "none.json")
    assert page.when(f"{WORD} === 'INVALID' && document.querySelector('#why').textContent").startswith(
        "schema: not JSON"
    )
    page.drop("#drop", files["receipt.json"])
    type_key(page, "any")
    assert page.when(f"{WORD} === 'NOT CHECKED' && document.querySelector('#why').textContent").startswith("the key: ")


def test_text_of_a_receipt_is_text_and_nothing_else(page: Chromium, tmp_path: Path) -> None:
    odd = make_receipt(0, "0" * 64, **{"orlop.engine": "<img src=x onerror=alert(1)>\u202e"})
    (tmp_path / "odd.json").write_bytes(encode(odd))
    page.drop("#drop", tmp_path / "odd.json")
    shown = page.when(f"{MARKS} && document.querySelector('#facts').textContent")
    assert r"<img src=x onerror=alert(1)>\u202e" in shown
    assert page.evaluate("document.querySelector('img')") is None


def test_a_proof_bundle_brings_its_own_evidence(page: Chromium, tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_bytes(encode(bundle()))
    type_key(page, WORKER.public_hex)
    page.drop("#drop", tmp_path / "proof.json")
    assert page.when(f"{WORD} === 'VALID' && {MARKS}") == TRUE * 7 + OPEN
    assert "wasmtime" in page.evaluate("document.querySelector('#facts').textContent")


def test_a_removed_file_is_no_longer_held_against_it(page: Chromium, files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_bytes(STDOUT * 2)
    type_key(page, WORKER.public_hex)
    page.drop("#drop", files["receipt.json"], tmp_path / "other.txt")
    assert page.when(f"{WORD} === 'INVALID' && {MARKS}") == TRUE * 4 + OPEN * 2 + FALSE + OPEN
    page.evaluate("document.querySelector('[aria-label=\"remove stdout\"]').click()")
    assert page.when(f"{WORD} === 'VALID' && {MARKS}") == TRUE * 4 + OPEN * 4
    page.evaluate("document.querySelector('[aria-label=\"remove receipt\"]').click()")
    assert page.when("document.querySelector('#verdict').hidden") is True


CONNECTIONS = {
    "a request": "fetch(URL).then(() => 'went', () => 'blocked')",
    "an image": "new Promise((done) => { const image = new Image(); image.onload = () => done('went');"
    " image.onerror = () => done('blocked'); image.src = URL; })",
    "a socket": "new Promise((done) => { const socket = new WebSocket(URL.replace('http', 'ws'));"
    " socket.onopen = () => done('went'); socket.onerror = () => done('blocked'); })",
    "a script": "new Promise((done) => { const script = document.createElement('script'); script.onload = () =>"
    " done('went'); script.onerror = () => done('blocked'); script.src = URL; document.body.append(script); })",
}


def test_the_pages_own_policy_forbids_it_every_connection(page: Chromium, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"'http://127.0.0.1:{server.getsockname()[1]}/'"
        tried = {name: page.evaluate(work.replace("URL", url)) for name, work in CONNECTIONS.items()}
        assert tried == dict.fromkeys(CONNECTIONS, "blocked")
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
        # Without that policy a page connects: otherwise the above would prove nothing.
        (tmp_path / "free.html").write_text("<!doctype html><title>free</title>")
        page.open(tmp_path / "free.html")
        page.evaluate(f"(new Image().src = {url}, true)")
        server.setblocking(True)
        server.accept()[0].close()
