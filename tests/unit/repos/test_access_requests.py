"""Asking for access: nothing is told, one open request each, and answers that count at once."""

from __future__ import annotations

import pytest

from accounts.models import OutgoingMail
from accounts.services.credentials import principal_of
from accounts.types import ANONYMOUS
from core.errors import Conflict, Denied, Invalid, NotFound, RateLimited, Unauthenticated
from events.dispatch import drain
from events.models import Event
from repos.models import AccessRequest, Collaborator
from repos.permissions import decide
from repos.services.access_requests import answer, ask, get_request, list_open
from tests.unit.repos.people import organization, person, principal, repository

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(rung):
    owner, asker = person("olga"), person("anna")
    owner.email, asker.email = "olga@example.com", "anna@example.com"
    owner.save()
    asker.save()
    acme = organization("acme", owner)
    return owner, asker, repository(acme.namespace, "app")


def mails():
    return {(m.to, m.subject.partition("] ")[2]) for m in OutgoingMail.objects.all()}


def test_the_administrators_are_told_and_the_answer_counts_at_once(world):
    owner, asker, repo = world
    ask(principal_of(asker), "acme/app", role="write", message=" for\nCI ")
    drain()
    (row,) = list_open(repo)
    assert (row.user, row.role, row.message) == (asker, "write", "for CI")
    assert mails() == {("olga@example.com", "anna asks for access to acme/app")}
    answer(row, actor=principal_of(owner).actor, granted=True, role="read")
    assert decide(principal_of(asker), "pull", repo).allowed
    assert not decide(principal_of(asker), "push", repo).allowed
    assert ("anna@example.com", "You have access to acme/app") in mails()
    assert list_open(repo) == []
    kinds = set(Event.objects.filter(repository_id=repo.pk).values_list("kind", flat=True))
    assert {"access.requested", "access.granted", "collaborator.added"} <= kinds
    with pytest.raises(Conflict):
        answer(row, actor=principal_of(owner).actor, granted=False)


def test_refusing_gives_nothing_and_tells_so(world):
    owner, asker, repo = world
    ask(principal_of(asker), "acme/app", role="read")
    drain()
    answer(list_open(repo)[0], actor=principal_of(owner).actor, granted=False)
    assert not Collaborator.objects.filter(user=asker).exists()
    assert ("anna@example.com", "Your request about acme/app") in mails()


def test_asking_leaves_the_same_behind_whatever_there_is(world):
    _, asker, repo = world
    for path in ("acme/app", "acme/none", "nobody/none"):
        ask(principal_of(asker), path, role="read")
    kinds = Event.objects.values_list("kind", "repository_id", "namespace_id", "outcome")
    assert set(kinds) == {("access.asked", None, None, "")}
    drain()
    assert AccessRequest.objects.get().repository == repo


def test_asking_again_changes_the_open_request(world):
    _, asker, repo = world
    for role in ("read", "write"):
        ask(principal_of(asker), "acme/app", role=role)
        drain()
    (row,) = list_open(repo)
    assert row.role == "write"
    assert len(mails()) == 1


def test_whoever_may_already_is_not_asked_about(world):
    owner, _, repo = world
    ask(principal_of(owner), "acme/app", role="admin")
    drain()
    assert list_open(repo) == []


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"role": "owner"}, Invalid),
        ({"role": ""}, Invalid),
        ({"role": "read", "message": "x" * 501}, Invalid),
    ],
)
def test_bad_input_is_refused(world, values, error):
    with pytest.raises(error):
        ask(principal_of(world[1]), "acme/app", **values)
    assert not Event.objects.exists()


def test_nobody_and_the_unconfirmed_cannot_ask(world):
    _, asker, _ = world
    with pytest.raises(Unauthenticated):
        ask(ANONYMOUS, "acme/app", role="read")
    asker.is_verified = False
    with pytest.raises(Denied):
        ask(principal_of(asker), "acme/app", role="read")


def test_ten_a_day_are_enough_whether_they_led_anywhere_or_not(world):
    _, asker, _ = world
    for n in range(10):
        ask(principal_of(asker), f"acme/x{n}", role="read")
    with pytest.raises(RateLimited):
        ask(principal_of(asker), "acme/app", role="read")


def test_a_request_is_found_below_its_own_repository_only(world):
    owner, asker, _ = world
    ask(principal(asker), "acme/app", role="read")
    drain()
    other = repository(owner.namespace, "other")
    with pytest.raises(NotFound):
        get_request(other, AccessRequest.objects.get().pk)
