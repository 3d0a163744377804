"""Who may do what under /v1: tokens of the index, hidden things, ids that name no repository."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AccessToken, User
from registry.models import LegacyImage
from registry.v1 import tokens
from repos.models import Collaborator, Repository
from tests.images import Image, as_json, descriptor, digest_of, image, index
from tests.protocol.legacy import expected_ids
from tests.security.lane import Answer, send
from tests.security.world import Caller, caller
from tests.unit.registry.pushing import push
from tests.unit.repos import people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("alone")]
KINDS = ("json", "ancestry", "layer")
ASK = {"X-Docker-Token": "true"}
NOT_FOUND = {"error": "Image not found"}


@dataclass
class Place:
    """alice's two repositories and mallory's one, an image in each; who may read alice's."""

    alice: Caller
    reader: Caller
    mallory: Caller
    images: dict[str, Image]
    repositories: dict[str, Repository]

    def ids(self, path: str) -> list[str]:
        """Of the image there, root first."""
        return expected_ids(self.images[path])

    def token(self, who: Caller, path: str, kind: str = "images", method: str = "GET") -> Any:
        """An Authorization header with a token of the index."""
        answer = send(method, f"/v1/repositories/{path}/{kind}", headers={**who.basic(), **ASK})
        assert answer.status in (200, 202, 204), answer.body
        return {"Authorization": f"Token {answer.headers['X-Docker-Token']}"}


@pytest.fixture
def place() -> Place:
    alice, reader, mallory = (people.person(name) for name in ("alice", "reader", "mallory"))
    owners = {"alice/private": alice, "alice/public": alice, "mallory/private": mallory}
    images, repositories = {}, {}
    for path, owner in owners.items():
        name = path.partition("/")[2]
        repositories[path] = people.repository(owner.namespace, name, visibility=name)
        images[path] = image(path, layers=3, size=100)
        push(repositories[path], images[path], "1")
    Collaborator.objects.create(repository=repositories["alice/private"], user=reader, role="read")
    who = {user.username: caller(user.username, user) for user in (alice, reader, mallory)}
    return Place(who["alice"], who["reader"], who["mallory"], images, repositories)


def get(path: str, headers: dict[str, str] | None = None) -> Answer:
    return send("GET", path, headers=headers or {})


def said(answer: Answer) -> Any:
    return json.loads(answer.body)


@pytest.mark.parametrize("kind", KINDS)
def test_v1_01_an_image_is_there_for_who_may_pull_it(place: Place, kind: str) -> None:
    for headers in (place.alice.basic(), place.alice.plain(), place.reader.basic()):
        get("/v1/repositories/alice/private/images", headers)  # ids lead nowhere before
        for image_id in place.ids("alice/private"):
            assert get(f"/v1/images/{image_id}/{kind}", headers).status == 200
    for headers in ({}, place.mallory.basic(), place.mallory.plain()):
        for image_id in place.ids("alice/private"):
            answer = get(f"/v1/images/{image_id}/{kind}", headers)
            assert (answer.status, said(answer)) == (404, NOT_FOUND)
    get("/v1/repositories/alice/public/images")
    for image_id in place.ids("alice/public"):
        for headers in ({}, place.mallory.basic()):
            assert get(f"/v1/images/{image_id}/{kind}", headers).status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_v1_01_a_token_is_for_one_repository(place: Place, kind: str) -> None:
    of_private = place.token(place.alice, "alice/private")
    of_public = place.token(place.alice, "alice/public")
    for image_id in place.ids("alice/private"):
        assert get(f"/v1/images/{image_id}/{kind}", of_private).status == 200
        assert get(f"/v1/images/{image_id}/{kind}", of_public).status == 404
    for image_id in place.ids("mallory/private"):
        assert get(f"/v1/images/{image_id}/{kind}", of_private).status == 404
    for path in ("tags", "tags/1", "images", "json", "tags/1/json", "properties"):
        assert get(f"/v1/repositories/alice/private/{path}", of_private).status == 200
        assert get(f"/v1/repositories/alice/public/{path}", of_private).status == 401
        assert get(f"/v1/repositories/mallory/private/{path}", of_private).status in (401, 404)


def test_v1_01_a_token_ends_with_the_right(place: Place) -> None:
    token = place.token(place.reader, "alice/private")
    top = f"/v1/images/{place.ids('alice/private')[-1]}/layer"
    assert get(top, token).status == 200
    Collaborator.objects.all().delete()
    assert get(top, token).status == 404
    assert get("/v1/repositories/alice/private/images", token).status == 404

    token = place.token(place.alice, "alice/private")
    AccessToken.objects.filter(user__username="alice").delete()
    assert get(top, token).status == 401


