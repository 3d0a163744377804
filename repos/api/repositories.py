"""REST: finding, making, reading, changing and deleting repositories."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Sum
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import HubView, describe
from accounts.selectors import find_namespace
from accounts.types import Principal
from core.errors import Denied, Invalid, Unauthenticated
from core.paging import Page, page_by_id, page_by_name
from registry.models import BlobLink
from repos.access import enter
from repos.limits import refuse_often
from repos.models import Repository, Star, Visibility
from repos.permissions import Action, decide, may_create, visible_in, visible_to
from repos.serializers import (
    NewRepositorySerializer,
    RepositoryChangeSerializer,
    RepositoryRowSerializer,
    RepositorySerializer,
)
from repos.services.repositories import create_repository, delete_repository, update_repository
from repos.services.stars import set_star
from search.facts import KINDS
from search.query import SHOWS, SORTS, from_parameters
from search.selectors import find

TAG = "repositories"
SEARCH_QUERY = [
    ("q", "Words that the path or the description must hold, and filters as `org:acme`."),
    ("namespace", "Only those of this person or organization."),
    ("visibility", "`public` or `private`."),
    ("show", f"Of yours: {', '.join(SHOWS)}."),
    ("platform", "Only what runs on this, as linux/arm64 or arm64."),
    ("kind", f"Only what holds one: {', '.join(KINDS)}."),
    ("updated", "How long ago the last push may be, as 12h, 30d or 1y."),
    ("sort", f"The order: {', '.join(SORTS)}."),
]
_SHOWN: tuple[Action, ...] = ("see", "pull", "push", "administer")


class RepositoriesView(HubView):
    @describe(
        TAG,
        "Repositories you may see, by path",
        operation="repository_list",
        rows=RepositoryRowSerializer,
        query=[("namespace", "Only those of this person or organization.")],
        public=True,
    )
    def get(self, request: Request) -> Response:
        rows = visible_to(self.principal).select_related("namespace").defer("readme", "readme_html")
        if namespace := self.text("namespace"):
            rows = rows.filter(namespace__name=namespace)
        page = page_by_name(rows, field="path", **self.paging())
        return self.answer_page(page, RepositoryRowSerializer, sizes=sizes_of(page.rows))

    @describe(
        TAG,
        "Make a repository",
        operation="repository_create",
        body=NewRepositorySerializer,
        answer=RepositorySerializer,
        status=201,
    )
    def post(self, request: Request) -> Response:
        principal = self.principal
        if principal.is_anonymous:
            raise Unauthenticated("Sign in to make a repository.")
        values = self.read(NewRepositorySerializer)
        namespace = find_namespace(values.pop("namespace"))
        if namespace is None or not may_create(principal, namespace):
            raise Denied("You may not make repositories in this namespace.", code="NOT_YOURS")
        path = f"{namespace.name}/{values['name']}"
        if "push" not in principal.token_actions(path):
            raise Denied(
                f"Your access token does not allow push on {path}; make a token with that scope.",
                code="TOKEN_SCOPE",
            )
        refuse_often(principal, "repository.created")
        repository = create_repository(
            namespace, values.pop("name"), actor=principal.actor, **values
        )
        return Response(whole(principal, repository), status=201)


class RepositoryView(HubView):
    @describe(
        TAG,
        "A repository, and what you may do with it",
        operation="repository_read",
        answer=RepositorySerializer,
        public=True,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}")
        return Response(whole(access.principal, access.repository))

    @describe(
        TAG,
        "Change description, README or visibility",
        operation="repository_update",
        body=RepositoryChangeSerializer,
        answer=RepositorySerializer,
    )
    def patch(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        values = self.read(RepositoryChangeSerializer, partial=True)
        if values.get("visibility") == Visibility.PUBLIC:
            self.require_recent_sign_in()
        actor, recheck = access.principal.actor, access.recheck("administer")
        repository = update_repository(access.repository, actor=actor, recheck=recheck, **values)
        return Response(whole(access.principal, repository))

    @describe(TAG, "Delete a repository and all it holds", operation="repository_delete")
    def delete(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        self.require_recent_sign_in()
        actor, recheck = access.principal.actor, access.recheck("administer")
        delete_repository(access.repository, actor=actor, recheck=recheck)
        return Response(status=204)


class SearchView(HubView):
    @describe(
        TAG,
        "Search what you may see, best match first",
        operation="search",
        rows=RepositoryRowSerializer,
        query=SEARCH_QUERY,
        public=True,
    )
    def get(self, request: Request) -> Response:
        query = from_parameters({name: self.text(name) for name, _ in SEARCH_QUERY})
        if query.notes:
            raise Invalid(" ".join(query.notes), code="QUERY_INVALID")
        page = find(self.principal, query, **self.paging())
        return self.answer_page(page, RepositoryRowSerializer, sizes=sizes_of(page.rows))


class StarView(HubView):
    @describe("stars", "Star a repository", operation="star_set")
    def put(self, request: Request, namespace: str, name: str) -> Response:
        return self.change(request, f"{namespace}/{name}", starred=True)

    @describe("stars", "Take your star away", operation="star_delete")
    def delete(self, request: Request, namespace: str, name: str) -> Response:
        return self.change(request, f"{namespace}/{name}", starred=False)

    def change(self, request: Request, path: str, *, starred: bool) -> Response:
        """Both ways are repeatable."""
        access = enter(request, path, "star")
        set_star(access.repository, actor=access.principal.actor, starred=starred)
        return Response(status=204)


class StarsView(HubView):
    @describe(
        "stars",
        "What you starred and may still see, newest star first",
        operation="star_list",
        rows=RepositoryRowSerializer,
    )
    def get(self, request: Request) -> Response:
        principal = self.require_account()
        stars = (
            Star.objects.filter(visible_in(principal, "repository"), user_id=principal.account_id)
            .select_related("repository__namespace")
            .defer("repository__readme", "repository__readme_html")
        )
        page = page_by_id(stars, **self.paging())
        rows = [star.repository for star in page.rows]
        return self.answer_page(
            Page(rows, page.next_cursor), RepositoryRowSerializer, sizes=sizes_of(rows)
        )


def sizes_of(repositories: Iterable[Repository]) -> dict[int, int]:
    """Bytes of the distinct blobs of each, in one query; none is no entry."""
    return dict(
        BlobLink.objects.filter(repository__in=[row.pk for row in repositories])
        .values_list("repository_id")
        .annotate(bytes=Sum("blob__size"))
    )


def whole(principal: Principal, repository: Repository) -> dict[str, object]:
    context = {
        "sizes": sizes_of([repository]),
        "permissions": {a: decide(principal, a, repository).allowed for a in _SHOWN},
    }
    return RepositorySerializer(repository, context=context).data
