"""What a deletion takes along, what it leaves, and what it frees; asked before it happens.

The collector decides in the end (registry.services.collect); this is what it would do if nothing
else changed. Sizes are in bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from accounts.types import Principal
from core.db import Counted
from core.patterns import matches
from registry.models import BlobLink, Manifest, ManifestBlob, ManifestChild, Tag
from registry.services.tags import is_immutable
from repos.models import PullCount, Repository
from repos.permissions import visible_in

NAMED = 12  # of a long list
RECENT_DAYS = 30
MAX_DEPTH = 6  # of indexes in indexes, and what refers to what refers to them
MAX_GOING = 5_000
_SUFFIXES = ("", ".sig", ".att", ".sbom")  # tags that clients make of a digest
_TOLD = "tag.deleted"


@dataclass(frozen=True, slots=True)
class Names:
    """Some names of a list, and how many there are."""

    shown: list[str] = field(default_factory=list)
    total: int = 0

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.total - len(self.shown)


@dataclass(frozen=True, slots=True)
class Part:
    """A platform of an image or something that refers to it; whether it goes along."""

    label: str
    digest: str
    size: int
    goes: bool


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook that this is about: its filter names a tag that goes, or it will be told."""

    id: int
    url: str
    tag_filter: str
    is_told: bool


@dataclass(frozen=True, slots=True)
class Impact:
    """Of deleting tags or a manifest. `untagged` are images left without a tag; `keeps` says that
    they stay, under their digest, for as long as the repository does."""

    tags: Names
    aliases: Names
    attached: Names
    immutable: Names
    platforms: list[Part]
    referrers: list[Part]
    hooks: list[Hook]
    untagged: int
    keeps: bool
    last_pulled_at: datetime | None
    recent_pulls: int
    freed_bytes: int
    freed_at: datetime | None


@dataclass(frozen=True, slots=True)
class RepositoryImpact:
    """Of deleting a repository: how many of what go with it."""

    tags: int
    images: int
    referrers: int
    people: int
    robots: int
    teams: int
    stars: int
    comments: int
    webhooks: int
    former_names: Names
    last_pulled_at: datetime | None
    recent_pulls: int
    freed_bytes: int
    freed_at: datetime | None


def impact_of_tags(
    repository: Repository, tags: Collection[Tag], principal: Principal, *, with_hooks: bool = False
) -> Impact:
    """Of deleting these tags of the repository at once. Webhooks are for administrators only."""
    keys = {tag.manifest_id for tag in tags}
    others = Tag.objects.filter(manifest__in=keys).exclude(pk__in=[tag.pk for tag in tags])
    named = {*others.values_list("manifest_id", flat=True)}
    below = ManifestChild.objects.filter(child__in=keys).values_list("child_id", flat=True)
    untagged, keeps = keys - named, repository.untagged_days is None
    roots = set() if keeps else untagged - {*below}
    return _impact(
        repository,
        principal,
        names=[tag.name for tag in tags],
        aliases=_some(others.order_by("name"), "name"),
        keys=keys,
        going=_all_going(repository, roots),
        untagged=len(untagged),
        keeps=keeps,
        hooks=_hooks(repository, [tag.name for tag in tags]) if with_hooks else [],
        since=_after_undo(repository, roots),
    )


def impact_of_manifest(
    repository: Repository,
    manifest: Manifest,
    principal: Principal,
    *,
    with_hooks: bool = False,
) -> Impact:
    """Of deleting a manifest by its digest, which takes every tag on it along and is final."""
    names = list(
        Tag.objects.filter(manifest=manifest).order_by("name").values_list("name", flat=True)
    )
    keeps = repository.untagged_days is None
    going = {manifest.pk} if keeps else _all_going(repository, {manifest.pk})
    since = timezone.now()
    if len(going) > 1:
        since += timedelta(seconds=settings.HUB.untag_grace_s)
    return _impact(
        repository,
        principal,
        names=names,
        aliases=Names(),
        keys={manifest.pk},
        going=going,
        untagged=0,
        keeps=keeps,
        hooks=_hooks(repository, names) if with_hooks else [],
        since=since,
    )


