"""Repositories of the old index: their images, who may see them, deleting, tokens."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from accounts.selectors import find_namespace
from core.errors import Invalid
from oci.legacy import is_image_id
from oci.names import RepositoryName, is_tag
from oci.strict import JsonInvalid, read_json
from registry import legacy
from registry.services import legacy_push
from registry.services.legacy import identify
from registry.v1.auth import Access, enter, enter_new, read_caller
from registry.v1.base import LegacyView
from registry.v1.errors import AuthorizationRequired, RepositoryAbsent
from registry.v1.tokens import issue
from repos.models import Repository, Visibility
from repos.permissions import may_create
from repos.services.repositories import delete_repository, update_repository

ENDPOINTS = "X-Docker-Endpoints"
TOKEN = "X-Docker-Token"  # noqa: S105 - a header's name
MAX_LIST_BYTES = 1024 * 1024
_MAX_VALUES = 50_000


class RepositoryView(LegacyView):
    """`/v1/repositories/<name>/`: where a push begins."""

    pushing = ("PUT",)

    def put(self, request: Request, name: str) -> HttpResponse:
        """Makes the repository if it is not there; its token is for this push alone."""
        access = enter_new(self.plain, name)
        ids, tags = _announced(self.small_body(MAX_LIST_BYTES))
        push = ""
        if _wants_token(self, access):
            actor = access.caller.principal.actor
            push = str(legacy_push.start(access.repository, ids, tags, actor=actor).uuid)
        return _with_token(self, access, "write", self.answer(""), push)

    def delete(self, request: Request, name: str) -> HttpResponse:
        return delete(self, name)


class ImagesView(LegacyView):
    """`/v1/repositories/<name>/images`: where a pull begins, where a push ends, and what makes a
    token good."""

    pushing = ("PUT",)

    def get(self, request: Request, name: str) -> HttpResponse:
        access = enter(self.plain, name, "pull", index=True)
        return _with_token(self, access, "read", self.answer(_images(access.repository)))

    def put(self, request: Request, name: str) -> HttpResponse:
        """The push is over. What its client says of checksums was proven layer by layer."""
        access = enter(self.plain, name, "push", index=True)
        _list_in(self.small_body(MAX_LIST_BYTES))
        push = access.caller.push
        if push is not None:
            legacy_push.finish(push)
        else:
            legacy_push.finish_all(access.repository, actor=access.caller.principal.actor)
        return _empty()

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


def _wants_token(view: LegacyView, access: Access) -> bool:
    """Whether one is asked for, and not in exchange for one."""
    caller = access.caller
    return (
        bool(view.plain.headers.get(TOKEN)) and caller.token is None and caller.grant.access is None
    )


def _with_token(
    view: LegacyView, access: Access, kind: str, response: HttpResponse, push: str = ""
) -> HttpResponse:
    """The headers of the index, and the token if there is to be one."""
    response[ENDPOINTS] = settings.EXTERNAL_HOST
    if _wants_token(view, access):
        text = issue(access.caller.principal, access.repository, kind, push)
        response[TOKEN] = text
        response["WWW-Authenticate"] = f"Token {text}"
    if not access.repository.is_public or TOKEN in response:
        response["Cache-Control"] = "private, no-store"
    return response


def _images(repository: Repository) -> list[dict[str, str]]:
    """Each tag's image, then everything they are built on."""
    tagged = legacy.list_tagged(repository)
    tops = [{"id": image.image_id, "Tag": image.name} for image in tagged]
    ids = identify(repository, [image.content for image in tagged])
    lower = dict.fromkeys(image_id for some in ids.values() for image_id in reversed(some[:-1]))
    return [*tops, *({"id": image_id} for image_id in lower)]


def _list_in(body: bytes) -> list[Any]:
    """The body as a JSON list; raises Invalid."""
    try:
        found = read_json(body, most_values=_MAX_VALUES, most_depth=8)
    except JsonInvalid as error:
        raise Invalid("Error Decoding JSON") from error
    if not isinstance(found, list):
        raise Invalid("Invalid data: a list of images is needed")
    return found


def _announced(body: bytes) -> tuple[list[str], list[str]]:
    """The ids and tags a push begins with; raises Invalid."""
    ids, tags = [], []
    for entry in _list_in(body):
        image_id = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(image_id, str) or not is_image_id(image_id):
            raise Invalid("Invalid data: each image has an id of 64 lower-case hex digits")
        ids.append(image_id)
        tag = entry.get("Tag") or ""
        if tag and not (isinstance(tag, str) and is_tag(tag)):
            raise Invalid(f"Invalid tag name: {str(tag)[:128]}")
        if tag:
            tags.append(tag)
    if len({*ids}) > legacy_push.MAX_IMAGES:
        raise Invalid(f"One push may have at most {legacy_push.MAX_IMAGES} images")
    return ids, tags


def _empty() -> HttpResponse:
    response = HttpResponse(status=204)
    del response["Content-Type"]
    return response
