"""Watching a search: what it finds now and did not find before."""

from __future__ import annotations

import pytest

from core.errors import Conflict, Invalid
from notices.models import Notice, SearchWatch
from notices.selectors import shown_to
from notices.sentences import sentence_of, target_of
from notices.services import searches
from notices.tasks import find, look_again
from repos.models import Collaborator
from tests.unit.notices.conftest import Town
from tests.unit.repos import people

pytestmark = pytest.mark.django_db


def found(town: Town, name: str = "sven") -> list[str]:
    rows = shown_to(town.principal(name)).order_by("pk")
    return [n.repository.path for n in rows if n.repository is not None]


def test_what_is_new_is_told_once(town: Town) -> None:
    searches.watch_search(town.principal("sven"), "  ACME   open ", find)
    assert SearchWatch.objects.get().text == "acme open"
    assert look_again() == 0
    people.repository(town.open.namespace, "open-two", visibility="public")
    people.repository(town.open.namespace, "other", visibility="public")
    people.repository(town.open.namespace, "open-secret")
    assert look_again() == 1
    assert look_again() == 0
    assert found(town) == ["acme/open-two"]
    notice = Notice.objects.get()
    assert sentence_of(notice) == "acme/open-two is a new result of your search “acme open”"
    assert target_of(notice) == "/acme/open-two"


def test_what_becomes_visible_is_new(town: Town) -> None:
    searches.watch_search(town.principal("sven"), "closed", find)
    assert look_again() == 0
    Collaborator.objects.create(repository=town.closed, user=town.users["sven"], role="read")
    assert look_again() == 1
    assert found(town) == ["acme/closed"]
    Collaborator.objects.filter(user=town.users["sven"]).delete()
    assert look_again() == 0
    assert found(town) == []


def test_behind_a_full_window_nothing_is_new(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "WINDOW", 3)
    rows = [
        people.repository(town.open.namespace, f"box{n}", visibility="public") for n in range(5)
    ]
    searches.watch_search(town.principal("sven"), "box", find)
    rows[4].delete()
    assert look_again() == 0
    people.repository(town.open.namespace, "box9", visibility="public")
    assert look_again() == 1


def test_not_too_many_at_a_time(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "TOLD", 2)
    searches.watch_search(town.principal("sven"), "box", find)
    for n in range(5):
        people.repository(town.open.namespace, f"box{n}", visibility="public")
    assert look_again() == 2
    assert found(town) == ["acme/box0", "acme/box1"]
    assert look_again() == 0


def test_what_is_refused(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    sven = town.principal("sven")
    for text in ("", "  ", "x" * 201):
        with pytest.raises(Invalid):
            searches.watch_search(sven, text, find)
    searches.watch_search(sven, "box", find)
    with pytest.raises(Conflict):
        searches.watch_search(sven, "Box", find)
    monkeypatch.setattr(searches, "MAX_SEARCHES", 1)
    with pytest.raises(Conflict):
        searches.watch_search(sven, "other", find)
