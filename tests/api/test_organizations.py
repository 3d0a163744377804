"""REST: organizations, teams and invitations beyond the contract's first routes."""

from __future__ import annotations

import re
from typing import Any

import pytest

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
from repos.models import Collaborator
from repos.services.invitations import invite as invite_to_repository
from tests.api.conftest import World

pytestmark = pytest.mark.django_db
ORG = "organizations/acme"
SECRET = re.compile(r"/invitations/(hubv_[0-9A-Za-z]{43})\n")
INVITE = {"email": "new@example.com"}
# Method, path below the organization, body; answers of owner, member, outsider, nobody.
TABLE = [
    ("PATCH", "", {"base_role": "read"}, 200, 403, 403, 401),
    ("DELETE", "", None, 409, 403, 403, 401),
    ("POST", "/transfer", {"username": "reader"}, 200, 403, 403, 401),
    ("GET", "/invitations", None, 200, 403, 403, 401),
    ("POST", "/invitations", INVITE, 201, 403, 403, 401),
    ("DELETE", "/invitations/1", None, 404, 403, 403, 401),
    ("GET", "/teams/dev", None, 200, 200, 404, 404),
    ("GET", "/teams/none", None, 404, 404, 404, 404),
    ("PATCH", "/teams/dev", {"description": "x"}, 200, 403, 403, 401),
    ("DELETE", "/teams/dev", None, 204, 403, 403, 401),
]


def secret() -> str:
    (found,) = SECRET.findall(OutgoingMail.objects.latest("pk").text)
    return found


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]} {row[1]}")
def test_who_may_do_what(world: World, row: Any) -> None:
    method, path, body, *answers = row
    for who, status in reversed(
        list(zip(("olga", "reader", "mallory", "nobody"), answers, strict=True))
    ):
        assert world[who](method, f"{ORG}{path}", body).status_code == status, who
    limited = world["full token"](method, f"{ORG}{path}", body)
    assert limited.status_code == 403
    assert limited.json()["code"] == "token_scope"


class TestOrganization:
    def test_switches_are_for_its_people(self, world: World) -> None:
        changed = world["olga"]("PATCH", ORG, {"members_create": True, "description": "Works"})
        assert changed.json()["settings"]["members_create"] is True
        assert world["reader"]("GET", ORG).json()["settings"]["base_role"] == ""
        for who in ("mallory", "nobody"):
            answer = world[who]("GET", ORG).json()
            assert (answer["settings"], answer["description"]) == (None, "Works")

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"public_allowed": False}, 409, "has_public"),
            ({"second_factor_required": True}, 409, "second_factor"),
            ({"base_role": "owner"}, 400, "invalid"),
            ({"name": "other"}, 400, "invalid"),
        ],
    )
    def test_refusals(self, world: World, body: Any, status: int, code: str) -> None:
        answer = world["olga"]("PATCH", ORG, body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)

    def test_deleting(self, world: World) -> None:
        refused = world["olga"]("DELETE", ORG).json()
        assert refused["code"] == "has_repositories"
        for name in ("app", "secret"):
            world["olga"]("DELETE", f"repositories/acme/{name}")
        assert world["olga"]("DELETE", ORG).status_code == 204
        assert world["olga"]("GET", ORG).status_code == 404
        taken = world["olga"]("POST", "organizations", {"name": "acme"})
        assert taken.status_code == 409
        assert not Organization.objects.filter(name="acme").exists()

    def test_not_made_before_the_address_is_confirmed(self, world: World) -> None:
        User.objects.filter(username="mallory").update(is_verified=False)
        answer = world["mallory"]("POST", "organizations", {"name": "mine"})
        assert (answer.status_code, answer.json()["code"]) == (403, "unverified")


