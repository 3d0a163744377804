"""What tokens grant, and that every request is decided again by what is true now."""

from __future__ import annotations

import base64

import pytest
from django.utils import timezone

from accounts.errors import BadCredential
from accounts.models import User
from accounts.services.credentials import principal_of_token
from accounts.services.tokens import create_token, revoke_token
from accounts.types import ANONYMOUS
from core.errors import Unauthenticated
from oci.scope import parse_scopes
from repos.models import Collaborator, Repository
from repos.permissions import decide
from tests.unit.repos.people import organization, person, principal
from tokens import services
from tokens.challenge import bearer
from tokens.services import allowed_actions, issue
from tokens.verify import NOBODY, read_authorization

pytestmark = pytest.mark.django_db


def granted(who, *scopes):
    return [str(scope) for scope in issue(who, parse_scopes(scopes)).granted]


def read(issued):
    return read_authorization(f"Bearer {issued.token}", address="127.0.0.1")


def token_principal(user, *scopes):
    made = create_token(user, name="ci", scopes=scopes)
    return principal_of_token(made.row), made.row


def test_what_is_asked_for_is_cut_down_to_what_the_role_allows(alice, repository):
    bob = person("bob")
    Collaborator.objects.create(repository=repository, user=bob, role="read")
    everything = "repository:alice/app:pull,push,delete"
    assert granted(principal(alice), everything) == [everything]
    assert granted(principal(bob), everything) == ["repository:alice/app:pull"]
    assert granted(principal(person("carol")), everything) == []
    assert granted(ANONYMOUS, everything) == []
    Repository.objects.update(visibility="public")
    assert granted(ANONYMOUS, everything) == ["repository:alice/app:pull"]
    assert granted(principal(alice), "repository:alice/app:*") == [everything]


def test_an_absent_and_a_hidden_repository_are_granted_alike(alice, repository):
    carol = principal(person("carol"))
    for path in ("alice/app", "alice/absent", "nobody/app", "A/..", "x" * 300):
        assert granted(carol, f"repository:{path}:pull,push") == []


def test_a_first_push_is_granted_where_one_may_make_repositories(alice):
    acme = organization("acme", alice)
    who = principal(alice)
    assert granted(who, "repository:alice/new:pull,push,delete") == [
        "repository:alice/new:pull,push"
    ]
    assert granted(who, f"repository:{acme.name}/new:push") == ["repository:acme/new:push"]
    limited, _ = token_principal(alice, "repository:alice/ci-*:push")
    assert allowed_actions(limited, "alice/ci-1") == {"push"}
    assert allowed_actions(limited, "alice/new") == set()


def test_the_catalogue_is_for_people_and_other_kinds_of_scope_grant_nothing(alice):
    assert granted(principal(alice), "registry:catalog:*") == ["registry:catalog:*"]
    assert granted(principal(alice), "registry:catalog:pull") == []
    assert granted(ANONYMOUS, "registry:catalog:*") == []
    assert granted(principal(alice), "admin:alice/app:pull", "registry:other:*") == []


def test_the_class_of_a_scope_is_passed_over(alice, repository):
    plugin = "repository(plugin):alice/app:pull"
    assert granted(principal(alice), plugin) == ["repository:alice/app:pull"]


def test_the_first_twenty_scopes_are_looked_at(alice):
    scopes = [f"repository:alice/r{n}:pull" for n in range(1000)]
    assert granted(principal(alice), *scopes) == scopes[: services.MAX_SCOPES]
    assert services.MAX_SCOPES == 20
    assert granted(ANONYMOUS, *scopes) == []


def test_a_grant_covers_what_was_signed_and_nothing_beside_it(alice, repository):
    grant = read(issue(principal(alice), parse_scopes(["repository:alice/app:pull"])))
    assert grant.presented
    assert grant.principal.user_id == alice.pk
    assert grant.covers("alice/app", "pull")
    assert not grant.covers("alice/app", "push")
    assert not grant.covers("alice/other", "pull")
    assert not grant.covers("alice/app", "pull", kind="registry")


def test_an_anonymous_token_stays_anonymous(repository):
    grant = read(issue(ANONYMOUS, parse_scopes(["repository:alice/app:pull"])))
    assert grant.presented
    assert grant.principal.is_anonymous
    assert not grant.covers("alice/app", "pull")


