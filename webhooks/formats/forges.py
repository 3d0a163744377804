"""The webhooks of forges, for receivers that were made for GitHub's or Gitea's packages.

Their readers go by a header first; an event that a forge has no shape for is called `hub` there.
Numeric ids of theirs are left out: the hub has none that mean anything elsewhere.
"""

from __future__ import annotations

from typing import Any

from webhooks.formats.common import Shape, hub_members
from webhooks.news import About, News, page, stamp

OTHER = "hub"
# Event → name and action in GitHub's terms.
_GITHUB = {
    "push": ("registry_package", "published"),
    "repository.created": ("repository", "created"),
    "repository.renamed": ("repository", "renamed"),
    "repository.transferred": ("repository", "transferred"),
    "repository.deleted": ("repository", "deleted"),
    "star": ("star", "created"),
    "collaborator": ("member", "added"),
    "collaborator.removed": ("member", "removed"),
}
_GITEA = {
    "push": ("package", "created"),
    "tag.deleted": ("package", "deleted"),
    "manifest.deleted": ("package", "deleted"),
    "repository.created": ("repository", "created"),
    "repository.deleted": ("repository", "deleted"),
}


def github(news: News) -> Shape:
    """`registry_package` for a push; `repository`, `star` and `member` where GitHub has them."""
    name, action = _GITHUB.get(news.name, (OTHER, news.name))
    if news.name == "repository.visibility" and news.repository:
        name, action = "repository", "publicized" if news.repository.is_public else "privatized"
    document: dict[str, Any] = {"action": action}
    about = news.repository
    if about and news.is_push:
        document["registry_package"] = _github_package(news, about)
    if about and name == "member":
        document["member"] = {
            "login": str(news.payload.get("user") or news.payload.get("team", ""))
        }
    if name == "star":
        document["starred_at"] = news.moment
    if about:
        document["repository"] = _github_repository(about)
    document |= {"sender": _github_user(news.actor), "hub": hub_members(news)}
    headers = {"X-GitHub-Event": name, "X-GitHub-Delivery": news.uid}
    return Shape(document, headers=headers)


def _github_package(news: News, about: About) -> dict[str, Any]:
    return {
        "name": about.name,
        "namespace": about.namespace,
        "description": about.description,
        "ecosystem": "CONTAINER",
        "package_type": "CONTAINER",
        "html_url": about.url,
        "created_at": stamp(about.created_at) if about.created_at else news.moment,
        "updated_at": news.moment,
        "owner": _github_user(about.namespace),
        "package_version": {
            "version": news.digest,
            "name": news.digest,
            "description": about.description,
            "html_url": news.url,
            "package_url": news.image_reference,
            "author": _github_user(news.actor),
            "created_at": news.moment,
            "container_metadata": {
                "tag": {"name": news.tag, "digest": news.digest},
                "labels": {},
                "manifest": {
                    "digest": news.digest,
                    "media_type": news.media_type,
                    "size": news.size,
                    "uri": f"/v2/{about.path}/manifests/{news.digest}",
                },
            },
        },
        "registry": {
            "about_url": news.hub_url,
            "name": news.host,
            "type": "docker",
            "url": news.hub_url,
            "vendor": news.host,
        },
    }


def _github_repository(about: About) -> dict[str, Any]:
    return {
        "name": about.name,
        "full_name": about.path,
        "owner": _github_user(about.namespace),
        "private": not about.is_public,
        "html_url": about.url,
        "description": about.description,
        "stargazers_count": about.star_count,
        "created_at": stamp(about.created_at) if about.created_at else None,
    }


def _github_user(name: str) -> dict[str, Any]:
    return {"login": name, "html_url": page(name)}


def gitea(news: News) -> Shape:
    """`package` with the type `container`, its version the tag, or the digest without one."""
    name, action = _GITEA.get(news.name, (OTHER, news.name))
    document: dict[str, Any] = {"action": action}
    about = news.repository
    if about and name == "package":
        document["package"] = {
            "owner": _gitea_user(about.namespace),
            "creator": _gitea_user(news.actor),
            "type": "container",
            "name": about.name,
            "version": news.tag or news.digest,
            "html_url": news.url,
            "created_at": news.moment,
        }
    if about:
        document["repository"] = {
            "name": about.name,
            "full_name": about.path,
            "owner": _gitea_user(about.namespace),
            "description": about.description,
            "private": not about.is_public,
            "html_url": about.url,
            "stars_count": about.star_count,
        }
    document |= {"sender": _gitea_user(news.actor), "hub": hub_members(news)}
    return Shape(
        document,
        headers={
            "X-Gitea-Event": name,
            "X-Gitea-Event-Type": name,
            "X-Gitea-Delivery": news.uid,
            "X-Gitea-Signature": "${signature}",
        },
    )


def _gitea_user(name: str) -> dict[str, Any]:
    return {"login": name, "username": name, "html_url": page(name)}
