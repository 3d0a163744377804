"""Organizations on the pages: who sees what, and what the buttons do."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import (
    Invitation,
    Membership,
    Organization,
    OutgoingMail,
    Team,
    TeamMembership,
    User,
)
from accounts.services.credentials import principal_of
from accounts.services.organizations import create_organization, set_member
from accounts.services.teams import add_to_team, create_team
from repos.models import Collaborator, TeamGrant
from repos.services.invitations import invite as invite_to_repository
from repos.services.repositories import create_repository

pytestmark = pytest.mark.django_db
PEOPLE = "/acme/-/people"
SECRET = re.compile(r"/invitations/(hubv_[0-9A-Za-z]{43})\n")


@pytest.fixture
def by(alice: User) -> Any:
    return principal_of(alice).actor


@pytest.fixture
def acme(alice: User, by: Any, person: Callable[..., User]) -> Organization:
    """`alice` owns it, `bob` is a member in the team `crew`; `testers` is empty."""
    made = create_organization(alice, name="acme", display_name="Acme Works")
    bob = person("bob")
    set_member(made, bob, "member", actor=by)
    add_to_team(create_team(made, "crew", actor=by), bob, actor=by)
    create_team(made, "testers", actor=by)
    person("mallory")
    return made


@pytest.fixture
def as_(signed_in: Callable[..., Client]) -> Callable[[str], Client]:
    def make(name: str) -> Client:
        return signed_in(User.objects.get(username=name) if name else None)

    return make


def text_of(response: Any) -> str:
    """The page, without what differs from one answer to the next."""
    return re.sub(r'(csrf\w+" value|X-CSRFToken": )"[^"]*"', r"\1", response.content.decode())


def secret() -> str:
    (found,) = SECRET.findall(OutgoingMail.objects.latest("pk").text)
    return found


READ = [PEOPLE, "/acme/-/teams", "/acme/-/teams/crew"]
OWNERS_READ = [
    *("/acme/-/settings", "/acme/-/teams/new", f"{PEOPLE}/bob/remove"),
    *("/acme/-/teams/crew/delete", "/acme/-/teams/crew/people/bob/remove"),
]
OWNERS_POST = [
    *("/acme/-/settings", "/acme/-/transfer", "/acme/-/delete", f"{PEOPLE}/add"),
    *(f"{PEOPLE}/change", f"{PEOPLE}/bob/remove", "/acme/-/invitations/1/resend"),
    *("/acme/-/invitations/1/withdraw", "/acme/-/teams/new", "/acme/-/teams/crew"),
    *("/acme/-/teams/crew/delete", "/acme/-/teams/crew/add", "/acme/-/teams/crew/grant"),
    *("/acme/-/teams/crew/people/bob/remove", "/acme/-/teams/crew/revoke"),
]


class TestWhoSeesWhat:
    @pytest.mark.parametrize(
        ("who", "read", "owners"),
        [("alice", 200, 200), ("bob", 200, 403), ("mallory", 404, 404), ("", 404, 302)],
    )
    def test_pages(self, acme: Any, as_: Any, who: str, read: int, owners: int) -> None:
        client = as_(who)
        assert {path: client.get(path).status_code for path in READ} == dict.fromkeys(READ, read)
        assert {path: client.get(path).status_code for path in OWNERS_READ} == dict.fromkeys(
            OWNERS_READ, owners
        )

    @pytest.mark.parametrize(("who", "status"), [("bob", 403), ("mallory", 404), ("", 302)])
    def test_acts(self, acme: Any, as_: Any, who: str, status: int) -> None:
        client = as_(who)
        answers = {path: client.post(path, {"confirm": "acme"}).status_code for path in OWNERS_POST}
        assert answers == dict.fromkeys(OWNERS_POST, status)
        assert Membership.objects.count() == 2
        assert Team.objects.count() == 2

    def test_from_outside_it_looks_as_if_it_had_no_inside(self, acme: Any, as_: Any) -> None:
        client = as_("mallory")
        absent = text_of(client.get("/nobody/-/people")).replace("nobody", "acme")
        assert text_of(client.get(PEOPLE)) == absent
        page = text_of(client.get("/acme"))
        for hidden in ("/-/people", "/-/teams", "/-/settings", "/-/robots", "bob"):
            assert hidden not in page

    def test_tabs_of_each(self, acme: Any, as_: Any) -> None:
        owner, member = text_of(as_("alice").get("/acme")), text_of(as_("bob").get("/acme"))
        for path in ("people", "teams", "robots", "audit", "settings"):
            assert f"/acme/-/{path}" in owner
            assert (f"/acme/-/{path}" in member) == (path in ("people", "teams"))

    def test_members_see_their_own_teams_only(self, acme: Any, as_: Any) -> None:
        client = as_("bob")
        page = text_of(client.get("/acme/-/teams"))
        assert "crew" in page
        assert "testers" not in page
        assert client.get("/acme/-/teams/testers").status_code == 404
        assert "testers" in text_of(as_("alice").get("/acme/-/teams"))

    def test_a_person_has_no_such_pages(self, acme: Any, as_: Any) -> None:
        for page in ("people", "teams", "settings"):
            assert as_("alice").get(f"/alice/-/{page}").status_code == 404

    def test_without_the_demanded_second_factor_it_is_closed(self, acme: Any, as_: Any) -> None:
        Organization.objects.update(second_factor_required=True)
        for who in ("alice", "bob"):
            assert as_(who).get(PEOPLE).status_code == 403
        assert "asks its people for a second factor" in text_of(as_("bob").get("/acme"))
        assert as_("bob").post("/acme/-/leave").status_code == 302
        assert not Membership.objects.filter(user__username="bob").exists()

    def test_a_fixed_number_of_queries(
        self, acme: Any, as_: Any, by: Any, person: Any, django_assert_max_num_queries: Any
    ) -> None:
        for n in range(12):
            user = person(f"more{n}")
            set_member(acme, user, "member", actor=by)
            add_to_team(create_team(acme, f"t{n}", actor=by), user, actor=by)
        for who, limit in (("alice", 16), ("bob", 12)):
            for path in READ:
                client = as_(who)
                with django_assert_max_num_queries(limit):
                    assert client.get(path).status_code == 200


class TestMaking:
    def test_one(self, browser: Client, alice: User) -> None:
        assert "/organizations/new" in text_of(browser.get("/"))
        assert browser.get("/organizations/new").status_code == 200
        values = {"name": "acme", "display_name": "Acme", "description": "Works"}
        response = browser.post("/organizations/new", values)
        assert response["Location"] == PEOPLE
        assert Membership.objects.get().role == "owner"
        for name in ("acme", "alice", "Bad Name", "organizations", ""):
            assert browser.post("/organizations/new", {"name": name}).status_code == 422

    def test_not_before_the_address_is_confirmed(self, browser: Client, alice: User) -> None:
        User.objects.update(is_verified=False)
        assert browser.post("/organizations/new", {"name": "acme"}).status_code == 403
        assert not Organization.objects.exists()

    def test_nobody_signs_in_first(self) -> None:
        assert "/login" in Client().get("/organizations/new")["Location"]


class TestPeople:
    def test_by_name_they_are_in_at_once(self, browser: Client, acme: Any) -> None:
        browser.post(f"{PEOPLE}/add", {"who": "mallory", "role": "member", "team": "crew"})
        assert TeamMembership.objects.filter(user__username="mallory").exists()
        for who in ("nobody-here", "", "not@address"):
            response = browser.post(f"{PEOPLE}/add", {"who": who, "role": "member"})
            assert response.status_code == 422
        assert Membership.objects.count() == 3

    def test_by_mail_they_are_invited_again_and_not_any_more(
        self, browser: Client, acme: Any
    ) -> None:
        values = {"who": "Mallory@example.com", "role": "owner", "team": ""}
        assert browser.post(f"{PEOPLE}/add", values).status_code == 302
        row, first = Invitation.objects.get(), secret()
        assert "mallory@example.com" in text_of(browser.get(PEOPLE))
        browser.post(f"/acme/-/invitations/{row.pk}/resend")
        assert secret() != first
        browser.post(f"/acme/-/invitations/{row.pk}/withdraw")
        assert not Invitation.objects.exists()
        assert browser.post(f"/acme/-/invitations/{row.pk}/resend").status_code == 404

    def test_another_role(self, browser: Client, acme: Any) -> None:
        values = {"who": "bob", "role": "owner"}
        assert browser.post(f"{PEOPLE}/change", values).status_code == 302
        part = browser.post(f"{PEOPLE}/change", values, headers={"HX-Request": "true"})
        assert "Saved" in text_of(part)
        assert "<h1" not in text_of(part)
        down = {"who": "alice", "role": "member"}
        response = browser.post(f"{PEOPLE}/change", down, headers={"HX-Request": "true"})
        assert response["HX-Redirect"] == PEOPLE
        assert browser.post(f"{PEOPLE}/change", {"who": "x", "role": "boss"}).status_code == 403

    def test_the_last_owner_stays(self, browser: Client, acme: Any) -> None:
        down = {"who": "alice", "role": "member"}
        browser.post(f"{PEOPLE}/change", down)
        assert "needs an owner" in text_of(browser.get(PEOPLE))
        assert "last active owner" in text_of(browser.get("/acme/-/leave"))
        assert browser.post("/acme/-/leave").status_code == 409
        assert Membership.objects.get(user__username="alice").role == "owner"

    def test_removing_says_what_is_lost(self, browser: Client, acme: Any) -> None:
        User.objects.filter(username="bob").update(is_active=False)
        Organization.objects.update(base_role="read")
        page = text_of(browser.get(f"{PEOPLE}/bob/remove"))
        for lost in ("crew", "The role read"):
            assert lost in page
        assert browser.post(f"{PEOPLE}/bob/remove")["Location"] == PEOPLE
        assert not Membership.objects.filter(user__username="bob").exists()
        assert browser.get(f"{PEOPLE}/bob/remove").status_code == 404

    def test_leaving(self, acme: Any, as_: Any) -> None:
        client = as_("bob")
        assert client.get("/acme/-/leave").status_code == 200
        assert client.post("/acme/-/leave")["Location"] == "/acme"
        assert client.get("/acme/-/leave").status_code == 404
        assert as_("").get("/acme/-/leave").status_code == 404

    def test_owners_see_who_has_a_second_factor_and_was_active(
        self, browser: Client, acme: Any, as_: Any
    ) -> None:
        User.objects.filter(username="bob").update(second_factor=True)
        page = text_of(browser.get(PEOPLE))
        assert "Second factor" in page
        assert "missing" in page
        assert "Last active here" in page
        assert "Second factor" not in text_of(as_("bob").get(PEOPLE))


class TestSettings:
    FULL = {"display_name": "A", "description": "", "base_role": "read", "public_allowed": "on"}

    def test_switches(self, browser: Client, acme: Any) -> None:
        assert browser.get("/acme/-/settings").status_code == 200
        assert browser.post("/acme/-/settings", self.FULL).status_code == 302
        acme.refresh_from_db()
        assert (acme.base_role, acme.display_name, acme.members_create) == ("read", "A", False)

    def test_refusals_stand_at_their_switch(self, browser: Client, acme: Any, by: Any) -> None:
        create_repository(acme.namespace, "app", actor=by, visibility="public")
        for values, words in (
            ({"public_allowed": ""}, "public repositories: 1"),
            ({"public_allowed": "", "default_public": "on"}, "by default"),
            ({"second_factor_required": "on"}, "shut yourself out"),
        ):
            response = browser.post("/acme/-/settings", {**self.FULL, **values})
            assert response.status_code == 422
            assert words in text_of(response)

    def test_handing_over(self, browser: Client, acme: Any) -> None:
        wrong = browser.post("/acme/-/transfer", {"to": "bob", "confirm": "other"})
        assert wrong.status_code == 422
        assert (
            browser.post("/acme/-/transfer", {"to": "mallory", "confirm": "acme"}).status_code
            == 422
        )
        User.objects.filter(username="bob").update(is_verified=False)
        refused = browser.post("/acme/-/transfer", {"to": "bob", "confirm": "acme"})
        assert refused.status_code == 422
        User.objects.filter(username="bob").update(is_verified=True)
        browser.post("/acme/-/transfer", {"to": "bob", "confirm": "acme"})
        roles = dict(Membership.objects.values_list("user__username", "role"))
        assert roles == {"alice": "member", "bob": "owner"}

    def test_deleting_asks_for_the_name_and_for_no_repositories(
        self, browser: Client, acme: Any, by: Any
    ) -> None:
        row = create_repository(acme.namespace, "app", actor=by)
        browser.post("/acme/-/delete", {"confirm": "acme"})
        assert "still has repositories" in text_of(browser.get("/acme/-/settings"))
        row.delete()
        browser.post("/acme/-/delete", {"confirm": "acm"})
        assert Organization.objects.exists()
        assert browser.post("/acme/-/delete", {"confirm": "acme"})["Location"] == "/"
        assert browser.get("/acme").status_code == 404

    def test_big_steps_need_a_recent_sign_in(self, browser: Client, acme: Any, alice: User) -> None:
        with time_machine.travel(timezone.now() + timedelta(hours=1)):
            browser.post("/acme/-/delete", {"confirm": "acme"})
            browser.post("/acme/-/transfer", {"to": "bob", "confirm": "acme"})
        assert Membership.objects.get(user=alice).role == "owner"


class TestTeams:
    def test_making_changing_and_deleting_one(self, browser: Client, acme: Any) -> None:
        values = {"name": "ops", "description": "On call", "base_role": "write"}
        assert browser.post("/acme/-/teams/new", values)["Location"] == "/acme/-/teams/ops"
        for name in ("ops", "No", "new"):
            assert browser.post("/acme/-/teams/new", {"name": name}).status_code == 422
        response = browser.post("/acme/-/teams/ops", {**values, "name": "sre"})
        assert response["Location"] == "/acme/-/teams/sre"
        assert browser.post("/acme/-/teams/sre", {"name": "crew"}).status_code == 422
        assert "On call" in text_of(browser.get("/acme/-/teams/sre"))
        browser.post("/acme/-/teams/sre/delete")
        assert browser.get("/acme/-/teams/sre").status_code == 404

    def test_its_people(self, browser: Client, acme: Any) -> None:
        assert browser.post("/acme/-/teams/testers/add", {"username": "bob"}).status_code == 302
        for name in ("mallory", "nobody-here", ""):
            response = browser.post("/acme/-/teams/testers/add", {"username": name})
            assert response.status_code == 422
        assert browser.post("/acme/-/teams/testers/people/bob/remove").status_code == 302
        for act in (browser.get, browser.post):
            assert act("/acme/-/teams/testers/people/bob/remove").status_code == 404

    def test_its_repositories(self, browser: Client, acme: Any, by: Any, as_: Any) -> None:
        create_repository(acme.namespace, "app", actor=by)
        for path in ("app", "acme/app"):
            values = {"repository": path, "role": "write"}
            assert browser.post("/acme/-/teams/crew/grant", values).status_code == 302
        assert TeamGrant.objects.get().role == "write"
        assert "acme/app" in text_of(as_("bob").get("/acme/-/teams/crew"))
        bad = browser.post("/acme/-/teams/crew/grant", {"repository": "none", "role": "read"})
        assert bad.status_code == 422
        for page in (
            "/acme/-/teams/crew/revoke?repository=acme/app",
            "/acme/-/teams/crew/people/bob/remove",
            "/acme/-/teams/crew/delete",
            f"{PEOPLE}/bob/remove",
        ):
            assert "acme/app" in text_of(browser.get(page)), page
        assert browser.get("/acme/-/teams/crew/revoke").status_code == 400
        browser.post("/acme/-/teams/crew/revoke", {"repository": "acme/app"})
        assert not TeamGrant.objects.exists()


class TestInvitations:
    @pytest.fixture
    def link(self, browser: Client, acme: Any) -> str:
        browser.post(
            f"{PEOPLE}/add", {"who": "mallory@example.com", "role": "member", "team": "crew"}
        )
        return f"/invitations/{secret()}"

    def test_without_an_account(self, link: str) -> None:
        response = Client().get(link)
        page = text_of(response)
        assert response.status_code == 200
        assert "alice invites you" in page
        assert f"/accounts/signup/?next={link.replace('/', '%2F')}" in page
        assert response["Referrer-Policy"] == "strict-origin"
        assert response["Cache-Control"] == "no-store"
        assert "/login" in Client().post(link, {"answer": "accept"})["Location"]
        assert Invitation.objects.exists()

    def test_accepting(self, link: str, as_: Any) -> None:
        client = as_("mallory")
        assert "which is not the address" not in text_of(client.get(link))
        assert client.post(link, {"answer": "accept"})["Location"] == "/acme"
        assert TeamMembership.objects.filter(user__username="mallory").exists()
        again = client.get(link)
        assert again.status_code == 404
        assert again["Referrer-Policy"] == "strict-origin"
        assert client.post(link, {"answer": "accept"}).status_code == 404

    def test_refusing(self, link: str, as_: Any) -> None:
        client = as_("mallory")
        assert client.post(link, {"answer": "perhaps"}).status_code == 422
        assert client.post(link, {"answer": "refuse"})["Location"] == "/"
        assert not Invitation.objects.exists()
        assert not Membership.objects.filter(user__username="mallory").exists()

    def test_another_address_is_asked_about(self, link: str, as_: Any, person: Any) -> None:
        person("carol")
        client = as_("carol")
        assert "which is not the address" in text_of(client.get(link))
        assert client.post(link, {"answer": "accept"}).status_code == 422
        assert client.post(link, {"answer": "accept", "confirm": "on"}).status_code == 302
        assert Membership.objects.filter(user__username="carol").exists()

    def test_not_before_the_address_is_confirmed(self, link: str, as_: Any) -> None:
        User.objects.filter(username="mallory").update(is_verified=False)
        client = as_("mallory")
        assert "Confirm your email" in text_of(client.get(link))
        assert client.post(link, {"answer": "accept"}).status_code == 422
        assert Invitation.objects.exists()

    def test_to_a_repository(self, repository: Any, by: Any, person: Any, as_: Any) -> None:
        person("carol")
        invite_to_repository(repository, "carol@example.com", "write", inviter=by)
        link = f"/invitations/{secret()}"
        assert "alice/app" in text_of(as_("carol").get(link))
        assert as_("carol").post(link, {"answer": "accept"})["Location"] == "/alice/app"
        assert Collaborator.objects.get(user__username="carol").role == "write"

    @pytest.mark.parametrize("made_up", ["hubv_" + "0" * 43, "x", "0" * 200])
    def test_a_made_up_secret_opens_nothing(self, made_up: str) -> None:
        assert Client().get(f"/invitations/{made_up}").status_code == 404


class TestShared:
    def test_home_and_explore_tell_ones_own_from_what_is_shared(
        self, acme: Any, by: Any, as_: Any
    ) -> None:
        create_repository(acme.namespace, "app", actor=by)
        bob = User.objects.get(username="bob")
        create_repository(bob.namespace, "own", actor=principal_of(bob).actor)
        Organization.objects.update(base_role="read")
        client = as_("bob")
        for path, shown in (
            ("/", {"acme/app", "bob/own"}),
            ("/?mine=shared", {"acme/app"}),
            ("/?mine=own", {"bob/own"}),
            ("/?mine=nonsense", {"acme/app", "bob/own"}),
            ("/explore?show=shared", {"acme/app"}),
            ("/explore?show=mine", {"acme/app", "bob/own"}),
        ):
            page = text_of(client.get(path))
            found = {
                p for p in ("acme/app", "bob/own") if f'<h2><a class="name" href="/{p}"' in page
            }
            assert found == shown, path
        empty = as_("mallory").get("/?mine=shared")
        assert "Nothing is shared with you" in text_of(empty)
