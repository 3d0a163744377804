"""Signing up, in and out, and getting back in after forgetting the password."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from accounts.models import Namespace, User
from accounts.services.mail import send_due
from tests.pages_account.conftest import PASSWORD

pytestmark = pytest.mark.django_db
FORM = {"username": "carol", "email": "carol@example.com", "password1": PASSWORD}
LOGIN = "/accounts/login/"


def text(response: Any) -> str:
    return response.content.decode()


class TestSignup:
    def test_makes_person_and_namespace(self, client: Client) -> None:
        assert client.post("/accounts/signup/", FORM).status_code == 302
        user = User.objects.get(username="carol")
        assert Namespace.objects.get(name="carol").user == user
        assert not user.is_superuser
        assert client.get("/settings/profile").status_code == 200

    def test_shows_the_future_address(self, client: Client) -> None:
        page = text(client.get("/accounts/signup/"))
        assert "docker push localhost:5000/name/" in page

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("admin", "reserved"),
            ("library", "reserved"),
            ("Carol", "lower-case"),
            ("ca..rol", "lower-case"),
            ("c", "2 to 40"),
            ("-carol", "lower-case"),
            ("кэрол", "lower-case"),
            ("a/b", "lower-case"),
            ("alice", "in use"),
        ],
    )
    def test_refuses_names(self, client: Client, alice: User, name: str, sentence: str) -> None:
        response = client.post("/accounts/signup/", {**FORM, "username": name})
        assert response.status_code == 422
        assert sentence in text(response)
        assert User.objects.count() == 1
        state = client.get("/accounts/signup/name", {"username": name})
        assert sentence in text(state)

    def test_tells_a_free_name(self, client: Client) -> None:
        page = text(client.get("/accounts/signup/name", {"username": "carol"}))
        assert "Free." in page
        assert "docker push localhost:5000/carol/" in page

    def test_checking_names_is_limited(self, client: Client) -> None:
        statuses = [
            client.get("/accounts/signup/name", {"username": "carol"}).status_code
            for _ in range(61)
        ]
        assert (statuses[59], statuses[60]) == (200, 429)

    def test_refuses_weak_password_and_used_address(self, client: Client, alice: User) -> None:
        response = client.post("/accounts/signup/", {**FORM, "password1": "short"})
        assert response.status_code == 422
        response = client.post("/accounts/signup/", {**FORM, "email": "ALICE@example.com"})
        assert response.status_code == 422
        assert User.objects.count() == 1

    def test_closed(self, client: Client, hub_settings: Any) -> None:
        hub_settings(signup="closed")
        for response in (client.get("/accounts/signup/"), client.post("/accounts/signup/", FORM)):
            assert response.status_code == 403
            assert "Sign-up is closed" in text(response)
        assert not User.objects.exists()

    def test_says_how_to_get_an_administrator(
        self, client: Client, person: Callable[..., User], hub_settings: Any
    ) -> None:
        assert "HUB_ADMIN_USERNAME" in text(client.get("/accounts/signup/"))
        hub_settings(signup="closed")
        assert "HUB_ADMIN_USERNAME" in text(client.get("/accounts/signup/"))
        hub_settings(signup="open")
        person("root0", superuser=True)
        assert "HUB_ADMIN_USERNAME" not in text(client.get("/accounts/signup/"))

    def test_needs_a_csrf_token(self) -> None:
        strict = Client(enforce_csrf_checks=True)
        assert strict.post("/accounts/signup/", FORM).status_code == 403
        assert not User.objects.exists()


def sent() -> list[Any]:
    """Mails, once the worker has sent what is owed."""
    send_due()
    return list(mail.outbox)


class TestLogin:
    def test_with_name_or_address(self, client: Client, alice: User) -> None:
        for login in ("alice", "ALICE", "alice@example.com"):
            response = client.post(LOGIN, {"login": login, "password": PASSWORD})
            assert response.status_code == 302, login
            assert client.get("/settings/profile").status_code == 200
            assert client.post("/accounts/logout/").status_code == 302
            assert client.get("/settings/profile").status_code == 302

    def test_never_says_which_part_was_wrong(self, client: Client, alice: User) -> None:
        sentence = re.compile(r'<div class="notice".*?</div></div>', re.DOTALL)
        said = set()
        for login in ("alice", "nobody", "alice@example.com", "nobody@example.com"):
            response = client.post(LOGIN, {"login": login, "password": "wrong"})
            assert response.status_code == 422
            said.add(sentence.search(text(response)).group())
        assert len(said) == 1

    def test_is_limited(self, client: Client, alice: User) -> None:
        for _ in range(5):
            client.post(LOGIN, {"login": "alice", "password": "wrong"})
        response = client.post(LOGIN, {"login": "alice", "password": PASSWORD})
        assert response.status_code == 422
        assert "Too many failed sign-ins" in text(response)

    def test_whole_addresses_are_limited_too(self, client: Client) -> None:
        for _ in range(5):
            client.post("/accounts/password/reset/", {"email": "a@example.com"})
        response = client.post("/accounts/password/reset/", {"email": "a@example.com"})
        assert response.status_code == 429
        assert response["Retry-After"] == "60"
        assert "wait a minute" in text(response)

    def test_returns_to_where_it_was_asked_for(self, client: Client, alice: User) -> None:
        asked = client.get("/settings/tokens")
        assert asked["Location"] == "/accounts/login/?next=/settings/tokens"
        data = {"login": "alice", "password": PASSWORD, "next": "/settings/tokens"}
        assert client.post(LOGIN, data)["Location"] == "/settings/tokens"
        client.post("/accounts/logout/")
        data["next"] = "https://evil.example/"
        assert "evil" not in client.post(LOGIN, data)["Location"]

    def test_of_an_account_switched_off(self, client: Client, alice: User) -> None:
        User.objects.update(is_active=False)
        response = client.post(LOGIN, {"login": "alice", "password": PASSWORD})
        assert client.get("/settings/profile").status_code == 302
        assert response.status_code in (302, 422)

    def test_logout_needs_a_post(self, browser: Client) -> None:
        assert browser.get("/accounts/logout/").status_code == 200
        assert browser.get("/settings/profile").status_code == 200


class TestReset:
    def ask(self, client: Client, address: str, **headers: str) -> Any:
        return client.post("/accounts/password/reset/", {"email": address}, headers=headers)

    def test_sends_a_link_that_works(self, client: Client, alice: User) -> None:
        assert self.ask(client, "alice@example.com").status_code == 302
        (message,) = sent()
        assert message.to == ["alice@example.com"]
        assert message.subject == "[localhost:5000] Reset your password"
        (link,) = re.findall(
            r"http://localhost:5000(/accounts/password/reset/key/\S+)", message.body
        )
        form = client.get(link, follow=True)
        assert "Choose a new password" in text(form)
        action = form.redirect_chain[-1][0]
        new = "another sentence nobody guesses"
        client.post(action, {"password1": new, "password2": new})
        assert client.post(LOGIN, {"login": "alice", "password": new}).status_code == 302
        assert "no longer valid" in text(Client().get(link, follow=True))

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9999"])
    def test_link_does_not_follow_the_host_header(
        self, client: Client, alice: User, host: str
    ) -> None:
        self.ask(client, "alice@example.com", host=host)
        (message,) = sent()
        assert set(re.findall(r"https?://[^/\s]+", message.body)) == {"http://localhost:5000"}
        assert host not in message.subject

    def test_a_forged_host_is_refused(self, client: Client, alice: User) -> None:
        assert self.ask(client, "alice@example.com", host="evil.example").status_code == 400
        assert not sent()

    def test_unknown_address_looks_the_same(self, client: Client, alice: User) -> None:
        known = self.ask(client, "alice@example.com")
        unknown = self.ask(client, "nobody@example.com")
        assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
        assert "http" not in sent()[-1].body.replace("http://localhost:5000", "")


class TestPages:
    @pytest.mark.parametrize(
        "path",
        [
            "/accounts/login/",
            "/accounts/signup/",
            "/accounts/inactive/",
            "/accounts/password/reset/",
            "/accounts/password/reset/done/",
            "/accounts/password/reset/key/done/",
            "/accounts/password/reset/key/x-y/",
            "/accounts/confirm-email/",
            "/accounts/confirm-email/none/",
        ],
    )
    def test_open_for_visitors(self, client: Client, path: str) -> None:
        page = client.get(path)
        assert page.status_code == 200
        assert_one_heading(page)

    @pytest.mark.parametrize(
        "path",
        [
            "/accounts/logout/",
            "/accounts/email/",
            "/accounts/password/change/",
            "/accounts/reauthenticate/",
            "/settings/profile",
            "/settings/tokens",
            "/settings/tokens/new",
        ],
    )
    def test_open_for_people(self, browser: Client, path: str) -> None:
        page = browser.get(path)
        assert page.status_code == 200
        assert_one_heading(page)
        assert Client().get(path).status_code == 302

    def test_pages_for_accounts_without_a_password(self, alice: User, browser: Client) -> None:
        alice.set_unusable_password()
        alice.save()
        browser.force_login(alice)
        assert browser.get("/accounts/password/set/").status_code == 200

    def test_settings_lead_to_the_profile(self, browser: Client) -> None:
        assert browser.get("/settings")["Location"] == "/settings/profile"


def assert_one_heading(page: Any) -> None:
    body = text(page)
    assert body.count("<h1") == 1
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=", body)
    assert not re.search(r"<script(?![^>]*\ssrc=)", body)


class TestAccount:
    def test_profile(self, browser: Client, alice: User) -> None:
        browser.post("/settings/profile", {"bio": "Builds <b>images</b>", "username": "root"})
        alice.refresh_from_db()
        assert (alice.bio, alice.username) == ("Builds <b>images</b>", "alice")
        page = text(browser.get("/settings/profile"))
        assert "Builds &lt;b&gt;images" in page
        response = browser.post("/settings/profile", {"bio": "x" * 301})
        assert response.status_code == 422

    def test_change_password(self, browser: Client) -> None:
        new = "another sentence nobody guesses"
        values = {"oldpassword": "wrong", "password1": new, "password2": new}
        assert browser.post("/accounts/password/change/", values).status_code == 200
        values["oldpassword"] = PASSWORD
        assert browser.post("/accounts/password/change/", values).status_code == 302
        assert Client().post(LOGIN, {"login": "alice", "password": new}).status_code == 302

    def test_confirm_an_address(self, browser: Client) -> None:
        browser.get("/accounts/email/")
        browser.post("/accounts/email/", {"email": "alice@example.com", "action_send": ""})
        (message,) = sent()
        (link,) = re.findall(r"http://localhost:5000(/\S+)", message.body.partition("\n--")[0])
        assert "Is <strong>alice@example.com</strong>" in text(browser.get(link))
        assert browser.post(link).status_code == 302
        assert "Confirmed" in text(browser.get("/accounts/email/"))
