"""Access tokens on their page: shown once, working, revoked."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.errors import BadCredential
from accounts.models import AccessToken, User
from accounts.services.credentials import authenticate
from accounts.services.tokens import create_token
from tests.pages_account.conftest import PASSWORD

pytestmark = pytest.mark.django_db
NEW = "/settings/tokens/new"
LIST = "/settings/tokens"
TOKEN = re.compile(r"hubp_[0-9A-Za-z]{10}_[0-9A-Za-z]{43}_[0-9a-f]{8}")


def form(*rows: tuple[str, list[str]], **values: str) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": "laptop",
        "expires": "90",
        "access": "chosen" if rows else "all",
        "scope-TOTAL_FORMS": str(len(rows)),
        "scope-INITIAL_FORMS": "0",
        **values,
    }
    for number, (pattern, actions) in enumerate(rows):
        data[f"scope-{number}-pattern"] = pattern
        data[f"scope-{number}-actions"] = actions
    return data


def make(browser: Client, *rows: tuple[str, list[str]], **values: str) -> str:
    response = browser.post(NEW, form(*rows, **values))
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    (secret,) = set(TOKEN.findall(response.content.decode()))
    return secret


class TestMaking:
    def test_shown_once_and_works(self, browser: Client, alice: User) -> None:
        secret = make(browser)
        assert authenticate("alice", secret, address="192.0.2.1").user_id == alice.pk
        (token,) = AccessToken.objects.all()
        assert token.scopes == []
        for path in (LIST, NEW, "/settings/profile"):
            assert secret not in browser.get(path).content.decode()
        assert f"hubp_{token.prefix}…" in browser.get(LIST).content.decode()

    def test_is_kept_nowhere(self, browser: Client) -> None:
        secret = make(browser)
        handle = secret.split("_")[2]
        for session in Session.objects.all():
            assert handle not in str(session.get_decoded())
        assert all(handle not in cookie.value for cookie in browser.cookies.values())
        (token,) = AccessToken.objects.values()
        assert handle not in str(token)

    def test_ready_line(self, browser: Client) -> None:
        response = browser.post(NEW, form())
        page = response.content.decode()
        line = "| docker login localhost:5000 -u alice --password-stdin"
        assert line in page
        assert "secrets.HUB_TOKEN" in page

    @pytest.mark.parametrize(("choice", "days"), [("30", 30), ("365", 365), ("never", None)])
    def test_expiry(self, browser: Client, choice: str, days: int | None) -> None:
        make(browser, expires=choice)
        expires_at = AccessToken.objects.get().expires_at
        if days is None:
            assert expires_at is None
        else:
            left = expires_at - timezone.now()
            assert timedelta(days=days, minutes=-1) < left <= timedelta(days=days)

    def test_scopes(self, browser: Client) -> None:
        make(browser, ("alice/app", ["push", "pull"]), ("", ["pull"]), ("team/*", ["delete"]))
        token = AccessToken.objects.get()
        assert token.scopes == ["repository:alice/app:pull,push", "repository:team/*:delete"]
        page = browser.get(LIST).content.decode()
        assert "alice/app" in page
        assert "team/*" in page

    @pytest.mark.parametrize(
        ("rows", "values"),
        [
            ([], {"access": "chosen"}),
            ([("", ["pull"])], {}),
            ([("alice/app", ["pull"])], {"access": "all"}),
            ([("alice/app", [])], {}),
            ([("alice", ["pull"])], {}),
            ([("Alice/App", ["pull"])], {}),
            ([("alice/app:v1", ["pull"])], {}),
            ([("alice/app", ["administer"])], {}),
            ([], {"name": ""}),
            ([], {"expires": "9999"}),
            ([], {"expires": ""}),
            ([], {"access": ""}),
        ],
    )
    def test_refusals(
        self, browser: Client, rows: list[tuple[str, list[str]]], values: dict[str, str]
    ) -> None:
        response = browser.post(NEW, {**form(*rows), **values})
        assert response.status_code == 422
        assert "errorlist" in response.content.decode()
        assert not AccessToken.objects.exists()

    def test_nothing_chosen_is_never_everything(self, browser: Client) -> None:
        data = form(("alice/app", ["pull"]))
        for key in [key for key in data if key.startswith("scope-")]:
            del data[key]
        assert browser.post(NEW, data).status_code == 422
        assert not AccessToken.objects.exists()

    def test_another_row_keeps_what_was_typed(self, browser: Client) -> None:
        data = {**form(("alice/app", ["push"]), name=""), "more": "1"}
        response = browser.post(NEW, data)
        assert response.status_code == 200
        page = response.content.decode()
        assert 'value="alice/app"' in page
        assert "scope-1-pattern" in page
        assert "errorlist" not in page
        assert not AccessToken.objects.exists()
        data["scope-TOTAL_FORMS"] = "99999999"
        assert "scope-50-pattern" not in browser.post(NEW, data).content.decode()

    def test_asks_who_it_is_when_the_sign_in_was_long_ago(
        self, browser: Client, alice: User
    ) -> None:
        with time_machine.travel(timezone.now() + timedelta(minutes=16)):
            assert browser.get(NEW).status_code == 200
            asked = browser.post(NEW, form())
            assert asked.status_code == 302
            assert asked["Location"].startswith("/accounts/reauthenticate/")
            assert not AccessToken.objects.exists()
            answer = browser.post(asked["Location"], {"password": PASSWORD, "next": NEW})
            assert answer.status_code == 200
            (secret,) = set(TOKEN.findall(answer.content.decode()))
            assert answer["Cache-Control"] == "no-store"
            assert authenticate("alice", secret, address="192.0.2.1").user_id == alice.pk

    def test_no_longer_life_than_the_hub_allows(
        self, browser: Client, hub_settings: Callable[..., None]
    ) -> None:
        hub_settings(token_max_days=60)
        page = browser.get(NEW).content.decode()
        assert "in 30 days" in page
        assert "in 60 days" in page
        assert "in 90 days" not in page
        assert 'value="never"' not in page
        assert browser.post(NEW, form(expires="never")).status_code == 422
        make(browser, expires="60")
        left = AccessToken.objects.get().expires_at - timezone.now()
        assert timedelta(days=59) < left <= timedelta(days=60)

    def test_needs_a_csrf_token(self, alice: User) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(alice)
        assert strict.post(NEW, form()).status_code == 403
        assert not AccessToken.objects.exists()


class TestRotating:
    def test_shows_a_new_secret_once(self, browser: Client, alice: User) -> None:
        old = make(browser)
        token = AccessToken.objects.get()
        path = f"/settings/tokens/{token.pk}/rotate"
        assert path in browser.get(LIST).content.decode()
        page = browser.get(path).content.decode()
        assert f"hubp_{token.prefix}…" in page
        assert authenticate("alice", old, address="192.0.2.1")
        response = browser.post(path)
        assert response["Cache-Control"] == "no-store"
        (new,) = set(TOKEN.findall(response.content.decode()))
        assert "no longer works" in response.content.decode()
        assert authenticate("alice", new, address="192.0.2.1").user_id == alice.pk
        with pytest.raises(BadCredential):
            authenticate("alice", old, address="192.0.2.1")
        assert "rotated" in browser.get(LIST).content.decode()

    def test_the_old_secret_may_stay_for_a_day(self, browser: Client, alice: User) -> None:
        old = make(browser)
        pk = AccessToken.objects.get().pk
        response = browser.post(f"/settings/tokens/{pk}/rotate", {"keep_old": "on"})
        assert "good until" in response.content.decode()
        assert authenticate("alice", old, address="192.0.2.1")
        with (
            time_machine.travel(timezone.now() + timedelta(hours=25)),
            pytest.raises(BadCredential),
        ):
            authenticate("alice", old, address="192.0.2.1")

    def test_only_ones_own_and_lately_signed_in(
        self, browser: Client, person: Callable[..., User], signed_in: Callable[..., Client]
    ) -> None:
        make(browser)
        token = AccessToken.objects.get()
        path = f"/settings/tokens/{token.pk}/rotate"
        mallory = signed_in(person("mallory"))
        for client, status in [(mallory, 404), (Client(), 302)]:
            assert client.get(path).status_code == status
            assert client.post(path).status_code == status
        with time_machine.travel(timezone.now() + timedelta(minutes=16)):
            assert browser.post(path).status_code == 302
        assert AccessToken.objects.get().secret_hash == token.secret_hash


class TestUse:
    def test_when_whence_and_with_what(self, browser: Client) -> None:
        secret = make(browser)
        Client().get(
            "/api/user", HTTP_AUTHORIZATION=f"Bearer {secret}", HTTP_USER_AGENT="docker/28 <b>"
        )
        page = browser.get(LIST).content.decode()
        assert "from 127.0.0.1" in page
        assert "docker/28 &lt;b&gt;" in page
        assert "unused for 90 days" not in page

    def test_a_hint_when_it_was_long_ago(self, browser: Client) -> None:
        make(browser, expires="never")
        make(browser, expires="90")
        AccessToken.objects.update(created_at=timezone.now() - timedelta(days=91))
        page = browser.get(LIST).content.decode()
        assert page.count("unused for 90 days") == 2
        assert "2 tokens were not used for 90 days" in page

    def test_the_list_costs_the_same_however_many_there_are(
        self, browser: Client, alice: User, django_assert_max_num_queries: Any
    ) -> None:
        for n in range(12):
            create_token(alice, name=str(n))
        with django_assert_max_num_queries(6):
            browser.get(LIST)


class TestRevoking:
    def test_dies_at_once(self, browser: Client) -> None:
        secret = make(browser)
        token = AccessToken.objects.get()
        assert browser.post(f"/settings/tokens/{token.pk}/revoke").status_code == 302
        with pytest.raises(BadCredential):
            authenticate("alice", secret, address="192.0.2.1")
        assert token.prefix not in browser.get(LIST).content.decode()

    def test_asks_first(self, browser: Client) -> None:
        make(browser)
        pk = AccessToken.objects.get().pk
        page = browser.get(LIST).content.decode()
        assert f'href="#revoke-{pk}"' in page
        assert f'<dialog class="dialog" id="revoke-{pk}"' in page
        assert browser.get(f"/settings/tokens/{pk}/revoke").status_code == 405

    def test_only_ones_own(
        self, browser: Client, person: Callable[..., User], signed_in: Callable[..., Client]
    ) -> None:
        make(browser)
        token = AccessToken.objects.get()
        other = signed_in(person("mallory"))
        path = f"/settings/tokens/{token.pk}/revoke"
        assert other.post(path).status_code == 404
        assert Client().post(path).status_code == 302
        token.refresh_from_db()
        assert token.revoked_at is None
        assert token.prefix not in other.get(LIST).content.decode()

    def test_expired_tokens_are_marked(self, browser: Client) -> None:
        make(browser)
        AccessToken.objects.update(expires_at=timezone.now() - timedelta(hours=1))
        assert "Expired" in browser.get(LIST).content.decode()
