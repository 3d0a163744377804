"""Dangerous acts ask who it is again, and doors that were open stay shut."""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Any

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib import admin
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.models import Membership, OutgoingMail, User
from accounts.services.credentials import principal_of
from accounts.services.invitations import invite
from accounts.services.organizations import create_organization, set_member
from accounts.services.people import deactivate
from accounts.services.sessions import SIGNED_IN_AT
from accounts.services.teams import create_team
from events.models import Event
from events.types import SYSTEM
from repos.models import Opening
from repos.services.repositories import create_repository
from tests.pages_account.conftest import PASSWORD

pytestmark = pytest.mark.django_db
ASKS = "/accounts/reauthenticate/"
BIG = "9" * 30


def aged(client: Client) -> Client:
    """The same browser two hours later."""
    session, then = client.session, time() - 7200
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": then}]
    session[SIGNED_IN_AT] = int(then)
    session.save()
    return client


def asks(answer: Any) -> bool:
    return answer.status_code == 302 and answer["Location"].startswith(ASKS)


@pytest.fixture
def chief(person: Callable[..., User]) -> User:
    return person("chief", superuser=True)


@pytest.fixture
def root(chief: User, signed_in: Callable[[User | None], Client]) -> Client:
    return signed_in(chief)


class TestAdministration:
    @pytest.mark.parametrize("verb", ["promote", "demote", "deactivate", "second-factor"])
    def test_acts_on_people_ask_first(self, alice: User, root: Client, verb: str) -> None:
        path = f"/admin/people/alice/{verb}"
        assert asks(aged(root).post(path))
        alice.refresh_from_db()
        assert (alice.is_active, alice.is_superuser) == (True, False)

    def test_the_act_is_done_once_it_is_clear_who_asks(self, alice: User, root: Client) -> None:
        answer = aged(root).post("/admin/people/alice/promote")
        root.post(answer["Location"], {"password": PASSWORD})
        alice.refresh_from_db()
        assert alice.is_superuser

    def test_so_do_handing_over_and_opening(
        self, alice: User, person: Callable[..., User], root: Client
    ) -> None:
        person("bob")
        create_repository(alice.namespace, "secret", actor=principal_of(alice).actor)
        values = {"path": "alice/secret", "reason": "A report of malware, ticket 12"}
        assert asks(aged(root).post("/admin/repositories/open", values))
        assert not Opening.objects.exists()
        deactivate(alice, actor=SYSTEM)
        assert asks(root.post("/admin/orphans/alice", {"username": "bob"}))
        assert not Membership.objects.exists()

    def test_so_does_every_form_of_the_admin(self, alice: User, root: Client) -> None:
        path = f"/admin/django/accounts/user/{alice.pk}/change/"
        assert aged(root).get(path).status_code == 200
        assert asks(root.post(path, {"bio": "", "is_superuser": "on"}))
        assert Client().post(path).status_code == 404
        alice.refresh_from_db()
        assert not alice.is_superuser

    def test_nobody_hands_private_content_to_themselves(self, alice: User, root: Client) -> None:
        create_repository(alice.namespace, "secret", actor=principal_of(alice).actor)
        deactivate(alice, actor=SYSTEM)
        page = root.post("/admin/orphans/alice", {"username": "chief"}, follow=True)
        assert b"Another administrator" in page.content
        assert root.get("/alice/secret").status_code == 404

    def test_the_second_factor_of_somebody_who_lost_it(
        self, alice: User, browser: Client, root: Client
    ) -> None:
        Authenticator.objects.create(user=alice, type="totp", data={"secret": "x"})
        Authenticator.objects.create(user=alice, type="recovery_codes", data={"seed": "x"})
        assert b"/alice/second-factor" in root.get("/admin/people/alice").content
        sessions = Session.objects.count()
        root.post("/admin/people/alice/second-factor", {"reason": "no"})
        assert Authenticator.objects.count() == 2
        root.post("/admin/people/alice/second-factor", {"reason": "Lost the phone, called us"})
        alice.refresh_from_db()
        assert not Authenticator.objects.exists()
        assert not alice.second_factor
        assert Session.objects.count() == sessions - 1
        entry = Event.objects.get(kind="second_factor.removed")
        assert (entry.actor_name, entry.namespace_id) == ("chief", alice.namespace.pk)
        assert entry.payload["factors"] == ["recovery_codes", "totp"]
        mail = OutgoingMail.objects.get()
        assert mail.to == "alice@example.com"
        assert "Lost the phone" in mail.text
        root.post("/admin/people/chief/second-factor", {"reason": "Lost the phone, called us"})
        assert b"/alice/second-factor" not in root.get("/admin/people/alice").content

    def test_nothing_of_signing_in_is_edited_in_the_admin(self, root: Client) -> None:
        assert not [m for m in admin.site._registry if m.__module__.startswith("allauth")]
        for path in ("account/emailaddress/", "mfa/authenticator/", "socialaccount/socialapp/"):
            assert root.get(f"/admin/django/{path}").status_code == 404

    def test_an_address_is_not_changed_for_somebody(self, alice: User, root: Client) -> None:
        values = {"email": "chief@evil.example", "bio": "New", "is_active": "on"}
        root.post(f"/admin/django/accounts/user/{alice.pk}/change/", values)
        alice.refresh_from_db()
        assert (alice.email, alice.bio) == ("alice@example.com", "New")

    def test_an_address_is_kept_as_sign_in_looks_for_it(self, root: Client) -> None:
        values = {"username": "carol", "usable_password": "true", "email": "Carol@Example.COM"}
        values |= {"password1": PASSWORD, "password2": PASSWORD}
        root.post("/admin/django/accounts/user/add/", values)
        assert User.objects.get(username="carol").email == "carol@example.com"

    def test_ones_own_password_is_changed_on_the_hubs_page(self, root: Client) -> None:
        answer = root.get("/admin/django/password_change/")
        assert answer["Location"] == "/accounts/password/change/"
        values = {"old_password": PASSWORD, "new_password1": "x" * 20, "new_password2": "x" * 20}
        root.post("/admin/django/password_change/", values)
        assert User.objects.get(username="chief").check_password(PASSWORD)

    def test_numbers_no_row_has(self, alice: User, browser: Client, root: Client) -> None:
        create_organization(alice, name="acme")
        for client, path in (
            (root, f"/admin/repositories/{BIG}/close"),
            (root, f"/admin/tokens/{BIG}/revoke"),
            (browser, f"/settings/sessions/{BIG}/end"),
            (browser, f"/settings/tokens/{BIG}/revoke"),
            (browser, f"/acme/-/invitations/{BIG}/withdraw"),
        ):
            assert client.post(path).status_code == 404, path
        assert browser.delete(f"/api/tokens/{BIG}").status_code == 404
        assert browser.delete(f"/api/organizations/acme/invitations/{BIG}").status_code == 404


