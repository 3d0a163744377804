"""What is offered while somebody types: repositories, people and organizations, pages."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Namespace
from accounts.types import Principal
from repos.models import Repository
from search.query import parse
from search.selectors import find

REPOSITORIES, NAMESPACES, PAGES = 5, 4, 3
# So that nobody leafs through all accounts.
LETTERS_OF_A_NAME = 3


@dataclass(frozen=True, slots=True)
class PlaceOfSite:
    """A page by the name of its address; `signed_in`: only those who are have it."""

    name: str
    title: Promise
    signed_in: bool = True


PLACES = (
    PlaceOfSite("explore", _("Explore images"), signed_in=False),
    PlaceOfSite("help", _("Help: how to push and pull"), signed_in=False),
    PlaceOfSite("help-reasons", _("Help: reasons for refusals"), signed_in=False),
    PlaceOfSite("api-docs", _("REST API"), signed_in=False),
    PlaceOfSite("stars", _("Your stars")),
    PlaceOfSite("new-repository", _("New repository")),
    PlaceOfSite("new-organization", _("New organization")),
    PlaceOfSite("tokens", _("Settings: access tokens")),
    PlaceOfSite("account-settings", _("Settings: account")),
    PlaceOfSite("account-access", _("Settings: what you may use")),
    PlaceOfSite("account-audit", _("Settings: your audit log")),
)


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Each group may be empty."""

    repositories: list[Repository]
    namespaces: list[Namespace]
    places: list[PlaceOfSite]

    def __bool__(self) -> bool:
        return bool(self.repositories or self.namespaces or self.places)


def suggest(principal: Principal, text: str) -> Suggestions:
    """What fits the text, best first; nothing for nothing."""
    query = parse(text)
    if not query.is_filtered:
        return Suggestions([], [], [])
    page = find(principal, query, limit=REPOSITORIES)
    plain = query.words[0] if len(query.words) == 1 and not query.facts else ""
    return Suggestions(page.rows, _namespaces(principal, plain), _places(principal, query.words))


def _namespaces(principal: Principal, begin: str) -> list[Namespace]:
    """People and organizations whose names begin so; who is not signed in is told of none."""
    if principal.is_anonymous or len(begin) < LETTERS_OF_A_NAME:
        return []
    shown = Q(user__is_active=True) | Q(organization__isnull=False)
    rows = Namespace.objects.filter(shown, name__startswith=begin).order_by("name")
    return list(rows.select_related("user", "organization")[:NAMESPACES])


def _places(principal: Principal, words: tuple[str, ...]) -> list[PlaceOfSite]:
    if not words:
        return []
    places = [p for p in PLACES if not (p.signed_in and principal.is_anonymous)]
    return [p for p in places if all(w in str(p.title).lower() for w in words)][:PAGES]
