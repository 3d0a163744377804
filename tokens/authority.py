"""The hub's certificate authority: whoever trusts its root trusts every signing key, today's and
tomorrow's.

The certificate of a signing key lives for a day and is made anew by each process, so that a key
taken out of use is soon worth nothing anywhere.
"""

from __future__ import annotations

import base64
import secrets
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.utils import timezone

from tokens.jwt import LoadedKey, generate_pem, load_pem
from tokens.models import CertificateAuthority

ROOT_LIFE = timedelta(days=20 * 365)
LEAF_LIFE = timedelta(days=1)
_BACKDATED = timedelta(hours=1)  # for registries whose clock is behind
_leaves: dict[str, tuple[datetime, tuple[str, ...]]] = {}


def root_pem() -> str:
    """The root's certificate, what `rootcertbundle` of another registry holds."""
    return _authority().certificate


def chain(key: LoadedKey) -> tuple[str, ...]:
    """`x5c` of tokens this key signs: its certificate as base64 of DER."""
    global _leaves
    now = timezone.now()
    made_at, found = _leaves.get(key.kid, (None, ()))
    if made_at is None or not timedelta(0) <= now - made_at < LEAF_LIFE / 2:
        found = (_certify(key, now),)
        _leaves = {key.kid: (now, found)}  # only the newest key signs
    return found


def forget_certificates() -> None:
    """Make them anew at the next use."""
    global _leaves
    _leaves = {}


def replace_authority() -> None:
    """A new root from now on; processes that run use it after a restart."""
    CertificateAuthority.objects.filter(pk=CertificateAuthority.ONLY).delete()
    forget_certificates()
    _authority()


def _authority() -> CertificateAuthority:
    """The one authority; made when there is none, once however many ask for it at a time."""
    only = CertificateAuthority.ONLY
    row = CertificateAuthority.objects.filter(pk=only).first()
    if row is not None:
        return row
    pem = generate_pem()
    made = {"private_key": pem, "certificate": _self_signed(load_pem(pem), timezone.now())}
    return CertificateAuthority.objects.get_or_create(pk=only, defaults=made)[0]


def _certify(key: LoadedKey, now: datetime) -> str:
    row = _authority()
    root = x509.load_pem_x509_certificate(row.certificate.encode())
    issuer = load_pem(row.private_key).private
    until = min(now + LEAF_LIFE, root.not_valid_after_utc)
    leaf = (
        _builder(_name(key.kid), root.subject, key.private.public_key(), now, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False
        )
        .sign(issuer, hashes.SHA256())
    )
    return base64.b64encode(leaf.public_bytes(serialization.Encoding.DER)).decode()


def _self_signed(key: LoadedKey, now: datetime) -> str:
    public = key.private.public_key()
    # A name of its own, so that a bundle may hold an old and a new root.
    name = _name(f"Hub token authority {secrets.token_hex(4)}")
    root = (
        _builder(name, name, public, now, now + ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(digital_signature=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key.private, hashes.SHA256())
    )
    return root.public_bytes(serialization.Encoding.PEM).decode()


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(until)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, digital_signature: bool) -> x509.KeyUsage:
    """Signing tokens, or signing certificates."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not digital_signature,
        crl_sign=not digital_signature,
        encipher_only=False,
        decipher_only=False,
    )
