"""Access tokens: shown once, kept as a hash, useless from the moment they are revoked."""

from __future__ import annotations

import string
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import AccessToken
from accounts.services.credentials import principal_of_token
from accounts.services.tokens import (
    MAX_SCOPES,
    MAX_TOKENS,
    create_token,
    find_token,
    looks_like_token,
    parse_token_scopes,
    revoke_token,
)
from accounts.types import TokenScope
from core.errors import Invalid
from events.models import Event
from events.types import Actor, Origin, origin

pytestmark = pytest.mark.django_db
WORD = st.sampled_from(["pull", "push", "delete"])


def test_the_secret_is_found_and_nothing_readable_of_it_is_kept(alice):
    made = create_token(alice, name=" laptop ")
    assert made.secret.startswith("hubp_")
    assert made.row.name == "laptop"
    assert find_token(made.secret) == made.row
    (kept,) = AccessToken.objects.values()
    assert made.secret.split("_")[2] not in str(kept)
    assert len(kept["secret_hash"]) == 64


def test_secrets_differ_and_hold_more_than_128_bits(alice):
    secrets = {create_token(alice, name=str(n)).secret for n in range(20)}
    assert len(secrets) == 20
    for secret in secrets:
        random = secret.split("_")[2]
        assert len(random) == 43
        assert set(random) <= set(string.ascii_letters + string.digits)


def test_any_changed_character_is_seen_before_the_database_is_asked(
    alice, django_assert_num_queries
):
    secret = create_token(alice, name="x").secret
    assert looks_like_token(secret)
    with django_assert_num_queries(0):
        for position in range(len(secret)):
            other = "b" if secret[position] != "b" else "c"
            assert find_token(secret[:position] + other + secret[position + 1 :]) is None
        for text in ("", "hubp_", secret[:-1], f"{secret} ", f"{secret}\n", secret.upper()):
            assert find_token(text) is None


def test_the_right_handle_with_another_secret_finds_nothing(alice):
    made = create_token(alice, name="x")
    AccessToken.objects.update(secret_hash="0" * 64)
    assert find_token(made.secret) is None


def test_a_revoked_or_expired_token_or_one_of_a_deactivated_account_finds_nothing(alice):
    soon = timezone.now() + timedelta(hours=1)
    one = create_token(alice, name="1", expires_at=soon)
    two = create_token(alice, name="2")
    with time_machine.travel(soon + timedelta(seconds=1)):
        assert find_token(one.secret) is None
    revoke_token(two.row)
    first = AccessToken.objects.get(pk=two.row.pk).revoked_at
    assert find_token(two.secret) is None
    with time_machine.travel(soon):
        revoke_token(two.row)
    assert AccessToken.objects.get(pk=two.row.pk).revoked_at == first
    alice.is_active = False
    alice.save()
    assert find_token(one.secret) is None


def test_use_is_noted_at_most_every_few_minutes(alice, django_assert_num_queries):
    made = create_token(alice, name="x")
    with django_assert_num_queries(6):  # one to find, one to note, the rest to tell of the first
        find_token(made.secret)
    with django_assert_num_queries(1):
        find_token(made.secret)
    with time_machine.travel(timezone.now() + timedelta(minutes=6)), django_assert_num_queries(4):
        find_token(made.secret)


def test_use_is_noted_with_address_and_client_and_the_first_one_is_audited(alice):
    made = create_token(alice, name="x")
    used = origin.set(Origin("192.0.2.7", "docker/28.1"))
    try:
        find_token(made.secret)
        find_token(made.secret)
    finally:
        origin.reset(used)
    row = AccessToken.objects.get()
    assert (row.last_used_address, row.last_used_client) == ("192.0.2.7", "docker/28.1")
    (event,) = Event.objects.filter(kind="token.first_used")
    assert (event.actor_name, event.address, event.client) == ("alice", "192.0.2.7", "docker/28.1")


def test_somebody_elses_name_with_it_is_no_use_of_a_token(alice):
    made = create_token(alice, name="x")
    assert find_token(made.secret, "mallory") is None
    assert AccessToken.objects.get().last_used_at is None
    assert find_token(made.secret, "ALICE") == made.row