def test_no_header_is_nobody_and_empty_basic_too():
    assert read_authorization("", address="127.0.0.1") == NOBODY
    empty = base64.b64encode(b":").decode()
    assert read_authorization(f"Basic {empty}", address="127.0.0.1") == NOBODY


def test_a_token_of_a_deactivated_or_deleted_account_is_refused_at_the_next_request(alice):
    issued = issue(principal(alice), [])
    assert read(issued).principal.username == "alice"
    User.objects.update(is_active=False)
    with pytest.raises(BadCredential):
        read(issued)
    User.objects.update(is_active=True)
    assert read(issued)
    alice.namespace.delete()
    alice.delete()
    with pytest.raises(BadCredential):
        read(issued)


def test_a_token_made_with_a_revoked_access_token_is_refused_at_the_next_request(alice, repository):
    who, row = token_principal(alice, "repository:alice/app:pull,push")
    issued = issue(who, parse_scopes(["repository:alice/app:pull,push"]))
    assert read(issued).principal.token_id == row.pk
    revoke_token(row)
    with pytest.raises(BadCredential):
        read(issued)


def test_the_scopes_of_the_access_token_limit_what_its_registry_tokens_reach(alice, repository):
    who, row = token_principal(alice, "repository:alice/app:pull")
    issued = issue(who, parse_scopes(["repository:alice/app:pull,push,delete"]))
    assert [str(s) for s in issued.granted] == ["repository:alice/app:pull"]
    row.scopes = ["repository:alice/other:pull"]
    row.save()
    now = read(issued).principal
    assert not decide(now, "pull", repository).allowed


def test_a_role_taken_away_outdates_a_token_that_was_signed_before(alice, repository):
    bob = person("bob")
    Collaborator.objects.create(repository=repository, user=bob, role="write")
    grant = read(issue(principal(bob), parse_scopes(["repository:alice/app:push"])))
    assert grant.covers("alice/app", "push")
    assert decide(grant.principal, "push", repository).allowed
    Collaborator.objects.all().delete()
    assert decide(grant.principal, "push", repository).outcome == "invisible"


def test_a_superuser_is_known_as_one_only_as_long_as_it_is_true(alice):
    alice.is_superuser = True
    alice.save()
    issued = issue(principal(alice), [])
    assert read(issued).principal.is_superuser
    User.objects.update(is_superuser=False)
    assert not read(issued).principal.is_superuser


def test_an_access_token_is_a_bearer_credential_of_its_own(alice):
    made = create_token(alice, name="ci")
    grant = read_authorization(f"Bearer {made.secret}", address="127.0.0.1")
    assert (grant.principal.token_id, grant.access) == (made.row.pk, None)
    assert grant.covers("anything", "push")
    revoke_token(made.row)
    with pytest.raises(Unauthenticated):
        read_authorization(f"Bearer {made.secret}", address="127.0.0.1")


def test_a_token_tells_its_life_and_signs_no_secret(alice, settings):
    issued = issue(principal(alice), [])
    claims = services.verify(issued.token)
    assert issued.expires_in_s == claims["exp"] - claims["iat"] == settings.HUB.token_lifetime_s
    assert set(claims) == {
        "iss",
        "aud",
        "sub",
        "iat",
        "nbf",
        "exp",
        "jti",
        "access",
        "hub",
    }
    assert set(claims["hub"]) == {"user", "token", "mark", "credential", "repositories"}


def test_the_time_of_signing_is_the_one_in_the_token_and_never_in_the_future(alice):
    issued = issue(principal(alice), [])
    assert issued.issued_at.timestamp() == services.verify(issued.token)["iat"]
    assert issued.issued_at <= timezone.now()


def test_the_challenge_quotes_every_value(hub_settings, settings):
    hub_settings(external_url="https://hub.example")
    settings.EXTERNAL_HOST = "hub.example"
    text = bearer(("repository:a/b:pull", "repository:c/d:push"), error="invalid_token")
    assert text == (
        'Bearer realm="https://hub.example/token",service="hub.example",'
        'scope="repository:a/b:pull repository:c/d:push",error="invalid_token"'
    )
