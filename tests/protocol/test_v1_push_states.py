"""Each step of a push in each state, who may push, and what ends with it (registry-v1, 1.4 to 1.9,
2.3, 2.4). In this process, without a socket."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Membership, Organization
from events.models import Event
from oci import layers
from registry.models import Blob, LegacyImage, LegacyPush, LegacyPushImage, Manifest, Tag
from registry.services import collect, legacy_push
from registry.services.check import check
from repos.models import Collaborator, Repository
from tests.images import as_json
from tests.protocol.old import EMPTY_TAR, OldImage, old_chain, old_image
from tests.security.lane import Answer, send
from tests.security.world import Caller, World, caller, make_world, undone
from tests.unit.repos import people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("alone")]
ASK = {"X-Docker-Token": "true"}
BASE = "alice/private"


@pytest.fixture
def world(hub_settings: Callable[..., None]) -> World:
    hub_settings(v1="push")
    return make_world()


@dataclass
class Pusher:
    """Somebody in the middle of a push."""

    who: Caller
    name: str
    token: str

    def put(self, path: str, body: bytes = b"", **headers: str) -> Answer:
        return self.ask("PUT", path, body, **headers)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        sent = {"Authorization": f"Token {self.token}", **headers}
        return send(method, f"/v1/{path}", headers=sent, body=body)

    def document(self, image: OldImage) -> Answer:
        return self.put(f"images/{image.id}/json", image.document)

    def layer(self, image: OldImage) -> Answer:
        return self.put(f"images/{image.id}/layer", image.layer)

    def checksum(self, image: OldImage, value: str | None = None) -> Answer:
        headers = {"X-Docker-Checksum-Payload": image.checksum if value is None else value}
        return self.put(f"images/{image.id}/checksum", **headers)

    def whole(self, *images: OldImage) -> None:
        for image in images:
            for step in (self.document, self.layer, self.checksum):
                answer = step(image)
                assert (answer.status, answer.body) == (200, b"true"), answer

    def tag(self, image: OldImage, tag: str) -> Answer:
        return self.put(f"repositories/{self.name}/tags/{tag}", as_json(image.id))


def begin(
    who: Caller, name: str, images: list[OldImage], headers: dict[str, str] | None = None
) -> Answer:
    body = as_json([{"id": image.id} for image in images])
    sent = {**(who.basic() if headers is None else headers), **ASK}
    return send("PUT", f"/v1/repositories/{name}/", headers=sent, body=body)


def pusher(who: Caller, name: str, *images: OldImage) -> Pusher:
    answer = begin(who, name, [*images])
    assert answer.status == 200, answer.body
    return Pusher(who, name, answer.headers["X-Docker-Token"])


def said(answer: Answer) -> Any:
    return json.loads(answer.body)


def error(answer: Answer) -> str:
    return str(said(answer)["error"])


# --- the state machine

STATES = ("absent", "opened", "loaded", "complete", "tagged")
EXISTS = (409, "Image already exists")
BUSY = (400, "Image is being uploaded, retry later")
ABSENT = (404, "Image not found")
DONE = (409, "Cannot set this image checksum")
WRONG = (400, "Checksum mismatch")
OK = (200, "")
# Each step and how it ends in each of these states.
STEPS: dict[str, tuple[tuple[int, str], ...]] = {
    "put json": (OK, OK, OK, EXISTS, EXISTS),
    "put layer": (ABSENT, OK, OK, EXISTS, EXISTS),
    "put checksum": (ABSENT, WRONG, OK, DONE, DONE),
    "put wrong checksum": (ABSENT, WRONG, WRONG, DONE, DONE),
    "get json": (ABSENT, BUSY, BUSY, OK, OK),
    "get layer": (ABSENT, BUSY, BUSY, OK, OK),
    "get ancestry": (ABSENT, BUSY, BUSY, OK, OK),
    "put tag": (ABSENT, BUSY, BUSY, OK, OK),
}


def lead(push: Pusher, image: OldImage, state: str) -> None:
    """Bring an image into a state."""
    steps: tuple[Callable[[OldImage], Answer], ...]
    steps = (push.document, push.layer, push.checksum, lambda i: push.tag(i, "there"))
    for step in steps[: STATES.index(state)]:
        assert step(image).status == 200


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("step", STEPS)
def test_every_step_in_every_state(world: World, step: str, state: str) -> None:
    image = old_image("state")
    push = pusher(world.callers["owner"], BASE, image)
    lead(push, image, state)
    method, _, what = step.partition(" ")
    answer = {
        "put json": lambda: push.document(image),
        "put layer": lambda: push.layer(image),
        "put checksum": lambda: push.checksum(image),
        "put wrong checksum": lambda: push.checksum(image, f"sha256:{'0' * 64}"),
        "put tag": lambda: push.tag(image, "new"),
    }.get(step, lambda: push.ask(method.upper(), f"images/{image.id}/{what}"))()
    status, message = STEPS[step][STATES.index(state)]
    assert answer.status == status, answer
    if message:
        assert said(answer) == {"error": message}


def test_what_is_in_a_later_push_of_the_same_repository(world: World) -> None:
    """An image that is part of the repository is there for every push to it."""
    chain = old_chain("later")
    first = pusher(world.callers["owner"], BASE, *chain)
    first.whole(*chain)
    first.tag(chain[-1], "1")
    second = pusher(world.callers["writer"], BASE, *chain)
    for image in chain:
        assert second.ask("GET", f"images/{image.id}/json").body == image.document
        assert second.ask("GET", f"images/{image.id}/layer").body == image.layer
        for answer in (second.document(image), second.layer(image)):
            assert (answer.status, error(answer)) == EXISTS
        answer = second.checksum(image)
        assert (answer.status, error(answer)) == DONE
    ancestry = [image.id for image in reversed(chain)]
    assert said(second.ask("GET", f"images/{chain[-1].id}/ancestry")) == ancestry


def test_a_begun_image_can_be_begun_again(world: World) -> None:
    """After a broken push: the layer that came before counts no more."""
    image, other = old_image("again"), old_image("again", comment="other")
    push = pusher(world.callers["owner"], BASE, image)
    lead(push, image, "loaded")
    assert push.document(other).status == 200
    answer = push.checksum(image)
    assert (answer.status, error(answer)) == WRONG
    assert push.layer(other).status == 200
    assert push.checksum(other).status == 200
    assert push.ask("GET", f"images/{image.id}/json").body == other.document


# --- each refusal, in the order of checks

ID = old_image("refused").id
PARENT = "b" * 64


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Invalid JSON"),
        (b"{}", "Invalid JSON"),
        (b"[]", "Invalid JSON"),
        (b'"x"', "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"\xff\xfe{\x00}\x00", "Invalid JSON"),
        (b'{"id": NaN}', "Invalid JSON"),
        (b'{"id": 1, "id": 2}', "Invalid JSON"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "Invalid JSON"),
        (b'{"a": [' + b"1," * 30_000 + b"1]}", "Invalid JSON"),
        (b'{"id": "\\u0000"}', "Invalid JSON"),
        (b'{"name": "x"}', "Missing key `id' in JSON"),
        (as_json({"id": "c" * 64}), "JSON data contains invalid id"),
        (as_json({"id": [ID]}), "JSON data contains invalid id"),
        (as_json({"id": ID, "parent": PARENT}), "Image depends on a non existing parent"),
        (as_json({"id": ID, "parent": "../x"}), "JSON data contains an invalid parent"),
        (as_json({"id": ID, "parent": [PARENT]}), "JSON data contains an invalid parent"),
        (as_json({"id": ID, "parent": ID}), "Image depends on itself or on too many others"),
    ],
)
def test_documents_that_are_refused(world: World, body: bytes, message: str) -> None:
    push = pusher(world.callers["owner"], BASE, old_image("refused"))
    if message.startswith("Image depends on itself"):
        assert push.document(old_image("refused")).status == 200
    answer = push.put(f"images/{ID}/json", body)
    assert (answer.status, error(answer)) == (400, message)
    assert LegacyPushImage.objects.count() == message.startswith("Image depends on itself")


def test_a_document_has_a_size(world: World) -> None:
    push = pusher(world.callers["owner"], BASE, old_image("refused"))
    body = as_json({"id": ID, "x": "y" * legacy_push.MAX_DOCUMENT_BYTES})
    for chunked in (False, True):
        answer = send(
            "PUT",
            f"/v1/images/{ID}/json",
            headers={"Authorization": f"Token {push.token}"},
            body=body,
            chunked=chunked,
        )
        assert answer.status == 413


@pytest.mark.parametrize("bad", ["a" * 63, "A" * 64, "g" * 64, "..", "%2e%2e", "a" * 64 + "%0a"])
def test_ids_that_are_none(world: World, bad: str) -> None:
    push = pusher(world.callers["owner"], BASE, old_image("x"))
    for method, what in (("PUT", "json"), ("PUT", "layer"), ("PUT", "checksum"), ("GET", "json")):
        answer = push.ask(method, f"images/{bad}/{what}")
        assert (answer.status, error(answer)) == (404, "Invalid image ID")


def test_an_image_that_was_not_announced(world: World) -> None:
    push = pusher(world.callers["owner"], BASE, old_image("x"))
    answer = push.document(old_image("y"))
    assert answer.status == 400
    assert error(answer).startswith("The image does not belong to the repository")


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({}, 412, "X-Docker-Checksum-Payload is needed: use docker 0.10 or newer to push"),
        ({"X-Docker-Checksum": f"tarsum+sha256:{'0' * 64}"}, 412, None),
        ({"X-Docker-Checksum-Payload": ""}, 400, "Missing checksum in headers"),
        ({"X-Docker-Checksum-Payload": "sha256:x"}, 400, "Checksum mismatch"),
        ({"X-Docker-Checksum": "right"}, 200, None),
        ({"X-Docker-Checksum": "right", "X-Docker-Checksum-Payload": "sha256:x"}, 400, None),
    ],
)
def test_headers_of_a_checksum(
    world: World, headers: dict[str, str], status: int, message: str | None
) -> None:
    image = old_image("sums")
    push = pusher(world.callers["owner"], BASE, image)
    lead(push, image, "loaded")
    sent = {k: image.checksum if v == "right" else v for k, v in headers.items()}
    answer = push.put(f"images/{image.id}/checksum", **sent)
    assert answer.status == status, answer
    if message:
        assert error(answer) == message


PACKED = gzip.compress(EMPTY_TAR, mtime=0)


@pytest.mark.parametrize(
    ("layer", "status", "part"),
    [
        (b"", 400, "shorter than any"),
        (b"\x1f", 400, "shorter than any"),
        (b"no tar at all" * 100, 400, "this is neither"),
        (gzip.compress(b"no tar at all" * 100, mtime=0), 400, "this is neither"),
        (PACKED[:-9], 400, "ends early"),
        (PACKED[:-4] + b"1234", 400, "damaged"),
        (PACKED + b"more", 400, "something follows"),
        (PACKED + b"\x1f", 400, "ends early"),
        (b"BZh91AY&SY" + b"x" * 600, 400, "this is bzip2"),
        (b"\xfd7zXZ\x00" + b"x" * 600, 400, "this is xz"),
        (b"\x28\xb5\x2f\xfd" + b"x" * 600, 400, "this is zstd"),
        (EMPTY_TAR, 200, ""),
        (PACKED, 200, ""),
    ],
)
def test_layers(world: World, layer: bytes, status: int, part: str) -> None:
    image = old_image("layers")
    push = pusher(world.callers["owner"], BASE, image)
    lead(push, image, "opened")
    blobs = Blob.objects.count()
    answer = push.put(f"images/{image.id}/layer", layer)
    assert answer.status == status, answer
    if part:
        assert part in error(answer)
        assert Blob.objects.count() == blobs
        assert LegacyPushImage.objects.get().state == "opened"


def test_layers_that_unpack_to_too_much(
    world: World, hub_settings: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = old_image("bomb")
    push = pusher(world.callers["owner"], BASE, image)
    lead(push, image, "opened")
    bomb = gzip.compress(bytes(4 * 1024**2))
    monkeypatch.setattr(layers, "FREE_BYTES", 1024**2)
    answer = push.put(f"images/{image.id}/layer", bomb)
    assert (answer.status, error(answer)) == (
        413,
        "a layer may unpack to at most 200 times its size",
    )
    monkeypatch.undo()
    hub_settings(v1="push", max_blob_bytes=1024**2)
    answer = push.put(f"images/{image.id}/layer", bomb)
    assert answer.status == 413
    assert push.layer(image).status == 200


def test_ancestry_cannot_loop(world: World) -> None:
    """Not by beginning an image again either."""
    root, middle, top = old_chain("loop")
    push = pusher(world.callers["owner"], BASE, root, middle, top)
    for image in (root, middle, top):
        assert push.document(image).status == 200
    bent = as_json({**root.facts, "parent": top.id})
    answer = push.put(f"images/{root.id}/json", bent)
    assert (answer.status, error(answer)) == (400, "Image depends on itself or on too many others")


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"null", b"[1]", b'["x"]', b"[{}]", b'[{"id": 7}]', b'[{"id": "xyz"}]']
    + [as_json([{"id": "a" * 64, "Tag": tag}]) for tag in (".bad", 7, "a b", "x" * 129)],
)
def test_lists_that_begin_no_push(world: World, body: bytes) -> None:
    sent = {**world.callers["owner"].basic(), **ASK}
    answer = send("PUT", f"/v1/repositories/{BASE}/", headers=sent, body=body)
    assert answer.status == 400
    assert not LegacyPush.objects.exists()


def test_a_list_has_a_size(world: World) -> None:
    many = [{"id": f"{number:064x}"} for number in range(legacy_push.MAX_IMAGES + 1)]
    sent = {**world.callers["owner"].basic(), **ASK}
    path = f"/v1/repositories/{BASE}/"
    assert send("PUT", path, headers=sent, body=as_json(many[:-1])).status == 200
    assert send("PUT", path, headers=sent, body=as_json(many)).status == 400
    assert send("PUT", path, headers=sent, body=b" " * 1024**2 + b"[]").status == 413


# --- who


def test_a_push_begins_for_whom_v2_lets_push(world: World) -> None:
    image = old_image("who")
    may = {"writer", "admin", "owner", "pushes"}
    for path in ("alice/public", "alice/private", "acme/public", "acme/private"):
        for name, who in world.callers.items():
            with undone():
                answer = begin(who, path, [image])
                wanted = 200 if name in _pushers(path, may) else 0
                if not wanted:
                    sees = path.endswith("public") or name in _seers(path)
                    wanted = 401 if name == "nobody" else 403 if sees else 404
                assert answer.status == wanted, (path, name, answer.body)
                assert ("X-Docker-Token" in answer.headers) == (wanted == 200)
                assert LegacyPush.objects.exists() == (wanted == 200)


def _pushers(path: str, may: set[str]) -> set[str]:
    owner = {"alice": {"owner"}, "acme": {"olga", "team"}}[path.partition("/")[0]]
    return (may - {"owner"}) | owner


def _seers(path: str) -> set[str]:
    return {"reader", "pulls"} | _pushers(path, {"writer", "admin", "owner", "pushes"})


def test_a_first_push_makes_the_repository_where_v2_would(world: World) -> None:
    image = old_image("first")
    member = world.callers["member"]
    for who, name, status in (
        ("owner", "alice/new", 200),
        ("stranger", "alice/new", 404),
        ("nobody", "alice/new", 401),
        ("writer", "alice/new", 404),
        ("olga", "acme/new", 200),
        ("member", "acme/new", 404),
        ("owner", "library/new", 404),
        ("owner", "new", 404),
        ("owner", "absent/new", 404),
        ("owner", "alice/NEW", 400),
    ):
        with undone():
            assert begin(world.callers[who], name, [image]).status == status, (who, name)
            assert Repository.objects.filter(path=name).exists() == (status == 200)
    organization = Organization.objects.get(namespace__name="acme")
    Organization.objects.filter(pk=organization.pk).update(members_create=True, default_public=True)
    assert Membership.objects.filter(organization=organization).exists()
    assert begin(member, "acme/new", [image]).status == 200
    made = Repository.objects.get(path="acme/new")
    assert (made.is_public, made.made_by_push) == (True, True)
    alice = people.person("carol")
    limited = caller("limited", alice, "repository:carol/other:pull,push")
    assert begin(limited, "carol/new", [image]).status == 404
    assert begin(limited, "carol/other", [image]).status == 200
    reads = caller("reads", alice, "repository:*:pull")
    assert begin(reads, "carol/third", [image]).status == 404


def test_a_first_push_that_comes_to_nothing_leaves_nothing(world: World) -> None:
    image = old_image("nothing")
    push = pusher(world.callers["owner"], "alice/new", image)
    push.whole(image)
    with time_machine.travel(timezone.now() + timedelta(days=4)):
        for _ in range(3):
            collect.collect()
        assert not Repository.objects.filter(path="alice/new").exists()
        assert not LegacyPush.objects.exists()
    assert not LegacyPushImage.objects.exists()


def test_a_right_that_went_is_gone_at_the_next_step(world: World) -> None:
    chain = old_chain("went", 4)
    push = pusher(world.callers["writer"], BASE, *chain)
    push.whole(*chain[:3])
    Collaborator.objects.filter(user__username="writer").update(role="read")
    for answer in (push.document(chain[3]), push.layer(chain[3]), push.tag(chain[2], "new")):
        assert answer.status == 403
    Collaborator.objects.filter(user__username="writer").delete()
    for answer in (push.document(chain[3]), push.tag(chain[2], "new")):
        assert answer.status == 404
    assert not Tag.objects.filter(repository__path=BASE, name="new").exists()


def test_immutable_tags_stay(world: World) -> None:
    image = old_image("fixed")
    push = pusher(world.callers["owner"], BASE, image)
    push.whole(image)
    assert push.tag(image, "fixed").status == 409
    assert push.tag(image, "v2").status == 200
    other = old_image("fixed other")
    more = pusher(world.callers["owner"], BASE, other)
    more.whole(other)
    assert more.tag(other, "v2").status == 409


# --- tokens


def test_a_write_token_is_for_pushing_one_repository(world: World) -> None:
    image = old_image("token")
    push = pusher(world.callers["owner"], BASE, image)
    push.whole(image)
    assert push.token.endswith(f',repository="{BASE}",access=write')
    assert push.ask("GET", f"repositories/{BASE}/tags").status == 200
    for method, path, status in (
        ("GET", "repositories/alice/public/tags", 401),
        ("PUT", "repositories/alice/public/tags/x", 401),
        ("PUT", f"repositories/{BASE}/properties", 401),
        ("DELETE", f"repositories/{BASE}/", 401),
        ("DELETE", f"repositories/{BASE}/tags/1", 401),
        ("PUT", f"repositories/{BASE}/", 401),
    ):
        body = b'{"access": "public"}' if "properties" in path else as_json([])
        answer = push.ask(method, path, body, **ASK)
        found = answer.status if "X-Docker-Token" not in answer.headers else "a token"
        if path == f"repositories/{BASE}/":
            assert found in (200, 401)
        else:
            assert found == status, (method, path, answer)
    assert Repository.objects.get(path=BASE).visibility == "private"
    reading = send("GET", f"/v1/repositories/{BASE}/images", headers={**push.who.basic(), **ASK})
    only = Pusher(push.who, BASE, reading.headers["X-Docker-Token"])
    assert only.document(image).status == 401
    assert only.tag(image, "x").status == 401
    assert only.ask("GET", f"images/{image.id}/json").status == 404  # not yet of the repository


def test_nobody_pushes_images_without_a_token(world: World) -> None:
    image = old_image("basic")
    begin(world.callers["owner"], BASE, [image])
    for headers in (world.callers["owner"].basic(), world.callers["owner"].plain(), {}):
        for what in ("json", "layer", "checksum"):
            answer = send("PUT", f"/v1/images/{image.id}/{what}", headers=headers, body=b"x")
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == 'Basic realm="auth required",Token'


def test_a_registry_token_begins_no_push(world: World) -> None:
    """It would outlive itself; the repository's list is taken all the same."""
    bearer = world.callers["owner"].bearer(f"repository:{BASE}:pull,push")
    answer = begin(world.callers["owner"], BASE, [old_image("b")], bearer)
    assert answer.status == 200
    assert "X-Docker-Token" not in answer.headers
    assert not LegacyPush.objects.exists()