def impact_of_repository(repository: Repository, principal: Principal) -> RepositoryImpact:
    """Counts, in as many queries for one tag as for a million."""
    manifests = Manifest.objects.filter(repository=repository)
    count = _counts(repository, manifests)
    freed = _bytes_of(repository, BlobLink.objects.filter(repository=repository), principal)
    after = timedelta(days=settings.HUB.trash_days, seconds=settings.HUB.discard_grace_s)
    newest = manifests.exclude(last_pulled_at=None).order_by("-last_pulled_at")
    former = repository.aliases.order_by("-pk").values_list("old_path", flat=True)
    return RepositoryImpact(
        tags=count["tags"],
        images=count["images"],
        referrers=count["referrers"],
        people=count["people"],
        robots=count["robots"],
        teams=count["teams"],
        stars=repository.star_count,
        comments=repository.comment_count,
        webhooks=count["webhooks"],
        former_names=Names(list(former[:NAMED]), count["former"]),
        last_pulled_at=newest.values_list("last_pulled_at", flat=True).first(),
        recent_pulls=_recent_pulls(repository),
        freed_bytes=freed,
        freed_at=timezone.now() + after if freed else None,
    )


def _counts(repository: Repository, manifests: QuerySet[Manifest]) -> dict[str, int]:
    """What goes with a repository, by name; one query."""
    given = repository.collaborators.all()
    asked: dict[str, QuerySet[Any]] = {
        "tags": Tag.objects.filter(repository=repository),
        "images": manifests.filter(subject_digest=""),
        "referrers": manifests.exclude(subject_digest=""),
        "people": given.filter(user__robot_namespace=None),
        "robots": given.exclude(user__robot_namespace=None),
        "teams": repository.team_grants.all(),
        "webhooks": _webhooks(repository),
        "former": repository.aliases.all(),
    }
    counted = [Counted(rows.values("pk")) for rows in asked.values()]
    row = Repository.objects.filter(pk=repository.pk).values_list(*counted).first()
    return dict(zip(asked, row or [0] * len(asked), strict=True))


def _impact(
    repository: Repository,
    principal: Principal,
    *,
    names: list[str],
    aliases: Names,
    keys: set[int],
    going: set[int],
    untagged: int,
    keeps: bool,
    hooks: list[Hook],
    since: datetime,
) -> Impact:
    about = list(Manifest.objects.filter(pk__in=keys).defer("payload", "annotations"))
    freed = _bytes_of(repository, _links_of(going), principal)
    graces = timedelta(seconds=settings.HUB.push_grace_s + settings.HUB.discard_grace_s)
    pulled = [row.last_pulled_at for row in about if row.last_pulled_at is not None]
    forbidden = [name for name in names if is_immutable(repository, name)]
    return Impact(
        tags=Names(names[:NAMED], len(names)),
        aliases=aliases,
        attached=_attached(repository, about, names),
        immutable=Names(forbidden[:NAMED], len(forbidden)),
        platforms=_platforms(keys, going),
        referrers=_referrers(repository, about, going),
        hooks=hooks,
        untagged=untagged,
        keeps=keeps,
        last_pulled_at=max(pulled, default=None),
        recent_pulls=_recent_pulls(repository),
        freed_bytes=freed,
        freed_at=since + graces if freed else None,
    )


def _all_going(repository: Repository, roots: set[int]) -> set[int]:
    """The roots and all that only they keep: what they list, and what refers to them."""
    going, edge = set(roots), set(roots)
    for _ in range(MAX_DEPTH):
        if not edge or len(going) > MAX_GOING:
            break
        digests = Manifest.objects.filter(pk__in=edge).values_list("digest", flat=True)
        refers = Q(subject_digest__in=list(digests)) & ~Q(subject_digest="")
        near = Manifest.objects.filter(Q(parents__parent__in=edge) | refers, repository=repository)
        kept = ManifestChild.objects.filter(child=OuterRef("pk")).exclude(parent__in=going)
        loose = near.filter(~Exists(Tag.objects.filter(manifest=OuterRef("pk"))), ~Exists(kept))
        edge = {*loose.values_list("pk", flat=True)[:MAX_GOING]} - going
        going |= edge
    return going


