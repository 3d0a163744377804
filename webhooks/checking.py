"""What a webhook's settings may be: checked here whoever sends them, stored as given here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings

from core import patterns
from core.http import AddressInvalid, AddressRefused, NameUnresolved, check_url
from core.netguard import networks
from webhooks.claims import host_of
from webhooks.errors import WebhookInvalid
from webhooks.formats import check_address, check_template
from webhooks.models import Webhook
from webhooks.signing import check_headers, headers_of
from webhooks.tls import check_certificate
from webhooks.types import EVENTS

MAX_NAME_CHARS = 100
MAX_GLOB_CHARS = patterns.MAX_PATTERN_CHARS
MAX_SECRET_CHARS = 200
FILTERS = ("tag_filter", "platform_filter", "actor_filter", "media_type_filter")


def checked(values: dict[str, Any], webhook: Webhook | None = None) -> dict[str, Any]:
    """The same values, ready to be stored; only the fields that are given are looked at.

    `webhook` is the one that they are to change. Raises WebhookInvalid, AddressInvalid,
    AddressRefused; `detail` names the field.
    """
    moved = webhook is not None and "url" in values and _place(values["url"]) != _place(webhook.url)
    if "headers" in values:
        known = headers_of(webhook) if webhook is not None and not moved else {}
        values["headers"] = _headers(values["headers"], known)
    elif webhook is not None and webhook.headers and moved:
        # Who changes an address need not know the values.
        raise invalid(
            "headers",
            "Enter the values of the headers again, or remove them: they are not sent to another "
            "host than the one they were made for.",
        )
    for name, check in _CHECKS.items():
        if name in values:
            values[name] = check(values[name])
    for name in FILTERS:
        if name in values:
            values[name] = _pattern(name, values[name])
    is_own = values.get("format", getattr(webhook, "format", "")) == Webhook.Format.CUSTOM
    if is_own and not values.get("template", getattr(webhook, "template", "")):
        raise invalid("template", "Write the template that this format is made from.")
    return values


def invalid(field: str, sentence: str) -> WebhookInvalid:
    """A refusal of one field."""
    return WebhookInvalid(sentence, detail={"field": field})


def _address(given: object) -> str:
    url = str(given)
    check_address(url)
    try:
        check_url(url, networks(settings.HUB.webhook_allow_networks))
    except NameUnresolved:
        return url  # perhaps not running yet; each delivery resolves and checks again
    except (AddressInvalid, AddressRefused) as error:
        error.detail = {"field": "url"}
        raise
    return url


def _name(given: object) -> str:
    name = str(given).strip()
    if len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise invalid("name", f"A name is one line of at most {MAX_NAME_CHARS} characters.")
    return name


def _secret(given: object) -> str:
    if len(str(given)) > MAX_SECRET_CHARS:
        raise invalid("secret", f"A secret may have at most {MAX_SECRET_CHARS} characters.")
    return str(given)


def _events(given: object) -> list[str]:
    if not isinstance(given, list | tuple) or not given:
        raise invalid("events", "Choose at least one event.")
    names = list(dict.fromkeys(str(name) for name in given))
    unknown = [name[:60] for name in names if name not in EVENTS]
    if unknown:
        raise invalid(
            "events", f"Unknown event: {', '.join(unknown)}. Known are: {', '.join(EVENTS)}."
        )
    return names


def _format(given: object) -> str:
    if given not in Webhook.Format.values:
        raise invalid("format", f"A format is one of: {', '.join(Webhook.Format.values)}.")
    return str(given)


def _pattern(field: str, given: object) -> str:
    text = str(given)
    try:
        patterns.check(text)
    except patterns.PatternInvalid as error:
        raise invalid(field, str(error)) from error
    if field != "tag_filter" and patterns.is_expression(text):
        raise invalid(field, "This filter is a pattern with *, ? and [ ], without slashes around.")
    return text


def _template(given: object) -> str:
    if given:
        check_template(str(given))
    return str(given)


def _certificate(given: object) -> str:
    if given:
        check_certificate(str(given))
    return str(given)


def _headers(given: Mapping[str, str | None], known: Mapping[str, str]) -> str:
    """As they are stored; a value of None stands for the one that is there already."""
    values: dict[str, str] = {}
    for name, value in given.items():
        if value is None and name not in known:
            raise invalid("headers", f"Enter the value of the header {name[:60]}.")
        values[name] = known[name] if value is None else value
    return json.dumps(check_headers(values), ensure_ascii=False) if values else ""


def _place(url: object) -> tuple[str, str]:
    return str(url).partition(":")[0].lower(), host_of(str(url))


_CHECKS: dict[str, Callable[[object], object]] = {
    "url": _address,
    "name": _name,
    "secret": _secret,
    "events": _events,
    "format": _format,
    "template": _template,
    "client_certificate": _certificate,
}
