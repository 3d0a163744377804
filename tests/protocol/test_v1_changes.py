"""Changing things under /v1: the rights, events and refusals of /v2 (registry-v1, 1.9, 1.10, 2.6)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Namespace, User
from events.models import Event
from registry.models import Tag, TagMove
from repos.models import Repository
from tests.images import image, multi
from tests.protocol.legacy import expected_ids
from tests.security.lane import METHODS, Answer, send
from tests.security.world import IMAGE, LATER, Caller, World, caller, make_world, undone
from tests.unit.registry.pushing import push
from tests.unit.repos import people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("alone")]
ASK = {"X-Docker-Token": "true"}
TOP = json.dumps(expected_ids(IMAGE)[-1]).encode()
PRIVATE = b'{"access": "private"}'
# Method, path below the repository, body, the action it takes, and how it ends where allowed.
CHANGES = (
    ("PUT", "tags/new", TOP, "push", 200),
    ("PUT", "tags/1", TOP, "push", 200),
    ("PUT", "tags/fixed", TOP, "push", 409),
    ("PUT", "tags/.bad", TOP, "push", 400),
    ("PUT", "tags/new", b"{}", "push", 400),
    ("PUT", "tags/new", b"", "push", 400),
    ("PUT", "tags/new", f'"{"0" * 64}"'.encode(), "push", 404),
    ("DELETE", "tags/1", b"", "delete", 200),
    ("DELETE", "tags/fixed", b"", "delete", 409),
    ("DELETE", "tags/absent", b"", "delete", 404),
    ("PUT", "properties", PRIVATE, "administer", 200),
    ("PUT", "properties", b'{"access": "secret"}', "administer", 400),
    ("PUT", "properties", b"{}", "administer", 400),
    ("PUT", "properties", b"[]", "administer", 400),
    ("PUT", "properties", b"\xff", "administer", 400),
    ("DELETE", "tags", b"", "administer", 200),
    ("DELETE", "", b"", "administer", 200),
    ("DELETE", "images", b"", "administer", 204),
)
MAY = {
    "push": {"writer", "admin", "owner", "pushes", "team"},
    "delete": {"writer", "admin", "owner", "team"},
    "administer": {"admin", "owner"},
}
READS = {"reader", "writer", "admin", "owner", "pulls", "pushes", "team"}


@pytest.fixture
def world() -> World:
    return make_world()


def change(path: str, headers: dict[str, str], method: str, rest: str, body: bytes) -> Answer:
    return send(method, f"/v1/repositories/{path}/{rest}", headers=headers, body=body)


def said(answer: Answer) -> Any:
    return json.loads(answer.body)


@pytest.mark.parametrize("path", ["alice/public", "alice/private", "acme/private"])
def test_everybody_may_do_here_what_they_may_do_there(world: World, path: str) -> None:
    namespace, _, visibility = path.partition("/")
    for name, who in world.callers.items():
        owns = {"owner": "alice", "olga": "acme"}.get(name, namespace) == namespace
        standing = "owner" if name == "olga" else name
        reaches = owns and (name != "team" or namespace == "acme")
        for method, rest, body, action, status in CHANGES:
            if reaches and standing in MAY[action]:
                wanted = status
            elif name == "nobody":
                wanted = 401
            elif visibility == "private" and not (reaches and standing in READS):
                wanted = 404
            else:
                wanted = 403
            with undone():
                answer = change(path, who.basic(), method, rest, body)
                assert answer.status == wanted, (name, method, rest, answer.body)
                if wanted >= 400:
                    assert set(said(answer)) == {"error"}


def test_what_is_said(world: World) -> None:
    owner = world.callers["owner"].basic()
    base = "/v1/repositories/alice/private"
    top = expected_ids(IMAGE)[-1]
    assert said(send("GET", f"{base}/tags", headers=owner)) == {
        "1": top,
        "fixed": said(send("GET", f"{base}/tags/fixed", headers=owner)),
        "many": said(send("GET", f"{base}/tags/many", headers=owner)),
    }
    assert said(send("PUT", f"{base}/tags/new", headers=owner, body=TOP)) is True
    assert said(send("GET", f"{base}/tags/new/", headers=owner)) == top
    assert said(send("DELETE", f"{base}/tags/new", headers=owner)) is True
    gone = send("DELETE", f"{base}/tags/new", headers=owner)
    assert (gone.status, said(gone)) == (404, {"error": "Tag not found: new"})
    gone = send("GET", f"{base}/tags/new", headers=owner)
    assert (gone.status, said(gone)) == (404, {"error": "Tag not found"})
    bad = send("PUT", f"{base}/tags/new", headers=owner, body=b"nonsense")
    assert (bad.status, said(bad)) == (400, {"error": "Invalid data"})
    assert said(send("GET", f"{base}/properties", headers=owner)) == {"access": "private"}
    body = b'{"access": "public"}'
    assert said(send("PUT", f"{base}/properties", headers=owner, body=body)) is True
    assert said(send("GET", f"{base}/properties")) == {"access": "public"}
    assert said(send("DELETE", f"{base}/", headers=owner)) is True
    gone = send("GET", f"{base}/tags", headers=owner)
    assert (gone.status, said(gone)) == (404, {"error": "Repository not found"})


def test_the_same_events_as_on_v2(world: World) -> None:
    owner = world.callers["owner"].basic()
    base = "/v1/repositories/alice/private"
    repository = world.repositories["alice/private"]
    send("GET", f"{base}/tags", headers=owner)  # the first use of a token is an event too
    Event.objects.all().delete()
    for number in range(2):  # the same again is no move
        send("PUT", f"{base}/tags/copy", headers=owner, body=TOP)
        assert Event.objects.count() == 1, number
    send("DELETE", f"{base}/tags/copy", headers=owner)
    send("PUT", f"{base}/properties", headers=owner, body=b'{"access": "public"}')
    send("DELETE", f"{base}/", headers=owner)
    told = list(Event.objects.order_by("id").values_list("kind", "repository_path", "actor_name"))
    assert told == [
        (kind, "alice/private", "alice")
        for kind in ("tag.moved", "tag.deleted", "repository.visibility", "repository.deleted")
    ]
    moved = Event.objects.order_by("id")[0]
    assert (moved.payload["tag"], moved.payload["digest"]) == ("copy", IMAGE.digest)
    moves = TagMove.objects.filter(repository=repository, name="copy").order_by("id")
    assert [move.kind for move in moves] == ["push", "delete"]


def test_a_copied_tag_keeps_all_platforms(world: World) -> None:
    repository = world.repositories["alice/private"]
    made = multi("platforms")
    pushed = push(repository, made, "platforms")
    owner = world.callers["owner"].basic()
    base = "/v1/repositories/alice/private/tags"
    top = send("GET", f"{base}/platforms", headers=owner).body
    assert send("PUT", f"{base}/copy", headers=owner, body=top).status == 200
    assert Tag.objects.get(repository=repository, name="copy").manifest == pushed


def test_an_untagged_image_can_be_tagged_and_a_part_of_one_cannot(world: World) -> None:
    repository = world.repositories["alice/private"]
    made = image("untagged", layers=3, size=50)
    pushed = push(repository, made)
    owner = world.callers["owner"].basic()
    base = "/v1/repositories/alice/private/tags"
    ids = expected_ids(made)
    put = send("PUT", f"{base}/u", headers=owner, body=json.dumps(ids[-1]).encode())
    assert put.status == 200
    assert Tag.objects.get(repository=repository, name="u").manifest == pushed
    send("GET", "/v1/repositories/alice/private/images", headers=owner)
    assert send("GET", f"/v1/images/{ids[0]}/json", headers=owner).status == 200
    part = send("PUT", f"{base}/part", headers=owner, body=json.dumps(ids[0]).encode())
    assert part.status == 404


def test_deleting_the_way_of_the_index(world: World) -> None:
    """Ask for a token, delete with it, say that it is done (registry-v1, 2.6)."""
    owner, other = world.callers["owner"].basic(), world.callers["stranger"].basic()
    base = "/v1/repositories/alice/private/"
    asked = send("DELETE", base, headers={**owner, **ASK})
    assert (asked.status, asked.body) == (202, b'""')
    assert asked.headers["X-Docker-Endpoints"] == "localhost:5000"
    assert asked.headers["X-Docker-Token"].endswith(',repository="alice/private",access=delete')
    assert Repository.objects.filter(path="alice/private").exists()
    token = {"Authorization": f"Token {asked.headers['X-Docker-Token']}"}
    assert send("GET", f"{base}tags", headers=token).status == 401
    assert send("DELETE", "/v1/repositories/alice/public/", headers=token).status == 401
    done = {"X-Docker-Endpoints": "http://localhost:5000/v1/"}
    assert send("DELETE", base, headers={**other, **done}).status == 404
    deleted = send("DELETE", base, headers=token)
    assert (deleted.status, said(deleted)) == (200, True)
    assert not Repository.objects.filter(path="alice/private").exists()
    assert send("DELETE", base, headers=token).status == 404
    assert send("DELETE", base, headers=owner).status == 404
    assert send("DELETE", base, headers={**other, **done}).status == 404
    said_so = send("DELETE", base, headers={**owner, **done})
    assert (said_so.status, said(said_so)) == (200, True)


def test_a_delete_token_for_who_may_delete(world: World) -> None:
    for name, status in (("writer", 403), ("admin", 204), ("stranger", 404), ("nobody", 401)):
        headers = {**world.callers[name].basic(), **ASK}
        answer = send("DELETE", "/v1/repositories/alice/private/images", headers=headers)
        assert answer.status == status
        assert ("X-Docker-Token" in answer.headers) == (status == 204)
    assert Repository.objects.filter(path="alice/private").exists()


def test_official_images_have_two_names() -> None:
    """Engines send the bare one to the index and the other to the registry."""
    root = people.person("root")
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    root.refresh_from_db()
    library = Namespace.objects.get_or_create(name="library", defaults={"kind": "library"})[0]
    tiny = people.repository(library, "tiny", visibility="public")
    push(tiny, LATER, "1")
    keeper, somebody = caller("root", root), caller("some", people.person("somebody"))
    token = send("GET", "/v1/repositories/tiny/images", headers=ASK).headers["X-Docker-Token"]
    for name in ("tiny", "library/tiny"):
        answer = send("GET", f"/v1/repositories/{name}/tags/1")
        assert said(answer) == expected_ids(LATER)[-1]
        headers = {"Authorization": f"Token {token}"}
        assert send("GET", f"/v1/repositories/{name}/tags", headers=headers).status == 200
        path = f"/v1/repositories/{name}/tags/2"
        body = json.dumps(said(answer)).encode()
        assert send("PUT", path, headers=somebody.basic(), body=body).status == 403
        assert send("PUT", path, headers=keeper.basic(), body=body).status == 200
        assert send("DELETE", path, headers=keeper.basic()).status == 200


def test_names_of_many_parts_and_of_route_words(world: World) -> None:
    owner = world.callers["owner"]
    namespace = world.repositories["alice/private"].namespace
    for name in ("a/b/c", "images", "layer/x/access", "json", "search/users"):
        push(people.repository(namespace, name, visibility="private"), LATER, "1")
        for spelled in (name, name.replace("/", "%2F")):
            path = f"/v1/repositories/alice/{spelled}"
            for rest in ("tags", "tags/", "tags/1", "tags/1/json", "images/", "json", "properties"):
                answer = send("GET", f"{path}/{rest}", headers=owner.basic())
                assert answer.status == 200, (path, rest)


def test_other_methods_and_other_addresses(world: World) -> None:
    owner = world.callers["owner"].basic()
    answer = send("PUT", f"/v1/images/{'0' * 64}/json", headers=owner)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    for path in ("/v1", "/v1/", "/v1/nothing", "/v1/repositories/", "/v1/images/", "/v1/_catalog"):
        for method in METHODS:
            answer = send(method, path, headers=owner)
            assert answer.status == 404, (method, path)
            assert answer.headers["X-Docker-Registry-Version"] == "0.9.1"
            assert method == "HEAD" or set(said(answer)) == {"error"}


def test_what_is_switched_off_is_not_there(world: World, hub_settings: Callable[..., None]) -> None:
    hub_settings(v1="search")
    owner = world.callers["owner"].basic()
    for path in ("repositories/alice/public/tags", "repositories/alice/public/images"):
        assert send("GET", f"/v1/{path}", headers=owner).status == 404
    assert send("DELETE", "/v1/repositories/alice/public/", headers=owner).status == 404
    for path in ("_ping", "search", "users/"):
        assert send("GET", f"/v1/{path}", headers=owner).status == 200


def test_large_bodies_are_refused(world: World) -> None:
    owner = world.callers["owner"].basic()
    path = "/v1/repositories/alice/private/tags/big"
    for chunked in (False, True):
        answer = send("PUT", path, headers=owner, body=b'"' * 70_000, chunked=chunked)
        assert answer.status == 413


def test_a_limited_token_of_an_administrator_deletes_nothing(world: World) -> None:
    alice = User.objects.get(username="alice")
    limited = caller("limited", alice, "repository:*:pull,push,delete")
    who: Caller = limited
    answer = send("DELETE", "/v1/repositories/alice/private/", headers=who.basic())
    assert answer.status == 403
    everything = world.callers["owner"].bearer("repository:alice/private:pull,push,delete")
    assert send("DELETE", "/v1/repositories/alice/private/", headers=everything).status == 401
