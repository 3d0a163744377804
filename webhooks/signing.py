"""The headers of a delivery: what it is, who sends it, and the receiver's own ones.

Signed twice with the webhook's secret: GitHub's way over the body alone, and as the Standard
Webhooks specification has it over id, time and body.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import NoReturn

from django.conf import settings
from standardwebhooks import Webhook as Signer

from webhooks.errors import WebhookInvalid
from webhooks.formats import Rendered
from webhooks.models import Delivery, Webhook
from webhooks.types import name_of

WHSEC = "whsec_"
SIGNATURE_PLACE = "${signature}"  # in a header: HMAC-SHA256 of the body, 64 hex characters
MAX_HEADERS = 20
MAX_NAME_CHARS = 100
MAX_VALUE_CHARS = 2000
MAX_HEADERS_BYTES = 8 * 1024
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, *Tokens*
_PRINTABLE = re.compile(r"[ -~]+")
_OURS = frozenset(
    {
        "user-agent",
        "x-hub-event",
        "x-hub-delivery",
        "x-hub-signature-256",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
)
# What frames the request or belongs to the connection; the client alone sets it.
_FRAMING = frozenset(
    {
        "host",
        "connection",
        "keep-alive",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "accept-encoding",
        "proxy-authorization",
        "proxy-connection",
    }
)


def signed_headers(delivery: Delivery, rendered: Rendered, *, now: datetime) -> dict[str, str]:
    """Every header of the request. `now` must be in UTC: the signature contains its seconds.

    While a rotation lasts, `webhook-signature` has one by the new secret and one by the previous;
    the others are by the new one. A header of the webhook's own replaces one of its format.
    """
    hook = delivery.webhook
    uid = str(delivery.event.uid)
    signature = hmac.new(hook.secret.encode(), rendered.body, hashlib.sha256).hexdigest()
    own = headers_of(hook)
    taken = {name.lower() for name in own}
    more = {name: value for name, value in rendered.headers.items() if name.lower() not in taken}
    return {
        "Content-Type": rendered.content_type,
        "User-Agent": f"Hub-Webhook/{settings.VERSION}",
        "X-Hub-Event": name_of(delivery.event.kind),
        "X-Hub-Delivery": uid,
        "X-Hub-Signature-256": f"sha256={signature}",
        "webhook-id": uid,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(
            Signer(signing_key(secret)).sign(uid, now, rendered.body.decode())
            for secret in _secrets(hook, now)
        ),
        **{
            name: value.replace(SIGNATURE_PLACE, signature)
            for name, value in {**more, **own}.items()
        },
    }


def signing_key(secret: str) -> bytes:
    """The key that Standard Webhooks libraries derive from a secret.

    `whsec_` followed by Base64 stands for the decoded bytes. Any other text stands for its own
    UTF-8 bytes; a receiver's library takes it as `whsec_` + Base64 of the text.
    """
    if secret.startswith(WHSEC):
        try:
            key = base64.b64decode(secret.removeprefix(WHSEC), validate=True)
        except binascii.Error:
            key = b""
        if key:
            return key
    return secret.encode()


def headers_of(webhook: Webhook) -> dict[str, str]:
    """The webhook's own headers; their values are never shown again."""
    return dict(json.loads(webhook.headers)) if webhook.headers else {}


def secret_names(webhook: Webhook) -> frozenset[str]:
    """Lower-case names of headers whose values nothing may keep."""
    return frozenset(name.lower() for name in headers_of(webhook))


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The same headers, names and values trimmed; raises WebhookInvalid that names the header,
    never its value.

    At most MAX_HEADERS of together MAX_HEADERS_BYTES; values are printable ASCII on one line, in
    which `${signature}` stands for the body's HMAC-SHA256 in hex. Names that frame the request
    or are the hub's own are refused.
    """
    checked: dict[str, str] = {}
    seen: set[str] = set()
    for given, text in headers.items():
        name, value = given.strip(" "), text.strip(" ")
        _check_name(name, seen)
        _check_value(name, value)
        seen.add(name.lower())
        checked[name] = value
    if len(checked) > MAX_HEADERS:
        _refuse(f"A webhook may have at most {MAX_HEADERS} headers of its own.")
    if sum(len(name) + len(value) + 4 for name, value in checked.items()) > MAX_HEADERS_BYTES:
        _refuse(f"All headers together may have at most {MAX_HEADERS_BYTES // 1024} KiB.")
    return checked


def _check_name(name: str, seen: set[str]) -> None:
    lower = name.lower()
    if len(name) > MAX_NAME_CHARS or not _TOKEN.fullmatch(name):
        shown = ascii(name[:40])
        _refuse(f"{shown} is no name of a header: use letters, digits and hyphens, no colon.")
    if lower in _OURS or lower in _FRAMING or lower.startswith("content-"):
        _refuse(f"The header {name} is set by the hub itself; leave it out.")
    if lower in seen:
        _refuse(f"The header {name} is there twice.")


def _check_value(name: str, value: str) -> None:
    if len(value) > MAX_VALUE_CHARS:
        _refuse(f"The value of {name} may have at most {MAX_VALUE_CHARS} characters.")
    if not _PRINTABLE.fullmatch(value):
        _refuse(f"The value of {name} is one line of printable ASCII, and not empty.")
    if "${" in value.replace(SIGNATURE_PLACE, ""):
        _refuse(f"The value of {name} may contain {SIGNATURE_PLACE} and no other placeholder.")


def _secrets(webhook: Webhook, now: datetime) -> list[str]:
    """Those that sign now, the present one first."""
    until = webhook.previous_until
    if webhook.previous_secret and until is not None and until > now:
        return [webhook.secret, webhook.previous_secret]
    return [webhook.secret]


def _refuse(sentence: str) -> NoReturn:
    raise WebhookInvalid(sentence, detail={"field": "headers"})
