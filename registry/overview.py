"""What a repository's overview says of its content: size, newest tags, what images say themselves.

A fixed number of queries, however many tags there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import Exists, OuterRef, Sum
from django.utils.translation import gettext as _

from accounts.types import Principal
from registry.models import BlobLink, Manifest, Tag
from registry.pictures import Picture, layered_id, light, pictures_of
from registry.versions import Kind, newest_first, parse
from repos.charts import Day, pulls_by_day
from repos.models import Repository
from repos.permissions import visible_each

# Tags looked at for the newest ones: those moved last.
CONSIDERED = 500
SHOWN_GROUPS = 6
MAX_WORDS = 4096
_OCI = "org.opencontainers.image."
_OLD = "org.label-schema."
# Of each fact the keys that may hold it, the first that does counts.
_KEYS = {
    "title": (f"{_OCI}title", f"{_OLD}name"),
    "description": (f"{_OCI}description", f"{_OLD}description"),
    "documentation": (f"{_OCI}documentation", f"{_OLD}usage"),
    "source": (f"{_OCI}source", f"{_OLD}vcs-url"),
    "url": (f"{_OCI}url", f"{_OLD}url"),
    "licenses": (f"{_OCI}licenses",),
    "vendor": (f"{_OCI}vendor", f"{_OLD}vendor"),
}


@dataclass(frozen=True, slots=True)
class About:
    """What an image says about itself, in annotations or labels; addresses are of the web."""

    title: str = ""
    description: str = ""
    documentation: str = ""
    source: str = ""
    url: str = ""
    licenses: str = ""
    vendor: str = ""

    @property
    def is_empty(self) -> bool:
        """Nothing that could stand for a README."""
        return not (self.title or self.description)

    @property
    def links(self) -> list[tuple[str, str]]:
        """Named addresses, each once."""
        named = (
            (_("Source"), self.source),
            (_("Website"), self.url),
            (_("Documentation"), self.documentation),
        )
        return [
            (name, address)
            for n, (name, address) in enumerate(named)
            if address and address not in (other for _name, other in named[:n])
        ]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of distinct blobs; `shared` of them are in other repositories, too."""

    total: int = 0
    shared: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """An image under all its names, the word that moves first: `latest`, `1.4`, `1.4.2`."""

    tag: Tag
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """`shown` is the tag its pull command names, `newest` the one pushed last.

    `pulled_on` is a day after `pulled_at` on which something was pulled, by digest.
    """

    sizes: Sizes
    days: Sequence[Day]
    shown: Tag | None = None
    newest: Tag | None = None
    picture: Picture = field(default_factory=Picture)
    groups: Sequence[Group] = ()
    about: About = field(default_factory=About)
    pulled_at: datetime | None = None
    pulled_on: date | None = None


@dataclass(frozen=True, slots=True)
class _Name:
    """A tag before anything of its image is read."""

    pk: int
    name: str
    manifest_id: int
    moved_at: datetime
    pulled_at: datetime | None


def overview_of(repository: Repository, principal: Principal) -> Overview:
    """What the reader may know; seven queries, three for an empty repository."""
    names = _names(repository)
    sizes = sizes_of(repository, principal)
    days = pulls_by_day(repository)
    if not names:
        return Overview(sizes, days)
    groups = _grouped(names)
    shown, newest = _shown(names), _last_moved(names)
    wanted = {group[0].pk for group in groups} | {shown.pk, newest.pk}
    tags = {tag.pk: tag for tag in light(Tag.objects.filter(pk__in=wanted))}
    if not wanted <= tags.keys():  # one was deleted between the two questions
        return Overview(sizes, days)
    manifest = tags[shown.pk].manifest
    pulled_at = max((n.pulled_at for n in names if n.pulled_at is not None), default=None)
    return Overview(
        sizes,
        days,
        tags[shown.pk],
        tags[newest.pk],
        pictures_of([manifest])[manifest.pk],
        [Group(tags[g[0].pk], tuple(n.name for n in g)) for g in groups],
        about(manifest),
        pulled_at,
        _day_after(pulled_at, days),
    )


