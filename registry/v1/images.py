"""Images by id. An id names no repository: it leads to content only through a repository that the
caller may pull from, or through the one their token is for.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from core.errors import Invalid, NotFound
from oci.digest import Digest
from oci.legacy import is_image_id, lower_json, top_json
from registry import legacy
from registry.legacy import Place
from registry.models import LegacyPushImage
from registry.selectors import get_link
from registry.services import legacy_push, pulls
from registry.services.legacy import identify, read_document
from registry.v1.auth import Caller, enter_push, read_caller
from registry.v1.base import LegacyView, lasting
from registry.v1.errors import AuthorizationRequired, ChecksumMissing, ImageAbsent
from registry.v1.tokens import IndexToken
from registry.v2.base import RequestBody
from registry.v2.serving import serve
from repos.permissions import decide, find_visible


class ImageView(LegacyView):
    """What the three have in common."""

    def caller(self, image_id: str) -> Caller:
        """Who asks for it; raises NotFound for what is no id."""
        if not is_image_id(image_id):
            raise NotFound("Invalid image ID")
        return read_caller(self.plain)

    def places(self, caller: Caller, image_id: str) -> Sequence[Place]:
        """Where the caller may read the image, the best place first; raises NotFound."""
        if caller.token is not None:
            return [_in_repository(caller.token, image_id)]
        found = legacy.find_anywhere(caller.principal, image_id, caller.reach)
        if not found:
            raise ImageAbsent
        if found[0].chosen and len({place.repository.pk for place in found}) > 1:
            raise AmbiguousImage
        return found

    def pushed(self, caller: Caller, image_id: str) -> LegacyPushImage | None:
        """The image in the push that the caller's token is for; raises ImageUnfinished."""
        if caller.push is None:
            return None
        push, _ = enter_push(caller)
        image = legacy_push.get_complete(push, image_id)
        if image is not None:
            image.push = push
        return image

    def ids(self, place: Place) -> tuple[str, ...]:
        """The image and what it is built on, root first; raises NotFound."""
        ids = identify(place.repository, [place.content]).get(place.content.manifest_id, ())
        if not ids:
            raise ImageAbsent
        return ids[: place.position + 1]


class ImageJsonView(ImageView):
    """`/v1/images/<id>/json`."""

    pushing = ("PUT",)

    def get(self, request: Request, image_id: str) -> HttpResponseBase:
        caller = self.caller(image_id)
        mine = self.pushed(caller, image_id)
        if mine is not None:
            return self.verbatim(bytes(mine.document), mine.checksum, mine.size)
        place = self.places(caller, image_id)[0]
        sent = legacy.sent(place, image_id)
        if sent is not None:
            size = place.content.layers[place.position].size
            response = self.verbatim(bytes(sent.document), sent.checksum, size)
            return lasting(self.plain, response, public=place.repository.is_public)
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

    def put(self, request: Request, image_id: str) -> HttpResponseBase:
        push, access = enter_push(self.caller(image_id))
        body = self.small_body(legacy_push.MAX_DOCUMENT_BYTES)
        legacy_push.put_document(push, image_id, body, recheck=access.recheck("push"))
        return self.answer()

    def verbatim(self, document: bytes, checksum: str, size: int) -> HttpResponse:
        """A document as it was pushed, with its headers."""
        shown = b"" if self.plain.method == "HEAD" else document
        response = HttpResponse(shown, content_type="application/json")
        response["Content-Length"] = str(len(document))
        response["X-Docker-Size"] = str(size)
        response["X-Docker-Checksum-Payload"] = checksum
        return response


class AncestryView(ImageView):
    """`/v1/images/<id>/ancestry`: itself first, the root last."""

    def get(self, request: Request, image_id: str) -> HttpResponseBase:
        caller = self.caller(image_id)
        mine = self.pushed(caller, image_id)
        if mine is not None:
            return self.answer(self.mixed_ancestry(mine))
        place = self.places(caller, image_id)[0]
        response = self.answer([*reversed(self.ids(place))])
        if self.plain.method == "GET" and place.is_top:  # clients ask once for each pull
            pulls.note_pull(place.repository.pk, place.content.manifest_id, None)
        return lasting(self.plain, response, public=place.repository.is_public)

    def mixed_ancestry(self, image: LegacyPushImage) -> list[str]:
        """Of an image of the push, and on of what it is built on in the repository."""
        found, parent = legacy_push.ancestry(image.push, image.image_id)
        place = legacy.find_in(image.push.repository, parent) if parent else None
        return [*found, *(reversed(self.ids(place)) if place else ())]


class LayerView(ImageView):
    """`/v1/images/<id>/layer`."""

    pushing = ("PUT",)

    def get(self, request: Request, image_id: str) -> HttpResponseBase:
        caller = self.caller(image_id)
        mine = self.pushed(caller, image_id)
        if mine is not None:
            digest = Digest.parse(mine.digest)
            return serve(self.plain, get_link(mine.push.repository, digest).blob, redirect=302)
        places = self.places(caller, image_id)
        if len({place.content.layers[place.position].digest for place in places}) > 1:
            raise AmbiguousImage
        place = places[0]
        blob = place.content.blob(place.position)
        response = serve(self.plain, blob, redirect=302)
        response["ETag"] = f'"{blob.digest}"'
        if response.status_code == 302:
            return response
        return lasting(self.plain, response, public=place.repository.is_public)

    def put(self, request: Request, image_id: str) -> HttpResponseBase:
        push, access = enter_push(self.caller(image_id))
        body = RequestBody(self.plain)
        legacy_push.put_layer(push, image_id, body, recheck=access.recheck("push"))
        return self.answer()


class ChecksumView(ImageView):
    """`/v1/images/<id>/checksum`: completes an image."""

    pushing = ("PUT",)

    def put(self, request: Request, image_id: str) -> HttpResponseBase:
        push, access = enter_push(self.caller(image_id))
        checksum = self._checksum()
        legacy_push.put_checksum(push, image_id, checksum, recheck=access.recheck("push"))
        return self.answer()

    def _checksum(self) -> str:
        """What the client counted; the header of the oldest ones may hold the same kind."""
        headers = self.plain.headers
        found = headers.get("X-Docker-Checksum-Payload")
        older = headers.get("X-Docker-Checksum", "")
        if found is None and older.startswith("sha256:"):
            found = older
        if found is None:
            raise ChecksumMissing(
                "X-Docker-Checksum-Payload is needed: use docker 0.10 or newer to push"
            )
        if not found:
            raise Invalid("Missing checksum in headers")
        return found


class AmbiguousImage(AuthorizationRequired):
    """Several repositories have different layers under one id: it is made of what their configs
    claim of the layers, or a client has chosen it. Only a token says whose are meant."""

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
