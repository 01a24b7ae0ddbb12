"""Secure Boot with the owner's own keys: EFI programs signed by one key, and checked.

The kernel looks at the first signature of a kernel only, so one that is there is taken away first.
"""

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from boot.image.programs import run
from boot.image.uki import arch_of
from runtime import durable
from runtime.errors import FailedError, RefusedError, UsageError
from runtime.sanitise import clean

__all__ = ["SigningKey", "is_signed", "sign_pe", "signing_key"]

_FILE_MAX: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Who signs.

    Attributes:
        key: a private RSA key in PEM.
        certificate: its certificate in PEM, which is in the firmware's db.
    """

    key: Path
    certificate: Path


def signing_key(key: Path, certificate: Path) -> SigningKey:
    """A key and its certificate, looked at before anything is built with them.

    Args:
        key: a private key, for its owner only.
        certificate: that belongs to it.

    Raises:
        UsageError: one is missing, or they do not belong together.
        RefusedError: others may read the key, or one is of another form.
    """
    raw_key, raw_certificate = _read(key, private=True), _read(certificate, private=False)
    try:
        private = load_pem_private_key(raw_key, None)
    except (ValueError, TypeError):
        raise RefusedError("is no private key in PEM without a password", where=clean(str(key), 300)) from None
    try:
        public = x509.load_pem_x509_certificate(raw_certificate).public_key()
    except ValueError:
        raise RefusedError("is no certificate in PEM", where=clean(str(certificate), 300)) from None
    if not isinstance(private, RSAPrivateKey):
        raise RefusedError("is no RSA key, which firmware asks for", where=clean(str(key), 300))
    if private.public_key() != public:
        raise UsageError("is not the certificate of this key", where=clean(str(certificate), 300))
    return SigningKey(key, certificate)


def sign_pe(raw: bytes, signer: SigningKey, epoch: int) -> bytes:
    """Signs an EFI program; the same bytes every time.

    Args:
        raw: the program, such as a kernel with its EFI stub.
        signer: whose signature it bears then, and no other.
        epoch: the time that the signature names, in seconds since 1970.

    Raises:
        RefusedError: it is no EFI program.
        OrlopError: a program is missing or failed.
    """
    if arch_of(raw) is None:
        raise RefusedError("no EFI program, which alone can be signed")
    # sbsign writes the time into the signature and takes it from the clock alone.
    time = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S")
    with tempfile.TemporaryDirectory() as work:
        program, signed = Path(work, "program"), Path(work, "signed")
        program.write_bytes(raw)
        _unsign(program)
        whose = ["--key", str(signer.key), "--cert", str(signer.certificate)]
        run(["faketime", "-f", time, "sbsign", *whose, "--output", str(signed), str(program)])
        found = signed.read_bytes()
    if not is_signed(found, signer.certificate):
        raise FailedError("made a signature that does not fit", where="sbsign")
    return found


def is_signed(raw: bytes, certificate: Path) -> bool:
    """Whether an EFI program has one signature, and that one is of a certificate.

    Args:
        raw: the program.
        certificate: in PEM.

    Raises:
        UnavailableError: sbverify is missing.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(raw)
        file.flush()
        try:
            run(["sbverify", "--cert", str(certificate), file.name])
            listed = run(["sbverify", "--list", file.name])
        except FailedError:
            return False
    return sum(line.startswith(b"signature ") for line in listed.splitlines()) == 1


def _unsign(program: Path) -> None:
    """Takes all signatures away; a program without any is left as it is."""
    while True:
        try:
            run(["sbattach", "--remove", str(program)])
        except FailedError:
            return


def _read(path: Path, *, private: bool) -> bytes:
    raw = durable.read(path, limit=_FILE_MAX, private=private)
    if raw is None:
        hint = "orlop boot keygen --secure-boot makes both"
        raise UsageError("no such file", where=clean(str(path), 300), hint=hint)
    return raw