def test_a_token_dies_with_its_repository_and_its_name(world: World) -> None:
    image = old_image("gone")
    push = pusher(world.callers["owner"], BASE, image)
    owner = world.callers["owner"].basic()
    assert send("DELETE", f"/v1/repositories/{BASE}/", headers=owner).status == 200
    assert begin(world.callers["owner"], BASE, [image]).status == 200  # made anew
    assert push.document(image).status == 404
    assert push.tag(image, "x").status in (401, 404)


def test_a_push_that_rests_too_long_is_over(world: World) -> None:
    image = old_image("rest")
    push = pusher(world.callers["owner"], BASE, image)
    assert push.document(image).status == 200
    LegacyPush.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert push.layer(image).status == 401
    assert collect.collect()["legacy pushes"] == 1
    assert not LegacyPushImage.objects.exists()


def test_a_token_is_good_for_six_hours(world: World) -> None:
    image = old_image("hours")
    push = pusher(world.callers["owner"], BASE, image)
    now = timezone.now()
    with time_machine.travel(now + timedelta(hours=5, minutes=59)):
        assert push.document(image).status == 200
    with time_machine.travel(now + timedelta(hours=6, minutes=1)):
        assert push.layer(image).status == 401


def test_open_pushes_of_one_person_are_few(world: World) -> None:
    image = old_image("many")
    pushes = [pusher(world.callers["owner"], BASE, image) for _ in range(legacy_push.MAX_OPEN + 2)]
    assert LegacyPush.objects.count() == legacy_push.MAX_OPEN
    assert [p.document(image).status for p in (pushes[0], pushes[1], pushes[2])] == [401, 401, 200]


