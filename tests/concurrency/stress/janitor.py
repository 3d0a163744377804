"""A second collector beside the hub's own, and, at the end, the walk over everything.

Runs as a process of its own with the hub's settings; prints one JSON object.

    work SEED NAMES...   until its input ends
    walk                 once, when everybody has stopped
"""

from __future__ import annotations

import json
import random
import select
import sys
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import time_machine
from django.db import Error, connection, transaction
from django.db.models import Count, F, Q
from django.utils import timezone

from core.errors import HubError
from registry.models import (
    Blob,
    BlobLink,
    DiscardedObject,
    Manifest,
    ManifestBlob,
    ManifestChild,
    UploadPart,
    UploadSession,
)
from registry.services import collect
from registry.services.check import check, list_strays
from repos.models import Comment, Repository
from storage.factory import CONTENT_PREFIXES, get_store

PAUSE_S = 0.5
CHECK_EVERY_S = 2.0


def work(names: list[str], seed: str) -> dict[str, Any]:
    """Collect again and again; `names` are repositories that let untagged manifests go."""
    dice, totals, errors, findings = random.Random(seed), Counter[str](), [], set[str]()
    checked_at = time.monotonic()
    while not select.select([sys.stdin], [], [], dice.random() * PAUSE_S)[0]:
        try:
            _let_go(names)
            totals.update(collect.collect())
            totals["rounds"] += 1
            if time.monotonic() - checked_at > CHECK_EVERY_S:
                findings.update(check(rehash=dice.random() < 0.3))
                totals["checks"] += 1
                checked_at = time.monotonic()
        except (HubError, Error) as error:
            errors.append(f"{type(error).__name__}: {error}")
    return {"totals": totals, "errors": errors, "findings": sorted(findings)}


def _let_go(names: list[str]) -> None:
    """Give new repositories the rule, and queue what was looked at before they had it."""
    for repository in Repository.objects.filter(path__in=names, untagged_days=None):
        with transaction.atomic():
            Repository.objects.select_for_update().filter(pk=repository.pk).update(untagged_days=0)
            rows = Manifest.objects.filter(repository=repository, review_after=None)
            rows.update(review_after=timezone.now())


def walk() -> dict[str, Any]:
    """Days after the last request: what is dead is gone, and what is left is right."""
    ids = DiscardedObject.objects.create(storage_key="objects/measure").pk
    began = time.monotonic()
    with time_machine.travel(timezone.now() + timedelta(days=3), tick=True):
        while any(collect.collect().values()):
            pass
        swept = collect.sweep()
        findings = [*check(rehash=True), *_leaks(), *_counters()]
    return {
        "findings": findings,
        "discarded": ids - 1,
        "swept": swept,
        "seconds": round(time.monotonic() - began, 1),
        "deadlocks": _deadlocks(),
        "left": {
            model.__name__: model.objects.count()
            for model in (Repository, Manifest, BlobLink, Blob, DiscardedObject, UploadSession)
        },
    }


def _leaks() -> list[str]:
    """Rows that nothing needs and bytes that no row needs: with no grace there are none."""
    queries = {
        "upload sessions": UploadSession.objects.all(),
        "upload parts": UploadPart.objects.all(),
        "discarded objects": DiscardedObject.objects.all(),
        "blobs without a link": Blob.objects.filter(links=None),
        "links without a manifest": BlobLink.objects.filter(uses=None),
        "repositories on their way out": Repository.objects.filter(state="deleting"),
        "manifests that nothing keeps": Manifest.objects.filter(
            repository__untagged_days=0, tags=None, parents=None, subject_digest=""
        ),
        "manifests, links and tags of deleted repositories": Repository.objects.filter(
            state="deleted"
        ).filter(Q(manifests__isnull=False) | Q(blob_links__isnull=False) | Q(tags__isnull=False)),
    }
    found = [f"{rows.count()} {what} are left" for what, rows in queries.items() if rows.exists()]
    stored = {o.key for prefix in CONTENT_PREFIXES for o in get_store().walk(prefix)}
    named = {*Blob.objects.values_list("storage_key", flat=True)}
    found += [f"{key} is stored and no blob's" for key in sorted(stored - named)]
    found += [f"{key} is a blob's and not stored" for key in sorted(named - stored)]
    found += [f"{key} is stored and no row names it" for key in list_strays(timezone.now())]
    return found


def _counters() -> list[str]:
    """What is counted in a row is what a recount gives."""
    found = []
    for repository in Repository.objects.annotate(stars_now=Count("stars")):
        comments = Comment.objects.filter(repository=repository, deleted_at=None).count()
        if (repository.star_count, repository.comment_count) != (repository.stars_now, comments):
            found.append(f"{repository.path}: stars or comments are counted wrong")
    for manifest in Manifest.objects.defer("payload"):
        blobs = ManifestBlob.objects.filter(manifest=manifest).exclude(role="child")
        size = sum(dict(blobs.values_list("digest", "size")).values())
        children = ManifestChild.objects.filter(parent=manifest)
        total = size + sum(
            dict(children.values_list("child_digest", F("child__total_size"))).values()
        )
        if manifest.total_size != total:
            found.append(f"manifest {manifest.digest}: {manifest.total_size} bytes, not {total}")
    return found


def _deadlocks() -> int:
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def main() -> None:
    """What the arguments say; Django is set up."""
    done = walk() if sys.argv[1] == "walk" else work(sys.argv[3:], sys.argv[2])
    json.dump(done, sys.stdout)
