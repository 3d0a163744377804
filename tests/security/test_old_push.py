"""AZ-08, RG-01, RG-04, RG-06, RG-07, RG-09, RG-10, TK-07: pushes by the API of 2013, whose ids are
chosen by clients."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from registry.models import LegacyPush, LegacyPushImage, Manifest, Tag
from registry.services import legacy_push
from registry.services.locking import no_recheck
from tests.images import as_json
from tests.protocol.old import OldImage, old_chain, old_image
from tests.security.lane import Answer, send
from tests.security.world import Caller, World

pytestmark = pytest.mark.django_db
ASK = {"X-Docker-Token": "true"}
HERE, THERE = "alice/private", "acme/private"
WAYS = ("json", "layer", "ancestry")


@pytest.fixture(autouse=True)
def _pushing(hub_settings: Callable[..., None]) -> None:
    hub_settings(v1="push")


def token(who: Caller, name: str, images: list[OldImage]) -> dict[str, str]:
    answer = send(
        "PUT",
        f"/v1/repositories/{name}/",
        headers={**who.basic(), **ASK},
        body=as_json([{"id": image.id} for image in images]),
    )
    assert answer.status == 200, answer.body
    return {"Authorization": f"Token {answer.headers['X-Docker-Token']}"}


def reading(who: Caller, name: str) -> dict[str, str]:
    path = f"/v1/repositories/{name}/images"
    answer = send("GET", path, headers={**who.basic(), **ASK})
    return {"Authorization": f"Token {answer.headers['X-Docker-Token']}"}


def put_image(headers: dict[str, str], image: OldImage) -> list[int]:
    path = f"/v1/images/{image.id}"
    sums = {"X-Docker-Checksum-Payload": image.checksum}
    return [
        send("PUT", f"{path}/json", headers=headers, body=image.document).status,
        send("PUT", f"{path}/layer", headers=headers, body=image.layer).status,
        send("PUT", f"{path}/checksum", headers={**headers, **sums}).status,
    ]


def put_tag(headers: dict[str, str], name: str, tag: str, image_id: str) -> Answer:
    path = f"/v1/repositories/{name}/tags/{tag}"
    return send("PUT", path, headers=headers, body=as_json(image_id))


# --- RG-07


def test_rg07_nobody_reaches_what_others_are_pushing_or_have_pushed(world: World) -> None:
    """All ids are known to the attacker, who pushes to a repository of their own."""
    alice, mallory = world.callers["owner"], world.callers["stranger"]
    chain = old_chain("secret")
    pushing = token(alice, HERE, chain)
    for image in chain[:2]:
        assert put_image(pushing, image) == [200, 200, 200]
    child = old_image("child", chain[1])
    own = token(mallory, "stranger/app", [*chain, child])
    others: list[dict[str, str]] = [own, mallory.basic(), {}, reading(world.callers["owner"], HERE)]
    for step in ("while it is pushed", "when it is there"):
        for image in chain[:2]:
            for headers in others[: 3 if step == "when it is there" else 4]:
                for way in WAYS:
                    answer = send("GET", f"/v1/images/{image.id}/{way}", headers=headers)
                    assert answer.status == 404, (step, way)
            assert put_tag(own, "stranger/app", "mine", image.id).status == 404
            path = f"/v1/repositories/{HERE}/layer/{image.id}/access"
            assert send("GET", path, headers=own).status in (401, 404)
        built = send("PUT", f"/v1/images/{child.id}/json", headers=own, body=child.document)
        assert json.loads(built.body) == {"error": "Image depends on a non existing parent"}
        assert put_tag(pushing, HERE, "1", chain[1].id).status == 200
    assert not Manifest.objects.filter(repository__path="stranger/app").exists()


def test_rg07_an_id_is_no_claim_on_it(world: World) -> None:
    """Whoever takes another one's id first changes nothing for them: not what they push, and not
    what their readers get."""
    alice, mallory = world.callers["owner"], world.callers["stranger"]
    true, false = old_image("same"), old_image("same", comment="false", size=10)
    taken = token(mallory, "stranger/app", [false])
    assert put_image(taken, false) == [200, 200, 200]
    assert put_tag(taken, "stranger/app", "1", false.id).status == 200
    people_see = {**mallory.basic()}
    path = "/v1/repositories/stranger/app/properties"
    public = b'{"access": "public"}'
    assert send("PUT", path, headers=people_see, body=public).status == 200
    mine = token(alice, HERE, [true])
    assert put_image(mine, true) == [200, 200, 200]
    assert put_tag(mine, HERE, "1", true.id).status == 200
    got = send("GET", f"/v1/images/{true.id}/json", headers=reading(alice, HERE))
    assert got.body == true.document
    for way in WAYS:  # without a token nobody knows which is meant
        assert send("GET", f"/v1/images/{true.id}/{way}", headers=alice.basic()).status == 401
        assert send("GET", f"/v1/images/{true.id}/{way}", headers=mallory.basic()).status == 200


def test_rg07_an_id_that_is_worked_out_cannot_be_taken(world: World) -> None:
    """Readers with a password get the image whose digest the id is, never one that claims it."""
    alice, mallory = world.callers["owner"], world.callers["stranger"]
    top = json.loads(send("GET", f"/v1/repositories/{HERE}/tags/1", headers=alice.basic()).body)
    true = send("GET", f"/v1/images/{top}/json", headers=alice.basic()).body
    fake = old_image("fake", id=top)
    taken = token(mallory, "stranger/app", [fake])
    assert put_image(taken, fake) == [200, 200, 200]
    assert put_tag(taken, "stranger/app", "1", top).status == 200
    path = "/v1/repositories/stranger/app/properties"
    send("PUT", path, headers=mallory.basic(), body=b'{"access": "public"}')
    assert send("GET", f"/v1/images/{top}/json", headers=alice.basic()).body == true


def test_az08_a_push_of_another_person_is_not_gone_on_with(world: World) -> None:
    """Both may push here; each push is one person's."""
    image = old_image("two")
    first = token(world.callers["writer"], HERE, [image])
    assert put_image(first, image) == [200, 200, 200]
    second = token(world.callers["admin"], HERE, [image])
    assert send("GET", f"/v1/images/{image.id}/json", headers=second).status == 404
    assert put_tag(second, HERE, "x", image.id).status == 404
    done = {**world.callers["admin"].basic()}
    assert send("PUT", f"/v1/repositories/{HERE}/images", headers=done, body=b"[]").status == 204
    assert put_tag(first, HERE, "x", image.id).status == 200


