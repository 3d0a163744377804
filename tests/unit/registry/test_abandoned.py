"""A first push that comes to nothing leaves nothing; what anybody wants stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from events.models import Event
from oci.errors import DigestInvalid
from registry.models import UploadSession
from registry.services import collect, uploads
from repos.models import Collaborator, Repository, Star
from repos.services.repositories import (
    create_repository,
    get_or_create_repository,
    update_repository,
)
from tests.images import image
from tests.unit.registry.pushing import ACTOR, digest, make_person, push, push_blob

pytestmark = pytest.mark.django_db


@pytest.fixture
def begun(alice):
    """What a POST that opens an upload makes."""
    return get_or_create_repository(alice.namespace, "begun", actor=ACTOR)


def a_day_later() -> None:
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        collect.collect()


def is_there() -> bool:
    return Repository.objects.filter(path="alice/begun").exists()


def test_a_refused_first_push_leaves_no_repository(begun):
    session = uploads.start(begun, actor=ACTOR)
    with pytest.raises(DigestInvalid):
        uploads.finish_with(session, [b"x"], digest(b"y"))
    collect.collect()
    assert is_there(), "the next try may come at any moment"
    a_day_later()
    assert not is_there()
    kinds = list(Event.objects.order_by("pk").values_list("kind", "actor_name"))
    assert kinds == [("repository.created", "alice"), ("repository.deleted", "hub")]
    assert get_or_create_repository(begun.namespace, "begun", actor=ACTOR).pk != begun.pk


def test_one_given_up_goes_after_its_upload_and_its_blobs(begun):
    uploads.start(begun, actor=ACTOR)
    push_blob(begun, b"x")
    collect.collect()
    assert is_there()
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        for _ in range(2):
            collect.collect()
    assert not is_there()
    assert not UploadSession.objects.exists()


def wants(begun, bob, how):
    match how:
        case "pushed to":
            push(begun, image(), "1")
        case "an open upload":
            uploads.start(begun, actor=ACTOR)
            UploadSession.objects.update(expires_at=timezone.now() + timedelta(days=9))
        case "a star":
            Star.objects.create(user=bob, repository=begun)
        case "a collaborator":
            Collaborator.objects.create(user=bob, repository=begun, role="read")
        case "a description":
            update_repository(begun, actor=ACTOR, description="soon")


@pytest.mark.parametrize(
    "how", ["pushed to", "an open upload", "a star", "a collaborator", "a description"]
)
def test_what_anybody_wants_stays(begun, how):
    wants(begun, make_person("bob"), how)
    a_day_later()
    assert is_there()


def test_one_made_by_hand_stays_empty_as_long_as_its_owner_likes(alice):
    create_repository(alice.namespace, "begun", actor=ACTOR)
    a_day_later()
    assert is_there()


def test_a_whole_blob_makes_its_repository_only_when_it_is_right(alice):
    def found():
        return get_or_create_repository(alice.namespace, "begun", actor=ACTOR)

    with pytest.raises(DigestInvalid):
        uploads.put_blob(found, [b"x"], digest(b"y"))
    assert not is_there()
    uploads.put_blob(found, [b"x"], digest(b"x"))
    assert is_there()