def _links_of(going: set[int]) -> QuerySet[BlobLink]:
    """Links that nothing but these manifests uses."""
    uses = ManifestBlob.objects.filter(link=OuterRef("pk"))
    return BlobLink.objects.filter(
        Exists(uses.filter(manifest__in=going)), ~Exists(uses.exclude(manifest__in=going))
    )


def _bytes_of(repository: Repository, links: QuerySet[BlobLink], principal: Principal) -> int:
    """Of their blobs, without those that are in another repository this person sees.

    What is only in hidden ones counts as freed: else the number would tell that they have it.
    """
    elsewhere = BlobLink.objects.filter(blob=OuterRef("blob")).exclude(repository=repository)
    elsewhere = elsewhere.filter(visible_in(principal, "repository"))
    return links.filter(~Exists(elsewhere)).aggregate(total=Sum("blob__size"))["total"] or 0


def _after_undo(repository: Repository, roots: set[int]) -> datetime:
    """From when on the collector may take untagged images."""
    now, hub = timezone.now(), settings.HUB
    moments = [now + timedelta(days=hub.trash_days), now + timedelta(seconds=hub.untag_grace_s)]
    newest = Manifest.objects.filter(pk__in=roots).order_by("-created_at").first()
    if newest is not None and repository.untagged_days:
        moments.append(newest.created_at + timedelta(days=repository.untagged_days))
    return max(moments)


def _platforms(keys: set[int], going: set[int]) -> list[Part]:
    rows = ManifestChild.objects.filter(parent__in=keys).exclude(child=None)
    facts = rows.order_by("parent", "position").values_list(
        "child_id", "platform", "child_digest", "child__total_size"
    )
    found = {
        key: Part("" if platform.startswith("unknown/") else platform, digest, size, key in going)
        for key, platform, digest, size in facts[:MAX_GOING]
    }
    return list(found.values())


def _referrers(repository: Repository, about: Iterable[Manifest], going: set[int]) -> list[Part]:
    digests = [manifest.digest for manifest in about]
    rows = Manifest.objects.filter(
        Q(subject_digest__in=digests) & ~Q(subject_digest=""), repository=repository
    )
    facts = rows.order_by("pk").values_list(
        "pk", "artifact_type", "media_type", "digest", "total_size"
    )
    return [
        Part(artifact or media, digest, size, key in going)
        for key, artifact, media, digest, size in facts[:MAX_GOING]
    ]


def _attached(repository: Repository, about: Iterable[Manifest], names: list[str]) -> Names:
    """Tags that clients made of the digests, for signatures and such; they stay."""
    digests = [manifest.digest.replace(":", "-") for manifest in about]
    made = [f"{digest}{suffix}" for digest in digests for suffix in _SUFFIXES]
    rows = Tag.objects.filter(repository=repository, name__in=made).exclude(name__in=names)
    return _some(rows.order_by("name"), "name")


def _hooks(repository: Repository, names: list[str]) -> list[Hook]:
    found = []
    for hook in _webhooks(repository).filter(active=True).order_by("pk"):
        fits = any(matches(hook.tag_filter, name) for name in names)
        is_told = _TOLD in hook.events and (fits or not hook.tag_filter)
        if fits or is_told:
            found.append(Hook(hook.pk, hook.url, hook.tag_filter, is_told))
    return found


def _webhooks(repository: Repository) -> QuerySet[Any]:
    """They belong to an app above this one, which gives repositories the name."""
    rows: QuerySet[Any] = repository.webhooks.all()
    return rows


def _recent_pulls(repository: Repository) -> int:
    first = timezone.now().date() - timedelta(days=RECENT_DAYS)
    days = PullCount.objects.filter(repository=repository, day__gt=first)
    return days.aggregate(total=Sum("pulls"))["total"] or 0


def _some(rows: QuerySet[Any], name: str) -> Names:
    return Names(list(rows.values_list(name, flat=True)[:NAMED]), rows.count())
