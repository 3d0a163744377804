"""What a webhook lets pass, and why it does not let the rest.

A filter says nothing about events that lack what it looks at: a comment has no tag.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

from django.utils.translation import gettext as _

from core.patterns import matches
from events.models import Event
from registry.selectors import platforms_at
from webhooks.models import Webhook
from webhooks.types import PUSH, name_of

Platforms = Callable[[], Collection[str]]


@dataclass(frozen=True)
class Fact:
    """What filters look at. None stands for what this event has not; `look_up` is asked at most
    once, for the platforms of an image that was pushed."""

    event: str
    actor: str = ""
    tag: str | None = None
    media_type: str | None = None
    look_up: Platforms | None = None

    @cached_property
    def platforms(self) -> Collection[str] | None:
        """`os/architecture/variant` each."""
        return None if self.look_up is None else self.look_up()

    @classmethod
    def of(cls, event: Event) -> Fact:
        """Of an event of the outbox; its platforms cost a query when they are asked for."""
        return facts_of([event])[0]


def facts_of(events: Sequence[Event]) -> list[Fact]:
    """Of several events; the platforms of all of them cost one query together."""
    images = [image for event in events if (image := _image(event)) is not None]

    @cache
    def found() -> dict[tuple[int, str], list[str]]:
        return platforms_at(images)

    def look_up(image: tuple[int, str] | None) -> Platforms | None:
        return None if image is None else lambda: found().get(image, ())

    return [
        Fact(
            name_of(event.kind),
            event.actor_name,
            _text(event, "tag"),
            _text(event, "media_type"),
            look_up(_image(event)),
        )
        for event in events
    ]


@dataclass(frozen=True, slots=True)
class Filters:
    """Names of events, and patterns: globs, of tags also a regular expression between slashes.

    `platform_filter` fits `os/architecture` with and without a variant. Empty lets all pass.
    """

    events: Sequence[str] = field(default=(PUSH,))
    tag_filter: str = ""
    platform_filter: str = ""
    actor_filter: str = ""
    media_type_filter: str = ""

    @classmethod
    def of(cls, webhook: Webhook) -> Filters:
        """A webhook's own."""
        return cls(
            webhook.events,
            webhook.tag_filter,
            webhook.platform_filter,
            webhook.actor_filter,
            webhook.media_type_filter,
        )

    def refusal(self, fact: Fact) -> str:
        """Why this does not pass, in a sentence; empty if it does. Platforms are looked at last."""
        if fact.event not in self.events:
            return _("It is not told of “%(event)s”.") % {"event": fact.event}
        for pattern, found, sentence in (
            (self.tag_filter, fact.tag, _("The tag “%(found)s” does not fit “%(pattern)s”.")),
            (self.actor_filter, fact.actor, _("The actor “%(found)s” does not fit “%(pattern)s”.")),
            (
                self.media_type_filter,
                fact.media_type,
                _("The media type “%(found)s” does not fit “%(pattern)s”."),
            ),
        ):
            if pattern and found is not None and not matches(pattern, found):
                return sentence % {"found": found, "pattern": pattern}
        return self._refused_platforms(fact)

    def _refused_platforms(self, fact: Fact) -> str:
        pattern = self.platform_filter
        if not pattern or fact.platforms is None:
            return ""
        if any(matches(pattern, p) or matches(f"{pattern}/*", p) for p in fact.platforms):
            return ""
        if not fact.platforms:
            return _("It is not known what platform this runs on.")
        found = ", ".join(sorted(fact.platforms)[:5])
        return _("None of its platforms (%(found)s) fits “%(pattern)s”.") % {
            "found": found,
            "pattern": pattern,
        }


def _image(event: Event) -> tuple[int, str] | None:
    """What a push put under a tag; None for other events."""
    digest = _text(event, "digest")
    if name_of(event.kind) != PUSH or event.repository_id is None or digest is None:
        return None
    return event.repository_id, digest


def _text(event: Event, key: str) -> str | None:
    value = event.payload.get(key)
    return value if isinstance(value, str) and value else None
