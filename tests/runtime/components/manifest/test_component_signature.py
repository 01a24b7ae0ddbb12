"""Signatures of components: they cover the manifest and every file, and nothing of how they are written."""

import shutil
import subprocess
from pathlib import Path

import pytest

from runtime.agents.signature import SignatureRefusedError
from runtime.canonical import encode
from runtime.components.manifest.read import read_manifest
from runtime.components.manifest.signature import sign, signed_text, signer_of
from runtime.identity import Identity
from tests.runtime.components.manifest.writing import MIRROR, WORD_COUNT

KEY = Identity(bytes(range(32)))
FILES = {"word-count.wasm": "3f0c" * 16, "data/a.txt": "00" * 32}
READ = read_manifest(WORD_COUNT.encode())


def signed(text: str = WORD_COUNT) -> str:
    return signed_text(read_manifest(text.encode()), FILES, KEY)


def test_a_signed_manifest_names_its_signer() -> None:
    text = signed()
    assert text.startswith(WORD_COUNT)
    assert signer_of(read_manifest(text.encode()), FILES) == KEY.public_hex
    assert signer_of(READ, FILES) == ""


def test_what_is_signed_is_the_domain_and_canonical_json(tmp_path: Path) -> None:
    """By another implementation."""
    import base64

    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    message = b"orlop-component:v1:" + encode({"files": FILES, "manifest": READ.document})
    signature = base64.b64decode(sign(READ, FILES, KEY))
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(KEY.public_hex))
    form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "key.pem").write_bytes(public.public_bytes(*form))
    (tmp_path / "message").write_bytes(message)
    (tmp_path / "signature").write_bytes(signature)
    openssl = shutil.which("openssl")
    assert openssl is not None
    command = [
        openssl,
        "pkeyutl",
        "-verify",
        "-rawin",
        "-pubin",
        "-inkey",
        "key.pem",
        "-in",
        "message",
        "-sigfile",
        "signature",
    ]
    assert subprocess.run(command, cwd=tmp_path, check=True, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"1.0.0"', '"1.0.1"'), ("/data/**/*.txt", "/**"), ("read_only = true", "read_only = false"),
        ("3f0c3f0c", "3f0c3f0d"), ('source = "operator"', 'source = "private"'),
    ],
)  # fmt: skip
def test_a_change_of_the_manifest_is_seen(old: str, new: str) -> None:
    text = signed()
    assert old in text
    with pytest.raises(SignatureRefusedError) as caught:
        signer_of(read_manifest(text.replace(old, new, 1).encode()), FILES)
    assert str(caught.value).startswith(
        "Component.toml:19: signature: it does not fit; the manifest or a file was changed"
    )


@pytest.mark.parametrize(
    "files",
    [
        {}, {**FILES, "data/a.txt": "01" * 32}, {**FILES, "b": "00" * 32}, {"word-count.wasm": "3f0c" * 16},
        {"word-count.wasm": "3f0c" * 16, "data/b.txt": "00" * 32},
    ],
)  # fmt: skip
def test_a_change_of_any_file_is_seen(files: dict[str, str]) -> None:
    with pytest.raises(SignatureRefusedError):
        signer_of(read_manifest(signed().encode()), files)


def test_another_key_in_the_manifest_is_seen() -> None:
    other = Identity(bytes(32))
    text = signed().replace(KEY.public_hex, other.public_hex)
    with pytest.raises(SignatureRefusedError):
        signer_of(read_manifest(text.encode()), FILES)


def test_how_the_file_is_written_does_not_matter() -> None:
    text = (
        signed().replace('version = "1.0.0"\n', "").replace('name = "word', 'version = "1.0.0" # first\nname = "word')
    )
    assert text != signed()
    assert signer_of(read_manifest(text.encode()), FILES) == KEY.public_hex


@pytest.mark.parametrize("text", [WORD_COUNT, MIRROR, WORD_COUNT.rstrip("\n")])
def test_signing_again_replaces_the_signature(text: str) -> None:
    once = signed(text)
    other = Identity(bytes(32))
    again = signed_text(read_manifest(once.encode()), FILES, other)
    assert again.count("[signature]") == 1
    assert signer_of(read_manifest(again.encode()), FILES) == other.public_hex
    assert signed_text(read_manifest(once.encode()), FILES, KEY) == once


def test_an_inline_signature_is_replaced_too() -> None:
    table = f'signature = {{ public_key = "{KEY.public_hex}", signature = "{sign(READ, {}, KEY)}" }}\n'
    inline = WORD_COUNT.replace("[package]\n", f"{table}[package]\n", 1)
    assert signed(inline).rstrip("\n") == signed().rstrip("\n")
