"""Signing in elsewhere: single sign-on through its whole flow, linking, and never taking over."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from accounts.models import Namespace, User
from events.models import Event
from tests.identity import IdentityProvider
from tests.pages_account.conftest import PASSWORD

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/oidc/work/login/"
EVE = {
    "sub": "42",
    "preferred_username": "Eve",
    "email": "eve@example.com",
    "email_verified": True,
    "name": "Eve Adams",
}


@pytest.fixture
def work(settings: Any) -> Iterator[IdentityProvider]:
    found = IdentityProvider()
    settings.SOCIALACCOUNT_PROVIDERS = found.settings()
    found.person = dict(EVE)
    yield found
    found.stop()


def leave(client: Client, process: str = "login") -> str:
    """The address of the provider that the page after the button leads to."""
    page = client.post(f"{LOGIN}?process={process}")
    assert page.status_code == 200
    (address,) = re.findall(r'http-equiv="refresh" content="0;url=([^"]+)"', page.content.decode())
    return html.unescape(address)


def come_back(client: Client, work: IdentityProvider, process: str = "login") -> Any:
    return client.get(work.authorize(leave(client, process)))


def sign_up(client: Client, work: IdentityProvider, **values: str) -> Any:
    answer = come_back(client, work)
    assert answer["Location"] == "/accounts/3rdparty/signup/"
    data = {"username": "eve", "email": "eve@example.com", **values}
    return client.post("/accounts/3rdparty/signup/", data)


def kinds() -> list[str]:
    return list(Event.objects.order_by("id").values_list("kind", flat=True))


class TestSignUp:
    def test_whole_flow(self, client: Client, work: IdentityProvider) -> None:
        page = client.get("/accounts/login/").content.decode()
        assert "Continue with Work" in page
        form = come_back(client, work)
        page = client.get(form["Location"]).content.decode()
        assert 'value="eve"' in page
        assert page.count("<h1") == 1
        assert sign_up(client, work)["Location"] == "/"
        user = User.objects.get(username="eve")
        assert not user.has_usable_password()
        assert Namespace.objects.filter(name="eve", user=user).exists()
        assert user.is_verified
        assert SocialAccount.objects.get(user=user).uid == "42"
        assert {"account.created", "identity.linked", "signin.ok"} <= set(kinds())
        assert client.get("/settings/profile").status_code == 200
        again = Client()
        assert come_back(again, work)["Location"] == "/"
        assert again.get("/settings/profile").status_code == 200
        assert User.objects.count() == 1

    def test_names_follow_our_rules(self, client: Client, work: IdentityProvider) -> None:
        answer = sign_up(client, work, username="Not A Name")
        assert answer.status_code == 200
        assert not User.objects.exists()

    def test_follows_sign_up(
        self, client: Client, work: IdentityProvider, hub_settings: Any
    ) -> None:
        hub_settings(signup="closed")
        assert come_back(client, work).status_code == 403
        hub_settings(signup="closed", external_signup="open")
        assert sign_up(client, work).status_code == 302
        assert User.objects.filter(username="eve").exists()

    def test_closed_for_them_alone(
        self, client: Client, work: IdentityProvider, hub_settings: Any
    ) -> None:
        hub_settings(external_signup="closed")
        assert come_back(client, work).status_code == 403
        assert not User.objects.exists()

    def test_unconfirmed_addresses_are_asked_for(
        self, client: Client, work: IdentityProvider, settings: Any
    ) -> None:
        settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
        work.person["email_verified"] = False
        assert sign_up(client, work)["Location"] == "/accounts/confirm-email/"
        assert not User.objects.get(username="eve").is_verified
        assert client.get("/settings/profile").status_code == 302

    def test_addresses_confirmed_there_are_good_here(
        self, client: Client, work: IdentityProvider, settings: Any
    ) -> None:
        settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
        assert sign_up(client, work)["Location"] == "/"
        assert User.objects.get(username="eve").is_verified


class TestNeverTakesOver:
    def test_same_name(self, client: Client, work: IdentityProvider, alice: User) -> None:
        work.person["preferred_username"] = "alice"
        answer = sign_up(client, work, username="alice")
        assert answer.status_code == 200
        assert not SocialAccount.objects.exists()
        assert client.get("/settings/profile").status_code == 302

    @pytest.mark.parametrize("verified", [True, False])
    def test_same_address(
        self, client: Client, work: IdentityProvider, alice: User, verified: bool
    ) -> None:
        work.person |= {"email": "Alice@example.com", "email_verified": verified}
        answer = come_back(client, work)
        if verified:
            assert answer.status_code == 409
            assert "Connected accounts" in answer.content.decode()
        else:
            data = {"username": "eve", "email": "alice@example.com"}
            assert client.post(answer["Location"], data).status_code == 200
        assert not SocialAccount.objects.exists()
        assert client.get("/settings/profile").status_code == 302

    def test_deactivated_accounts_stay_so(self, client: Client, work: IdentityProvider) -> None:
        sign_up(client, work)
        User.objects.update(is_active=False)
        other = Client()
        assert come_back(other, work)["Location"] == "/accounts/inactive/"
        assert other.get("/settings/profile").status_code == 302


class TestLinking:
    def test_link_sign_in_unlink(
        self, browser: Client, work: IdentityProvider, alice: User
    ) -> None:
        answer = come_back(browser, work, "connect")
        assert answer["Location"] == "/accounts/3rdparty/"
        page = browser.get("/accounts/3rdparty/").content.decode()
        assert "Disconnect" in page
        account = SocialAccount.objects.get(user=alice)
        other = Client()
        come_back(other, work)
        assert "alice" in other.get("/settings/profile").content.decode()
        gone = browser.post("/accounts/3rdparty/", {"account": account.pk})
        assert gone.status_code == 302
        assert not SocialAccount.objects.exists()
        assert {"identity.linked", "identity.unlinked"} <= set(kinds())

    def test_the_last_way_in_stays(self, client: Client, work: IdentityProvider) -> None:
        sign_up(client, work)
        account = SocialAccount.objects.get()
        answer = client.post("/accounts/3rdparty/", {"account": account.pk})
        assert answer.status_code == 422
        assert "Set a password first" in answer.content.decode()
        assert SocialAccount.objects.exists()

    def test_an_identity_of_somebody_else(
        self, browser: Client, work: IdentityProvider, alice: User
    ) -> None:
        sign_up(Client(), work)
        come_back(browser, work, "connect")
        assert not SocialAccount.objects.filter(user=alice).exists()

    def test_what_the_operator_took_away_is_shown(self, browser: Client, alice: User) -> None:
        SocialAccount.objects.create(user=alice, provider="gone", uid="7")
        SocialAccount.objects.create(user=alice, provider="ldap", uid="uid=alice,dc=example")
        page = browser.get("/accounts/3rdparty/").content.decode()
        assert "gone" in page
        assert "Directory" in page
        assert "Disconnect" not in page


class TestAnswers:
    def test_errors_are_pages(self, client: Client, work: IdentityProvider) -> None:
        leave(client)
        for path in (
            "/accounts/oidc/work/login/callback/?error=server_error&state=x",
            "/accounts/oidc/work/login/callback/?code=made-up&state=made-up",
            "/accounts/3rdparty/login/error/",
            "/accounts/3rdparty/login/cancelled/",
        ):
            page = client.get(path)
            assert page.status_code < 500, path
            assert page.content.decode().count("<h1") == 1, path
        address = work.authorize(leave(client)).replace("code-", "other-")
        assert "did not confirm" in client.get(address).content.decode()

    def test_a_get_asks_first(self, client: Client, work: IdentityProvider) -> None:
        page = client.get(LOGIN)
        assert page.status_code == 200
        assert "Go on" in page.content.decode()
        assert work.asked == []

    def test_unknown_provider(self, client: Client) -> None:
        assert client.post("/accounts/oidc/other/login/").status_code == 404

    def test_second_factor_is_still_asked_for(
        self, browser: Client, work: IdentityProvider, alice: User
    ) -> None:
        from tests.pages_account.test_security import set_up_totp

        come_back(browser, work, "connect")
        set_up_totp(browser)
        other = Client()
        assert come_back(other, work)["Location"] == "/accounts/2fa/authenticate/"
        assert other.get("/settings/profile").status_code == 302


def test_password_is_still_good(browser: Client, work: IdentityProvider, alice: User) -> None:
    come_back(browser, work, "connect")
    data = {"login": "alice", "password": PASSWORD}
    assert Client().post("/accounts/login/", data).status_code == 302
