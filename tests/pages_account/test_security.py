"""Second factors, sessions, confirmed addresses, throttling, closing an account."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.usersessions.models import UserSession
from django.test import Client, TestCase

from accounts.models import AccessToken, Membership, OutgoingMail, RetiredName, User
from accounts.services.credentials import authenticate
from accounts.services.names import is_name_free
from accounts.services.organizations import create_organization
from accounts.services.tokens import create_token
from core.errors import Unauthenticated
from events.models import Event
from repos.models import Repository
from tests.pages_account.conftest import PASSWORD
from tests.pages_account.test_entrance import LOGIN, assert_one_heading, text

pytestmark = pytest.mark.django_db
AUTHENTICATE = "/accounts/2fa/authenticate/"
AGENT = "Mozilla/5.0 (a browser)"


def code_for(secret: str, steps: int = 0) -> str:
    counter = next(iter(yield_hotp_counters_from_time())) + steps
    return format_hotp_value(hotp_value(secret, counter))


def set_up_totp(browser: Client) -> str:
    """Through the pages; the shared secret."""
    page = text(browser.get("/accounts/2fa/totp/activate/"))
    (secret,) = re.findall(r"<code class=\"break\">([A-Z2-7]+)</code>", page)
    with TestCase.captureOnCommitCallbacks(execute=True):
        answer = browser.post("/accounts/2fa/totp/activate/", {"code": code_for(secret)})
    assert answer.status_code == 302, text(answer)
    return secret


def sign_in(name: str = "alice", **extra: str) -> tuple[Client, Any]:
    client = Client(headers={"user-agent": AGENT})
    return client, client.post(LOGIN, {"login": name, "password": PASSWORD}, **extra)


def is_in(client: Client) -> bool:
    return client.get("/settings/profile").status_code == 200


def kinds() -> list[str]:
    return list(Event.objects.order_by("id").values_list("kind", flat=True))


class TestSecondFactor:
    def test_set_up_and_sign_in(self, browser: Client, alice: User) -> None:
        secret = set_up_totp(browser)
        alice.refresh_from_db()
        assert alice.second_factor
        stored = Authenticator.objects.get(user=alice, type="totp").data["secret"]
        assert secret not in stored
        client, answer = sign_in()
        assert answer["Location"] == AUTHENTICATE
        assert not is_in(client)
        assert_one_heading(client.get(AUTHENTICATE))
        assert client.post(AUTHENTICATE, {"code": "000000"}).status_code == 200
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=2), tick=False):
            code = code_for(secret)
            assert client.post(AUTHENTICATE, {"code": code}).status_code == 302
            assert is_in(client)
            again, _answer = sign_in()
            replayed = again.post(AUTHENTICATE, {"code": code})
            assert replayed.status_code == 200
            assert "used already" in text(replayed)
            assert not is_in(again)
        assert {"second_factor.added", "signin.failed", "signin.ok"} <= set(kinds())
        entry = Event.objects.filter(kind="signin.ok").latest("id")
        assert entry.credential == "password + totp"
        assert entry.client == AGENT

    def test_recovery_code_works_once(self, browser: Client, alice: User) -> None:
        set_up_totp(browser)
        page = text(browser.get("/accounts/2fa/recovery-codes/"))
        codes = re.findall(r"<li><code>(\w+)</code></li>", page)
        assert len(codes) == 10
        assert codes[0] in browser.get("/accounts/2fa/recovery-codes/download/").content.decode()
        client, _answer = sign_in()
        assert client.post(AUTHENTICATE, {"code": codes[0]}).status_code == 302
        assert is_in(client)
        assert "9 codes are left" in text(client.get("/settings/security"))
        other, _answer = sign_in()
        assert other.post(AUTHENTICATE, {"code": codes[0]}).status_code == 200
        assert not is_in(other)

    def test_removal_takes_the_mark_away(self, browser: Client, alice: User) -> None:
        set_up_totp(browser)
        with TestCase.captureOnCommitCallbacks(execute=True):
            assert browser.post("/accounts/2fa/totp/deactivate/").status_code == 302
        alice.refresh_from_db()
        assert not alice.second_factor
        assert not Authenticator.objects.exists()
        assert "second_factor.removed" in kinds()

    def test_guessing_codes_is_limited(self, browser: Client, alice: User) -> None:
        set_up_totp(browser)
        client, _answer = sign_in()
        for _ in range(5):
            client.post(AUTHENTICATE, {"code": "000000"})
        assert "Too many" in text(client.post(AUTHENTICATE, {"code": "000000"}))

    def test_change_signs_other_browsers_out(self, browser: Client, alice: User) -> None:
        other, _answer = sign_in()
        assert is_in(other)
        set_up_totp(browser)
        assert not is_in(other)
        assert is_in(browser)

    def test_organizations_ask(
        self, browser: Client, alice: User, person: Callable[..., User]
    ) -> None:
        group = create_organization(person("owner"), name="crew")
        Membership.objects.create(organization=group, user=alice)
        assert "crew asks" not in text(browser.get("/"))
        type(group).objects.update(second_factor_required=True)
        for path in ("/", "/settings/security"):
            assert "crew asks its members for a second factor" in text(browser.get(path))
        set_up_totp(browser)
        assert "crew asks" not in text(browser.get("/"))

    def test_keys_need_a_real_answer(self, browser: Client, alice: User) -> None:
        page = text(browser.get("/accounts/2fa/webauthn/add/"))
        assert "&quot;rp&quot;: {" in page
        assert "&quot;id&quot;: &quot;localhost&quot;" in page
        for credential in ("", "{}", "[]", '{"id": "x", "rawId": "x", "response": {}}'):
            answer = browser.post(
                "/accounts/2fa/webauthn/add/", {"name": "k", "credential": credential}
            )
            assert answer.status_code == 200, credential
        assert not Authenticator.objects.exists()

    def test_passkey_login_needs_a_real_answer(self, client: Client, alice: User) -> None:
        url = "/accounts/2fa/webauthn/login/"
        options = client.get(url, headers={"accept": "application/json"}).json()
        assert options["request_options"]["publicKey"]["userVerification"] == "required"
        for credential in ("{}", '{"id": "x"}', "not json"):
            answer = client.post(url, {"credential": credential})
            assert answer["Location"] == LOGIN
        assert not is_in(client)


class TestPages:
    @pytest.mark.parametrize(
        "path",
        [
            "/settings/security",
            "/settings/sessions",
            "/settings/close",
            "/accounts/3rdparty/",
            "/accounts/2fa/totp/activate/",
            "/accounts/2fa/webauthn/add/",
        ],
    )
    def test_open_for_people(self, browser: Client, path: str) -> None:
        page = browser.get(path)
        assert page.status_code == 200
        assert_one_heading(page)
        assert Client().get(path).status_code == 302

    def test_open_with_a_second_factor(self, browser: Client, alice: User) -> None:
        set_up_totp(browser)
        for path in (
            "/settings/security",
            "/accounts/2fa/totp/deactivate/",
            "/accounts/2fa/recovery-codes/",
            "/accounts/2fa/recovery-codes/generate/",
            "/accounts/2fa/reauthenticate/",
            "/accounts/reauthenticate/",
        ):
            page = browser.get(path)
            assert page.status_code == 200, path
            assert_one_heading(page)
        for old in ("/accounts/2fa/", "/accounts/2fa/webauthn/"):
            assert browser.get(old)["Location"] == "/settings/security"

    def test_pages_of_keys(self, browser: Client, alice: User) -> None:
        key = Authenticator.objects.create(
            user=alice, type="webauthn", data={"name": "Blue key", "credential": {}}
        )
        for path in (
            "/settings/security",
            f"/accounts/2fa/webauthn/keys/{key.pk}/edit/",
            f"/accounts/2fa/webauthn/keys/{key.pk}/remove/",
        ):
            page = browser.get(path)
            assert page.status_code == 200, path
            assert "Blue key" in text(page)
            assert_one_heading(page)
        browser.post(f"/accounts/2fa/webauthn/keys/{key.pk}/edit/", {"name": "Green key"})
        assert "Green key" in text(browser.get("/settings/security"))
        assert browser.post(f"/accounts/2fa/webauthn/keys/{key.pk}/remove/").status_code == 302
        alice.refresh_from_db()
        assert not alice.second_factor


class TestReauthentication:
    def age(self, browser: Client) -> None:
        session = browser.session
        session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": 1}]
        session.save()

    @pytest.mark.parametrize(
        ("path", "data"),
        [
            ("/accounts/email/", {"email": "new@example.com", "action_add": ""}),
            ("/accounts/2fa/totp/activate/", {"code": "123456"}),
            ("/settings/close", {"confirm": "alice"}),
            ("/alice/app/-/settings/delete", {"confirm": "alice/app"}),
            ("/alice/app/-/settings/visibility", {"visibility": "public"}),
        ],
    )
    def test_is_asked_for(
        self, browser: Client, repository: Repository, path: str, data: dict[str, str]
    ) -> None:
        Repository.objects.update(visibility="private")
        self.age(browser)
        answer = browser.post(path, data)
        assert answer["Location"].startswith("/accounts/reauthenticate/?next=")
        assert User.objects.get(username="alice").is_active
        assert Repository.objects.get().visibility == "private"

    def test_goes_on_with_what_was_asked(self, browser: Client, repository: Repository) -> None:
        self.age(browser)
        path = "/alice/app/-/settings/delete"
        asked = browser.post(path, {"confirm": "alice/app"})
        wrong = browser.post(asked["Location"], {"password": "wrong"})
        assert wrong.status_code == 200
        done = browser.post(asked["Location"], {"password": PASSWORD, "next": path})
        assert done["Location"] == "/alice"
        assert not Repository.objects.filter(path="alice/app", state="active").exists()

    def test_going_private_is_not_dangerous(self, browser: Client, repository: Repository) -> None:
        self.age(browser)
        browser.post("/alice/app/-/settings/visibility", {"visibility": "private"})
        assert Repository.objects.get().visibility == "private"


class TestSessions:
    def test_are_listed(self, alice: User, django_assert_num_queries: Any) -> None:
        client, _answer = sign_in(REMOTE_ADDR="192.0.2.7")
        sign_in(REMOTE_ADDR="2001:db8::1")
        page = text(client.get("/settings/sessions"))
        assert "192.0.2.7" in page
        assert "2001:db8::1" in page
        assert AGENT in page
        assert page.count("This browser") == 1
        keys = UserSession.objects.values_list("session_key", flat=True)
        assert not any(key in page for key in keys)
        with django_assert_num_queries(6):  # one of them is the bell's
            client.get("/settings/sessions")

    def test_end_one_and_all_others(self, alice: User) -> None:
        first, _answer = sign_in()
        second, _answer = sign_in()
        third, _answer = sign_in()
        row = UserSession.objects.get(session_key=second.session.session_key)
        assert first.post(f"/settings/sessions/{row.pk}/end").status_code == 302
        assert (is_in(first), is_in(second), is_in(third)) == (True, False, True)
        assert first.post("/settings/sessions/end-others").status_code == 302
        assert (is_in(first), is_in(third)) == (True, False)
        assert kinds().count("session.ended") == 2

    def test_those_of_others_are_absent(
        self, alice: User, browser: Client, person: Callable[..., User]
    ) -> None:
        person("bob")
        bob, _answer = sign_in("bob")
        row = UserSession.objects.get(session_key=bob.session.session_key)
        assert browser.post(f"/settings/sessions/{row.pk}/end").status_code == 404
        assert browser.post("/settings/sessions/999999/end").status_code == 404
        assert is_in(bob)

    def test_a_new_password_ends_the_others(self, browser: Client, alice: User) -> None:
        other, _answer = sign_in()
        new = "another sentence nobody guesses"
        values = {"oldpassword": PASSWORD, "password1": new, "password2": new}
        assert browser.post("/accounts/password/change/", values).status_code == 302
        assert (is_in(browser), is_in(other)) == (True, False)
        assert UserSession.objects.count() <= 1

    def test_deactivated_ends_all(self, alice: User) -> None:
        client, _answer = sign_in()
        User.objects.update(is_active=False)
        assert not is_in(client)

    @pytest.mark.parametrize(("hours", "stays"), [(11, True), (13, False)])
    def test_end_without_use(self, alice: User, hours: int, stays: bool) -> None:
        client, _answer = sign_in()
        with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours)):
            assert is_in(client) is stays

    def test_end_after_two_weeks_of_use(self, alice: User) -> None:
        client, _answer = sign_in()
        start = datetime.now(UTC)
        for hours in range(10, 14 * 24, 10):
            with time_machine.travel(start + timedelta(hours=hours)):
                assert is_in(client), hours
        with time_machine.travel(start + timedelta(hours=14 * 24 + 1)):
            assert not is_in(client)

    def test_use_is_noted_now_and_then(self, alice: User) -> None:
        client, _answer = sign_in()
        (before,) = UserSession.objects.values_list("last_seen_at", flat=True)
        is_in(client)
        assert UserSession.objects.get().last_seen_at == before
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=6)):
            is_in(client)
        assert UserSession.objects.get().last_seen_at > before


class TestConfirmation:
    FORM = {"username": "dora", "email": "dora@example.com", "password1": PASSWORD}

    @pytest.fixture(autouse=True)
    def _asked(self, settings: Any) -> None:
        settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"

    def link(self) -> str:
        (mail,) = OutgoingMail.objects.all()
        (found,) = re.findall(r"http://localhost:5000(/accounts/confirm-email/\S+)", mail.text)
        return str(found)

    def test_sign_up_waits_for_it(self, client: Client) -> None:
        answer = client.post("/accounts/signup/", self.FORM)
        assert answer["Location"] == "/accounts/confirm-email/"
        assert not User.objects.get().is_verified
        assert not is_in(client)
        link = self.link()
        assert Client().post(link).status_code == 302
        assert User.objects.get().is_verified
        done = Client()
        assert done.post(LOGIN, {"login": "dora", "password": PASSWORD})["Location"] == "/"

    def test_so_do_accounts_made_by_the_api(self, client: Client) -> None:
        body = {"username": "dora", "email": "dora@example.com", "password": PASSWORD}
        made = client.post("/api/users", body, content_type="application/json")
        assert made.status_code == 201
        assert not User.objects.get().is_verified
        assert Client().post(self.link()).status_code == 302
        assert User.objects.get().is_verified

    def test_an_account_without_address_is_refused(self, client: Client) -> None:
        body = {"username": "dora", "email": "", "password": PASSWORD}
        made = client.post("/api/users", body, content_type="application/json")
        assert made.status_code == 400
        assert not User.objects.exists()

    def test_administrators_vouch(self, person: Callable[..., User]) -> None:
        root = person("root0", superuser=True)
        assert root.is_verified
        client, answer = sign_in("root0")
        assert answer["Location"] == "/"
        assert is_in(client)

    def test_a_used_address_looks_free(self, client: Client, alice: User) -> None:
        OutgoingMail.objects.all().delete()
        data = {**self.FORM, "email": "alice@example.com"}
        assert client.post("/accounts/signup/", data)["Location"] == "/accounts/confirm-email/"
        assert User.objects.count() == 1


class TestThrottle:
    def test_failures_elsewhere_lock_nobody_out(self, alice: User) -> None:
        for _ in range(12):
            data = {"login": "alice", "password": "wrong"}
            Client().post(LOGIN, data, REMOTE_ADDR="203.0.113.9")
        data = {"login": "alice", "password": PASSWORD}
        refused = Client().post(LOGIN, data, REMOTE_ADDR="203.0.113.9")
        assert refused.status_code == 422
        assert "Too many failed sign-ins" in text(refused)
        assert Client().post(LOGIN, data, REMOTE_ADDR="192.0.2.7").status_code == 302

    def test_failures_are_noted_without_the_password(self, alice: User) -> None:
        Client().post(LOGIN, {"login": "alice", "password": "not her secret"})
        entry = Event.objects.get(kind="signin.failed")
        assert (entry.actor_name, entry.outcome) == ("alice", "bad_credential")
        assert "not her secret" not in str(entry.payload)

    def test_forwarded_addresses_count_only_behind_proxies(
        self, alice: User, hub_settings: Any, settings: Any
    ) -> None:
        def fail(times: int, address: str) -> None:
            for _ in range(times):
                Client().post(
                    LOGIN,
                    {"login": "alice", "password": "wrong"},
                    headers={"x-forwarded-for": address},
                )

        def enters(address: str) -> bool:
            data = {"login": "alice", "password": PASSWORD}
            headers = {"x-forwarded-for": address}
            return Client().post(LOGIN, data, headers=headers).status_code == 302

        for number in range(6):
            fail(1, f"198.51.100.{number}")  # made up by whoever asks: all count as one
        assert not enters("198.51.100.77")
        hub_settings(trusted_proxies=1)
        assert enters("198.51.100.77")


class TestClosing:
    def test_is_refused_while_something_depends_on_it(
        self, browser: Client, repository: Repository
    ) -> None:
        page = text(browser.get("/settings/close"))
        assert "alice/app" in page
        answer = browser.post("/settings/close", {"confirm": "alice"})
        assert answer.status_code == 409
        assert "alice/app" in text(answer)
        assert User.objects.get(username="alice").is_active

    def test_is_refused_to_the_last_owner(self, browser: Client, alice: User) -> None:
        create_organization(alice, name="crew")
        answer = browser.post("/settings/close", {"confirm": "alice"})
        assert answer.status_code == 409
        assert "crew" in text(answer)
        assert User.objects.get(username="alice").is_active

    def test_needs_the_name(self, browser: Client, alice: User) -> None:
        answer = browser.post("/settings/close", {"confirm": "alise"})
        assert answer.status_code == 422
        assert User.objects.get(username="alice").is_active

    def test_takes_everything_private(self, browser: Client, alice: User) -> None:
        set_up_totp(browser)
        made = create_token(alice, name="ci")
        other, _answer = sign_in()
        assert browser.post("/settings/close", {"confirm": "alice"})["Location"] == "/"
        alice.refresh_from_db()
        assert (alice.is_active, alice.email, alice.second_factor) == (False, "", False)
        assert not alice.has_usable_password()
        assert not is_in(browser)
        assert not is_in(other)
        assert AccessToken.objects.get().revoked_at is not None
        with pytest.raises(Unauthenticated):
            authenticate("alice", made.secret, address="192.0.2.1")
        assert RetiredName.objects.filter(name="alice").exists()
        assert not is_name_free("alice")
        assert "account.closed" in kinds()
        assert browser.get("/alice").status_code == 404
