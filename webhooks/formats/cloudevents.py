"""CloudEvents 1.0, structured mode in JSON (its specification, *JSON event format*)."""

from __future__ import annotations

from typing import Any

from webhooks.formats.common import Shape, hub_members
from webhooks.news import News, page

CLOUDEVENTS_TYPE = "application/cloudevents+json"


def cloudevents(news: News) -> Shape:
    """`source` is the repository's page or the hub, `subject` what it is about, `data` the hub's
    members with a few facts of the repository."""
    return Shape(
        {
            "specversion": "1.0",
            "id": news.uid,
            "source": page(news.path),
            "type": f"hub.{news.name}",
            "subject": news.reference or news.name,
            "time": news.moment,
            "datacontenttype": "application/json",
            "data": _data(news),
        },
        CLOUDEVENTS_TYPE,
    )


def _data(news: News) -> dict[str, Any]:
    members = hub_members(news)
    about = news.repository
    if about:
        members |= {
            "image": news.image,
            "namespace": about.namespace,
            "name": about.name,
            "description": about.description,
            "visibility": "public" if about.is_public else "private",
        }
    return members
