"""What a receiver gets: the body and the headers that prove where it comes from."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from standardwebhooks import Webhook as Signer

from accounts.models import Namespace
from webhooks.models import Delivery
from webhooks.types import PUSH, name_of

WHSEC = "whsec_"


def render(delivery: Delivery) -> bytes:
    """The body in the webhook's format: JSON in UTF-8 (contract, *Webhook deliveries*).

    A push has Docker Hub's classic shape; every other event has the same `repository` and an
    `event` object. Counts and texts are those of this moment.
    """
    event = delivery.event
    name = name_of(event.kind)
    repository = _repository(delivery)
    document: dict[str, Any]
    if name == PUSH:
        document = {
            "callback_url": f"{settings.HUB.external_url}/api/webhook-callbacks/{delivery.uid}",
            "push_data": {
                "pushed_at": int(event.occurred_at.timestamp()),
                "pusher": event.actor_name,
                "tag": event.payload.get("tag", ""),
                "images": [],
                "media_type": event.payload.get("media_type", ""),
                "digest": event.payload.get("digest", ""),
            },
            "repository": repository,
        }
    else:
        document = {
            "event": {
                **event.payload,
                "kind": name,
                "id": str(event.uid),
                "actor": event.actor_name,
                "occurred_at": event.occurred_at.astimezone(UTC).isoformat(),
            },
            "repository": repository,
        }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def signed_headers(delivery: Delivery, body: bytes, *, now: datetime) -> dict[str, str]:
    """Every header of the request. `now` must be in UTC: the signature contains its seconds.

    Signed twice with the webhook's secret: GitHub's way over the body alone, and as the Standard
    Webhooks specification has it over id, time and body.
    """
    secret = delivery.webhook.secret
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    uid = str(delivery.event.uid)
    return {
        "Content-Type": "application/json",
        "User-Agent": f"Hub-Webhook/{settings.VERSION}",
        "X-Hub-Event": name_of(delivery.event.kind),
        "X-Hub-Delivery": uid,
        "X-Hub-Signature-256": f"sha256={digest}",
        "webhook-id": uid,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(signing_key(secret)).sign(uid, now, body.decode()),
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


def _repository(delivery: Delivery) -> dict[str, Any]:
    repository = delivery.webhook.repository
    # A deleted repository has given up its path; the event still has it.
    path = repository.path if repository.is_active else delivery.event.repository_path
    namespace, _, name = path.partition("/")
    return {
        "comment_count": repository.comment_count,
        "date_created": int(repository.created_at.timestamp()),
        "description": repository.description,
        "full_description": repository.readme,
        "is_official": repository.namespace.kind == Namespace.Kind.LIBRARY,
        "is_private": not repository.is_public,
        "is_trusted": False,
        "name": name,
        "namespace": namespace,
        "owner": namespace,
        "repo_name": path,
        "repo_url": f"{settings.HUB.external_url}/{path}",
        "star_count": repository.star_count,
        "status": "Active" if repository.is_active else "Deleted",
    }