def test_tk07_a_token_of_a_push_is_whole_or_nothing(world: World) -> None:
    """No part of one can stand in another, and no reading token is made one for writing."""
    image = old_image("parts")
    write = token(world.callers["owner"], HERE, [image])["Authorization"]
    read = reading(world.callers["owner"], HERE)["Authorization"]
    forged = [
        write.replace(HERE, THERE),
        write.replace("access=write", "access=delete"),
        write.replace("access=write", "access=read"),
        read.replace("access=read", "access=write"),
        write.replace("signature=", "signature=x"),
        read.split(",")[0] + "," + write.split(",", 1)[1],
    ]
    for text in forged:
        headers = {"Authorization": text}
        for method, path in (
            ("PUT", f"/v1/images/{image.id}/json"),
            ("PUT", f"/v1/repositories/{HERE}/tags/x"),
            ("DELETE", f"/v1/repositories/{HERE}/"),
        ):
            answer = send(method, path, headers=headers, body=image.document)
            assert answer.status == 401, (text, method)
    for path in (f"/v2/{HERE}/tags/list", "/v2/", "/v2/_catalog"):
        assert send("GET", path, headers={"Authorization": write}).status == 401


# --- RG-01, RG-04, RG-06, RG-09


def test_rg01_ids_lead_nowhere_else(world: World) -> None:
    headers = token(world.callers["owner"], HERE, [])
    bad = ["..", "%2e%2e", "a/../b", "%2e%2e%2fx", "x" * 64, "A" * 64, "a" * 64 + "%0a", "%00" * 64]
    for image_id in bad:
        for what in ("json", "layer", "checksum"):
            path = f"/v1/images/{image_id}/{what}"
            assert send("PUT", path, headers=headers, body=b"{}").status == 404
    for image_id in ("../" + "a" * 61, ["a" * 64], None, "a" * 64 + "\n"):
        body = as_json([{"id": image_id}])
        sent = {**world.callers["owner"].basic(), **ASK}
        answer = send("PUT", f"/v1/repositories/{HERE}/", headers=sent, body=body)
        assert answer.status == 400
        assert put_tag(headers, HERE, "x", image_id).status in (400, 404)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"id":"' + b"a" * 64 + b'","x":' + b"9" * 5000 + b"}",
        b"\xef\xbb\xbf{}",
        '{"id": "\ud83d"}'.encode("utf-8", "surrogatepass"),
        b'{"id": "\\ud83d"}',
        b'{"x": Infinity}',
        b'{"x": [' + b"{}," * 400_000 + b"{}]}",
    ],
)
def test_rg04_hostile_documents_are_refused(world: World, body: bytes) -> None:
    image = old_image("hostile")
    headers = token(world.callers["owner"], HERE, [image])
    answer = send("PUT", f"/v1/images/{image.id}/json", headers=headers, body=body)
    assert answer.status in (400, 413)
    listed: dict[str, Any] = {**world.callers["owner"].basic(), **ASK}
    answer = send("PUT", f"/v1/repositories/{HERE}/", headers=listed, body=body)
    assert answer.status in (400, 413)
    assert not LegacyPushImage.objects.exists()


