"""Images by id. An id names no repository: it leads to content only through a repository that the
caller may pull from, or through the one their token is for.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from core.errors import NotFound
from oci.legacy import is_image_id, lower_json, top_json
from registry import legacy
from registry.legacy import Place
from registry.services import pulls
from registry.services.legacy import identify, read_document
from registry.v1.auth import read_caller
from registry.v1.base import LegacyView, lasting
from registry.v1.errors import AuthorizationRequired, ImageAbsent
from registry.v1.tokens import IndexToken
from registry.v2.serving import serve
from repos.permissions import decide, find_visible


class ImageView(LegacyView):
    """What the three have in common."""

    def places(self, image_id: str) -> Sequence[Place]:
        """Where the caller may read the image, the best place first; raises NotFound."""
        if not is_image_id(image_id):
            raise NotFound("Invalid image ID")
        caller = read_caller(self.plain)
        if caller.token is not None:
            return [_in_repository(caller.token, image_id)]
        found = legacy.find_anywhere(caller.principal, image_id, caller.reach)
        if not found:
            raise ImageAbsent
        return found

    def ids(self, place: Place) -> tuple[str, ...]:
        """The image and what it is built on, root first; raises NotFound."""
        ids = identify(place.repository, [place.content]).get(place.content.manifest_id, ())
        if not ids:
            raise ImageAbsent
        return ids[: place.position + 1]


class ImageJsonView(ImageView):
    """`/v1/images/<id>/json`."""

    def get(self, request: Request, image_id: str) -> HttpResponseBase:
        place = self.places(image_id)[0]
        parent = "".join(self.ids(place)[:-1][-1:])
        document = lower_json(image_id, parent)
        if place.is_top:
            config = read_document(place.content)
            if config is None:
                raise ImageAbsent
            document = top_json(config, image_id, parent)
        response = self.answer(document)
        response["X-Docker-Size"] = str(place.content.layers[place.position].size)
        return lasting(self.plain, response, public=place.repository.is_public)


class AncestryView(ImageView):
    """`/v1/images/<id>/ancestry`: itself first, the root last."""

    def get(self, request: Request, image_id: str) -> HttpResponseBase:
        place = self.places(image_id)[0]
        response = self.answer([*reversed(self.ids(place))])
        if self.plain.method == "GET" and place.is_top:  # clients ask once for each pull
            pulls.note_pull(place.repository.pk, place.content.manifest_id, None)
        return lasting(self.plain, response, public=place.repository.is_public)


class LayerView(ImageView):
    """`/v1/images/<id>/layer`."""

    def get(self, request: Request, image_id: str) -> HttpResponseBase:
        places = self.places(image_id)
        if len({place.content.layers[place.position].digest for place in places}) > 1:
            raise AmbiguousImage
        place = places[0]
        blob = place.content.blob(place.position)
        response = serve(self.plain, blob, redirect=302)
        response["ETag"] = f'"{blob.digest}"'
        if response.status_code == 302:
            return response
        return lasting(self.plain, response, public=place.repository.is_public)


class AmbiguousImage(AuthorizationRequired):
    """Several repositories have different layers under one id: it is made of what their configs
    claim of the layers. Only a token says whose are meant."""

    def __init__(self) -> None:
        super().__init__()
        self.message = (
            "Requires authorization: several repositories have an image of this id, with different "
            "layers; ask for a token with GET /v1/repositories/<name>/images and X-Docker-Token"
        )


def _in_repository(token: IndexToken, image_id: str) -> Place:
    """The image in the repository a token is for, if its owner may still pull there."""
    repository = find_visible(token.principal, token.path)
    if repository is None or repository.pk != token.repository_id:
        raise ImageAbsent
    place = legacy.find_in(repository, image_id)
    if place is None or not decide(token.principal, "pull", repository).allowed:
        raise ImageAbsent
    return place