def test_v1_01_a_token_is_not_for_a_later_repository_of_that_name(place: Place) -> None:
    token = place.token(place.alice, "alice/private")
    old = place.repositories["alice/private"]
    Repository.objects.filter(pk=old.pk).update(name="gone", path="alice/gone")
    again = people.repository(old.namespace, "private", visibility="private")
    push(again, place.images["alice/private"], "1")
    top = f"/v1/images/{place.ids('alice/private')[-1]}"
    assert get(f"{top}/json", token).status == 404
    assert get("/v1/repositories/alice/private/tags", token).status == 401


def test_v1_06_tokens_are_signed_and_run_out(place: Place, monkeypatch: Any) -> None:
    good = place.token(place.alice, "alice/private")["Authorization"]
    path = "/v1/repositories/alice/private/tags"
    signature = good.partition("signature=")[2].partition(",")[0]
    registry = place.alice.bearer("repository:alice/private:pull")["Authorization"].split()[1]
    rest = ',repository="alice/private",access=read'
    fine = (
        good,
        good.replace("Token ", "Token Token "),
        good.replace("Token ", "token "),
        f'Token signature="{signature}", repository: "alice/private", access = read',
    )
    bad = (
        "Token",
        "Token true",
        f"Token {signature}",
        f"Token signature={signature[:-1]}x{rest}",
        f"Token signature={registry}{rest}",
        f"Token signature={place.alice.secret}{rest}",
        good.replace("alice/private", "alice/public"),
        good.replace("access=read", "access=delete"),
        good.replace("access=read", "access=write"),
        f"Bearer {signature}",
        f"Basic {signature}",
    )
    for header in fine:
        assert get(path, {"Authorization": header}).status == 200, header
    for header in bad:
        answer = get(path, {"Authorization": header})
        assert answer.status == 401, header
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="auth required",Token'
    assert send("GET", "/v2/alice/private/tags/list", headers={"Authorization": good}).status == 401
    monkeypatch.setattr(tokens, "LIFETIME_S", -1)
    assert get(path, {"Authorization": good}).status == 401


def test_a_token_reads_and_no_more(place: Place) -> None:
    token = place.token(place.alice, "alice/private")
    body = json.dumps(place.ids("alice/private")[-1]).encode()
    for method, path in (
        ("PUT", "tags/2"),
        ("DELETE", "tags/1"),
        ("DELETE", "tags"),
        ("DELETE", ""),
        ("DELETE", "images"),
        ("PUT", "properties"),
    ):
        answer = send(method, f"/v1/repositories/alice/private/{path}", headers=token, body=body)
        assert answer.status == 401, (method, path)
    again = get("/v1/repositories/alice/private/images", {**token, **ASK})
    assert again.status == 200
    assert "X-Docker-Token" not in again.headers  # or it would never end
    assert get("/v1/users/", token).status == 200


def test_whether_a_token_is_good_is_a_question_too(place: Place) -> None:
    base = "/v1/repositories/alice/private"
    token = place.token(place.alice, "alice/private")
    answer = send("PUT", f"{base}/auth", headers=token)
    assert (answer.status, said(answer)) == (200, "OK")
    assert send("PUT", f"{base}/auth", headers=place.alice.basic()).status == 401
    assert send("PUT", f"{base}/auth").status == 401
    assert send("PUT", "/v1/repositories/alice/public/auth", headers=token).status == 401
    mine, theirs = place.ids("alice/private")[-1], place.ids("mallory/private")[-1]
    for image_id, wanted in ((mine, True), (theirs, False), ("0" * 64, False), ("x", False)):
        answer = get(f"{base}/layer/{image_id}/access", token)
        assert (answer.status, said(answer)) == (200, {"access": wanted})
    assert get(f"{base}/layer/{mine}/access", place.alice.basic()).status == 401


def test_no_token_where_none_is_asked_for(place: Place) -> None:
    path = "/v1/repositories/alice/private/images"
    answer = get(path, place.alice.basic())
    assert "X-Docker-Token" not in answer.headers
    assert answer.headers["X-Docker-Endpoints"] == "localhost:5000"
    pulls = place.alice.bearer("repository:alice/private:pull")
    assert "X-Docker-Token" not in get(path, {**pulls, **ASK}).headers


def test_registry_tokens_reach_what_they_name(place: Place) -> None:
    pulls = place.alice.bearer("repository:alice/private:pull")
    top = f"/v1/images/{place.ids('alice/private')[-1]}/json"
    assert get("/v1/repositories/alice/private/tags", pulls).status == 200
    assert get(top, pulls).status == 200
    other = place.alice.bearer("repository:alice/public:pull")
    assert get("/v1/repositories/alice/private/tags", other).status == 401
    assert get(top, other).status == 404
    assert send("DELETE", "/v1/repositories/alice/private/tags/1", headers=pulls).status == 401


