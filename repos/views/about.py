"""Which tag or manifest a comment is about; for pages and REST."""

from __future__ import annotations

from django.utils.translation import gettext as _

from core.errors import HubError, Invalid
from oci.digest import Digest
from oci.names import is_tag
from registry.selectors import get_manifest
from repos.models import Repository


def about_of(repository: Repository, text: str) -> dict[str, str]:
    """The tag, and the digest it has now, or the digest that a text names; raises Invalid."""
    text = text.strip()
    if not text:
        return {}
    try:
        if is_tag(text):
            return {"tag": text, "digest": get_manifest(repository, text).digest}
        return {"digest": get_manifest(repository, Digest.parse(text)).digest}
    except HubError as error:
        sentence = _("There is no such tag or digest here.")
        raise Invalid(sentence, code="TAG_UNKNOWN", detail={"field": "tag"}) from error
