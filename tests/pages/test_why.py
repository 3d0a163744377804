"""The page behind a refusal, asking for access, and the answer on the people page."""

from __future__ import annotations

import pytest

from accounts.services.tokens import create_token
from events.dispatch import drain
from events.models import Event
from repos.models import AccessRequest, Collaborator
from tests.unit.repos.people import organization, person, repository

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(rung):
    owner, reader, stranger = person("olga"), person("rita"), person("eve")
    acme = organization("acme", owner)
    app = repository(acme.namespace, "app")
    Collaborator.objects.create(repository=app, user=reader, role="read")
    return owner, reader, stranger, app


def test_the_reader_sees_what_is_allowed_and_what_the_rest_needs(world, client):
    client.force_login(world[1])
    page = client.get("/acme/app/-/why").content.decode()
    assert "collaborator with the role read" in page
    assert "role_missing" in page
    assert "An administrator of acme can give it to you." in page
    assert "Ask for access" in page


def test_a_refused_page_leads_there(world, client):
    client.force_login(world[1])
    refused = client.get("/acme/app/-/settings")
    assert refused.status_code == 403
    assert 'href="/acme/app/-/why"' in refused.content.decode()
    entry = Event.objects.get(kind="access.denied")
    assert (entry.outcome, entry.payload) == ("role_missing", {"action": "administer"})


def test_what_ones_own_token_could_do(world, client):
    owner, _, _, _ = world
    token = create_token(owner, name="ci", scopes=["repository:acme/app:pull"]).row
    client.force_login(owner)
    page = client.get(f"/acme/app/-/why?token={token.pk}").content.decode()
    assert "repository:acme/app:pull" in page
    assert "token_scope" in page
    others = client.get("/acme/app/-/why?token=999999").content.decode()
    assert "token_scope" not in others


@pytest.mark.parametrize("who", [None, 2])
def test_it_tells_nothing_of_what_is_hidden(world, client, who):
    if who is not None:
        client.force_login(world[who])
    hidden, absent = client.get("/acme/app/-/why"), client.get("/acme/no/-/why")
    assert hidden.status_code == absent.status_code == 404
    text = hidden.content.decode().replace("acme/app", "acme/no")
    assert text == absent.content.decode()


def test_asking_from_the_page_that_finds_nothing_and_being_let_in(world, client):
    owner, _, stranger, app = world
    client.force_login(stranger)
    assert 'href="/acme/app/-/ask"' in client.get("/acme/app").content.decode()
    answers = [
        client.post(f"/acme/{name}/-/ask", {"role": "write", "message": "CI"}, follow=True)
        for name in ("app", "no")
    ]
    words = [str(next(iter(a.context["messages"]))) for a in answers]
    assert words[0] == words[1]
    drain()
    asked = AccessRequest.objects.get()
    client.force_login(owner)
    assert "asks for the role" in client.get("/acme/app/-/people").content.decode()
    client.post(f"/acme/app/-/people/requests/{asked.pk}", {"state": "granted", "role": "read"})
    assert Collaborator.objects.get(repository=app, user=stranger).role == "read"
    client.force_login(stranger)
    assert client.get("/acme/app").status_code == 200


def test_the_people_page_says_who_reaches_it_and_invites_an_address(world, client):
    client.force_login(world[0])
    page = client.get("/acme/app/-/people").content.decode()
    assert "owner of the organization" in page
    client.post("/acme/app/-/people/add", {"username": "new@example.com", "role": "read"})
    page = client.get("/acme/app/-/people").content.decode()
    assert "new@example.com" in page
    invitation = world[3].invitations.get()
    client.post(f"/acme/app/-/people/invitations/{invitation.pk}/withdraw")
    assert not world[3].invitations.exists()


def test_what_one_reaches(world, client):
    client.force_login(world[1])
    page = client.get("/settings/access").content.decode()
    assert "acme/app" in page
    assert "collaborator" in page


def test_every_code_is_explained(client):
    page = client.get("/help/reasons").content.decode()
    for code in ("role_missing", "token_scope", "second_factor", "not_found", "unverified"):
        assert f'id="{code}"' in page
