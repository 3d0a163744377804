"""REST: the trash of a namespace, and what the registry and webhooks make of it."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from events import dispatch
from registry.models import TagMove
from registry.services import pulls
from repos.models import Repository
from tests.images import image
from tests.unit.registry.pushing import push
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db
TRASH = "namespaces/acme/trash"


@pytest.fixture(autouse=True)
def _no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread would write pulls later."""
    monkeypatch.setattr(pulls, "note_pull", lambda *_: None)


def test_what_was_deleted_is_listed_and_restored(world):
    key = world.repositories["secret"].pk
    assert world["olga"]("GET", TRASH).json() == {"results": [], "next": None}
    assert world["boss"]("DELETE", "repositories/acme/secret").status_code == 204
    (row,) = world["olga"]("GET", TRASH).json()["results"]
    assert set(row) == {
        *("id", "name", "visibility", "size_bytes"),
        *("deleted_at", "deleted_by", "purge_after"),
    }
    assert (row["id"], row["name"], row["deleted_by"]) == (key, "secret", "boss")
    assert row["size_bytes"] > 0
    assert world["olga"]("GET", "repositories/acme/secret").status_code == 404
    assert world["olga"]("POST", "repositories", {"namespace": "acme", "name": "secret"})
    taken = world["boss"]("POST", f"{TRASH}/{key}/restore")
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    bad = world["boss"]("POST", f"{TRASH}/{key}/restore", {"name": "No"})
    assert (bad.status_code, bad.json()["code"]) == (400, "name_invalid")
    back = world["boss"]("POST", f"{TRASH}/{key}/restore", {"name": "found"})
    assert (back.status_code, back.json()["path"]) == (200, "acme/found")
    assert back.json()["comment_count"] == 1
    names = [
        tag["name"]
        for tag in world["reader"]("GET", "repositories/acme/found/tags").json()["results"]
    ]
    assert names == ["v1", "v2"]
    assert world["olga"]("POST", f"{TRASH}/{key}/restore").status_code == 404


def test_who_may(world):
    key = world.repositories["app"].pk
    for name, status in (("nobody", 401), ("writer", 403), ("boss", 403), ("mallory", 403)):
        assert world[name]("GET", TRASH).status_code == status, name
    assert world["olga"]("GET", "namespaces/absent/trash").status_code == 404
    assert world["olga"]("DELETE", "repositories/acme/app").status_code == 204
    for name, status in (
        ("nobody", 401),
        ("writer", 403),
        ("mallory", 403),
        ("full token", 403),
        ("pull token", 403),
    ):
        for method, path in (
            ("GET", TRASH),
            ("POST", f"{TRASH}/{key}/restore"),
            ("DELETE", f"{TRASH}/{key}"),
        ):
            assert world[name](method, path).status_code == status, (name, method)
    assert len(world["boss"]("GET", TRASH).json()["results"]) == 1
    other = world.repositories["secret"].pk
    assert world["boss"]("DELETE", f"{TRASH}/{other}").status_code == 404  # not deleted
    assert world["boss"]("DELETE", f"{TRASH}/{key}").status_code == 204
    assert world["boss"]("GET", TRASH).status_code == 403
    assert Repository.objects.get(pk=key).state == "deleting"


def test_the_registry_knows_it_again_as_it_was(world, alice, call_as):
    boss = world.people["boss"]
    secret = call_as(boss).token
    client = Client()
    basic = base64.b64encode(f"boss:{secret}".encode()).decode()
    asked = client.get(
        "/token?scope=repository:acme/secret:pull", HTTP_AUTHORIZATION=f"Basic {basic}"
    )
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {asked.json()['token']}"}

    def pull() -> int:
        return client.get("/v2/acme/secret/manifests/v1", **bearer).status_code

    assert pull() == 200
    key = world.repositories["secret"].pk
    world["boss"]("DELETE", "repositories/acme/secret")
    assert pull() == 401
    listed = client.get("/v2/_catalog", HTTP_AUTHORIZATION=f"Basic {basic}").json()
    assert "acme/secret" not in listed["repositories"]
    world["olga"]("POST", "repositories", {"namespace": "acme", "name": "secret"})
    fresh = Repository.objects.get(path="acme/secret")
    push(fresh, image("another"), "v1")
    assert pull() == 401  # it was for the one that had the name then
    world["olga"]("DELETE", "repositories/acme/secret")
    world["olga"]("POST", f"{TRASH}/{key}/restore")
    assert pull() == 200  # the same repository, and the same right to it
    world["olga"]("DELETE", "repositories/acme/secret/collaborators/boss")
    assert pull() == 401


def test_webhooks_are_told_and_do_not_fall_silent(world):
    hook = world.repositories["app"].webhooks.get()
    hook.events = ["repository.deleted", "repository.restored", "push"]
    hook.save()
    Delivery.objects.all().delete()
    world["olga"]("DELETE", "repositories/acme/app")
    world["olga"]("POST", f"{TRASH}/{hook.repository_id}/restore")
    dispatch.drain()
    told = Delivery.objects.order_by("pk").values_list("event__kind", flat=True)
    assert list(told) == ["repository.deleted", "repository.restored"]


@pytest.mark.parametrize("how", ["rest", "v2", "v1"])
def test_a_tag_that_any_client_deletes_can_come_back(world, call_as, how):
    writer = world.people["writer"]
    secret = call_as(writer).token
    basic = {
        "HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"writer:{secret}".encode()).decode()
    }
    if how == "rest":
        assert world["writer"]("DELETE", "repositories/acme/app/tags/v2").status_code == 204
    elif how == "v2":
        assert Client().delete("/v2/acme/app/manifests/v2", **basic).status_code == 202
        assert Client().get("/v2/acme/app/manifests/v2", **basic).status_code == 404
    else:
        assert Client().delete("/v1/repositories/acme/app/tags/v2", **basic).status_code == 200
    move = TagMove.objects.get(kind="delete")
    assert move.keep_until > timezone.now() + timedelta(days=6)


def test_deleting_by_digest_is_final_for_the_protocol(world, call_as):
    secret = call_as(world.people["writer"]).token
    basic = {
        "HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"writer:{secret}".encode()).decode()
    }
    address = f"/v2/acme/app/manifests/{world.manifest.digest}"
    client = Client()
    tags = json.loads(client.get("/v2/acme/app/tags/list", **basic).content)["tags"]
    assert tags == ["v1", "v2"]
    digest = client.head("/v2/acme/app/manifests/v1", **basic)["Docker-Content-Digest"]
    address = f"/v2/acme/app/manifests/{digest}"
    assert client.delete(address, **basic).status_code == 202
    for method in (client.get, client.head):
        assert method(address, **basic).status_code == 404
    assert TagMove.objects.get(kind="delete").keep_until is None


def test_metrics_tell_how_much_lies_there(world):
    def gauges() -> dict[str, float]:
        lines = Client().get("/metrics").text.splitlines()
        return {k: float(v) for k, v in (x.split(" ") for x in lines if not x.startswith("#"))}

    before = gauges()
    assert (before["hub_repositories_in_trash"], before["hub_trash_bytes"]) == (0, 0)
    world["olga"]("DELETE", "repositories/acme/secret/tags/v2")
    world["olga"]("DELETE", "repositories/acme/app")
    after = gauges()
    assert (after["hub_repositories_in_trash"], after["hub_tags_in_trash"]) == (1, 1)
    assert after["hub_trash_bytes"] > 0
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        assert gauges()["hub_tags_in_trash"] == 0
