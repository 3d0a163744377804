"""Images, their layers and what is said about them: `{% load images %}`."""

from __future__ import annotations

import re

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core import text
from registry.views.layers import Layer

register = template.Library()
_OF_COSIGN = re.compile(r"(sha256-[0-9a-f]{8})[0-9a-f]{56}(\.\w+)")
# Words in the types of documents, and what people call them.
FORMS = {
    "spdx": "SPDX",
    "cyclonedx": "CycloneDX",
    "slsa.dev/provenance": "SLSA",
    "cosign": "cosign",
    "cncf.notary": "Notation",
    "sigstore.bundle": "Sigstore",
    "in-toto": "in-toto",
    "dsse": "in-toto",
}


@register.simple_tag
def share_bar(layer: Layer) -> SafeString:
    """A layer's part of its image as a bar, in its colour of the strip."""
    colour = "b" if layer.shared else text.stable_index(layer.digest)
    return format_html(
        '<svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rest" width="100" height="6"/>'
        '<rect class="f{}" width="{}" height="6"/></svg>',
        colour,
        max(layer.share / 10, 0.5),
    )


@register.filter
def document_form(type_name: str) -> str:
    """`SPDX` for a media type or predicate of that kind; else the type itself."""
    lower = type_name.lower()
    return next((name for word, name in FORMS.items() if word in lower), type_name)


@register.filter
def short_reference(reference: str) -> str:
    """A tag as it is, of a digest the beginning."""
    return text.short_digest(reference) if ":" in reference else reference


@register.filter
def short_tag(name: str) -> str:
    """A tag as it is; of the long names that cosign gives to signatures, the ends."""
    found = _OF_COSIGN.fullmatch(name)
    return f"{found[1]}…{found[2]}" if found else name


@register.filter
def absolute(value: int) -> int:
    """Without its sign."""
    return abs(value)