class TestMembers:
    def test_handing_over(self, world: World) -> None:
        answer = world["olga"]("POST", f"{ORG}/transfer", {"username": "reader"})
        assert answer.json()["role"] == "owner"
        assert Membership.objects.get(user__username="olga").role == "member"
        refused = world["reader"]("POST", f"{ORG}/transfer", {"username": "mallory"})
        assert (refused.status_code, refused.json()["code"]) == (400, "not_member")

    def test_deactivated_ones_are_removed(self, world: World) -> None:
        User.objects.filter(username="reader").update(is_active=False)
        assert world["olga"]("DELETE", f"{ORG}/members/reader").status_code == 204
        assert not TeamMembership.objects.exists()

    def test_without_the_demanded_second_factor(self, world: World) -> None:
        Organization.objects.update(second_factor_required=True)
        for who, method, path, body in (
            ("reader", "GET", "/members", None),
            ("olga", "PUT", "/members/mallory", {"role": "member"}),
        ):
            answer = world[who](method, f"{ORG}{path}", body)
            assert (answer.status_code, answer.json()["code"]) == (403, "second_factor")
        assert world["reader"]("DELETE", f"{ORG}/members/reader").status_code == 204


class TestTeams:
    def test_one_is_made_changed_and_deleted(self, world: World) -> None:
        made = world["olga"]("POST", f"{ORG}/teams", {"name": "ops", "base_role": "write"})
        assert made.json()["base_role"] == "write"
        changed = world["olga"]("PATCH", f"{ORG}/teams/ops", {"name": "sre", "base_role": ""})
        assert (changed.json()["name"], changed.json()["base_role"]) == ("sre", "")
        assert world["olga"]("PATCH", f"{ORG}/teams/sre", {"name": "dev"}).status_code == 409
        assert world["reader"]("GET", f"{ORG}/teams/sre").status_code == 404
        assert world["olga"]("DELETE", f"{ORG}/teams/sre").status_code == 204
        assert Team.objects.get().name == "dev"


class TestInvitations:
    def test_from_the_list_to_the_membership(self, world: World) -> None:
        made = world["olga"]("POST", f"{ORG}/invitations", {**INVITE, "team": "dev"}).json()
        assert (made["email"], made["role"], made["team"]) == ("new@example.com", "member", "dev")
        assert "hubv_" not in str(made)
        (row,) = world["olga"]("GET", f"{ORG}/invitations").json()["results"]
        assert row == made
        accepted = world["mallory"]("POST", "invitations/accept", {"secret": secret()})
        assert accepted.json() == {"kind": "organization", "name": "acme", "role": "member"}
        assert TeamMembership.objects.filter(user__username="mallory").exists()
        again = world["mallory"]("POST", "invitations/accept", {"secret": secret()})
        assert (again.status_code, again.json()["code"]) == (404, "invitation_gone")

    def test_withdrawn(self, world: World) -> None:
        pk = world["olga"]("POST", f"{ORG}/invitations", INVITE).json()["id"]
        assert world["olga"]("DELETE", f"{ORG}/invitations/{pk}").status_code == 204
        assert not Invitation.objects.exists()

    def test_bad_bodies(self, world: World) -> None:
        for body, status in (
            ({"email": "nobody"}, 400),
            ({**INVITE, "role": "admin"}, 400),
            ({**INVITE, "team": "none"}, 404),
            ({}, 400),
        ):
            assert world["olga"]("POST", f"{ORG}/invitations", body).status_code == status
        assert not OutgoingMail.objects.exists()

    def test_to_a_repository(self, world: World) -> None:
        actor = principal_of(world.people["olga"]).actor
        invite_to_repository(world.repositories["secret"], "x@example.com", "read", inviter=actor)
        accepted = world["mallory"]("POST", "invitations/accept", {"secret": secret()})
        assert accepted.json()["name"] == "acme/secret"
        assert Collaborator.objects.filter(user__username="mallory", role="read").exists()

    def test_nobody_and_limited_tokens_do_not_accept(self, world: World) -> None:
        world["olga"]("POST", f"{ORG}/invitations", INVITE)
        for who, status in (("nobody", 401), ("pull token", 403)):
            answer = world[who]("POST", "invitations/accept", {"secret": secret()})
            assert answer.status_code == status
        assert Invitation.objects.exists()


def test_an_invitation_is_sent_again(world: World) -> None:
    path = "organizations/acme/invitations"
    row = world["olga"]("POST", path, {"email": "new@example.com"}).json()
    again = world["olga"]("POST", f"{path}/{row['id']}/resend")
    assert (again.status_code, again.json()["email"]) == (200, "new@example.com")
    assert again.json()["id"] == row["id"]
    assert OutgoingMail.objects.count() == 2
    assert world["reader"]("POST", f"{path}/{row['id']}/resend").status_code == 403
    assert world["olga"]("POST", f"{path}/999/resend").status_code == 404
