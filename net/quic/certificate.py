"""The certificate of libp2p's TLS: made by itself, it binds a throw-away key to the PeerId in one extension.

Format: https://github.com/libp2p/specs/blob/master/tls/tls.md. The extension is read by its only possible bytes, since
only Ed25519 keys are spoken to: a second encoding would be a second way to say the same.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from net.errors import AddressError, PeerFaultError
from net.peer_id import PeerId
from runtime import identity as identities
from runtime.identity import Identity

__all__ = ["EXTENSION", "Credentials", "make_credentials", "proven_peer", "signed_key"]

EXTENSION: Final = x509.ObjectIdentifier("1.3.6.1.4.1.53594.1.1")
DOMAIN: Final = b"libp2p-tls-handshake:"

_HEAD: Final = bytes.fromhex("30680424")
"""`SEQUENCE { OCTET STRING` with the lengths that an Ed25519 key and signature give them."""
_MIDDLE: Final = bytes.fromhex("0440")
_KEY_END: Final = len(_HEAD) + 36
_SIGNATURE_AT: Final = _KEY_END + len(_MIDDLE)
_VALUE_BYTES: Final = _SIGNATURE_AT + 64

_BEFORE: Final = timedelta(hours=1)
_AFTER: Final = timedelta(days=365)
_RENEW: Final = timedelta(days=180)
_SCORE: Final = 50
"""Row 4 of the hostile peers: who cannot prove its key."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a node shows in handshakes.

    Attributes:
        certificate: names the PeerId.
        key: the certificate's own, which lives in this process only.
        renew_ms: when to make others, long before these are out of date; milliseconds since the Unix epoch.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    renew_ms: int


def make_credentials(identity: Identity, now_ms: int) -> Credentials:
    """A fresh key and the certificate for it.

    Args:
        identity: signs for the key.
        now_ms: milliseconds since the Unix epoch; the certificate holds from an hour before to a year after.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    now = _moment(now_ms)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "orlop")])
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - _BEFORE,
        not_valid_after=now + _AFTER,
    )
    extension = x509.UnrecognizedExtension(EXTENSION, signed_key(identity, key.public_key()))
    certificate = builder.add_extension(extension, critical=False).sign(key, hashes.SHA256())
    return Credentials(certificate, key, round((now + _RENEW).timestamp() * 1000))


def signed_key(identity: Identity, key: ec.EllipticCurvePublicKey) -> bytes:
    """The extension's value: the identity's public key, and its signature over a certificate's key."""
    signature = identity.sign(DOMAIN, _key_info(key))
    return _HEAD + PeerId(identity.public).protobuf + _MIDDLE + signature


def proven_peer(certificate: x509.Certificate, chain: list[x509.Certificate], now_ms: int) -> PeerId:
    """Who showed a certificate. That it holds the certificate's key, the handshake has shown before.

    Args:
        certificate: the first that was sent.
        chain: those after it; libp2p sends none.
        now_ms: milliseconds since the Unix epoch.

    Raises:
        PeerFaultError: the certificate proves nobody, by one of the rules of libp2p.
    """
    if chain:
        raise _fault("sent several certificates")
    try:
        return _proven(certificate, _moment(now_ms))
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        # What the library reads only when it is asked: malformed extensions, names, dates and keys.
        raise _fault("sent a malformed certificate") from None


def _proven(certificate: x509.Certificate, now: datetime) -> PeerId:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise _fault("sent a certificate that is out of date", "a clock may be wrong, here or there")
    for extension in certificate.extensions:
        if (
            extension.critical
            and isinstance(extension.value, x509.UnrecognizedExtension)
            and extension.oid != EXTENSION
        ):
            raise _fault("sent a certificate with a critical extension that nobody knows")
    value = _extension_value(certificate)
    try:
        certificate.verify_directly_issued_by(certificate)
    except InvalidSignature:
        raise _fault("sent a certificate that it did not sign itself") from None
    return _signer(value, _key_info(certificate.public_key()))


def _extension_value(certificate: x509.Certificate) -> bytes:
    try:
        found = certificate.extensions.get_extension_for_oid(EXTENSION)
    except x509.ExtensionNotFound:
        raise _fault("sent a certificate that names no PeerId") from None
    return found.value.public_bytes()


def _signer(value: bytes, key_info: bytes) -> PeerId:
    """Whose key stands in the extension and signed for the certificate's."""
    if len(value) != _VALUE_BYTES or value[: len(_HEAD)] != _HEAD or value[_KEY_END:_SIGNATURE_AT] != _MIDDLE:
        raise _fault("sent a certificate whose PeerId is malformed")
    try:
        peer = PeerId.from_protobuf(value[len(_HEAD) : _KEY_END])
    except AddressError as error:
        raise _fault(f"sent a certificate whose key {error.why}") from None
    if not identities.verify(peer.key, DOMAIN, key_info, value[_SIGNATURE_AT:]):
        raise _fault("could not prove its key")
    return peer


def _key_info(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _moment(now_ms: int) -> datetime:
    return datetime.fromtimestamp(now_ms / 1000, tz=UTC)


def _fault(why: str, hint: str = "") -> PeerFaultError:
    return PeerFaultError(why, rule="bad-certificate", score=_SCORE, hint=hint)
