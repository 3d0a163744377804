"""Content in pages of repositories: `{% load content %}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django import template

from registry import pictures
from registry.pictures import Content, Picture
from repos.models import Repository

register = template.Library()


@register.simple_tag
def tag_count(repository: Repository) -> int:
    """How many tags a repository has."""
    return pictures.count_tags(repository)


@register.simple_tag
def repository_content(repository: Repository) -> Content:
    """Tags, size, platforms and the newest image of a repository."""
    return pictures.content_of(repository)


@register.simple_tag
def newest_pictures(repositories: Iterable[Repository]) -> dict[int, Picture]:
    """Pictures for a list of repositories; read one with `pictures|picture:repository`."""
    return pictures.newest_pictures(repositories)


@register.filter
def short_platform(platform: str) -> str:
    """`amd64` for `linux/amd64`: nearly every image is for Linux."""
    return platform.removeprefix("linux/")


@register.filter
def picture(found: Mapping[int, Picture], repository: Repository) -> Picture | None:
    """The picture of one repository, or None if it is empty."""
    return found.get(repository.pk)