def test_the_audit_log_tells_of_a_token_and_never_its_secret(alice):
    by = Actor(7, "root0", "session")
    made = create_token(alice, name="ci", scopes=["repository:alice/*:pull"])
    revoke_token(made.row, actor=by)
    revoke_token(made.row, actor=by)
    created, revoked = Event.objects.filter(kind__startswith="token.").order_by("id")
    assert (created.kind, revoked.kind) == ("token.created", "token.revoked")
    assert (created.actor_name, revoked.actor_name) == ("alice", "root0")
    assert created.namespace_id == revoked.namespace_id == alice.namespace.pk
    assert created.payload == {
        "token": "ci",
        "prefix": f"hubp_{made.row.prefix}",
        "owner": "alice",
        "scopes": ["repository:alice/*:pull"],
        "expires_at": None,
    }
    assert made.secret.split("_")[2] not in str(list(Event.objects.values()))
    assert made.row.secret_hash not in str(list(Event.objects.values()))


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 101},
        {"expires_at": timezone.now() - timedelta(days=1)},
        {"scopes": ["repository:*:fly"]},
        {"scopes": ["repository:*:pull"] * (MAX_SCOPES + 1)},
    ],
    ids=["empty", "blank", "long", "past", "scope", "many"],
)
def test_bad_values_make_no_token(alice, values):
    with pytest.raises(Invalid):
        create_token(alice, **{"name": "x", **values})
    assert not AccessToken.objects.exists()


def test_revoked_tokens_do_not_count_against_the_limit(alice):
    rows = [
        AccessToken(user=alice, name=str(n), prefix=str(n), secret_hash="x")
        for n in range(MAX_TOKENS)
    ]
    AccessToken.objects.bulk_create(rows)
    with pytest.raises(Invalid):
        create_token(alice, name="one more")
    revoke_token(AccessToken.objects.first())
    assert create_token(alice, name="one more")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "repository",
        "repository:*",
        "repository:*:",
        "repository:*:pull,",
        "repository:*:pull,,push",
        "repository::pull",
        "repository:a:b:pull",
        "registry:catalog:*",
        "repository:A/*:pull",
        "repository:a b:pull",
        "repository:a?:pull",
        "repository:[a]:pull",
        "repository:" + "a" * 201 + ":pull",
        "repository:*:PULL",
        "repository:*:administer",
        "repository:a\n:pull",
        5,
        None,
        ["repository:*:pull"],
    ],
)
def test_a_scope_of_another_form_is_refused(text):
    with pytest.raises(Invalid) as caught:
        parse_token_scopes([text])
    assert caught.value.code == "SCOPE_INVALID"


@given(st.from_regex(r"[a-z0-9._/*-]{1,20}", fullmatch=True), st.sets(WORD, min_size=1))
def test_a_scope_parses_back_from_its_text(glob, actions):
    scope = TokenScope(glob, frozenset(actions))
    assert parse_token_scopes([str(scope)]) == (scope,)


def test_a_star_means_every_action():
    assert parse_token_scopes(["repository:a/b:*"])[0].actions == {"pull", "push", "delete"}


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("*", "a/b/c", True),
        ("a/*", "a/b/c", True),
        ("a/*", "ab/c", False),
        ("a/b", "a/b", True),
        ("a/b", "a/bc", False),
        ("a/b", "xa/b", False),
        ("a.b/c", "axb/c", False),
        ("*/app", "a/app", True),
        ("a/*-prod", "a/x-prod", True),
        ("a/b", "a/b\n", False),
    ],
)
def test_a_glob_covers_whole_paths_only(glob, path, expected):
    assert TokenScope(glob, frozenset(["pull"])).covers(path) is expected


def test_actions_of_several_scopes_add_up_and_no_scopes_set_no_limit(alice):
    scopes = ["repository:alice/*:pull", "repository:alice/app:push"]
    limited = principal_of_token(create_token(alice, name="x", scopes=scopes).row)
    assert limited.token_actions("alice/app") == {"pull", "push"}
    assert limited.token_actions("alice/web") == {"pull"}
    assert limited.token_actions("bob/app") == frozenset()
    free = principal_of_token(create_token(alice, name="y").row)
    assert not free.is_limited
    assert free.token_actions("bob/app") == {"pull", "push", "delete"}


def test_a_limited_token_of_a_superuser_is_not_a_superuser(alice):
    alice.is_superuser = True
    alice.save()
    limited = create_token(alice, name="x", scopes=["repository:*:pull"]).row
    assert not principal_of_token(limited).is_superuser
    assert principal_of_token(create_token(alice, name="y").row).is_superuser


def test_a_nasty_glob_costs_no_time(alice):
    scope = parse_token_scopes([f"repository:{'*a' * 90}:pull"])[0]
    start = timezone.now()
    assert not scope.covers("a" * 40 + "/b")
    assert timezone.now() - start < timedelta(seconds=1)
