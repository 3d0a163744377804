"""The formats of other registries: Docker Hub, CNCF Distribution, Harbor, Quay.

Each knows fewer events than the hub. An event without a shape of its own gets the nearest one,
under a name its readers will not take for one of theirs, and says the rest under `hub`.
"""

from __future__ import annotations

from typing import Any

from webhooks.formats.common import Shape, hub_members
from webhooks.news import About, News

DISTRIBUTION_TYPE = "application/vnd.docker.distribution.events.v1+json"
_DELETED = ("tag.deleted", "manifest.deleted")
# Harbor's own names; what it has none for is told as HUB_….
_HARBOR_TYPES = {
    "push": "PUSH_ARTIFACT",
    "tag.deleted": "DELETE_ARTIFACT",
    "manifest.deleted": "DELETE_ARTIFACT",
    "quota.warning": "QUOTA_WARNING",
    "mirror.synced": "REPLICATION",
}


def dockerhub(news: News) -> Shape:
    """Docker Hub's classic shape, exactly, for a push; every other event as `event`.

    Its push has no place for the event's id: that is in the headers `X-Hub-Delivery` and
    `webhook-id`.
    """
    if not news.is_push:
        return Shape({"event": _event(news), "repository": _dockerhub_repository(news.repository)})
    return Shape(
        {
            "callback_url": news.callback_url,
            "push_data": {
                "pushed_at": int(news.occurred_at.timestamp()),
                "pusher": news.actor,
                "tag": news.tag,
                "images": [],
                "media_type": news.media_type,
                "digest": news.digest,
            },
            "repository": _dockerhub_repository(news.repository),
        }
    )


def _event(news: News) -> dict[str, Any]:
    return {
        **news.payload,
        "kind": news.name,
        "id": news.uid,
        "actor": news.actor,
        "occurred_at": news.occurred_at.isoformat(),
    }


def _dockerhub_repository(about: About | None) -> dict[str, Any] | None:
    if about is None:
        return None
    return {
        "comment_count": about.comment_count,
        "date_created": about.created_s,
        "description": about.description,
        "full_description": about.readme,
        "is_official": about.is_official,
        "is_private": not about.is_public,
        "is_trusted": False,
        "name": about.name,
        "namespace": about.namespace,
        "owner": about.namespace,
        "repo_name": about.path,
        "repo_url": about.url,
        "star_count": about.star_count,
        "status": "Active" if about.is_active else "Deleted",
    }


def distribution(news: News) -> Shape:
    """The notification envelope of CNCF Distribution with one event: `push`, `delete`, or the
    hub's own name as the action, which registries' readers skip."""
    gone = news.name in _DELETED
    action = "push" if news.is_push else "delete" if gone else news.name
    reference = news.digest or news.tag
    target: dict[str, Any] = {"repository": news.path}
    if reference:
        target |= {
            "mediaType": news.media_type,
            "digest": news.digest,
            "size": news.size,
            "length": news.size,
            "tag": news.tag,
            "url": f"{news.hub_url}/v2/{news.path}/manifests/{reference}",
        }
    method = {"push": "PUT", "delete": "DELETE"}.get(action, "")
    event = {
        "id": news.uid,
        "timestamp": news.moment,
        "action": action,
        "target": target,
        "request": {"id": "", "host": news.host, "method": method, "useragent": ""},
        "actor": {"name": news.actor},
        "source": {"addr": news.host, "instanceID": ""},
        "hub": hub_members(news),
    }
    return Shape({"events": [event]}, DISTRIBUTION_TYPE)


def harbor(news: News) -> Shape:
    """Harbor's default payload (2.x)."""
    own_name = f"HUB_{news.name.replace('.', '_').upper()}"
    data: dict[str, Any] = {"resources": _harbor_resources(news)}
    about = news.repository
    if about:
        data["repository"] = {
            "date_created": about.created_s,
            "name": about.name,
            "namespace": about.namespace,
            "repo_full_name": about.path,
            "repo_type": "public" if about.is_public else "private",
        }
    return Shape(
        {
            "type": _HARBOR_TYPES.get(news.name, own_name),
            "occur_at": int(news.occurred_at.timestamp()),
            "operator": news.actor,
            "event_data": data,
            "hub": hub_members(news),
        }
    )


def _harbor_resources(news: News) -> list[dict[str, Any]]:
    if not (news.tag or news.digest):
        return []
    return [{"digest": news.digest, "tag": news.tag, "resource_url": news.image_reference}]


def quay(news: News) -> Shape:
    """Quay's repository push. Of every other event `updated_tags` is empty: nothing was pushed."""
    document: dict[str, Any] = {"updated_tags": [news.tag] if news.is_push and news.tag else []}
    about = news.repository
    if about:
        document |= {
            "repository": about.path,
            "namespace": about.namespace,
            "name": about.name,
            "docker_url": news.image,
            "homepage": about.url,
        }
    return Shape({**document, "hub": hub_members(news)})
