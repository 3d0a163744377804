"""Who is told: asked of all people at once, the answer is what `decide` says of each."""

from __future__ import annotations

import pytest

from accounts.models import User
from accounts.services.credentials import principal_of
from repos.models import Repository
from repos.permissions import decide
from repos.permissions.readers import who_may_see
from tests.matrix.rules import PLACES
from tests.matrix.world import World, undone

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("place", PLACES)
def test_who_may_see_is_decide_for_everybody(world: World, place: str) -> None:
    repository = Repository.objects.select_related("namespace__organization").get(path=place)
    people = User.objects.filter(is_active=True, robot_namespace=None)
    expected = {p.pk for p in people if decide(principal_of(p), "see", repository).allowed}
    everybody = list(User.objects.values_list("pk", flat=True))
    assert who_may_see(repository, everybody) == expected
    assert who_may_see(repository, []) == set()
    assert 0 < len(expected) <= people.count()
    assert (len(expected) == people.count()) == place.endswith("/open")


def test_nobody_sees_what_is_on_its_way_out(world: World) -> None:
    repository = Repository.objects.select_related("namespace__organization").get(path="acme/open")
    everybody = list(User.objects.values_list("pk", flat=True))
    with undone():
        repository.state = Repository.State.TRASHED
        assert who_may_see(repository, everybody) == set()
