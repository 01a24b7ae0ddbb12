"""Certificates with one flaw each, and the credentials that show them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID

from net.quic.certificate import EXTENSION, Credentials, signed_key
from runtime.identity import Identity

NOW_MS = 1_700_000_000_000
NOW = datetime.fromtimestamp(NOW_MS / 1000, tz=UTC)
HOUR = timedelta(hours=1)
LOW_ORDER = bytes([1]) + bytes(31)
SOMEBODY = Identity(bytes([7]) * 32)

Value = Callable[[Identity, ec.EllipticCurvePublicKey], bytes | None]


@dataclass(frozen=True)
class Recipe:
    """How a certificate is made; the defaults make a sound one."""

    value: Value = signed_key
    critical: bool = False
    since: datetime = NOW - HOUR
    until: datetime = NOW + HOUR
    more: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    signs: ec.EllipticCurvePrivateKey | None = None

    def credentials(self, identity: Identity) -> Credentials:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "any")])
        builder = x509.CertificateBuilder(
            issuer_name=name,
            subject_name=name,
            public_key=key.public_key(),
            serial_number=5,
            not_valid_before=self.since,
            not_valid_after=self.until,
        )
        value = self.value(identity, key.public_key())
        if value is not None:
            builder = builder.add_extension(x509.UnrecognizedExtension(EXTENSION, value), self.critical)
        for extension, critical in self.more:
            builder = builder.add_extension(extension, critical)
        return Credentials(builder.sign(self.signs or key, hashes.SHA256()), key, NOW_MS + 10**9)


def _other_signer(identity: Identity, key: ec.EllipticCurvePublicKey) -> bytes:
    return signed_key(identity, key)[:-64] + signed_key(SOMEBODY, key)[-64:]


def _other_key(identity: Identity, key: ec.EllipticCurvePublicKey) -> bytes:
    del key
    return signed_key(identity, ec.generate_private_key(ec.SECP256R1()).public_key())


def _low_order(identity: Identity, key: ec.EllipticCurvePublicKey) -> bytes:
    value = signed_key(identity, key)
    # Under this key OpenSSL finds that this signature fits every message.
    return value[:8] + LOW_ORDER + value[40:42] + LOW_ORDER + bytes(32)


def _long_length(identity: Identity, key: ec.EllipticCurvePublicKey) -> bytes:
    return b"\x30\x81" + signed_key(identity, key)[1:]


def _rsa(identity: Identity, key: ec.EllipticCurvePublicKey) -> bytes:
    value = signed_key(identity, key)
    return value[:4] + b"\x08\x00" + value[6:]


SOUND = Recipe()
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"?")
MALFORMED = x509.UnrecognizedExtension(ExtensionOID.BASIC_CONSTRAINTS, b"no DER")

FLAWS = {
    "no-extension": (Recipe(value=lambda *_: None), "names no PeerId"),
    "signed-by-another": (Recipe(value=_other_signer), "could not prove its key"),
    "signature-for-another-certificate": (Recipe(value=_other_key), "could not prove its key"),
    "low-order-key": (Recipe(value=_low_order), "not a valid Ed25519 public key"),
    "trailing-bytes": (Recipe(value=lambda *given: signed_key(*given) + b"\0"), "PeerId is malformed"),
    "cut-short": (Recipe(value=lambda *given: signed_key(*given)[:-1]), "PeerId is malformed"),
    "second-spelling": (Recipe(value=_long_length), "PeerId is malformed"),
    "empty": (Recipe(value=lambda *_: b""), "PeerId is malformed"),
    "key-of-another-kind": (Recipe(value=_rsa), "not an Ed25519 key"),
    "expired": (Recipe(since=NOW - 2 * HOUR, until=NOW - HOUR), "out of date"),
    "not-yet-valid": (Recipe(since=NOW + HOUR, until=NOW + 2 * HOUR), "out of date"),
    "unknown-critical-extension": (Recipe(more=((UNKNOWN, True),)), "critical extension"),
    "malformed-extension": (Recipe(more=((MALFORMED, False),)), "malformed certificate"),
    "signed-by-another-key": (Recipe(signs=ec.derive_private_key(5, ec.SECP256R1())), "did not sign itself"),
}
"""By name: how it is made, and what is said of it."""

HARMLESS = {
    "critical": replace(SOUND, critical=True),
    "unknown-extension": replace(SOUND, more=((UNKNOWN, False),)),
}