class TestOwners:
    def test_making_an_owner_asks_first(
        self, alice: User, browser: Client, person: Callable[..., User]
    ) -> None:
        acme = create_organization(alice, name="acme")
        bob = person("bob")
        aged(browser)
        people = "/acme/-/people"
        assert asks(browser.post(f"{people}/add", {"who": "bob", "role": "owner"}))
        assert asks(browser.post(f"{people}/add", {"who": "x@example.com", "role": "owner"}))
        assert browser.post(f"{people}/add", {"who": "bob", "role": "member"})["Location"] == people
        values = {"who": "bob", "role": "owner"}
        assert asks(browser.post(f"{people}/change", values))
        part = browser.post(f"{people}/change", values, headers={"HX-Request": "true"})
        assert (part.status_code, part["HX-Redirect"]) == (204, f"{ASKS}?next=%2Facme%2F-%2Fpeople")
        for method, path, body in (
            ("PUT", "members/bob", '{"role": "owner"}'),
            ("POST", "invitations", '{"email": "x@example.com", "role": "owner"}'),
        ):
            address = f"/api/organizations/acme/{path}"
            answer = browser.generic(method, address, body, "application/json")
            assert (answer.status_code, answer.json()["code"]) == (403, "reauthenticate")
        assert Membership.objects.get(organization=acme, user=bob).role == "member"

    def test_adding_an_owner_as_a_member_changes_nothing(
        self, alice: User, browser: Client, person: Callable[..., User]
    ) -> None:
        acme = create_organization(alice, name="acme")
        set_member(acme, person("bob"), "owner", actor=principal_of(alice).actor)
        values = {"who": "bob", "role": "member"}
        page = browser.post("/acme/-/people/add", values, follow=True)
        assert b"is a member already" in page.content
        assert Membership.objects.get(user__username="bob").role == "owner"

    def test_the_page_before_a_team_goes_counts_invitations(
        self, alice: User, browser: Client
    ) -> None:
        acme, by = create_organization(alice, name="acme"), principal_of(alice).actor
        crew = create_team(acme, "crew", actor=by)
        invite(acme, "x@example.com", "member", inviter=by, team=crew)
        page = browser.get("/acme/-/teams/crew/delete").content
        assert b"1 open invitation into it" in page

    def test_switches_are_hidden_from_who_lacks_the_second_factor(
        self, alice: User, browser: Client
    ) -> None:
        acme = create_organization(alice, name="acme")
        assert browser.get("/api/organizations/acme").json()["settings"]
        acme.second_factor_required = True
        acme.save()
        assert browser.get("/api/organizations/acme").json()["settings"] is None


