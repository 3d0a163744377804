"""REST: who reaches what, asking for access, and what a refusal says."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from events.dispatch import drain
from repos.models import Collaborator
from tests.unit.repos.people import organization, person, repository

pytestmark = pytest.mark.django_db
APP = "/api/repositories/acme/app"


@pytest.fixture
def world(rung):
    owner, reader, stranger = person("olga"), person("rita"), person("eve")
    acme = organization("acme", owner)
    app = repository(acme.namespace, "app")
    Collaborator.objects.create(repository=app, user=reader, role="read")
    return owner, reader, stranger, app


def as_(user):
    client = APIClient()
    client.force_login(user)
    return client


def test_administrators_see_everybody_and_through_what(world):
    rows = as_(world[0]).get(f"{APP}/access").json()["results"]
    assert [(r["name"], r["kind"], r["role"]) for r in rows] == [
        ("olga", "person", "admin"),
        ("rita", "person", "read"),
    ]
    assert rows[1]["through"] == [{"role": "read", "text": "collaborator"}]
    assert as_(world[1]).get(f"{APP}/access").status_code == 403
    assert as_(world[2]).get(f"{APP}/access").status_code == 404


def test_what_the_caller_reaches(world):
    rows = as_(world[1]).get("/api/user/access").json()["results"]
    assert [(r["repository"], r["role"]) for r in rows] == [("acme/app", "read")]


def test_asking_tells_nothing_and_granting_counts(world):
    owner, _, stranger, _ = world
    for path in (APP, "/api/repositories/acme/none", "/api/repositories/no/none"):
        answer = as_(stranger).post(f"{path}/access-requests", {"role": "read"}, format="json")
        assert (answer.status_code, answer.content) == (204, b"")
    drain()
    (row,) = as_(owner).get(f"{APP}/access-requests").json()["results"]
    assert (row["username"], row["state"]) == ("eve", "open")
    done = as_(owner).post(
        f"{APP}/access-requests/{row['id']}", {"state": "granted"}, format="json"
    )
    assert done.json()["state"] == "granted"
    assert as_(stranger).get(APP).status_code == 200
    again = as_(owner).post(
        f"{APP}/access-requests/{row['id']}", {"state": "refused"}, format="json"
    )
    assert again.status_code == 409


@pytest.mark.parametrize("body", [{}, {"role": "owner"}, {"role": "read", "state": "granted"}])
def test_bad_requests(world, body):
    answer = as_(world[2]).post(f"{APP}/access-requests", body, format="json")
    assert answer.status_code == 400


def test_a_refusal_names_its_code_and_the_page_that_explains_it(world):
    problem = as_(world[1]).patch(APP, {"description": "x"}, format="json").json()
    assert problem["code"] == "role_missing"
    assert problem["type"].endswith("/help/reasons#role_missing")
    assert "admin" in problem["detail"]
    assert "collaborator with the role read" in problem["reasons"]
