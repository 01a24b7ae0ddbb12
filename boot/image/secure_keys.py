"""The owner's keys for Secure Boot: PK, KEK and db, with the files by which a firmware learns them.

`.key` and `.crt` (PEM) sign; `.cer` (DER), `.esl` and `.auth` are for firmware menus and boot loaders. `.auth` is the
form that a firmware itself checks (UEFI 2.10, 8.2.2): PK by its own key, KEK by PK, db by KEK.
"""

import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from cryptography.x509.oid import NameOID

from runtime import durable
from runtime.errors import UsageError
from runtime.sanitise import clean

__all__ = ["make_secure_boot_keys", "signature_list", "signed_update"]

_BITS: Final = 2048
"""More is not read by every firmware."""
_VALID: Final = timedelta(days=3650)
_OWNER: Final = uuid.UUID("6f726c6f-7000-4000-8000-000000000020")
_X509: Final = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
_PKCS7: Final = uuid.UUID("4aafd29d-68df-49ee-8aa9-347d375665a7")
_GLOBAL: Final = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
_SECURITY: Final = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
_VARIABLES: Final[Mapping[str, tuple[uuid.UUID, str]]] = {
    "PK": (_GLOBAL, "PK"),
    "KEK": (_GLOBAL, "PK"),
    "db": (_SECURITY, "KEK"),
}
"""Of each variable, whose name space it is in and whose key signs it."""
_ATTRIBUTES: Final = 0x27
"""Kept, readable before and after the start, and only ever replaced by what is signed later."""
_REVISION: Final = 0x0200
_KIND: Final = 0x0EF1
_CERTIFICATE_HEADER: Final = struct.Struct("<IHH16s")
_SHORT: Final = 0x80


@dataclass(frozen=True, slots=True)
class _Pair:
    key: RSAPrivateKey
    certificate: x509.Certificate


def make_secure_boot_keys(folder: Path, now: datetime) -> list[str]:
    """Makes new keys and everything to enrol them.

    Args:
        folder: for the files; made if it is missing.
        now: from when on they are valid.

    Returns:
        The names of the files.

    Raises:
        UsageError: one of them is there already.
        UnavailableError: one cannot be written.
    """
    pairs = {name: _pair(name, now) for name in _VARIABLES}
    files: dict[str, bytes] = {}
    for name, (_, signer) in _VARIABLES.items():
        one = pairs[name]
        der = one.certificate.public_bytes(Encoding.DER)
        files[f"{name}.key"] = one.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        files[f"{name}.crt"] = one.certificate.public_bytes(Encoding.PEM)
        files[f"{name}.cer"] = der
        files[f"{name}.esl"] = signature_list(der)
        by = pairs[signer]
        files[f"{name}.auth"] = signed_update(name, files[f"{name}.esl"], now, key=by.key, certificate=by.certificate)
    for name in files:
        if (folder / name).exists() or (folder / name).is_symlink():
            hint = "name another folder; a key is never replaced"
            raise UsageError("exists already", where=clean(str(folder / name), 300), hint=hint)
    durable.make_directory(folder, mode=0o755)
    for name, content in files.items():
        durable.create(folder / name, content, mode=0o600 if name.endswith(".key") else 0o644)
    return list(files)


def signature_list(certificate: bytes) -> bytes:
    """A list of one certificate, as the firmware keeps it.

    Args:
        certificate: in DER.
    """
    size = len(_OWNER.bytes_le) + len(certificate)
    head = _X509.bytes_le + struct.pack("<III", 28 + size, 0, size)
    return head + _OWNER.bytes_le + certificate


def signed_update(
    name: str, content: bytes, now: datetime, *, key: RSAPrivateKey, certificate: x509.Certificate
) -> bytes:
    """A variable's new content, signed.

    Args:
        name: of the variable: `PK`, `KEK` or `db`.
        content: a signature list.
        now: when; a firmware takes only what is later than what it has.
        key: that signs.
        certificate: of that key.
    """
    utc = now.astimezone(UTC)
    time = struct.pack("<H6BIhBB", utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, 0, 0, 0, 0, 0)
    message = name.encode("utf-16-le") + _VARIABLES[name][0].bytes_le + struct.pack("<I", _ATTRIBUTES) + time + content
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoAttributes]
    builder = pkcs7.PKCS7SignatureBuilder().set_data(message).add_signer(certificate, key, SHA256())
    signature = _inner(builder.sign(Encoding.DER, options))
    length = _CERTIFICATE_HEADER.size + len(signature)
    return time + _CERTIFICATE_HEADER.pack(length, _REVISION, _KIND, _PKCS7.bytes_le) + signature + content


def _pair(name: str, now: datetime) -> _Pair:
    key = generate_private_key(public_exponent=65537, key_size=_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"orlop Secure Boot {name}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    return _Pair(key, certificate)


def _inner(wrapped: bytes) -> bytes:
    """The signed data without the wrapper around it, which older firmware does not take off."""
    at = _header(wrapped, 0)
    at = _header(wrapped, at) + wrapped[at + 1]
    return wrapped[_header(wrapped, at) :]


def _header(der: bytes, at: int) -> int:
    """Where the content of the element begins that begins here."""
    length = der[at + 1]
    return at + 2 + (length & ~_SHORT if length & _SHORT else 0)
