"""How many other images have a layer: only what the reader may see counts, or shows at all."""

from __future__ import annotations

import pytest

from accounts.types import ANONYMOUS
from registry import sharing
from registry.models import Manifest
from registry.services.manifests import delete_manifest
from registry.sharing import NOT_SHARED, Sharing, sharing_of
from repos.models import Collaborator, Repository
from tests.images import image
from tests.unit.registry.pushing import ACTOR, digest, make_person, make_repository, push
from tests.unit.repos.people import principal

pytestmark = pytest.mark.django_db


def variant(number):
    """An image with the same layers and another configuration."""
    return image("base", labels={"n": str(number)})


@pytest.fixture
def stored(alice):
    made = make_repository(alice.namespace, "open", visibility="public")
    return push(made, variant(0), "1")


def seen_by(who, manifest):
    layers = [b.digest for b in manifest.blobs.filter(role="layer").order_by("position")]
    found = sharing_of(who, manifest, layers)
    return [found[layer] for layer in layers]


def test_other_images_of_the_repository_and_of_others_count(alice, stored):
    assert seen_by(ANONYMOUS, stored) == [NOT_SHARED, NOT_SHARED]
    push(stored.repository, variant(1), "2")
    assert seen_by(ANONYMOUS, stored) == [Sharing(1, elsewhere=False)] * 2
    push(make_repository(alice.namespace, "more", visibility="public"), variant(0), "1")
    assert seen_by(ANONYMOUS, stored) == [Sharing(2, elsewhere=True)] * 2


def test_what_one_may_not_see_is_as_if_it_were_not_there(alice, stored):
    bob, carol = make_person("bob"), make_person("carol")
    hidden = make_repository(bob.namespace, "hidden")
    push(hidden, variant(0), "1")
    Collaborator.objects.create(repository=hidden, user=carol, role="read")
    for who in (ANONYMOUS, principal(alice), principal(bob, "bob/other:pull")):
        assert seen_by(who, stored) == [NOT_SHARED] * 2
    for who in (principal(bob), principal(carol), principal(bob, "bob/*:pull")):
        assert seen_by(who, stored) == [Sharing(1, elsewhere=True)] * 2
    Repository.objects.filter(pk=hidden.pk).update(state=Repository.State.TRASHED)
    assert seen_by(principal(bob), stored) == [NOT_SHARED] * 2


def test_counting_ends(stored, monkeypatch):
    monkeypatch.setattr(sharing, "MOST", 2)
    for number in range(1, 5):
        push(stored.repository, variant(number), f"t{number}")
    (first, _) = seen_by(ANONYMOUS, stored)
    assert first == Sharing(3, elsewhere=False)
    assert first.is_many


def test_one_query_however_much_is_shared(stored, django_assert_num_queries):
    layers = [b.digest for b in stored.blobs.filter(role="layer")]
    for number in range(1, 6):
        push(stored.repository, variant(number), f"t{number}")
        with django_assert_num_queries(1):
            assert sharing_of(ANONYMOUS, stored, layers)[layers[0]].images == number


def test_an_image_that_went_does_not_count(stored):
    whole = variant(1)
    push(stored.repository, whole)
    assert seen_by(ANONYMOUS, stored)[0].images == 1
    delete_manifest(stored.repository, digest(whole.manifest), actor=ACTOR)
    assert Manifest.objects.count() == 1
    assert seen_by(ANONYMOUS, stored) == [NOT_SHARED] * 2
