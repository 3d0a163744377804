"""What receivers reported of images: `{% load results %}`, on pages of every app."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import template
from django.utils.translation import gettext

from core import text
from repos.models import Repository
from webhooks.models import Result
from webhooks.results import results_of

register = template.Library()
_LOOKS = {"success": ("ok", "circle-check"), "failure": ("bad", "circle-x")}
_OTHER = ("warn", "triangle-alert")
_WEB = ("https://", "http://")


@register.simple_tag
def reported(repository: Repository, digests: Iterable[str]) -> Mapping[str, Sequence[Result]]:
    """The newest result of each context by digest; one query for all of them."""
    return results_of(repository, set(digests))


@register.filter
def digests(rows: Iterable[Any]) -> list[str]:
    """Those of rows with a `tag`, or of tags."""
    return [getattr(row, "tag", row).manifest.digest for row in rows]


@register.filter
def own_digest(manifest: Any) -> list[str]:
    """That of one image."""
    return [manifest.digest]


@register.filter
def of_digest(results: Mapping[str, Sequence[Result]], digest: str) -> Sequence[Result]:
    """What is known of this one."""
    return results.get(digest, ())


@register.inclusion_tag("webhooks/_result.html")
def result_chip(result: Result) -> dict[str, Any]:
    """One result as a chip, which leads to where the receiver says more.

    Its words are the receiver's, and so is the address: only one of the web is followed.
    """
    kind, symbol = _LOOKS.get(result.state, _OTHER)
    states = {"success": gettext("succeeded"), "failure": gettext("failed")}
    state = states.get(result.state, gettext("went wrong"))
    said = result.description or result.context
    title = (result.context, result.description, text.utc_stamp(result.at))
    return {
        "kind": kind,
        "symbol": symbol,
        "label": said or state,
        "state": state if said else "",  # heard, where others see colour and symbol
        "title": " · ".join(filter(None, title)),
        "url": result.target_url if result.target_url.startswith(_WEB) else "",
    }
