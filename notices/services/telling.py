"""Making notices: who of some people hears of something, in the bell and by mail."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from notices.models import Kind, Mail, Notice
from notices.services.preferences import Choice, choices_about
from repos.models import Comment, Repository
from repos.permissions.readers import who_may_see

FOLDED_TAGS = 5  # named of those pushed; the others are counted
GATHERS = timedelta(minutes=5)  # how long a mail about tags waits for more of them


def tell(
    user_ids: Iterable[int],
    kind: Kind,
    *,
    repository: Repository | None = None,
    comment: Comment | None = None,
    actor_name: str = "",
    details: dict[str, Any] | None = None,
) -> int:
    """Tell people, as they chose; returns how many. Nobody hears of a repository they may not see.

    Of one comment a person hears once.
    """
    told = _who(user_ids, repository)
    now = timezone.now()
    made = [
        Notice(
            user_id=user_id,
            kind=kind,
            repository=repository,
            comment=comment,
            actor_name=actor_name,
            details=details or {},
            shown=choice.web,
            created_at=now,
            mail_due_at=due_at(choice.mail, now),
        )
        for user_id, choice in _wanted(kind, told)
    ]
    Notice.objects.bulk_create(made, ignore_conflicts=comment is not None)
    return len(made)


def tell_again(
    user_ids: Iterable[int],
    kind: Kind,
    *,
    repository: Repository,
    actor_name: str,
    details: dict[str, Any],
) -> int:
    """The same, and who has not read of it yet about this repository is told once of all of it.

    A `tag` in the details joins the tags of before.
    """
    told = _who(user_ids, repository)
    now = timezone.now()
    made = []
    with transaction.atomic():
        unread = Notice.objects.filter(kind=kind, repository=repository, read_at=None)
        before = {row.user_id: row for row in unread.filter(user_id__in=told)}
        for user_id, choice in _wanted(kind, told):
            old = before.get(user_id)
            due = due_at(choice.mail, now + GATHERS if choice.mail == Mail.AT_ONCE else now)
            made.append(
                Notice(
                    user_id=user_id,
                    kind=kind,
                    repository=repository,
                    actor_name=actor_name,
                    details=_joined(old, details),
                    times=old.times + 1 if old else 1,
                    shown=choice.web,
                    created_at=now,
                    mail_due_at=min(old.mail_due_at, due)
                    if old and due and old.mail_due_at
                    else due,
                )
            )
        Notice.objects.filter(pk__in=[row.pk for row in before.values()]).delete()
        Notice.objects.bulk_create(made)
    return len(made)


def due_at(mail: Mail, now: datetime) -> datetime | None:
    """When a mail about what happened now is due; daily ones at `HUB_DIGEST_HOUR`."""
    if mail == Mail.NEVER:
        return None
    if mail == Mail.AT_ONCE:
        return now
    today = now.replace(hour=settings.HUB.digest_hour, minute=0, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)


def mark_read(rows: QuerySet[Notice]) -> int:
    """Note that somebody has read these; no mail about them is sent any more."""
    return rows.filter(read_at=None).update(read_at=timezone.now(), mail_due_at=None)


def _who(user_ids: Iterable[int], repository: Repository | None) -> set[int]:
    ids = set(user_ids)
    if not ids:
        return ids
    if repository is not None:
        return who_may_see(repository, ids)
    people = User.objects.filter(pk__in=ids, is_active=True, robot_namespace=None)
    return set(people.values_list("pk", flat=True))


def _wanted(kind: Kind, user_ids: set[int]) -> list[tuple[int, Choice]]:
    """Those who want to hear of it somehow."""
    if not user_ids:
        return []
    chosen = choices_about(kind, sorted(user_ids))
    return [(u, c) for u, c in chosen.items() if c.web or c.mail != Mail.NEVER]


def _joined(old: Notice | None, details: dict[str, Any]) -> dict[str, Any]:
    if "tag" not in details:
        return details
    rest = {name: value for name, value in details.items() if name != "tag"}
    before = old.details.get("tags", []) if old else []
    tags = [tag for tag in before if tag != details["tag"]]
    return {**rest, "tags": [*tags, details["tag"]][-FOLDED_TAGS:]}
