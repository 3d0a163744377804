"""What a delivery tells, gathered once for every format: plain values, no rows.

Counts and texts of the repository are those of this moment, the rest is what the event says. At
most five queries, whatever there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings

from accounts.models import Namespace
from events.models import Event
from registry.models import Manifest
from registry.selectors import platforms_of
from repos.models import Repository
from webhooks.models import Delivery
from webhooks.types import PING_KIND, PUSH, UNTOLD, name_of

CALLBACK_PATH = "/api/webhook-callbacks/"
MAX_PLATFORMS = 50


@dataclass(frozen=True, slots=True)
class About:
    """A repository as formats describe it; of one that is gone only its path is known.

    `name` is what follows the namespace, with its slashes.
    """

    path: str
    description: str = ""
    readme: str = ""
    is_public: bool = False
    is_official: bool = False
    is_active: bool = False
    star_count: int = 0
    comment_count: int = 0
    created_at: datetime | None = None

    @property
    def namespace(self) -> str:
        """The first part of the path."""
        return self.path.partition("/")[0]

    @property
    def name(self) -> str:
        """The path without the namespace."""
        return self.path.partition("/")[2]

    @property
    def url(self) -> str:
        """Its page."""
        return page(self.path)

    @property
    def created_s(self) -> int:
        """Seconds since 1970, 0 if that is not known."""
        return int(self.created_at.timestamp()) if self.created_at else 0


@dataclass(frozen=True, slots=True)
class News:
    """One event for one receiver. Texts are empty and numbers 0 where the event has none.

    `name` is of `webhooks.types`; `occurred_at` is in UTC; `host` is how images of this registry
    begin; `size` is bytes of all layers together, of an index of all its images.
    """

    uid: str
    name: str
    actor: str
    occurred_at: datetime
    payload: dict[str, Any]
    repository: About | None
    hub_url: str
    host: str
    callback_url: str
    tag: str = ""
    digest: str = ""
    previous_digest: str = ""
    media_type: str = ""
    size: int = 0
    platforms: tuple[str, ...] = ()

    @classmethod
    def of(cls, delivery: Delivery) -> News:
        """What this delivery tells; a ping tells of the earlier push that it names."""
        event = _told(delivery)
        row = _repository(delivery, event)
        payload = {name: v for name, v in event.payload.items() if name not in UNTOLD}
        digest = _text(payload, "digest")
        manifest = _manifest(row, digest)
        hub_url = settings.HUB.external_url
        return cls(
            uid=str(event.uid),
            name=name_of(event.kind),
            actor=event.actor_name,
            occurred_at=event.occurred_at.astimezone(UTC),
            payload=payload,
            repository=_about(row, event),
            hub_url=hub_url,
            host=urlsplit(hub_url).netloc,
            callback_url=f"{hub_url}{CALLBACK_PATH}{delivery.uid}",
            tag=_text(payload, "tag"),
            digest=digest,
            previous_digest=_text(payload, "previous_digest"),
            media_type=_text(payload, "media_type") or (manifest.media_type if manifest else ""),
            size=manifest.total_size if manifest else 0,
            platforms=tuple(platforms_of(manifest)[:MAX_PLATFORMS]) if manifest else (),
        )

    @property
    def is_push(self) -> bool:
        """A tag was moved: what a receiver may report a result of."""
        return self.name == PUSH

    @property
    def path(self) -> str:
        """Of the repository; empty for events of accounts."""
        return self.repository.path if self.repository else ""

    @property
    def image(self) -> str:
        """`host/namespace/name`, as a client pulls it."""
        return f"{self.host}/{self.path}" if self.repository else ""

    @property
    def reference(self) -> str:
        """`path:tag`, else `path@digest`, else the path, else nothing."""
        if self.path and self.tag:
            return f"{self.path}:{self.tag}"
        return f"{self.path}@{self.digest}" if self.path and self.digest else self.path

    @property
    def image_reference(self) -> str:
        """The reference with its host."""
        return f"{self.host}/{self.reference}" if self.repository else ""

    @property
    def pinned(self) -> str:
        """`host/path@digest` if there is a digest, else as `image_reference`."""
        return f"{self.image}@{self.digest}" if self.image and self.digest else self.image_reference

    @property
    def url(self) -> str:
        """The page of what it is about: tag, manifest, repository, or the front page."""
        return page(self.reference) if self.repository else f"{self.hub_url}/"

    @property
    def moment(self) -> str:
        """`2026-01-31T09:30:00Z`."""
        return stamp(self.occurred_at)


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def page(reference: str) -> str:
    """The address of a namespace, repository, tag or manifest."""
    return f"{settings.HUB.external_url}/{quote(reference, safe='/:@')}"


def _text(payload: dict[str, Any], key: str) -> str:
    value = payload.get(key)
    return value if isinstance(value, str) else ""


def _told(delivery: Delivery) -> Event:
    event = delivery.event
    earlier = event.payload.get("of") if event.kind == PING_KIND else None
    found = Event.objects.filter(pk=earlier).first() if isinstance(earlier, int) else None
    return found or event


def _repository(delivery: Delivery, event: Event) -> Repository | None:
    own = delivery.webhook.repository
    wanted = event.repository_id
    if wanted is None:
        return own if event.kind == PING_KIND else None
    if own is not None and own.pk == wanted:
        return own
    return Repository.objects.select_related("namespace").filter(pk=wanted).first()


def _about(row: Repository | None, event: Event) -> About | None:
    if row is None:
        return About(event.repository_path) if event.repository_path else None
    return About(
        # A deleted repository has given up its path; the event still has it.
        path=row.path if row.is_active else event.repository_path or row.path,
        description=row.description,
        readme=row.readme,
        is_public=row.is_public,
        is_official=row.namespace.kind == Namespace.Kind.LIBRARY,
        is_active=row.is_active,
        star_count=row.star_count,
        comment_count=row.comment_count,
        created_at=row.created_at,
    )


def _manifest(row: Repository | None, digest: str) -> Manifest | None:
    """The manifest with what `platforms_of` reads; None when it is gone or there is none."""
    if row is None or not digest:
        return None
    return (
        Manifest.objects.filter(repository=row, digest=digest)
        .select_related("info")
        .prefetch_related("children")
        .defer("payload", "annotations", "info__config")
        .first()
    )
