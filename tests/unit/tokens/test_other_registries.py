"""Tokens for other registries: for whom, with which certificate, and never for ourselves."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import jwt
import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.services.credentials import principal_of_token
from accounts.services.tokens import create_token
from accounts.types import ANONYMOUS
from core.errors import Invalid
from oci.scope import parse_scopes
from repos.models import Repository
from tests.unit.repos.people import principal
from tokens import authority, services
from tokens.jwt import TokenInvalid, generate_pem, load_pem
from tokens.models import CertificateAuthority, SigningKey
from tokens.services import check_service, issue
from tokens.verify import read_authorization

pytestmark = pytest.mark.django_db
OTHER = "registry.example.org"


@pytest.fixture(autouse=True)
def _other(hub_settings):
    hub_settings(token_services=[OTHER])
    authority.forget_certificates()
    yield
    authority.forget_certificates()


def token_for(who=ANONYMOUS, *scopes, service=OTHER):
    return issue(who, parse_scopes(scopes), service=service).token


def granted(who, *scopes):
    return [str(s) for s in issue(who, parse_scopes(scopes), service=OTHER).granted]


def leaf_of(token) -> x509.Certificate:
    (text,) = jwt.get_unverified_header(token)["x5c"]
    return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))


def root() -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.root_pem().encode())


def spki(public_key) -> bytes:
    return public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def as_registry(token) -> dict:
    """What the other registry does: root to certificate to signature, then the claims."""
    leaf = leaf_of(token)
    leaf.verify_directly_issued_by(root())
    now = timezone.now()
    assert leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc
    return jwt.decode(
        token,
        leaf.public_key(),
        algorithms=["ES256"],
        audience=OTHER,
        issuer=settings.HUB.external_url,
    )


def test_the_certificate_in_the_token_leads_from_the_root_to_the_signature(alice, repository):
    token = token_for(principal(alice), "repository:alice/app:pull,push")
    claims = as_registry(token)
    assert claims["aud"] == OTHER
    assert claims["access"] == [
        {"type": "repository", "name": "alice/app", "actions": ["pull", "push"]}
    ]
    assert "hub" not in claims
    key = services.current_keys()[0]
    assert jwt.get_unverified_header(token)["kid"] == key.kid
    assert spki(leaf_of(token).public_key()) == spki(key.private.public_key())


def test_the_root_may_sign_certificates_and_the_certificate_of_a_key_may_not():
    leaf = leaf_of(token_for())
    for certificate, ca, cert_sign in ((root(), True, True), (leaf, False, False)):
        extensions = certificate.extensions
        assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca is ca
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        assert (usage.key_cert_sign, usage.digital_signature) == (cert_sign, not cert_sign)
    assert root().not_valid_after_utc > timezone.now() + timedelta(days=10 * 365)
    assert leaf.not_valid_after_utc <= timezone.now() + timedelta(days=1)


def test_after_a_rotation_the_same_root_leads_to_the_new_key():
    before, trusted = token_for(), root()
    row = services.rotate_keys()
    after = token_for()
    assert root() == trusted
    assert jwt.get_unverified_header(after)["kid"] == row.kid
    assert jwt.get_unverified_header(before)["kid"] != row.kid
    assert as_registry(before)
    assert as_registry(after)


def test_a_certificate_is_renewed_long_before_it_ends_and_made_once_until_then():
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    with time_machine.travel(noon, tick=False) as clock:
        first = leaf_of(token_for())
        clock.shift(timedelta(hours=11))
        assert leaf_of(token_for()) == first
        clock.shift(timedelta(hours=2))
        second = leaf_of(token_for())
        assert second != first
        second.verify_directly_issued_by(root())
        clock.shift(-timedelta(hours=10))
        assert as_registry(token_for()), "also when the clock was put back"


def test_a_new_authority_is_another_root():
    old, token = root(), token_for()
    authority.replace_authority()
    assert root().subject != old.subject
    leaf_of(token).verify_directly_issued_by(old)
    leaf_of(token_for()).verify_directly_issued_by(root())


def test_the_private_key_of_the_authority_is_not_readable_in_the_database():
    authority.root_pem()
    (stored,) = CertificateAuthority.objects.extra(select={"raw": "private_key"}).values_list("raw")
    assert "PRIVATE KEY" not in stored[0]
    assert "PRIVATE KEY" in CertificateAuthority.objects.get().private_key


@pytest.mark.django_db(transaction=True)
def test_however_many_ask_at_once_there_is_one_authority():
    start = Barrier(4)

    def ask(_: int) -> str:
        start.wait()
        try:
            return authority.root_pem()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(4)))) == 1
    assert CertificateAuthority.objects.count() == 1


def test_signing_asks_the_database_for_nothing_once_the_key_is_there(django_assert_num_queries):
    token_for()
    with django_assert_num_queries(0):
        services.signer(OTHER).sign("alice", {}, lifetime_s=60)


def test_our_own_tokens_stay_as_small_as_they_were(alice):
    assert "x5c" not in jwt.get_unverified_header(token_for(service=""))


# --- who is served


@pytest.mark.parametrize("name", [f"{OTHER}.evil", OTHER.upper(), "x", "\0", f"{OTHER} "])
def test_a_service_that_is_not_listed_is_refused(name):
    with pytest.raises(Invalid):
        check_service(name)
    with pytest.raises(Invalid):
        issue(ANONYMOUS, [], service=name)


def test_no_service_named_and_our_own_are_the_same():
    assert check_service("") == check_service(settings.EXTERNAL_HOST) == settings.EXTERNAL_HOST
    assert check_service(OTHER) == OTHER


def test_a_token_for_another_registry_is_none_for_us(alice, repository):
    scope = "repository:alice/app:pull"
    with pytest.raises(TokenInvalid):
        read_authorization(f"Bearer {token_for(principal(alice), scope)}", address="127.0.0.1")
    own = token_for(principal(alice), scope, service="")
    assert read_authorization(f"Bearer {own}", address="127.0.0.1").covers("alice/app", "pull")


def test_without_the_claim_of_the_hub_the_right_audience_would_not_help_it(alice):
    key = services.current_keys()[0]
    claims = jwt.decode(token_for(principal(alice)), options={"verify_signature": False})
    body = {**claims, "aud": settings.EXTERNAL_HOST}
    token = jwt.encode(body, key.private, algorithm="ES256", headers={"kid": key.kid})
    with pytest.raises(TokenInvalid, match="not a registry token"):
        read_authorization(f"Bearer {token}", address="127.0.0.1")


def test_rights_elsewhere_are_those_of_the_same_name_here(alice, repository):
    everything = "repository:alice/app:pull,push,delete"
    assert granted(principal(alice), everything) == [everything]
    assert granted(ANONYMOUS, everything) == []
    Repository.objects.update(visibility="public")
    assert granted(ANONYMOUS, everything) == ["repository:alice/app:pull"]


def test_what_is_only_elsewhere_may_be_deleted_by_whoever_may_make_it(alice):
    everything = "repository:alice/only-there:pull,push,delete"
    assert granted(principal(alice), everything) == [everything]
    assert granted(ANONYMOUS, everything) == []
    row = create_token(alice, name="ci", scopes=["repository:alice/*:pull"]).row
    assert granted(principal_of_token(row), everything) == ["repository:alice/only-there:pull"]


def test_the_whole_catalogue_of_another_registry_is_for_superusers(alice):
    catalogue = "registry:catalog:*"
    assert granted(principal(alice), catalogue) == []
    alice.is_superuser = True
    alice.save()
    assert granted(principal(alice), catalogue) == [catalogue]
    row = create_token(alice, name="ci", scopes=["repository:alice/*:pull"]).row
    assert granted(principal_of_token(row), catalogue) == []


# --- keys


def test_an_old_key_outlives_the_last_token_another_process_signs_with_it(monkeypatch):
    old = services.current_keys()
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    with time_machine.travel(noon, tick=False) as clock:
        services.rotate_keys()
        clock.shift(timedelta(seconds=services._KEYS_READ_EVERY_S))
        elsewhere = services.TokenSigner(
            old[0], settings.HUB.external_url, settings.EXTERNAL_HOST
        ).sign("alice", {}, lifetime_s=settings.HUB.token_lifetime_s)
        clock.shift(timedelta(seconds=settings.HUB.token_lifetime_s - 1))
        services.forget_keys()
        assert services.verify(elsewhere)["sub"] == "alice"


def test_a_key_that_was_made_and_retired_between_two_readings_is_found():
    services.current_keys()
    pem = generate_pem()
    made = load_pem(pem)
    soon = timezone.now() + timedelta(seconds=60)
    SigningKey.objects.create(kid=made.kid, private_key=pem, retired_at=soon)
    token = services.TokenSigner(made, settings.HUB.external_url, settings.EXTERNAL_HOST).sign(
        "alice", {}, lifetime_s=300
    )
    assert services.verify(token)["sub"] == "alice"
    with time_machine.travel(soon + timedelta(seconds=1)):
        services.forget_keys()
        with pytest.raises(TokenInvalid):
            services.verify(token)
