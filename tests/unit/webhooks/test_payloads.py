"""The bytes that receivers rely on."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
from django.conf import settings as django_settings
from standardwebhooks import Webhook as Verifier

from repos.services.repositories import delete_repository, update_repository
from webhooks import services
from webhooks.models import Delivery
from webhooks.payloads import render, signed_headers, signing_key

pytestmark = pytest.mark.django_db

URL = "http://127.0.0.1:8080/hook"
DIGEST = "sha256:" + "a" * 64


def owed(event):
    return Delivery.objects.select_related("event", "webhook__repository__namespace").get(
        event=event
    )


def test_push_has_docker_hubs_shape(repository, actor, happen):
    services.create_webhook(repository, actor=actor, url=URL)
    update_repository(repository, actor=actor, readme="# Über uns", visibility="public")
    delivery = owed(happen(tag="v1"))
    body = render(delivery)
    assert "Über uns" in body.decode()
    assert json.loads(body) == {
        "callback_url": f"https://hub.example/api/webhook-callbacks/{delivery.uid}",
        "push_data": {
            "pushed_at": int(delivery.event.occurred_at.timestamp()),
            "pusher": "alice",
            "tag": "v1",
            "images": [],
            "media_type": "application/vnd.oci.image.manifest.v1+json",
            "digest": DIGEST,
        },
        "repository": {
            "comment_count": 0,
            "date_created": int(repository.created_at.timestamp()),
            "description": "An app",
            "full_description": "# Über uns",
            "is_official": False,
            "is_private": False,
            "is_trusted": False,
            "name": "app",
            "namespace": "alice",
            "owner": "alice",
            "repo_name": "alice/app",
            "repo_url": "https://hub.example/alice/app",
            "star_count": 0,
            "status": "Active",
        },
    }


def test_other_events_say_what_happened(repository, actor, happen):
    services.create_webhook(repository, actor=actor, url=URL, events=["comment"])
    event = happen("comment.added", comment_id=7, kind="forged")
    document = json.loads(render(owed(event)))
    assert set(document) == {"event", "repository"}
    assert document["repository"]["repo_name"] == "alice/app"
    assert document["event"] == {
        "kind": "comment",
        "id": str(event.uid),
        "actor": "alice",
        "occurred_at": event.occurred_at.isoformat(),
        "comment_id": 7,
    }


def test_deleted_repository_keeps_its_name_in_the_news(repository, actor, happen):
    services.create_webhook(repository, actor=actor, url=URL, events=["repository.deleted"])
    event = happen("repository.deleted")
    delete_repository(repository, actor=actor)
    found = json.loads(render(owed(event)))["repository"]
    assert (found["repo_name"], found["name"], found["status"]) == ("alice/app", "app", "Deleted")


@pytest.mark.parametrize("secret", ["", "open sesame", "whsec_not base64!", "Schlüssel"])
def test_headers_can_be_verified_by_others(repository, actor, happen, secret):
    hook = services.create_webhook(repository, actor=actor, url=URL, secret=secret)
    delivery = owed(happen())
    body = render(delivery)
    headers = signed_headers(delivery, body, now=datetime.now(UTC))

    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"] == f"Hub-Webhook/{django_settings.VERSION}"
    assert headers["X-Hub-Event"] == "push"
    assert headers["X-Hub-Delivery"] == headers["webhook-id"] == str(delivery.event.uid)
    expected = hmac.new(hook.secret.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={expected}"

    # By hand, from the text of the specification.
    key = secret.encode() or base64.b64decode(hook.secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"
    # As a receiver does it who pastes the secret into the library.
    pasted = "whsec_" + base64.b64encode(key).decode()
    assert Verifier(pasted).verify(body, headers)["push_data"]["tag"] == "latest"


def test_signing_key():
    assert signing_key("whsec_" + base64.b64encode(b"key").decode()) == b"key"
    assert signing_key("whsec_") == b"whsec_"
    assert signing_key("whsec_***") == b"whsec_***"
    assert signing_key("plain") == b"plain"
