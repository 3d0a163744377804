"""REST: watching, notices, and what is new of comments."""

from __future__ import annotations

import pytest

from events import dispatch
from notices.models import Notice, Watch
from tests.api.conftest import World

pytestmark = pytest.mark.django_db
APP, SECRET = "repositories/acme/app", "repositories/acme/secret"


def test_a_watch_is_set_read_and_taken_away(world: World) -> None:
    reader = world["reader"]
    path = f"{APP}/watch"
    assert reader("GET", path).json() == {"level": None, "watchers": 0}
    assert reader("PUT", path, {"level": "tags"}).json() == {"level": "tags", "watchers": 1}
    world["writer"]("PUT", path, {"level": "none"})
    assert reader("PUT", path, {"level": "everything"}).json() == {
        "level": "everything",
        "watchers": 1,
    }
    assert reader("DELETE", path).status_code == 204
    assert reader("DELETE", path).status_code == 204
    assert list(Watch.objects.values_list("level", flat=True)) == ["none"]


@pytest.mark.parametrize(
    ("who", "repository", "status"),
    [
        ("nobody", APP, 401),
        ("nobody", SECRET, 404),
        ("mallory", APP, 200),
        ("mallory", SECRET, 404),
        ("reader", SECRET, 200),
        ("pull token", APP, 403),
    ],
)
def test_who_may_watch(world: World, who: str, repository: str, status: int) -> None:
    answer = world[who]("PUT", f"{repository}/watch", {"level": "tags"})
    assert answer.status_code == status
    assert Watch.objects.exists() == (status == 200)


@pytest.mark.parametrize("body", [{}, {"level": "often"}, {"level": ""}, {"level": "tags", "x": 1}])
def test_a_level_is_one_of_three(world: World, body: dict[str, str]) -> None:
    assert world["reader"]("PUT", f"{APP}/watch", body).status_code == 400


def test_notices_are_listed_and_read(world: World) -> None:
    reader = world["reader"]
    for words in ("@reader one", "@reader two", "@reader three"):
        world["olga"]("POST", f"{SECRET}/comments", {"body": words})
    dispatch.drain()
    first = reader("GET", "user/notices?limit=2").json()
    assert [row["text"] for row in first["results"]] == [
        "olga mentions you in a comment on acme/secret"
    ] * 2
    row = first["results"][0]
    assert (row["kind"], row["repository"], row["actor"], row["times"]) == (
        *("mention", "acme/secret", "olga"),
        1,
    )
    assert row["url"].startswith("http://localhost:5000/acme/secret/-/comments?at=")
    assert row["read_at"] is None
    assert first["next"].startswith("http://localhost:5000/api/user/notices?")
    assert reader("POST", "user/notices/read", {"ids": [row["id"], 10**9]}).status_code == 204
    unread = reader("GET", "user/notices?unread=1").json()["results"]
    assert len(unread) == 2
    assert reader("GET", "user/notices?kind=tag").json()["results"] == []
    assert reader("GET", "user/notices?kind=other").status_code == 400
    assert reader("POST", "user/notices/read").status_code == 204
    assert reader("GET", "user/notices?unread=1").json()["results"] == []
    other = Notice.objects.exclude(user=world.people["reader"])
    assert other.filter(read_at=None).count() == other.count()


def test_a_comment_about_a_tag(world: World) -> None:
    writer = world["writer"]
    made = writer("POST", f"{APP}/comments", {"body": "fine", "tag": "v1"}).json()
    assert made["tag"] == "v1"
    assert made["digest"] == world.repositories["app"].tags.get(name="v1").manifest.digest
    by_digest = writer("POST", f"{APP}/comments", {"body": "x", "tag": made["digest"]}).json()
    assert (by_digest["tag"], by_digest["digest"]) == ("", made["digest"])
    refused = writer("POST", f"{APP}/comments", {"body": "x", "tag": "v9"})
    assert (refused.status_code, refused.json()["code"]) == (400, "tag_unknown")
    only = world["nobody"]("GET", f"{APP}/comments?tag=v1").json()["results"]
    assert [row["id"] for row in only] == [made["id"]]


def test_a_comment_is_hidden_and_shown(world: World) -> None:
    pk = world.id("app", "comment")
    path = f"{APP}/comments/{pk}"
    assert world["writer"]("PUT", f"{path}/hidden").status_code == 403
    assert world["boss"]("PUT", f"{path}/hidden").status_code == 204
    assert world["writer"]("GET", path).status_code == 404
    assert world["writer"]("GET", f"{APP}/comments").json()["results"] == []
    assert world["nobody"]("GET", path).status_code == 404
    mine = world["reader"]("GET", path).json()
    assert mine["hidden_by"] == "boss"
    assert mine["hidden_at"]
    assert mine["permissions"] == {"edit": True, "delete": True, "hide": False}
    assert world["olga"]("GET", path).json()["permissions"]["hide"] is True
    assert world["boss"]("DELETE", f"{path}/hidden").status_code == 204
    assert world["nobody"]("GET", path).json()["hidden_at"] is None


def test_comments_are_closed_and_opened(world: World) -> None:
    pk = world.id("app", "comment")
    assert world["reader"]("GET", APP).json()["comments_open"] is True
    closed = world["boss"]("PATCH", APP, {"comments_open": False})
    assert closed.json()["comments_open"] is False
    for answer in (
        world["writer"]("POST", f"{APP}/comments", {"body": "x"}),
        world["reader"]("PATCH", f"{APP}/comments/{pk}", {"body": "x"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "comments_closed")
        assert "stays readable" in answer.json()["reasons"][0]
    listed = world["nobody"]("GET", f"{APP}/comments").json()["results"]
    assert [row["id"] for row in listed] == [pk]
    assert listed[0]["permissions"]["edit"] is False
    assert world["writer"]("PATCH", APP, {"comments_open": True}).status_code == 403
    world["boss"]("PATCH", APP, {"comments_open": True})
    assert world["writer"]("POST", f"{APP}/comments", {"body": "x"}).status_code == 201
