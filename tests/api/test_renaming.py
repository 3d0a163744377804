"""REST: other names, and what former ones answer."""

from __future__ import annotations

import pytest

from accounts.models import NamespaceAlias
from repos.models import Alias, Repository

pytestmark = pytest.mark.django_db


def test_a_repository_is_renamed_and_read_under_both_names(as_alice, app):
    made = as_alice("POST", "repositories/alice/app/rename", {"name": "team/web"})
    assert (made.status_code, made.json()["path"]) == (200, "alice/team/web")
    for path in ("alice/app", "alice/team/web"):
        assert as_alice("GET", f"repositories/{path}").json()["path"] == "alice/team/web"
        assert as_alice("GET", f"repositories/{path}/tags").status_code == 200
    for method, path, body in [
        ("PATCH", "repositories/alice/app", {"description": "x"}),
        ("DELETE", "repositories/alice/app", None),
        ("PUT", "repositories/alice/app/star", None),
        ("POST", "repositories/alice/app/rename", {"name": "x"}),
    ]:
        refused = as_alice(method, path, body)
        assert (refused.status_code, refused.json()["code"]) == (409, "moved"), path
        assert refused.json()["detail"] == "alice/app is now alice/team/web; use that name."
    listed = as_alice("GET", "repositories/alice/team/web/aliases").json()["results"]
    assert [row["path"] for row in listed] == ["alice/app"]
    gone = as_alice("DELETE", f"repositories/alice/team/web/aliases/{listed[0]['id']}")
    assert gone.status_code == 204
    assert as_alice("GET", "repositories/alice/app").status_code == 404
    again = as_alice("DELETE", f"repositories/alice/team/web/aliases/{listed[0]['id']}")
    assert again.status_code == 404


def test_a_bad_or_taken_name_is_refused(as_alice, app):
    made = as_alice("POST", "repositories", {"namespace": "alice", "name": "web"})
    assert made.status_code == 201
    taken = as_alice("POST", "repositories/alice/app/rename", {"name": "web"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    bad = as_alice("POST", "repositories/alice/app/rename", {"name": "Web"})
    assert (bad.status_code, bad.json()["code"]) == (400, "name_invalid")
    assert as_alice("POST", "repositories/alice/app/rename", {}).status_code == 400


CHANGES = [
    ("POST", "rename", {"name": "x"}),
    ("POST", "transfer", {"namespace": "mallory"}),
    ("DELETE", "aliases/1", None),
    ("GET", "aliases", None),
]


@pytest.mark.parametrize(("method", "tail", "body"), CHANGES)
@pytest.mark.parametrize("who", ["nobody", "mallory", "reader", "writer", "boss", "full token"])
def test_who_is_refused(world, who, method, tail, body):
    public = world[who](method, f"repositories/acme/app/{tail}", body)
    expected = 401 if who == "nobody" else 403
    if who == "boss" and tail == "aliases":
        expected = 200
    assert public.status_code == expected
    hidden = world[who](method, f"repositories/acme/secret/{tail}", body)
    assert hidden.status_code == (404 if who in ("nobody", "mallory") else expected)
    absent = world[who](method, f"repositories/acme/absent/{tail}", body)
    assert absent.status_code == 404


def test_a_transfer(world):
    olga = world["olga"]
    refused = olga("POST", "repositories/acme/app/transfer", {"namespace": "mallory"})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_yours")
    absent = olga("POST", "repositories/acme/app/transfer", {"namespace": "nobody-there"})
    assert absent.status_code == 403
    moved = olga("POST", "repositories/acme/app/transfer", {"namespace": "olga"})
    assert (moved.status_code, moved.json()["path"]) == (200, "olga/app")
    taken = olga("POST", "repositories", {"namespace": "acme", "name": "app"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    assert world["nobody"]("GET", "repositories/acme/app").json()["path"] == "olga/app"


def test_an_organization_is_renamed_by_its_owners(world):
    body = {"name": "corp"}
    assert world["nobody"]("POST", "organizations/acme/rename", body).status_code == 401
    for who in ("mallory", "reader", "boss", "full token"):
        assert world[who]("POST", "organizations/acme/rename", body).status_code == 403, who
    absent = world["olga"]("POST", "organizations/nobody-there/rename", body)
    assert absent.status_code == 404
    taken = world["olga"]("POST", "organizations/acme/rename", {"name": "mallory"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    done = world["olga"]("POST", "organizations/acme/rename", body)
    assert (done.status_code, done.json()["name"]) == (200, "corp")
    assert world["olga"]("GET", "organizations/acme").json()["name"] == "corp"
    assert world["reader"]("GET", "repositories/acme/secret").json()["path"] == "corp/secret"
    assert world["mallory"]("GET", "repositories/acme/secret").status_code == 404
    # The scopes of tokens follow.
    assert world["pull token"]("GET", "repositories/corp/secret").status_code == 200


def test_a_person_renames_themselves(as_alice, app, call_as, alice):
    done = as_alice("POST", "user/rename", {"username": "alicia"})
    assert (done.status_code, done.json()) == (200, {"username": "alicia"})
    assert as_alice("GET", "user").json()["username"] == "alicia"
    assert Repository.objects.get().path == "alicia/app"
    assert NamespaceAlias.objects.get().old_name == "alice"
    refused = as_alice("POST", "user/rename", {"username": "library"})
    assert (refused.status_code, refused.json()["code"]) == (400, "name_reserved")
    limited = call_as(alice, "repository:*:*")
    assert limited("POST", "user/rename", {"username": "ali"}).status_code == 403
    assert not Alias.objects.exists()
