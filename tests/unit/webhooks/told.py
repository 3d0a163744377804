"""An event of every kind, with a payload as the apps write it, owed to a webhook."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from events.models import Event
from events.services import record
from events.types import Actor
from registry.models import Manifest, ManifestChild
from repos.models import Repository
from webhooks.models import Delivery, Webhook

DIGEST = "sha256:" + "a" * 64
BEFORE = "sha256:" + "b" * 64
INDEX = "application/vnd.oci.image.index.v1+json"
SECRET = "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQh"
HEADER = "hush-hush-value"
URL = "http://127.0.0.1:8080/hook"
OF_ACCOUNTS = {"token.expiring", "quota.warning"}
PAYLOADS: dict[str, dict[str, Any]] = {
    "tag.moved": {"tag": "v1.2", "digest": DIGEST, "media_type": INDEX, "previous_digest": BEFORE},
    "tag.deleted": {"tag": "v1.2", "digest": DIGEST},
    "manifest.deleted": {"digest": DIGEST, "media_type": INDEX},
    "repository.created": {"visibility": "private", "by_push": True},
    "repository.renamed": {"before": {"path": "alice/old"}, "after": {"path": "alice/app"}},
    "repository.visibility": {"before": {"visibility": "private"}},
    "comment.added": {"comment_id": 7},
    "collaborator.added": {"user": "bob", "role": "write", "after": {"role": "write"}},
    "collaborator.removed": {"user": "bob", "before": {"role": "write"}},
    "quota.warning": {"used": 95, "limit": 100},
    "token.expiring": {"token": "ci", "prefix": "hub_abc", "owner": "alice"},
    "webhook.result": {
        "tag": "v1.2",
        "digest": DIGEST,
        "state": "success",
        "context": "tests",
        "description": "all passed",
    },
}


def add_image(repository: Repository, size: int = 4096) -> Manifest:
    """A manifest list for two platforms, as a push leaves it."""
    manifest = Manifest.objects.create(
        repository=repository, digest=DIGEST, media_type=INDEX, payload=b"{}", total_size=size
    )
    for place, platform in enumerate(["linux/amd64", "linux/arm64", "unknown/unknown"]):
        ManifestChild.objects.create(
            parent=manifest, position=place, child_digest=f"sha256:{place}", platform=platform
        )
    return manifest


def occur(kind: str, repository: Repository | None, actor: Actor, /, **payload: Any) -> Event:
    """A recorded event of this kind; one of accounts names no repository."""
    row = None if kind in OF_ACCOUNTS else repository
    return record(
        kind,
        actor=actor,
        repository_id=row.pk if row else None,
        repository_path=row.path if row else "",
        payload=payload or PAYLOADS.get(kind, {}),
    )


def owe(event: Event, repository: Repository | None, **values: Any) -> Delivery:
    """The event, owed to a new webhook with a secret and a header of its own."""
    hook = Webhook.objects.create(
        **{
            "repository": repository,
            "url": URL,
            "secret": SECRET,
            "events": ["push"],
            "headers": f'{{"X-Custom": "{HEADER}"}}',
            **values,
        }
    )
    made = Delivery.objects.create(webhook=hook, event=event, next_attempt_at=timezone.now())
    return loaded(made.pk)


def loaded(pk: int) -> Delivery:
    """A delivery as the sender loads it."""
    return Delivery.objects.select_related("event", "webhook__repository__namespace").get(pk=pk)
