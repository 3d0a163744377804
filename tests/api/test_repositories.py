"""Repositories, tags, comments, stars, search and events as the contract has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from repos.models import Comment, Repository
from repos.services.repositories import create_repository
from tests.api.conftest import Caller, World, _actor
from tests.images import image
from tests.unit.registry.pushing import make_person, make_repository, push

pytestmark = pytest.mark.django_db
ROW = {
    "namespace",
    "name",
    "path",
    "description",
    "visibility",
    "star_count",
    "comment_count",
    "pull_count",
    "size_bytes",
    "last_pushed_at",
    "created_at",
}


def test_make_read_change_delete(as_alice: Caller, nobody: Caller) -> None:
    made = as_alice("POST", "repositories", {"namespace": "alice", "name": "team/sub"})
    assert made.status_code == 201
    assert set(made.json()) == ROW | {"readme", "comments_open", "permissions"}
    assert made.json()["path"] == "alice/team/sub"
    assert made.json()["visibility"] == "private"
    assert made.json()["permissions"] == dict.fromkeys(("see", "pull", "push", "administer"), True)
    path = "repositories/alice/team/sub"
    assert nobody("GET", path).status_code == 404
    change = {"description": "Tools", "readme": "# Tools\n", "visibility": "public"}
    changed = as_alice("PATCH", path, change)
    assert changed.status_code == 200
    assert change.items() <= changed.json().items()
    assert nobody("GET", path).json()["permissions"] == {
        "see": True,
        "pull": True,
        "push": False,
        "administer": False,
    }
    again = as_alice("POST", "repositories", {"namespace": "alice", "name": "team/sub"})
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    assert as_alice("DELETE", path).status_code == 204
    assert as_alice("GET", path).status_code == 404


def test_only_where_you_may(
    world: World, as_alice: Caller, nobody: Caller, call_as: Callable[..., Caller]
) -> None:
    body = {"namespace": "acme", "name": "new"}
    assert nobody("POST", "repositories", body).status_code == 401
    there = as_alice("POST", "repositories", body)
    absent = as_alice("POST", "repositories", {**body, "namespace": "nothing"})
    assert there.status_code == 403
    assert there.content == absent.content
    assert there.json()["reasons"]
    assert world["reader"]("POST", "repositories", body).status_code == 403
    assert world["pull token"]("POST", "repositories", body).json()["code"] == "token_scope"
    assert world["full token"]("POST", "repositories", body).status_code == 201
    assert as_alice("POST", "repositories", {**body, "namespace": "library"}).status_code == 403


@pytest.mark.parametrize("name", ["Upper", "a//b", "../x", "-x", "a" * 201, ""])
def test_names_are_checked(as_alice: Caller, name: str) -> None:
    response = as_alice("POST", "repositories", {"namespace": "alice", "name": name})
    assert response.status_code == 400


def test_nothing_else_can_be_written(as_alice: Caller, app: Repository) -> None:
    for field in ("star_count", "pull_count", "namespace", "path", "state", "readme_html", "id"):
        response = as_alice("PATCH", "repositories/alice/app", {field: 1, "description": "x"})
        assert response.status_code == 400
        assert field in response.json()["errors"]
        assert field in response.json()["detail"]
    app.refresh_from_db()
    assert app.description == ""


def test_lists_hold_what_you_may_see(world: World, nobody: Caller) -> None:
    def paths(who: str, path: str = "repositories") -> list[str]:
        return [row["path"] for row in world[who]("GET", path).json()["results"]]

    assert paths("nobody") == paths("mallory") == ["acme/app"]
    assert paths("reader") == paths("pull token") == ["acme/app", "acme/secret"]
    assert paths("nobody", "search?q=secret") == []
    assert paths("reader", "search?q=secret") == ["acme/secret"]
    assert paths("nobody", "search?q=a%00pp") == ["acme/app"]
    assert paths("reader", "repositories?namespace=olga") == []
    row = nobody("GET", "repositories").json()["results"][0]
    assert set(row) == ROW
    assert row["size_bytes"] > 0
    assert row["comment_count"] == 1


def test_best_match_first(alice: User, nobody: Caller) -> None:
    for name in ("tools-app", "app", "apple"):
        make_repository(alice.namespace, name, visibility="public")
    rows = nobody("GET", "search?q=app").json()["results"]
    assert [row["name"] for row in rows] == ["app", "apple", "tools-app"]


def test_pages(alice: User, nobody: Caller, settings: Any) -> None:
    for number in range(5):
        make_repository(alice.namespace, f"r{number}", visibility="public")
    for path in ("repositories?limit=2", "search?q=r&limit=2"):
        seen, url = [], f"{settings.HUB.external_url}/api/{path}"
        while url:
            assert url.startswith(f"{settings.HUB.external_url}/api/")
            page = nobody("GET", url.partition("/api/")[2]).json()
            assert set(page) == {"results", "next"}
            seen += [row["name"] for row in page["results"]]
            url = page["next"]
        assert sorted(seen) == ["r0", "r1", "r2", "r3", "r4"]
    assert len(nobody("GET", "repositories?limit=999").json()["results"]) == 5


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=x",
        "limit=-1",
        "limit=²",
        "limit=1&limit=2",
        "cursor=%00",
        "cursor=!",
        "cursor=AA",
        "cursor=é",
    ],
)
def test_bad_pages(as_alice: Caller, app: Repository, query: str) -> None:
    for path in ("repositories", "search", "events", "tokens", "repositories/alice/app/tags"):
        response = as_alice("GET", f"{path}?{query}")
        assert (path, response.status_code) == (path, 400)


def test_cursors_that_no_row_has(as_alice: Caller, app: Repository) -> None:
    for cursor in ("OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "wrI"):  # too long a number, and ²
        assert as_alice("GET", f"events?cursor={cursor}").status_code == 400
        assert as_alice("GET", f"search?cursor={cursor}").status_code == 400
    assert as_alice("GET", f"events?limit={'9' * 5000}").status_code == 200


def test_lists_cost_the_same_whatever_their_length(
    as_alice: Caller, alice: User, django_assert_max_num_queries: Any
) -> None:
    repository = make_repository(alice.namespace, "app", visibility="private")
    for number in range(6):
        other = make_repository(alice.namespace, f"r{number}", visibility="public")
        as_alice("PUT", f"repositories/alice/r{number}/star")
        author = make_person(f"author{number}")
        Comment.objects.create(repository=repository, author=author, body="x", body_html="x")
        push(repository, image(str(number)), f"v{number}")
        push(other, image(str(number)), "v1")
    for path, most in [
        ("repositories", 6),
        ("search?q=r", 6),
        ("user/stars", 6),
        ("repositories/alice/app/comments", 6),
        ("repositories/alice/app/tags", 9),
        ("repositories/alice/app/collaborators", 6),
        ("repositories/alice/app/events", 6),
        ("events", 6),
    ]:
        as_alice("GET", path)  # what is looked up once in each process
        with django_assert_max_num_queries(most):
            response = as_alice("GET", path)
        assert response.status_code == 200


def test_tags(world: World) -> None:
    page = world["reader"]("GET", "repositories/acme/secret/tags").json()
    assert [row["name"] for row in page["results"]] == ["v1", "v2"]
    tag = world["reader"]("GET", "repositories/acme/secret/tags/v1").json()
    assert tag == page["results"][0]
    assert set(tag) == {
        "name",
        "digest",
        "media_type",
        "size_bytes",
        "platforms",
        "pushed_at",
        "pushed_by",
        "last_pulled_at",
        "results",
    }
    assert tag["platforms"] == ["linux/amd64", "linux/arm64", "linux/arm"]
    assert tag["digest"] == world.manifest.digest
    assert world["writer"]("DELETE", "repositories/acme/secret/tags/v1").status_code == 204
    gone = world["writer"]("DELETE", "repositories/acme/secret/tags/v1")
    assert (gone.status_code, gone.json()["detail"]) == (404, "There is no such tag.")


def test_an_immutable_tag_stays(world: World) -> None:
    Repository.objects.update(immutable_tags=["v*"])
    response = world["olga"]("DELETE", "repositories/acme/app/tags/v1")
    assert response.status_code == 409


def test_names_with_words_of_addresses(as_alice: Caller, alice: User) -> None:
    for name in ("tags", "x/tags", "x"):
        push(make_repository(alice.namespace, name), image(name), "star")
    read = as_alice("GET", "repositories/alice/tags")
    assert read.json()["path"] == "alice/tags"
    tags = as_alice("GET", "repositories/alice/tags/tags").json()
    assert [tag["name"] for tag in tags["results"]] == ["star"]
    for path, repository in [("alice/x/tags/star", "x"), ("alice/x/tags/tags/star", "x/tags")]:
        tag = as_alice("GET", f"repositories/{path}").json()
        row = Repository.objects.get(path=f"alice/{repository}")
        assert tag["digest"] == row.tags.get().manifest.digest


def test_comments(world: World, nobody: Caller) -> None:
    path = "repositories/acme/app/comments"
    text = "**Hi** <script>alert(1)</script>"
    made = world["mallory"]("POST", path, {"body": text})
    assert made.status_code == 201
    comment = made.json()
    assert set(comment) == {
        "id",
        "author",
        "body",
        "body_html",
        "tag",
        "digest",
        "hidden_at",
        "hidden_by",
        "created_at",
        "edited_at",
        "permissions",
    }
    assert comment["author"] == "mallory"
    assert comment["edited_at"] is None
    assert "<strong>Hi</strong>" in comment["body_html"]
    assert "<script" not in comment["body_html"]
    assert comment["permissions"] == {"edit": True, "delete": True, "hide": False}
    edited = world["mallory"]("PATCH", f"{path}/{comment['id']}", {"body": "Bye"}).json()
    assert (edited["body"], edited["edited_at"] is None) == ("Bye", False)
    listed = {
        who: [row["permissions"] for row in world[who]("GET", path).json()["results"]]
        for who in ("nobody", "mallory", "reader", "boss", "pull token")
    }
    none = {"edit": False, "delete": False, "hide": False}
    both = {"edit": True, "delete": True, "hide": False}
    assert listed == {
        "nobody": [none, none],
        "mallory": [both, none],
        "reader": [none, both],
        "boss": [{"edit": False, "delete": True, "hide": True}] * 2,
        "pull token": [none, none],
    }
    assert world["boss"]("DELETE", f"{path}/{comment['id']}").status_code == 204
    assert world["boss"]("DELETE", f"{path}/{comment['id']}").status_code == 404
    assert world["reader"]("GET", "repositories/acme/app").json()["comment_count"] == 1


def test_the_author_is_gone(world: World, nobody: Caller) -> None:
    Comment.objects.update(author=None)
    for who in ("nobody", "mallory"):
        row = world[who]("GET", "repositories/acme/app/comments").json()["results"][0]
        assert row["author"] is None
        assert row["permissions"] == {"edit": False, "delete": False, "hide": False}


def test_a_comment_of_another_repository_is_absent(world: World) -> None:
    other = world.id("secret", "comment")
    assert (
        world["reader"](
            "PATCH", f"repositories/acme/app/comments/{other}", {"body": "x"}
        ).status_code
        == 404
    )
    hook, delivery = world.id("secret", "webhook"), world.id("secret", "delivery")
    for path in (f"webhooks/{hook}", f"webhooks/{hook}/deliveries"):
        assert world["olga"]("GET", f"repositories/acme/app/{path}").status_code == 404
    again = f"repositories/acme/app/deliveries/{delivery}/redeliver"
    assert world["olga"]("POST", again).status_code == 404


@pytest.mark.parametrize("body", ["", "  ", "x" * 10_001, None, 5.5, ["x"]])
def test_bad_comments(world: World, body: Any) -> None:
    response = world["reader"]("POST", "repositories/acme/app/comments", {"body": body})
    assert response.status_code == (201 if body == 5.5 else 400)


def test_stars(world: World) -> None:
    for name in ("app", "secret"):
        for _ in range(2):
            assert world["reader"]("PUT", f"repositories/acme/{name}/star").status_code == 204
    stars = world["reader"]("GET", "user/stars").json()["results"]
    assert [(row["path"], row["star_count"]) for row in stars] == [
        ("acme/secret", 1),
        ("acme/app", 1),
    ]
    world["olga"]("DELETE", "repositories/acme/secret/collaborators/reader")
    stars = world["reader"]("GET", "user/stars").json()["results"]
    assert [row["path"] for row in stars] == ["acme/app"]
    for _ in range(2):
        assert world["reader"]("DELETE", "repositories/acme/app/star").status_code == 204
    assert world["reader"]("GET", "user/stars").json() == {"results": [], "next": None}


def test_collaborators(world: World) -> None:
    path = "repositories/acme/app/collaborators"
    answer = world["boss"]("PUT", f"{path}/mallory", {"role": "write"})
    assert answer.json()["username"], answer.json()["role"] == ("mallory", "write")
    assert world["boss"]("PUT", f"{path}/mallory", {"role": "owner"}).status_code == 400
    assert world["boss"]("PUT", f"{path}/absent", {"role": "read"}).status_code == 404
    rows = world["boss"]("GET", path).json()["results"]
    assert {row["username"]: row["role"] for row in rows} == {
        "mallory": "write",
        "boss": "admin",
        "writer": "write",
        "reader": "read",
    }
    assert world["boss"]("DELETE", f"{path}/mallory").status_code == 204
    assert world["boss"]("DELETE", f"{path}/mallory").status_code == 404


def test_teams(world: World, as_alice: Caller, app: Repository) -> None:
    path = "repositories/acme/secret/teams"
    granted = world["olga"]("PUT", f"{path}/acme/dev", {"role": "admin"})
    assert granted.json()["team"] == "dev"
    assert (
        world["reader"]("PATCH", "repositories/acme/secret", {"description": "x"}).status_code
        == 200
    )
    assert [row["role"] for row in world["olga"]("GET", path).json()["results"]] == ["admin"]
    assert world["olga"]("DELETE", f"{path}/acme/dev").status_code == 204
    assert world["olga"]("PUT", f"{path}/acme/absent", {"role": "read"}).status_code == 404
    foreign = [
        as_alice("PUT", f"repositories/alice/app/teams/acme/{team}", {"role": "read"})
        for team in ("dev", "absent")
    ]
    assert [f.status_code for f in foreign] == [400, 400]
    assert foreign[0].content == foreign[1].content


def test_events(world: World, as_alice: Caller, alice: User) -> None:
    def kinds(who: str, path: str) -> list[tuple[str, str]]:
        rows = world[who]("GET", path).json()["results"]
        return [(row["kind"], row["repository"]) for row in rows]

    world["olga"]("PUT", "repositories/acme/app/collaborators/mallory", {"role": "read"})
    world["olga"]("DELETE", "repositories/acme/app/tags/v1")
    public = kinds("nobody", "events")
    assert public[0] == ("tag.deleted", "acme/app")
    assert ("push", "acme/app") in public
    assert {path for _, path in public} == {"acme/app"}
    assert "collaborator" not in {kind for kind, _ in public}
    assert {path for _, path in kinds("reader", "events")} == {"acme/app", "acme/secret"}
    assert "collaborator" in {k for k, _ in kinds("boss", "repositories/acme/app/events")}
    assert "collaborator" not in {k for k, _ in kinds("writer", "repositories/acme/app/events")}
    row = world["nobody"]("GET", "events").json()["results"][0]
    assert set(row) == {"id", "kind", "repository", "actor", "occurred_at", "payload"}
    assert (row["actor"], row["payload"]["tag"]) == ("olga", "v1")
    world["olga"]("PATCH", "repositories/acme/app", {"visibility": "private"})
    assert kinds("nobody", "events") == []
    own = create_repository(alice.namespace, "own", actor=_actor(alice))
    assert kinds("olga", "events")[0][1] == "acme/app"
    mine = as_alice("GET", "events").json()["results"]
    assert [row["repository"] for row in mine] == [own.path]
