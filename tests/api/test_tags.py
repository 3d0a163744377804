"""REST: another name for an image, and deleted tags that come back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from core.errors import Denied
from events import dispatch
from events.models import Event
from registry import api
from registry.models import Tag, TagMove
from repos.models import Collaborator, Repository
from tests.api.conftest import World
from tests.images import image
from tests.unit.registry.pushing import push
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db
TAGS = "repositories/acme/app/tags"
DELETED = "repositories/acme/app/deleted-tags"
WHO = [
    ("nobody", 401),
    ("mallory", 403),
    ("reader", 403),
    ("pull token", 403),
    ("writer", 200),
    ("full token", 200),
    ("boss", 200),
]


def digest_of(world: World, name: str) -> str:
    return Tag.objects.get(repository=world.repositories["app"], name=name).manifest.digest


def delete(world: World, name: str = "v1") -> int:
    """Delete a tag as somebody who may; the id of that."""
    assert world["writer"]("DELETE", f"{TAGS}/{name}").status_code == 204
    return TagMove.objects.latest("pk").pk


# --- another name


@pytest.mark.parametrize("how", ["digest", "from"])
@pytest.mark.parametrize("tag", ["latest", "v2"], ids=["new", "moved"])
def test_a_tag_is_put_where_it_is_wanted_and_told_as_a_push(world, how, tag):
    wanted = digest_of(world, "v1")
    before = "" if tag == "latest" else digest_of(world, tag)
    start = Event.objects.latest("pk").pk
    Delivery.objects.all().delete()
    body = {"digest": wanted} if how == "digest" else {"from": "v1"}
    for _ in range(2):  # the second time there is nothing to do
        answer = world["writer"]("PUT", f"{TAGS}/{tag}", body)
        assert answer.status_code == 200
        assert (answer.json()["name"], answer.json()["digest"]) == (tag, wanted)
        assert answer.json() == world["reader"]("GET", f"{TAGS}/{tag}").json()
    event = Event.objects.get(pk__gt=start, kind="tag.moved")
    assert (event.payload["tag"], event.payload["digest"]) == (tag, wanted)
    assert event.payload["previous_digest"] == before
    assert event.actor_name == "writer"
    assert TagMove.objects.latest("pk").kind == "push"
    dispatch.drain()
    assert [row.event_id for row in Delivery.objects.all()] == [event.pk]


@pytest.mark.parametrize(("who", "status"), WHO)
def test_who_may_put_a_tag(world, who, status):
    answer = world[who]("PUT", f"{TAGS}/latest", {"from": "v1"})
    assert answer.status_code == status
    assert Tag.objects.filter(name="latest").exists() == (status == 200)
    assert ("reasons" in answer.json()) == (status in (401, 403))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"digest": f"sha256:{'0' * 64}"}, 404),
        ({"from": "nope"}, 404),
        ({"from": "not a tag"}, 404),
        ({"digest": "sha256:12"}, 400),
        ({"digest": "latest"}, 400),
        ({"from": ""}, 400),
        ({"from": "v\0"}, 400),
        ({"from": 7.5, "digest": None}, 400),
        ({"from": "v1", "digest": f"sha256:{'0' * 64}"}, 400),
        ({"from": "v1", "force": True}, 400),
        ({"from": "v1", "replace": "perhaps"}, 400),
        ({"replace": True}, 400),
        ({}, 400),
        ([], 400),
        ("{", 400),
    ],
    ids=str,
)
def test_what_is_no_place_for_a_tag(world, body, status):
    before = digest_of(world, "v2")
    answer = world["writer"]("PUT", f"{TAGS}/v2", body)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert digest_of(world, "v2") == before


def test_an_image_of_another_repository_is_not_here(world):
    other = push(world.repositories["secret"], image("only there"), "only").digest
    for who in ("writer", "olga"):
        answer = world[who]("PUT", f"{TAGS}/latest", {"digest": other})
        assert (answer.status_code, answer.json()["code"]) == (404, "manifest_unknown")


def test_a_tag_that_names_something_else_may_be_left_where_it_is(world):
    body = {"from": "v1", "replace": False}
    answer = world["writer"]("PUT", f"{TAGS}/v2", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "tag_taken")
    assert digest_of(world, "v2") != digest_of(world, "v1")
    assert world["writer"]("PUT", f"{TAGS}/v3", body).status_code == 200
    assert world["writer"]("PUT", f"{TAGS}/v3", body).status_code == 200


def test_an_immutable_tag_is_made_once_and_stays(world):
    Repository.objects.update(immutable_tags=["v*"])
    assert world["boss"]("PUT", f"{TAGS}/v3", {"from": "v1"}).status_code == 200
    assert world["boss"]("PUT", f"{TAGS}/v3", {"from": "v1"}).status_code == 200
    answer = world["boss"]("PUT", f"{TAGS}/v3", {"from": "v2"})
    assert answer.status_code == 409
    assert "immutable" in answer.json()["detail"]
    assert digest_of(world, "v3") == digest_of(world, "v1")


# --- deleted tags


def test_a_deleted_tag_is_listed_and_comes_back_once(world):
    digest = digest_of(world, "v1")
    assert world["writer"]("GET", DELETED).json() == {"results": [], "next": None}
    key = delete(world)
    (row,) = world["writer"]("GET", DELETED).json()["results"]
    assert set(row) == {
        *("id", "name", "digest", "media_type", "size_bytes"),
        *("deleted_at", "deleted_by", "keep_until", "current_digest"),
    }
    assert (row["id"], row["name"], row["digest"]) == (key, "v1", digest)
    assert (row["deleted_by"], row["current_digest"]) == ("writer", None)
    assert row["size_bytes"] > 0
    start = Event.objects.latest("pk").pk
    for _ in range(2):  # one that is back stays as it is
        back = world["writer"]("POST", f"{DELETED}/{key}/restore")
        assert back.status_code == 200
        assert (back.json()["name"], back.json()["digest"]) == ("v1", digest)
    assert Event.objects.filter(pk__gt=start, kind="tag.moved").count() == 1
    assert TagMove.objects.latest("pk").kind == "restore"
    assert world["writer"]("GET", DELETED).json()["results"] == []


def test_the_list_goes_on_with_a_cursor_and_is_of_this_repository(world):
    keys = [delete(world, name) for name in ("v1", "v2")]
    world["writer"]("DELETE", "repositories/acme/secret/tags/v1")
    page = world["boss"]("GET", f"{DELETED}?limit=1").json()
    assert [row["id"] for row in page["results"]] == keys[1:]
    rest = world["boss"]("GET", page["next"].partition("/api/")[2]).json()
    assert ([row["id"] for row in rest["results"]], rest["next"]) == (keys[:1], None)
    elsewhere = TagMove.objects.latest("pk").pk
    assert world["boss"]("POST", f"{DELETED}/{elsewhere}/restore").status_code == 404


@pytest.mark.parametrize(("who", "status"), WHO)
def test_who_may_restore(world, who, status):
    key = delete(world)
    listed = world[who]("GET", DELETED)
    answer = world[who]("POST", f"{DELETED}/{key}/restore", {})
    assert (listed.status_code, answer.status_code) == (status, status)
    assert Tag.objects.filter(repository=world.repositories["app"], name="v1").exists() == (
        status == 200
    )
    assert ("reasons" in answer.json()) == (status in (401, 403))


def test_a_name_that_means_something_else_by_now_is_kept_unless_said(world):
    old = digest_of(world, "v1")
    key = delete(world)
    new = push(world.repositories["app"], image("newer"), "v1").digest
    (row,) = world["writer"]("GET", DELETED).json()["results"]
    assert row["current_digest"] == new
    for body in (None, {"replace": False}):
        answer = world["writer"]("POST", f"{DELETED}/{key}/restore", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "tag_taken")
    assert digest_of(world, "v1") == new
    Repository.objects.update(immutable_tags=["v*"])
    held = world["boss"]("POST", f"{DELETED}/{key}/restore", {"replace": True})
    assert (held.status_code, digest_of(world, "v1")) == (409, new)
    Repository.objects.update(immutable_tags=[])
    answer = world["writer"]("POST", f"{DELETED}/{key}/restore", {"replace": True})
    assert (answer.status_code, digest_of(world, "v1")) == (200, old)


@pytest.mark.parametrize("key", ["0", "999999", str(2**63), str(10**30)])
def test_a_deletion_that_is_not_there(world, key):
    assert world["boss"]("POST", f"{DELETED}/{key}/restore").status_code == 404


@pytest.mark.parametrize("body", [{"replace": None}, {"tag": "v1"}, [], "{"], ids=str)
def test_what_makes_no_sense_restores_nothing(world, body):
    key = delete(world)
    assert world["boss"]("POST", f"{DELETED}/{key}/restore", body).status_code == 400
    assert not Tag.objects.filter(repository=world.repositories["app"], name="v1").exists()


def test_it_can_be_too_late(world):
    key = delete(world)
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        assert world["boss"]("GET", DELETED).json()["results"] == []
        assert world["boss"]("POST", f"{DELETED}/{key}/restore").status_code == 404


# --- both


@pytest.mark.parametrize("name", ["secret", "absent"])
def test_hidden_and_absent_answer_the_same(world, name):
    for method, tail in (
        ("PUT", "tags/latest"),
        ("GET", "deleted-tags"),
        ("POST", "deleted-tags/1/restore"),
    ):
        answers = [
            world["mallory"](method, f"repositories/acme/{place}/{tail}", {"from": "v1"})
            for place in (name, "nowhere")
        ]
        assert answers[0].status_code == 404
        assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("service", ["retag", "undo_deletions"])
def test_a_role_that_goes_meanwhile_counts(world, monkeypatch, service):
    """Between the first decision and the transaction that commits."""
    real: Any = getattr(api, service)

    def late(*given: Any, **named: Any) -> Any:
        Collaborator.objects.filter(user=world.people["writer"]).delete()
        with pytest.raises(Denied):
            return real(*given, **named)
        raise Denied("It was refused.")

    key = delete(world)
    monkeypatch.setattr(api, service, late)
    if service == "retag":
        answer = world["writer"]("PUT", f"{TAGS}/latest", {"from": "v2"})
    else:
        answer = world["writer"]("POST", f"{DELETED}/{key}/restore")
    assert (answer.status_code, answer.json()["detail"]) == (403, "It was refused.")
    assert not Tag.objects.filter(name__in=["latest", "v1"], repository__name="app").exists()
