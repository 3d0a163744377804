"""Client certificates: checked when they are saved, loaded once per process for sending."""

from __future__ import annotations

import hashlib
import os
import ssl
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import NoReturn

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from webhooks.errors import WebhookInvalid

MAX_PEM_BYTES = 32 * 1024
_KEPT = 64
_contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What may be shown of one: never the key."""

    subject: str
    issuer: str
    expires_at: datetime


def client_context(pem: str) -> ssl.SSLContext | None:
    """TLS with the system's trust and this certificate, chain and key; None for empty text.

    Contexts are kept by the text's hash. Raises ssl.SSLError for text that was never checked.
    """
    if not pem:
        return None
    key = hashlib.sha256(pem.encode()).hexdigest()
    with _lock:
        found = _contexts.get(key)
        if found is None:
            found = _contexts[key] = _loaded(pem)
            if len(_contexts) > _KEPT:
                _contexts.popitem(last=False)
        _contexts.move_to_end(key)
    return found


def check_certificate(pem: str, *, now: datetime | None = None) -> ClientCertificate:
    """What this PEM says, when it can be used from now on; raises WebhookInvalid otherwise.

    It holds the certificate first, then those of its chain if the receiver needs them, and the
    key without a passphrase, before or after.
    """
    if len(pem.encode(errors="replace")) > MAX_PEM_BYTES:
        _refuse(f"A client certificate may have at most {MAX_PEM_BYTES // 1024} KiB.")
    certificate, key = _certificate(pem), _key(pem)
    try:
        holder = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        _refuse("The key of the certificate is of an unknown kind.")
    if _public(holder) != _public(key.public_key()):
        _refuse("The key does not belong to the first certificate; put that one first.")
    moment = now or datetime.now(UTC)
    ends = certificate.not_valid_after_utc
    if ends <= moment:
        _refuse(f"The certificate expired on {ends:%Y-%m-%d}; get a new one.")
    if certificate.not_valid_before_utc > moment:
        starts = certificate.not_valid_before_utc
        _refuse(f"The certificate is not valid before {starts:%Y-%m-%d %H:%M} UTC.")
    try:
        _loaded(pem)
    except ssl.SSLError as error:
        raise WebhookInvalid(
            "TLS does not take this certificate: its key is too short or of an unknown kind.",
            detail={"field": "client_certificate"},
        ) from error
    return ClientCertificate(
        certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string(), ends
    )


def _certificate(pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(pem.encode())[0]
    except ValueError:
        _refuse("There is no certificate in this text: it has -----BEGIN CERTIFICATE-----.")


def _key(pem: str) -> PrivateKeyTypes:
    begin = pem.find("-----BEGIN ")
    while begin >= 0 and "PRIVATE KEY-----" not in pem[begin : begin + 60].partition("\n")[0]:
        begin = pem.find("-----BEGIN ", begin + 1)
    if begin < 0:
        _refuse("There is no private key in this text: it has -----BEGIN PRIVATE KEY-----.")
    try:
        return load_pem_private_key(pem[begin:].encode(), password=None)
    except TypeError:
        _refuse(
            "The private key has a passphrase, which the hub could not ask for; take it off, as "
            "with openssl pkey -in key.pem."
        )
    except (ValueError, UnsupportedAlgorithm):
        _refuse("The private key cannot be read; write it in PEM.")


def _public(key: object) -> bytes:
    found: bytes = key.public_bytes(  # type: ignore[attr-defined]
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return found


def _loaded(pem: str) -> ssl.SSLContext:
    """OpenSSL reads from files only: a private one, which is gone before this returns."""
    context = ssl.create_default_context()
    handle, name = tempfile.mkstemp(prefix="hub-tls-")  # mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(pem)
        # The empty answer stops OpenSSL from asking for a passphrase at the terminal.
        context.load_cert_chain(name, password="")
    finally:
        Path(name).unlink()
    return context


def _refuse(sentence: str) -> NoReturn:
    raise WebhookInvalid(sentence, detail={"field": "client_certificate"})
