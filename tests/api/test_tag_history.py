"""REST: where a tag has been, and putting it back."""

from __future__ import annotations

import pytest

from events.models import Event
from registry.models import Tag, TagMove
from repos.models import Repository
from tests.api.conftest import World
from tests.images import image
from tests.unit.registry.pushing import push

pytestmark = pytest.mark.django_db
PLACE = "repositories/acme/{}/tags/v1"


def moved(world: World, name: str = "app") -> tuple[str, str]:
    """Push `v1` anew; where it was and is."""
    repository = world.repositories[name]
    old = Tag.objects.get(repository=repository, name="v1").manifest.digest
    return old, push(repository, image("newer"), "v1").digest


def test_history_is_newest_first_and_goes_on_with_a_cursor(world: World) -> None:
    old, new = moved(world)
    page = world["nobody"]("GET", f"{PLACE.format('app')}/history?limit=1").json()
    (first,) = page["results"]
    assert (first["kind"], first["digest"], first["previous_digest"]) == ("push", new, old)
    assert (first["target"], first["client"]) == (new, "")
    rest = world["nobody"]("GET", page["next"].partition("/api/")[2]).json()
    assert [row["digest"] for row in rest["results"]] == [old]
    assert rest["next"] is None


def test_clients_are_told_to_those_who_push(world: World) -> None:
    moved(world)
    Event.objects.filter(kind="tag.moved").update(client="docker/27")
    address = f"{PLACE.format('app')}/history"
    for who, client in (("nobody", ""), ("reader", ""), ("writer", "docker/27")):
        assert {row["client"] for row in world[who]("GET", address).json()["results"]} == {client}


def test_a_rollback_answers_the_tag_and_tells_webhooks(world: World) -> None:
    old, new = moved(world)
    before = Event.objects.latest("pk").pk
    answer = world["writer"]("POST", f"{PLACE.format('app')}/rollback", {"digest": old})
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["digest"]) == ("v1", old)
    moves = Event.objects.filter(pk__gt=before, kind="tag.moved")
    event = moves.get()
    assert event.payload["previous_digest"] == new
    assert TagMove.objects.latest("pk").kind == "restore"
    again = world["writer"]("POST", f"{PLACE.format('app')}/rollback", {"digest": old})
    assert again.status_code == 200
    assert moves.count() == 1


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("nobody", 401),
        ("mallory", 403),
        ("reader", 403),
        ("pull token", 403),
        ("full token", 200),
        ("boss", 200),
    ],
)
def test_who_may(world: World, who: str, status: int) -> None:
    old, _ = moved(world)
    answer = world[who]("POST", f"{PLACE.format('app')}/rollback", {"digest": old})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"digest": f"sha256:{'0' * 64}"}, 404),
        ({"digest": "sha256:12"}, 400),
        ({"digest": "latest"}, 400),
        ({}, 400),
        ({"digest": f"sha256:{'0' * 64}", "force": True}, 400),
    ],
)
def test_what_makes_no_sense(world: World, body: dict[str, object], status: int) -> None:
    answer = world["writer"]("POST", f"{PLACE.format('app')}/rollback", body)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"


def test_an_immutable_tag_stays(world: World) -> None:
    old, new = moved(world)
    Repository.objects.update(immutable_tags=["v*"])
    answer = world["boss"]("POST", f"{PLACE.format('app')}/rollback", {"digest": old})
    assert answer.status_code == 409
    assert Tag.objects.get(repository=world.repositories["app"], name="v1").manifest.digest == new


@pytest.mark.parametrize("name", ["secret", "absent"])
def test_hidden_and_absent_answer_the_same(world: World, name: str) -> None:
    for method, tail in (("GET", "history"), ("POST", "rollback")):
        answers = [
            world["mallory"](method, f"repositories/acme/{place}/tags/{tag}/{tail}", {})
            for place, tag in ((name, "v1"), ("absent", "nope"))
        ]
        assert answers[0].status_code == 404
        assert answers[0].json() == answers[1].json()
    assert world["reader"]("GET", "repositories/acme/app/tags/nope/history").status_code == 404
