"""Forged registry tokens: every one is refused, and a good one beside it is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.conf import settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Unauthenticated
from tokens import services
from tokens.jwt import (
    MAX_TOKEN_CHARS,
    KeyUnknown,
    TokenInvalid,
    TokenSigner,
    TokenVerifier,
    generate_pem,
    load_pem,
    public_jwk,
)
from tokens.models import SigningKey
from tokens.verify import read_authorization

OURS = load_pem(generate_pem())
THEIRS = load_pem(generate_pem())
ISSUER, AUDIENCE = "https://hub.example", "hub.example"
VERIFIER = TokenVerifier({OURS.kid: OURS.private.public_key()}, ISSUER, AUDIENCE)
PUBLIC_PEM = OURS.private.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def claims(**changes):
    """Good claims; `changes` replace or, with `...`, take away."""
    now = int(timezone.now().timestamp())
    whole = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "jti": "1",
        "access": [],
        "hub": {"user": 1},
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def signed(body, key=OURS, **header):
    return jwt.encode(body, key.private, algorithm="ES256", headers={"kid": OURS.kid, **header})


def part(value) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def by_hand(header, body, sign) -> str:
    text = f"{part(header)}.{part(body)}"
    return f"{text}.{part(sign(text.encode()))}"


def hs256(secret: bytes) -> str:
    header = {"alg": "HS256", "typ": "JWT", "kid": OURS.kid}
    return by_hand(header, claims(), lambda text: hmac.digest(secret, text, hashlib.sha256))


def unsigned(algorithm) -> str:
    return by_hand({"alg": algorithm, "kid": OURS.kid}, claims(), lambda text: b"")


def rs256() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return jwt.encode(claims(), key, algorithm="RS256", headers={"kid": OURS.kid})


def other_curve() -> str:
    key = ec.generate_private_key(ec.SECP384R1())
    return jwt.encode(claims(), key, algorithm="ES384", headers={"kid": OURS.kid})


def changed_body() -> str:
    head, _, tail = signed(claims()).split(".")
    return f"{head}.{part(claims(sub='root'))}.{tail}"


def their_jwk():
    return public_jwk(THEIRS)


NOW = int(timezone.now().timestamp())
FORGED = {
    "algorithm none": lambda: unsigned("none"),
    "algorithm None": lambda: unsigned("None"),
    "algorithm empty": lambda: unsigned(""),
    "algorithm missing": lambda: by_hand({"kid": OURS.kid}, claims(), lambda t: b"x"),
    "algorithm a list": lambda: by_hand(
        {"alg": ["ES256"], "kid": OURS.kid}, claims(), lambda t: b""
    ),
    "HS256 with the public PEM": lambda: hs256(PUBLIC_PEM),
    "HS256 with the stripped PEM": lambda: hs256(PUBLIC_PEM.strip()),
    "HS256 with the public x": lambda: hs256(public_jwk(OURS)["x"].encode()),
    "HS256 with nothing": lambda: hs256(b""),
    "HS256 with the kid": lambda: hs256(OURS.kid.encode()),
    "RS256": rs256,
    "ES384": other_curve,
    "signed by another key": lambda: signed(claims(), THEIRS),
    "their kid": lambda: signed(claims(), THEIRS, kid=THEIRS.kid),
    "their kid, our key": lambda: signed(claims(), kid=THEIRS.kid),
    "kid empty": lambda: signed(claims(), kid=""),
    "kid a path": lambda: signed(claims(), kid="../../dev/null"),
    "kid SQL": lambda: signed(claims(), kid="x' UNION SELECT 'y"),
    "kid with NUL": lambda: signed(claims(), kid="\0"),
    "own jwk": lambda: signed(claims(), THEIRS, jwk=their_jwk()),
    "own jwk and kid": lambda: signed(claims(), THEIRS, jwk=their_jwk(), kid=THEIRS.kid),
    "jku": lambda: signed(claims(), THEIRS, jku="http://127.0.0.1:1/keys", kid=THEIRS.kid),
    "x5u": lambda: signed(claims(), THEIRS, x5u="http://127.0.0.1:1/cert", kid=THEIRS.kid),
    "x5c": lambda: signed(claims(), THEIRS, x5c=[part(b"cert")], kid=THEIRS.kid),
    "other audience": lambda: signed(claims(aud="other.example")),
    "audience prefix": lambda: signed(claims(aud="hub.example.evil")),
    "audience empty list": lambda: signed(claims(aud=[])),
    "audience a number": lambda: signed(claims(aud=5)),
    "other issuer": lambda: signed(claims(iss="https://evil.example")),
    "expired": lambda: signed(claims(exp=NOW - 60)),
    "expiry text": lambda: signed(claims(exp="soon")),
    "not yet valid": lambda: signed(claims(nbf=NOW + 600)),
    "issued in the future": lambda: signed(claims(iat=NOW + 600)),
    "subject a number": lambda: signed(claims(sub=5)),
    "changed body": changed_body,
    "cut signature": lambda: signed(claims())[:-4],
    "no signature": lambda: signed(claims()).rpartition(".")[0] + ".",
    "signature of zeros": lambda: by_hand(
        {"alg": "ES256", "kid": OURS.kid}, claims(), lambda t: bytes(64)
    ),
    "body no object": lambda: by_hand({"alg": "ES256", "kid": OURS.kid}, [], lambda t: bytes(64)),
    "header no object": lambda: by_hand([], claims(), lambda t: bytes(64)),
    "header no JSON": lambda: f"{part(b'{')}.{part(claims())}.{part(b'x')}",
    "two parts": lambda: "a.b",
    "five parts": lambda: "a.b.c.d.e",
    "empty": lambda: "",
    "dots": lambda: "..",
    "odd characters": lambda: "é.\ud800.\0",
    "too long": lambda: "a" * (MAX_TOKEN_CHARS + 1),
    "deep header": lambda: f"{part(b'[' * 8000)}.{part(claims())}.x",
    **{
        f"without {name}": lambda name=name: signed(claims(**{name: ...}))
        for name in ("iss", "sub", "aud", "exp", "nbf", "iat", "jti")
    },
}


def test_a_good_token_is_taken_and_its_claims_come_back():
    assert VERIFIER.verify(signed(claims()))["sub"] == "alice"
    token = TokenSigner(OURS, ISSUER, AUDIENCE).sign("bob", {"access": []}, lifetime_s=60)
    found = VERIFIER.verify(token)
    assert (found["sub"], found["exp"] - found["iat"]) == ("bob", 60)


@pytest.mark.parametrize("make", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_is_refused(make):
    with pytest.raises(TokenInvalid) as caught:
        VERIFIER.verify(make())
    assert caught.value.code == "UNAUTHORIZED"


def test_other_headers_of_a_well_signed_token_are_not_looked_at():
    token = signed(claims(), jku="http://127.0.0.1:1/keys", x5u="http://127.0.0.1:1/", x5c=["x"])
    assert VERIFIER.verify(token)["sub"] == "alice"


@given(st.text(st.characters(), max_size=80))
def test_junk_is_refused_with_an_error_of_ours(text):
    with pytest.raises(TokenInvalid):
        VERIFIER.verify(text)


def test_only_a_key_on_p_256_signs():
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    with pytest.raises(TypeError):
        load_pem(pem)


def test_the_key_set_holds_no_private_part():
    assert set(public_jwk(OURS)) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


# --- other kinds of token at the registry


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes",
    [{"hub": ...}, {"hub": "alice"}, {"access": ...}, {"access": {}}, {"hub": [], "access": []}],
    ids=["no hub", "hub text", "no access", "access an object", "hub a list"],
)
def test_a_token_signed_by_us_for_something_else_is_no_registry_token(changes):
    key = services.current_keys()[0]
    body = claims(iss=settings.HUB.external_url, aud=settings.EXTERNAL_HOST, **changes)
    token = jwt.encode(body, key.private, algorithm="ES256", headers={"kid": key.kid})
    with pytest.raises(TokenInvalid, match="not a registry token"):
        read_authorization(f"Bearer {token}", address="127.0.0.1")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer x", "Digest x", "x", "Basic *", "Basic YQ=", "é"]
)
def test_a_header_that_is_no_credential_is_refused_never_anonymous(header):
    with pytest.raises(Unauthenticated):
        read_authorization(header, address="127.0.0.1")


# --- keys


@pytest.mark.django_db
def test_after_a_rotation_old_tokens_stay_good_for_their_life_and_new_ones_use_the_new_key():
    old = services.signer().sign("alice", {}, lifetime_s=300)
    row = services.rotate_keys()
    new = services.signer().sign("alice", {}, lifetime_s=300)
    assert jwt.get_unverified_header(new)["kid"] == row.kid
    assert jwt.get_unverified_header(old)["kid"] != row.kid
    assert services.verify(old)["sub"] == services.verify(new)["sub"] == "alice"
    with time_machine.travel(
        timezone.now() + timedelta(seconds=settings.HUB.token_lifetime_s + 60)
    ):
        services.forget_keys()
        assert [key.kid for key in services.current_keys()] == [row.kid]
        with pytest.raises(TokenInvalid):
            services.verify(old)


@pytest.mark.django_db
def test_a_key_another_process_made_is_found_at_once_and_a_forgery_costs_one_query(
    django_assert_num_queries,
):
    services.current_keys()
    pem = generate_pem()
    made = load_pem(pem)
    SigningKey.objects.create(kid=made.kid, private_key=pem)
    token = TokenSigner(made, settings.HUB.external_url, settings.EXTERNAL_HOST).sign(
        "alice", {}, lifetime_s=60
    )
    assert services.verify(token)["sub"] == "alice"
    forged = signed(claims(), THEIRS, kid=THEIRS.kid)
    with pytest.raises(KeyUnknown), django_assert_num_queries(1):
        services.verify(forged)


@pytest.mark.django_db
def test_the_private_key_is_not_readable_in_the_database():
    services.current_keys()
    (stored,) = SigningKey.objects.extra(select={"raw": "private_key"}).values_list("raw")
    assert "PRIVATE KEY" not in stored[0]
    assert "PRIVATE KEY" in SigningKey.objects.get().private_key


@pytest.mark.django_db
@pytest.mark.parametrize("kid", ["\ud800", "\0", "x" * 43 + "\n", "' OR 1=1"])
def test_a_key_name_of_another_shape_is_not_looked_up(kid, django_assert_num_queries):
    services.current_keys()
    with pytest.raises(KeyUnknown), django_assert_num_queries(0):
        services.verify(signed(claims(), THEIRS, kid=kid))