def test_limited_access_tokens_reach_what_they_name(place: Place) -> None:
    alice = User.objects.get(username="alice")
    other = caller("other", alice, "repository:alice/public:pull").basic()
    reads = caller("reads", alice, "repository:alice/private:pull").basic()
    path, top = "/v1/repositories/alice/private", place.ids("alice/private")[-1]
    assert (get(f"{path}/tags", reads).status, get(f"{path}/tags", other).status) == (200, 404)
    assert get(f"/v1/images/{top}/json", reads).status == 200
    assert get(f"/v1/images/{top}/json", other).status == 404
    answer = send("DELETE", f"{path}/tags/1", headers=reads)
    assert answer.status == 403
    assert "does not allow delete on alice/private" in said(answer)["error"]


def queries(ask: Callable[[], Answer]) -> tuple[int, Answer]:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        answer = ask()
    return len(asked), answer


@pytest.mark.parametrize("who", ["nobody", "mallory"])
def test_hidden_and_absent_are_the_same(place: Place, who: str) -> None:
    headers = place.mallory.basic() if who == "mallory" else {}
    get("/v1/users/", headers)  # the first use of a token is noted
    body = json.dumps(place.ids("alice/private")[-1]).encode()
    for method, rest in (
        *(("GET", p) for p in ("tags", "tags/1", "tags/1/json", "json", "images", "properties")),
        *(("PUT", p) for p in ("tags/1", "properties", "auth")),
        *(("DELETE", p) for p in ("", "tags", "tags/1", "images")),
        ("GET", f"layer/{'0' * 64}/access"),
    ):
        two = [
            queries(
                lambda name=name, method=method, rest=rest: send(  # type: ignore[misc]
                    method, f"/v1/repositories/alice/{name}/{rest}", headers=headers, body=body
                )
            )
            for name in ("private", "missing")
        ]
        assert two[0][0] == two[1][0], (method, rest)
        assert two[0][1].fixed == two[1][1].fixed, (method, rest)
        changes = method != "GET" or rest in ("images", f"layer/{'0' * 64}/access")
        assert two[0][1].status == (401 if changes and who == "nobody" else 404), (method, rest)
    get("/v1/repositories/alice/private/images", place.alice.basic())
    for kind in KINDS:
        for hidden in place.ids("alice/private"):
            two = [
                queries(
                    lambda kind=kind, image_id=image_id: get(  # type: ignore[misc]
                        f"/v1/images/{image_id}/{kind}", headers
                    )
                )
                for image_id in (hidden, "0" * 64)
            ]
            assert two[0][0] == two[1][0], kind
            assert two[0][1].fixed == two[1][1].fixed, kind


def test_v1_02_a_copy_is_confirmed_after_the_decision(place: Place) -> None:
    seen = {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}
    private, public = (f"/v1/images/{place.ids(p)[-1]}" for p in ("alice/private", "alice/public"))
    for kind in KINDS:
        for headers in (seen, {**seen, **place.mallory.basic()}):
            assert get(f"{private}/{kind}", headers).status == 404
            assert get(f"/v1/images/{'0' * 64}/{kind}", headers).status == 404
        mine = get(f"{private}/{kind}", {**seen, **place.alice.basic()})
        assert mine.status == 200
        assert mine.headers["Cache-Control"] == "private, no-store"
        known = get(f"{public}/{kind}", seen)
        assert (known.status, known.body) == (304, b"")
        assert known.headers["Cache-Control"] == "public, max-age=31536000"
        assert "GMT" in known.headers["Expires"]
        assert get(f"{public}/{kind}", {"If-Modified-Since": "yesterday"}).status == 200
    for path in ("tags", "images", "json", "properties"):
        answer = get(f"/v1/repositories/alice/private/{path}", place.alice.basic())
        assert answer.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(
    "image_id",
    [
        *(
            "0" * 63,
            "0" * 65,
            "G" * 64,
            "A" * 64,
            "..",
            "%2e%2e%2fetc",
            "0" * 32 + "%0a" + "0" * 31,
        ),
        *("0" * 64 + "%0a", "0" * 64 + "%00", "%00", "%ff", "%D9%A0" * 64, "a" * 5000, "latest"),
    ],
)
def test_v1_03_odd_ids_are_no_ids(place: Place, image_id: str) -> None:
    for kind in KINDS:
        answer = get(f"/v1/images/{image_id}/{kind}", place.alice.basic())
        assert answer.status == 404
        assert said(answer)["error"] in (
            "Invalid image ID",
            "this is not an endpoint of the registry",
        )