# --- what it leaves


def test_the_same_events_as_a_push_by_v2(world: World) -> None:
    chain = old_chain("events")
    owner = world.callers["owner"]
    send("GET", "/v1/users/", headers=owner.basic())
    Event.objects.all().delete()
    push = pusher(owner, "alice/new", *chain)
    push.whole(*chain)
    assert push.tag(chain[-1], "1").status == 200
    assert push.tag(chain[-1], "1").status == 200  # the same again is no move
    told = [(e.kind, e.repository_path, e.actor_name) for e in Event.objects.order_by("id")]
    assert told == [
        ("repository.created", "alice/new", "alice"),
        ("tag.moved", "alice/new", "alice"),
    ]
    manifest = Manifest.objects.get(repository__path="alice/new")
    moved = Event.objects.get(kind="tag.moved").payload
    assert (moved["tag"], moved["digest"]) == ("1", manifest.digest)
    assert Repository.objects.get(path="alice/new").last_pushed_at is not None


def test_what_no_tag_took_is_collected_and_the_rest_is_sound(
    world: World, hub_settings: Callable[..., None]
) -> None:
    chain = old_chain("left", 4)
    push = pusher(world.callers["owner"], BASE, *chain)
    push.whole(*chain)
    push.tag(chain[1], "1")
    done = send("PUT", f"/v1/repositories/{BASE}/images", headers=push.who.basic(), body=b"[]")
    assert (done.status, done.body) == (204, b"")
    assert not LegacyPush.objects.exists()
    before = Blob.objects.count()
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        for _ in range(3):
            collect.collect()
        assert check() == []
    assert before - Blob.objects.count() >= 2
    reading = send("GET", f"/v1/repositories/{BASE}/images", headers={**push.who.basic(), **ASK})
    reader = Pusher(push.who, BASE, reading.headers["X-Docker-Token"])
    for image in chain[:2]:
        assert reader.ask("GET", f"images/{image.id}/layer").body == image.layer
    for image in chain[2:]:
        assert reader.ask("GET", f"images/{image.id}/json").status == 404


