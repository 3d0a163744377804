"""Content in pages of repositories: `{% load content %}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django import template

from registry import pictures
from registry.overview import Overview, overview_of
from registry.pictures import Picture
from repos.access import Access
from repos.models import Repository

register = template.Library()


@register.simple_tag
def tag_count(repository: Repository) -> int:
    """How many tags a repository has."""
    return pictures.count_tags(repository)


@register.simple_tag
def overview(access: Access) -> Overview:
    """Newest tags, sizes, pulls and what the images say, as far as the reader may know."""
    return overview_of(access.repository, access.principal)


@register.simple_tag
def newest_pictures(repositories: Iterable[Repository]) -> dict[int, Picture]:
    """Pictures for a list of repositories; read one with `pictures|picture:repository`."""
    return pictures.newest_pictures(repositories)


@register.filter
def host_of(address: str) -> str:
    """`github.com/acme/app` for its address: enough to know where a link leads."""
    return address.partition("://")[2].partition("?")[0].partition("#")[0].rstrip("/")[:80]


@register.filter
def short_platform(platform: str) -> str:
    """`amd64` for `linux/amd64`: nearly every image is for Linux."""
    return platform.removeprefix("linux/")


@register.filter
def picture(found: Mapping[int, Picture], repository: Repository) -> Picture | None:
    """The picture of one repository, or None if it is empty."""
    return found.get(repository.pk)
