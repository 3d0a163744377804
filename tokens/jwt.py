"""Signing and verifying registry tokens (distribution, *Token Authentication Implementation*).

One algorithm, ES256. We find the key by `kid` and look at nothing else in a token's header. Tokens
for other registries also carry `x5c`, by which these find the key without having been told of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone
from jwt.algorithms import ECAlgorithm

from core.errors import Unauthenticated

ALGORITHM = "ES256"
LEEWAY_S = 10
MAX_TOKEN_CHARS = 16 * 1024
_REQUIRED = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]
_ES256 = ECAlgorithm(ECAlgorithm.SHA256)


class TokenInvalid(Unauthenticated):
    """A token that is forged, expired, or meant for somebody else."""

    code = "UNAUTHORIZED"


class KeyUnknown(TokenInvalid):
    """Signed with a key that is not at hand; `kid` is what the token calls it."""

    def __init__(self, kid: str) -> None:
        super().__init__("The token was signed with an unknown key.")
        self.kid = kid


@dataclass(frozen=True, slots=True)
class LoadedKey:
    """A private key ready for use; loading one takes far longer than signing."""

    kid: str
    private: ec.EllipticCurvePrivateKey


def generate_pem() -> str:
    """A new P-256 private key as unencrypted PKCS 8 PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def load_pem(pem: str) -> LoadedKey:
    """The key with its RFC 7638 thumbprint."""
    private = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError("a signing key must be on P-256")
    return LoadedKey(_thumbprint(private.public_key()), private)


def public_jwk(key: LoadedKey) -> dict[str, Any]:
    """The public half, as a key set lists it (RFC 7517)."""
    jwk = ECAlgorithm.to_jwk(key.private.public_key(), as_dict=True)
    return {**jwk, "kid": key.kid, "use": "sig", "alg": ALGORITHM}


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """Signs with one key for one issuer and audience; `chain` becomes `x5c` (base64 of DER)."""

    key: LoadedKey
    issuer: str
    audience: str
    chain: tuple[str, ...] = ()

    def sign(
        self,
        subject: str,
        claims: Mapping[str, Any],
        *,
        lifetime_s: int,
        now: int | None = None,
    ) -> str:
        """A token for `subject` that lives `lifetime_s` seconds from `now` (seconds since 1970)."""
        if now is None:
            now = int(timezone.now().timestamp())
        body = {
            **claims,
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "iat": now,
            "nbf": now - LEEWAY_S,
            "exp": now + lifetime_s,
            "jti": uuid.uuid4().hex,
        }
        signed = _header(self.key.kid, self.chain) + b"." + _base64url(_as_json(body))
        return (signed + b"." + _base64url(_ES256.sign(signed, self.key.private))).decode()


@dataclass(frozen=True, slots=True)
class TokenVerifier:
    """Verifies against the keys at hand, by `kid`."""

    keys: Mapping[str, ec.EllipticCurvePublicKey]
    issuer: str
    audience: str

    def verify(self, token: str) -> dict[str, Any]:
        """The claims; raises TokenInvalid for anything that is not exactly right."""
        if len(token) > MAX_TOKEN_CHARS:
            raise TokenInvalid("The token is too long.")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self.keys.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise KeyUnknown(str(kid)[:100])
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self.audience,
                issuer=self.issuer,
                leeway=LEEWAY_S,
                options={"require": _REQUIRED},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenInvalid("The token has expired.") from error
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise TokenInvalid("The token is not valid.") from error
        return claims


@lru_cache(maxsize=8)
def _header(kid: str, chain: tuple[str, ...]) -> bytes:
    """The first part of every token that one key signs."""
    header: dict[str, Any] = {"alg": ALGORITHM, "kid": kid, "typ": "JWT"}
    return _base64url(_as_json({**header, "x5c": chain} if chain else header))


def _thumbprint(key: ec.EllipticCurvePublicKey) -> str:
    jwk = ECAlgorithm.to_jwk(key, as_dict=True)
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(text.encode()).digest()).decode()


def _as_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