def test_losing_the_ids_costs_only_the_ids(world: World) -> None:
    chain = old_chain("lost")
    push = pusher(world.callers["owner"], BASE, *chain)
    push.whole(*chain)
    push.tag(chain[-1], "1")
    LegacyImage.objects.all().delete()
    owner = world.callers["owner"].basic()
    found = said(send("GET", f"/v1/repositories/{BASE}/tags/1", headers=owner))
    config = Manifest.objects.get(tags__name="1", repository__path=BASE).blobs.get(role="config")
    assert config.digest == f"sha256:{found}"


def test_the_end_of_a_push_takes_any_list(world: World) -> None:
    image = old_image("end")
    path = f"/v1/repositories/{BASE}/images"
    owner = world.callers["owner"].basic()
    for body, status in (
        (b"[]", 204),
        (as_json([{"id": image.id, "checksum": "tarsum+sha256:00"}]), 204),
        (b"{}", 400),
        (b"", 400),
    ):
        assert send("PUT", path, headers=owner, body=body).status == status
    for name, status in (("reader", 403), ("stranger", 404), ("nobody", 401)):
        headers = world.callers[name].basic()
        assert send("PUT", path, headers=headers, body=b"[]").status == status


def test_with_the_switch_off_there_is_no_push(
    world: World, hub_settings: Callable[..., None]
) -> None:
    image = old_image("off")
    push = pusher(world.callers["owner"], BASE, image)
    push.whole(image)
    hub_settings(v1="images")
    for path, allowed in (
        (f"images/{image.id}/json", "GET, HEAD"),
        (f"images/{image.id}/layer", "GET, HEAD"),
        (f"images/{image.id}/checksum", ""),
        (f"repositories/{BASE}/", "DELETE"),
        (f"repositories/{BASE}/images", "GET, HEAD, DELETE"),
    ):
        answer = push.put(path, b"[]")
        assert answer.status == 405, path
        assert sorted(answer.headers["Allow"].split(", ")) == sorted(allowed.split(", "))
    hub_settings(v1="search")
    assert push.put(f"images/{image.id}/json").status == 404
