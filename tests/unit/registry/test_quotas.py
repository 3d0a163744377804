"""Quotas are warned of once for each mark, when a push passes it."""

from __future__ import annotations

import pytest

from accounts.models import Namespace
from accounts.services.signup import create_user
from events import dispatch
from events.models import Event
from events.services import record
from events.types import Actor
from registry.models import Blob, BlobLink
from repos.services.repositories import create_repository

pytestmark = pytest.mark.django_db


def test_once_for_each_crossing():
    alice = create_user(username="alice", email="a@example.com", password="correct horse 9")
    actor = Actor(alice.pk, "alice")
    row, other = (create_repository(alice.namespace, name, actor=actor) for name in ("a", "b"))

    def push(size):
        blob = Blob.objects.create(
            digest=f"sha256:{Blob.objects.count()}",
            size=size,
            storage_key=str(Blob.objects.count()),
        )
        for repository in (row, other):  # counted once
            BlobLink.objects.create(repository=repository, blob=blob)
        return moved()

    def moved():
        record(
            "tag.moved",
            actor=actor,
            repository_id=row.pk,
            repository_path=row.path,
            namespace_id=row.namespace_id,
            payload={"tag": "v1"},
        )
        dispatch.drain()
        rows = Event.objects.filter(kind="quota.warning").order_by("pk")
        return [event.payload["percent"] for event in rows]

    assert push(1000) == []  # no quota is set
    Namespace.objects.update(quota_bytes=10_000)
    assert push(6999) == []
    assert push(1) == [80]
    assert push(10) == [80]
    assert push(2000) == [80, 100]
    assert push(1) == [80, 100]
    BlobLink.objects.filter(blob__size__gte=2000).delete()
    assert moved() == [80, 100]
    assert push(9000) == [80, 100, 100]
    last = Event.objects.filter(kind="quota.warning").latest("pk")
    assert last.payload == {
        "namespace": "alice",
        "percent": 100,
        "used_bytes": 10_012,
        "quota_bytes": 10_000,
    }
    assert (last.namespace_id, last.repository_id) == (row.namespace_id, None)
