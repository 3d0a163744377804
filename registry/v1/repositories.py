"""Repositories of the old index: their images, who may see them, deleting, tokens."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from accounts.selectors import find_namespace
from core.errors import Invalid
from oci.legacy import is_image_id
from oci.names import RepositoryName
from registry import legacy
from registry.services.legacy import identify
from registry.v1.auth import Access, enter, read_caller
from registry.v1.base import LegacyView
from registry.v1.errors import AuthorizationRequired, RepositoryAbsent
from registry.v1.tokens import issue
from repos.models import Repository, Visibility
from repos.permissions import may_create
from repos.services.repositories import delete_repository, update_repository

ENDPOINTS = "X-Docker-Endpoints"
TOKEN = "X-Docker-Token"  # noqa: S105 - a header's name


class RepositoryView(LegacyView):
    """`/v1/repositories/<name>/`."""

    def delete(self, request: Request, name: str) -> HttpResponse:
        return delete(self, name)


class ImagesView(LegacyView):
    """`/v1/repositories/<name>/images`: where a pull begins, and what makes a token good."""

    def get(self, request: Request, name: str) -> HttpResponse:
        access = enter(self.plain, name, "pull", index=True)
        return _with_token(self, access, "read", self.answer(_images(access.repository)))

    def delete(self, request: Request, name: str) -> HttpResponse:
        """Deletes nothing; gives the token to delete with."""
        access = enter(self.plain, name, "administer", index=True)
        return _with_token(self, access, "delete", _empty())


class PropertiesView(LegacyView):
    """`/v1/repositories/<name>/properties`."""

    def get(self, request: Request, name: str) -> HttpResponse:
        return self.answer({"access": enter(self.plain, name, "pull").repository.visibility})

    def put(self, request: Request, name: str) -> HttpResponse:
        access = enter(self.plain, name, "administer")
        visibility = self.json_object("Invalid data").get("access")
        if visibility not in Visibility.values:
            raise Invalid("Invalid data: access is private or public")
        actor, recheck = access.caller.principal.actor, access.recheck("administer")
        update_repository(access.repository, actor=actor, visibility=visibility, recheck=recheck)
        return self.answer()


class AuthView(LegacyView):
    """`/v1/repositories/<name>/auth`: whether a token is good."""

    def put(self, request: Request, name: str) -> HttpResponse:
        _bearer_of(self, name)
        return self.answer("OK")


class ImageAccessView(LegacyView):
    """`/v1/repositories/<name>/layer/<id>/access`: whether a token's owner may read an image."""

    def get(self, request: Request, name: str, image_id: str) -> HttpResponse:
        access = _bearer_of(self, name)
        found: Any = None
        if is_image_id(image_id):
            principal = access.caller.principal
            found = legacy.find_in(access.repository, image_id)
            found = found or legacy.find_anywhere(principal, image_id)
        return self.answer({"access": bool(found)})


def delete(view: LegacyView, name: str) -> HttpResponse:
    """Delete a repository; index and registry share this address.

    The flow of the old index comes in three steps: with `X-Docker-Token: true` it only asks for a
    token, with that token it deletes, with `X-Docker-Endpoints` it says that it is done.
    """
    plain = view.plain
    try:
        access = enter(plain, name, "administer")
    except RepositoryAbsent:
        if ENDPOINTS in plain.headers and _could_own(view, name):
            return view.answer()
        raise
    if plain.headers.get(TOKEN) and access.caller.token is None:
        return _with_token(view, access, "delete", view.answer("", status=202))
    actor, recheck = access.caller.principal.actor, access.recheck("administer")
    delete_repository(access.repository, actor=actor, recheck=recheck)
    return view.answer()


def _could_own(view: LegacyView, name: str) -> bool:
    """Whether they could have had a repository of this name, which is not there (any more)."""
    namespace = find_namespace(RepositoryName.parse(name).namespace)
    return namespace is not None and may_create(read_caller(view.plain).principal, namespace)


def _bearer_of(view: LegacyView, name: str) -> Access:
    """Access with a token of the index, whatever it is for."""
    access = enter(view.plain, name, "pull", index=True, any_token=True)
    if access.caller.token is None:
        raise AuthorizationRequired
    return access


def _with_token(
    view: LegacyView, access: Access, kind: str, response: HttpResponse
) -> HttpResponse:
    """The headers of the index; a token only if one is asked for, and not in exchange for one."""
    response[ENDPOINTS] = settings.EXTERNAL_HOST
    caller = access.caller
    if view.plain.headers.get(TOKEN) and caller.token is None and caller.grant.access is None:
        text = issue(caller.principal, access.repository, kind)
        response[TOKEN] = text
        response["WWW-Authenticate"] = f"Token {text}"
    if not access.repository.is_public or TOKEN in response:
        response["Cache-Control"] = "private, no-store"
    return response


def _images(repository: Repository) -> list[dict[str, str]]:
    """Each tag's image, then everything they are built on."""
    tagged = legacy.list_tagged(repository)
    tops = [{"id": image.content.top_id, "Tag": image.name} for image in tagged]
    ids = identify(repository, [image.content for image in tagged])
    lower = dict.fromkeys(image_id for some in ids.values() for image_id in reversed(some[:-1]))
    return [*tops, *({"id": image_id} for image_id in lower)]


def _empty() -> HttpResponse:
    response = HttpResponse(status=204)
    del response["Content-Type"]
    return response
