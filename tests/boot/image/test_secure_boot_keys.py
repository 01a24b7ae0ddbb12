"""Keys for Secure Boot, in the forms that firmwares take, and what is no key."""

import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from boot.image.secure import signing_key
from boot.image.secure_keys import make_secure_boot_keys, signature_list
from runtime.errors import OrlopError, RefusedError, UsageError

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys") / "secure-boot"
    make_secure_boot_keys(folder, NOW)
    return folder


def test_there_are_three_keys_for_their_owner_only_with_all_that_enrols_them(keys: Path) -> None:
    assert {path.name for path in keys.iterdir()} == {
        f"{name}.{kind}" for name in ("PK", "KEK", "db") for kind in ("key", "crt", "cer", "esl", "auth")
    }
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in keys.glob("*.key"))


def test_certificate_and_list_are_the_same_certificate(keys: Path) -> None:
    der = (keys / "db.cer").read_bytes()
    certificate = x509.load_pem_x509_certificate((keys / "db.crt").read_bytes())
    assert certificate.public_bytes(Encoding.DER) == der
    assert (keys / "db.esl").read_bytes() == signature_list(der)
    kind, size, header, each = struct.unpack_from("<16sIII", signature_list(der))
    assert (size, header, each) == (len(signature_list(der)), 0, len(der) + 16)
    assert kind.hex() == "a159c0a5e494a74a87b5ab155c2bf072"


def test_an_update_names_its_time_and_holds_the_list_behind_its_signature(keys: Path) -> None:
    raw, content = (keys / "KEK.auth").read_bytes(), (keys / "KEK.esl").read_bytes()
    assert struct.unpack_from("<HBBBBB", raw) == (2026, 11, 22, 1, 2, 3)
    length, revision, kind = struct.unpack_from("<IHH", raw, 16)
    assert (revision, kind) == (0x0200, 0x0EF1)
    assert raw[16 + length :] == content


def test_keys_are_never_replaced(keys: Path) -> None:
    before = (keys / "PK.key").read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        make_secure_boot_keys(keys, NOW)
    assert (keys / "PK.key").read_bytes() == before


def test_a_key_and_its_certificate_are_taken(keys: Path) -> None:
    assert signing_key(keys / "db.key", keys / "db.crt").certificate == keys / "db.crt"


def test_what_does_not_belong_together_or_is_something_else_is_refused(keys: Path, tmp_path: Path) -> None:
    def why(key: Path, certificate: Path) -> str:
        with pytest.raises(OrlopError) as refused:
            signing_key(key, certificate)
        assert isinstance(refused.value, UsageError | RefusedError)
        return str(refused.value)

    other = tmp_path / "other.key"
    raw = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    other.write_bytes(raw)
    other.chmod(0o600)
    open_to_all = tmp_path / "open.key"
    open_to_all.write_bytes((keys / "db.key").read_bytes())
    open_to_all.chmod(0o644)
    assert "is not the certificate of this key" in why(keys / "PK.key", keys / "db.crt")
    assert "no RSA key" in why(other, keys / "db.crt")
    assert "others may have read it" in why(open_to_all, keys / "db.crt")
    assert "no such file" in why(tmp_path / "none", keys / "db.crt")
    assert "no certificate in PEM" in why(keys / "db.key", keys / "db.cer")