class TestSigningIn:
    def test_a_deactivated_account_is_answered_like_a_wrong_password(self, alice: User) -> None:
        deactivate(alice, actor=SYSTEM)
        login = "/accounts/login/"
        right = Client().post(login, {"login": "alice", "password": PASSWORD})
        assert Event.objects.filter(kind="signin.failed").count() == 1
        wrong = Client().post(login, {"login": "alice", "password": "wrong wrong wrong"})
        assert (right.status_code, wrong.status_code) == (422, 422)
        tries = [
            Client().post(login, {"login": "alice", "password": PASSWORD}).content for _ in range(4)
        ]
        assert b"wait five minutes" in tries[-1]
        assert b"wait five minutes" not in tries[0]

    def test_sign_up_is_recorded(self, client: Client) -> None:
        values = {"username": "carol", "email": "c@example.com", "password1": PASSWORD}
        client.post("/accounts/signup/", values)
        entry = Event.objects.get(kind="account.created")
        assert (entry.actor_name, entry.payload) == ("carol", {"user": "carol"})

    def test_sign_ups_and_resets_are_rated(self, settings: Any, alice: User) -> None:
        rates = settings.ACCOUNT_RATE_LIMITS
        assert rates["signup"] == f"{settings.HUB.signups_per_hour}/h/ip"
        settings.ACCOUNT_RATE_LIMITS = {**rates, "signup": "2/h/ip"}
        found = [Client().post("/accounts/signup/", {}).status_code for _ in range(3)]
        assert found == [422, 422, 429]
        values = {"email": "alice@example.com"}
        resets = [Client().post("/accounts/password/reset/", values) for _ in range(4)]
        assert [answer.status_code for answer in resets] == [302, 302, 302, 429]
        values = {"email": "other@example.com"}
        resets = [Client().post("/accounts/password/reset/", values) for _ in range(3)]
        assert {answer.status_code for answer in resets} == {302}

    def test_links_and_passwords(self, settings: Any, client: Client) -> None:
        assert settings.PASSWORD_RESET_TIMEOUT == 3600
        assert settings.ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS == 1
        values = {"username": "carol", "email": "c@example.com", "password1": "zq8-lorem-x"}
        assert client.post("/accounts/signup/", values).status_code == 422

    def test_who_signs_in_elsewhere_gets_no_reset_link(self, alice: User, root: Client) -> None:
        SocialAccount.objects.create(user=alice, provider="github", uid="1")
        alice.set_unusable_password()
        alice.save()
        Client().post("/accounts/password/reset/", {"email": "alice@example.com"})
        mail = OutgoingMail.objects.get()
        assert "/password/reset/" not in mail.text
        assert "elsewhere" in mail.text
        page = root.post("/admin/people/alice/reset", follow=True)
        assert b"signs in elsewhere" in page.content
        assert OutgoingMail.objects.count() == 1

    def test_an_address_somebody_else_took_cannot_become_the_first(
        self, alice: User, browser: Client, person: Callable[..., User]
    ) -> None:
        EmailAddress.objects.create(user=alice, email=alice.email, primary=True, verified=True)
        EmailAddress.objects.create(user=alice, email="new@example.com", verified=True)
        bob = person("bob")
        User.objects.filter(pk=bob.pk).update(email="new@example.com")
        values = {"email": "new@example.com", "action_primary": ""}
        page = browser.post("/accounts/email/", values, follow=True)
        assert b"This address cannot be used." in page.content
        alice.refresh_from_db()
        assert alice.email == "alice@example.com"
        assert EmailAddress.objects.get(primary=True).email == "alice@example.com"