def test_rg06_chains_cannot_turn_on_themselves(world: World) -> None:
    """However the rows came to be so: tagging ends."""
    chain = old_chain("loop")
    headers = token(world.callers["owner"], HERE, chain)
    for image in chain:
        assert put_image(headers, image) == [200, 200, 200]
    LegacyPushImage.objects.filter(image_id=chain[0].id).update(parent_id=chain[2].id)
    answer = put_tag(headers, HERE, "loop", chain[2].id)
    assert answer.status == 400
    path = f"/v1/images/{chain[2].id}/ancestry"
    assert len(json.loads(send("GET", path, headers=headers).body)) <= 127
    assert not Tag.objects.filter(name="loop").exists()


def test_rg09_a_checksum_that_lies_completes_nothing(world: World) -> None:
    image, other = old_image("lie"), old_image("lie", comment="other")
    headers = token(world.callers["owner"], HERE, [image])
    path = f"/v1/images/{image.id}"
    send("PUT", f"{path}/json", headers=headers, body=image.document)
    send("PUT", f"{path}/layer", headers=headers, body=image.layer)
    lies = [other.checksum, image.checksum.upper(), image.checksum[7:], image.diff_id, "x" * 9000]
    for lie in lies:
        sums = {**headers, "X-Docker-Checksum-Payload": lie}
        assert send("PUT", f"{path}/checksum", headers=sums).status == 400
        assert send("GET", f"{path}/layer", headers=headers).status == 400
    assert put_tag(headers, HERE, "x", image.id).status == 400
    # The same layer again under another document: the sum of the first counts no more.
    send("PUT", f"{path}/json", headers=headers, body=other.document)
    sums = {**headers, "X-Docker-Checksum-Payload": image.checksum}
    assert send("PUT", f"{path}/checksum", headers=sums).status == 400
    assert LegacyPushImage.objects.get().state == "opened"


def test_rg10_a_layer_of_one_document_is_not_taken_for_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second request begins the image again while the first one's layer is on its way."""
    image, other = old_image("race"), old_image("race", comment="other")
    headers = token(world.callers["owner"], HERE, [image])
    path = f"/v1/images/{image.id}"
    send("PUT", f"{path}/json", headers=headers, body=image.document)
    put_unnamed = legacy_push.uploads.put_unnamed

    def meanwhile(*args: Any, **values: Any) -> Any:
        blob = put_unnamed(*args, **values)
        push = LegacyPush.objects.get()
        legacy_push.put_document(push, image.id, other.document, recheck=no_recheck)
        return blob

    monkeypatch.setattr(legacy_push.uploads, "put_unnamed", meanwhile)
    answer = send("PUT", f"{path}/layer", headers=headers, body=image.layer)
    assert answer.status == 400
    assert LegacyPushImage.objects.get().state == "opened"

    def ended(*args: Any, **values: Any) -> Any:
        blob = put_unnamed(*args, **values)
        LegacyPush.objects.all().delete()
        return blob

    monkeypatch.setattr(legacy_push.uploads, "put_unnamed", ended)
    assert send("PUT", f"{path}/layer", headers=headers, body=image.layer).status == 404