def test_v1_03_odd_tags_are_no_tags(place: Place) -> None:
    body = json.dumps(place.ids("alice/private")[-1]).encode()
    for tag in ("%24x", ".x", "-x", "x" * 129, "x%0a", "x%00", "%D9%A0", "a%20b", "a:b"):
        path = f"/v1/repositories/alice/private/tags/{tag}"
        put = send("PUT", path, headers=place.alice.basic(), body=body)
        assert put.status in (400, 404), tag
        assert get(path, place.alice.basic()).status == 404
    fine = "/v1/repositories/alice/private/tags/_valid"
    assert send("PUT", fine, headers=place.alice.basic(), body=body).status == 200


def test_v1_03_ancestry_is_short_and_has_no_cycle(place: Place) -> None:
    repository = place.repositories["alice/private"]
    one = image("one", layers=1, size=10)
    config, layer = one.blobs
    facts = json.loads(config)
    for count, wanted in ((127, 200), (128, 404)):
        facts["rootfs"]["diff_ids"] = facts["rootfs"]["diff_ids"][:1] * count
        many = as_json(facts)
        document = json.loads(one.manifest)
        document["config"] = descriptor(document["config"]["mediaType"], many)
        document["layers"] = document["layers"] * count
        push(repository, Image(as_json(document), one.media_type, [many, layer]), f"n{count}")
        top = digest_of(many).partition(":")[2]
        answer = get(f"/v1/images/{top}/ancestry", place.alice.basic())
        assert answer.status == wanted
        if wanted == 200:
            assert len(said(answer)) == len(set(said(answer))) == 127


def test_v1_04_nobody_tags_what_they_cannot_read(place: Place) -> None:
    get("/v1/repositories/mallory/private/images", place.mallory.basic())
    for image_id in (*place.ids("mallory/private"), "0" * 64):
        answer = send(
            "PUT",
            "/v1/repositories/alice/private/tags/stolen",
            headers=place.alice.basic(),
            body=json.dumps(image_id).encode(),
        )
        assert (answer.status, said(answer)) == (404, NOT_FOUND)
    assert not place.repositories["alice/private"].tags.filter(name="stolen").exists()


def test_one_id_with_two_contents_needs_a_token(place: Place) -> None:
    """A config claims what its layers unpack to; somebody may lie, or pack them differently."""
    genuine = place.images["alice/public"]
    forged = image("alice/public", layers=3, size=100)
    document = json.loads(genuine.manifest)
    evil = image("evil", layers=1, size=100).blobs[1]
    document["layers"][2] = descriptor(document["layers"][2]["mediaType"], evil)
    forged = Image(as_json(document), genuine.media_type, [*genuine.blobs[:3], evil])
    mallory = place.repositories["mallory/private"]
    push(mallory, forged, "evil")
    top = f"/v1/images/{place.ids('alice/public')[-1]}/layer"
    assert get(top).body == genuine.blobs[3]  # nobody sees mallory's
    assert get(top, place.mallory.basic()).status == 401
    Repository.objects.filter(pk=mallory.pk).update(visibility="public")
    for headers in ({}, place.alice.basic()):
        answer = get(top, headers)
        assert answer.status == 401
        assert "ask for a token" in said(answer)["error"]
    token = place.token(Caller("nobody"), "alice/public")
    assert get(top, token).body == genuine.blobs[3]
    assert get(top, place.token(place.alice, "mallory/private")).body == evil


def test_ids_go_with_the_image(place: Place) -> None:
    repository = place.repositories["alice/private"]
    get("/v1/repositories/alice/private/images", place.alice.basic())
    first = LegacyImage.objects.count()
    get("/v1/repositories/alice/private/images", place.alice.basic())
    assert LegacyImage.objects.count() == first == 3
    repository.tags.all().delete()
    repository.tag_moves.all().delete()
    repository.manifests.all().delete()
    assert LegacyImage.objects.count() == 0
    for image_id in place.ids("alice/private"):
        assert get(f"/v1/images/{image_id}/json", place.alice.basic()).status == 404


def test_lists_take_the_same_queries_for_any_number(place: Place) -> None:
    repository = place.repositories["alice/private"]
    headers = place.alice.basic()

    def counts() -> list[int]:
        found = []
        for path in ("tags", "images", "tags/1", "json"):
            get(f"/v1/repositories/alice/private/{path}", headers)
            found.append(
                queries(
                    lambda path=path: get(  # type: ignore[misc]
                        f"/v1/repositories/alice/private/{path}", headers
                    )
                )[0]
            )
        return found

    before = counts()
    for number in range(5):
        push(repository, image(f"more{number}", size=50), f"m{number}")
        listed = [image(f"l{number}", architecture=a) for a in ("arm64", "amd64")]
        push(repository, index(listed, ["arm64", "amd64"]), f"i{number}")
    assert counts() == before
    assert max(before) <= 9