def sizes_of(repository: Repository, principal: Principal) -> Sizes:
    """How large, and how much of it other repositories have as well. One query.

    Only repositories that the reader may see count: a number that others had a part in would tell
    whether somebody hidden has the same bytes.
    """
    # Asked of each link by itself: joined, SQLite would begin with all public repositories.
    seen = Exists(visible_each(principal).filter(pk=OuterRef("repository")))
    others = BlobLink.objects.filter(seen, blob=OuterRef("blob"))
    shared = Exists(others.exclude(repository=repository.pk))
    found = BlobLink.objects.filter(repository=repository).aggregate(
        total=Sum("blob__size"), shared=Sum("blob__size", filter=shared)
    )
    return Sizes(found["total"] or 0, found["shared"] or 0)


def version_of(repository: Repository) -> str:
    """The highest release among the tags, else the tag moved last; nothing without tags."""
    names = _names(repository)
    return _shown(names, prefer="").name if names else ""


def about(manifest: Manifest) -> About:
    """What an image says of itself; of an index also what its first platform says. One query."""
    inner = layered_id(manifest)
    rows = Manifest.objects.filter(pk__in={manifest.pk, inner})
    found = {
        pk: (annotations, labels)
        for pk, annotations, labels in rows.values_list("pk", "annotations", "info__config__labels")
    }
    texts: list[Mapping[str, Any]] = []
    for pk in dict.fromkeys((manifest.pk, inner)):
        texts += [part for part in found.get(pk, ()) if isinstance(part, dict)]
    return read_about(texts)


def read_about(texts: Iterable[Mapping[str, Any]]) -> About:
    """The facts of several maps of annotations or labels, those of the first count most."""
    maps = list(texts)
    facts = {
        name: next((value for key in keys for m in maps if (value := _words(m.get(key)))), "")
        for name, keys in _KEYS.items()
    }
    for name in ("documentation", "source", "url"):
        if not facts[name].startswith(("https://", "http://")):
            facts[name] = ""
    return About(**facts)


def _words(value: Any) -> str:
    return value.strip()[:MAX_WORDS] if isinstance(value, str) else ""


def _names(repository: Repository) -> list[_Name]:
    """The tags moved last, and `latest`. One query, and one more where there are very many."""
    columns = ("pk", "name", "manifest_id", "moved_at", "last_pulled_at")
    rows = Tag.objects.filter(repository=repository).values_list(*columns)
    found = [_Name(*row) for row in rows.order_by("-moved_at", "-pk")[:CONSIDERED]]
    if len(found) == CONSIDERED and all(name.name != "latest" for name in found):
        found += [_Name(*row) for row in rows.filter(name="latest")]
    return found


def _grouped(names: Sequence[_Name]) -> list[list[_Name]]:
    """The newest images, each with its names: versions and dates in their order, then the rest by
    when they were pushed."""
    by_manifest: dict[int, list[_Name]] = {}
    by_name = {name.name: name for name in names}
    rest = []
    for text in newest_first(by_name):
        name = by_name[text]
        if parse(text).kind is Kind.WORD and name.manifest_id not in by_manifest:
            rest.append(name)
        else:
            by_manifest.setdefault(name.manifest_id, []).append(name)
    for name in sorted(rest, key=lambda n: (n.moved_at, n.pk), reverse=True):
        by_manifest.setdefault(name.manifest_id, []).append(name)
    return [_floating_first(group) for group in list(by_manifest.values())[:SHOWN_GROUPS]]


def _floating_first(group: list[_Name]) -> list[_Name]:
    """`latest`, `1`, `1.4`, `1.4.2`: the less a name says, the more often it moves."""

    def exactness(name: _Name) -> tuple[bool, bool, int, int, str]:
        found = parse(name.name)
        is_word = found.kind is Kind.WORD
        variant = 0 if is_word else len(found.variant)
        return (name.name != "latest", not is_word, variant, len(found.numbers), name.name)

    return sorted(group, key=exactness)


def _shown(names: Sequence[_Name], prefer: str = "latest") -> _Name:
    """`latest`, the highest release without a variant, the highest at all, or the last moved."""
    by_name = {name.name: name for name in names}
    if prefer in by_name:
        return by_name[prefer]
    releases = [text for text in newest_first(by_name) if parse(text).is_release]
    plain = [text for text in releases if not parse(text).variant]
    best = next(iter(plain or releases), None)
    return _last_moved(names) if best is None else by_name[best]


def _last_moved(names: Sequence[_Name]) -> _Name:
    return max(names, key=lambda name: (name.moved_at, name.pk))


def _day_after(moment: datetime | None, days: Sequence[Day]) -> date | None:
    last = max((day.day for day in days if day.pulls), default=None)
    return last if last is not None and (moment is None or last > moment.date()) else None
