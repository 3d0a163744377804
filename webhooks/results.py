"""What receivers report to the one-time address of a delivery."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from core.errors import NotFound
from events.models import Event
from events.services import record
from events.types import SYSTEM
from repos.models import Repository
from webhooks.errors import ResultGiven, ResultInvalid
from webhooks.models import Delivery, Result
from webhooks.permits import may_report, subject_of, told_event
from webhooks.types import PING_KIND, PUSH, RESULT_KIND, name_of

LIVES = timedelta(days=7)
MAX_DESCRIPTION_CHARS = 255
MAX_CONTEXT_CHARS = 100
MAX_URL_CHARS = 2000
SHOWN = 20  # of one digest
_UNSEEN = re.compile(r"[\x01-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def report(
    uid: UUID | str,
    *,
    state: str,
    description: str = "",
    context: str = "",
    target_url: str = "",
) -> Result:
    """Keep what the receiver of a delivery says about what was pushed; once for each delivery.

    The answer to a test is kept with its delivery and says nothing about an image. Raises
    ResultInvalid; NotFound for a delivery that is unknown, told of no push, was last asked for
    longer than `LIVES` ago, or whose webhook's maker has lost the right to it; ResultGiven.
    """
    values = {
        "state": _state(state),
        "description": _line("description", description, MAX_DESCRIPTION_CHARS),
        "context": _line("context", context, MAX_CONTEXT_CHARS),
        "target_url": _link(target_url),
    }
    with transaction.atomic():
        delivery = _asked(uid)
        repository = _pushed_to(delivery)
        if Result.objects.filter(delivery=delivery).exists():
            raise ResultGiven("This callback was answered already; each can be answered once.")
        is_real = delivery.event.kind != PING_KIND
        payload = delivery.event.payload if is_real else {}
        found = Result.objects.create(
            delivery=delivery,
            webhook=delivery.webhook,
            repository=repository,
            tag=payload.get("tag", ""),
            digest=payload.get("digest", ""),
            **values,
        )
        if is_real:
            _tell(found, delivery.event)
    return found


def results_of(repository: Repository, digests: Collection[str]) -> dict[str, list[Result]]:
    """By digest the newest result of each context, newest first, at most `SHOWN`; one query.

    Whoever gave no context counts for themselves.
    """
    wanted = {digest for digest in digests if digest}
    if not wanted:
        return {}
    mine = Result.objects.filter(repository=repository, digest__in=wanted)
    newest = mine.order_by().values("digest", "context", "webhook").annotate(newest=Max("id"))
    rows = Result.objects.filter(pk__in=newest.values("newest")).select_related("webhook")
    found: dict[str, list[Result]] = {}
    seen: set[tuple[str, str]] = set()
    for row in rows.order_by("-id"):
        key = (row.digest, row.context or f"webhook {row.webhook_id}")
        shown = found.setdefault(row.digest, [])
        if key not in seen and len(shown) < SHOWN:
            seen.add(key)
            shown.append(row)
    return found


def _asked(uid: UUID | str) -> Delivery:
    """The delivery, held until the transaction ends."""
    rows = Delivery.objects.select_for_update(no_key=True, of=("self",))
    rows = rows.select_related("event", "webhook__repository__namespace", "webhook__namespace")
    found = rows.filter(uid=uid, owed_at__gt=timezone.now() - LIVES).first()
    if found is None:
        raise _unknown()
    return found


def _pushed_to(delivery: Delivery) -> Repository:
    if name_of(told_event(delivery.event).kind) != PUSH:
        raise _unknown()
    repository = subject_of(delivery)
    if repository is None or not repository.is_active or not may_report(delivery, repository):
        raise _unknown()
    return repository


def _unknown() -> NotFound:
    return NotFound("There is no such callback, or it is too late to answer it.")


def _tell(result: Result, push: Event) -> None:
    repository = result.repository
    record(
        RESULT_KIND,
        actor=SYSTEM,
        repository_id=repository.pk,
        repository_path=repository.path,
        namespace_id=repository.namespace_id,
        payload={
            "tag": result.tag,
            "digest": result.digest,
            "state": str(result.state),
            "context": result.context,
            "description": result.description,
            "target_url": result.target_url,
            "push_id": str(push.uid),
            "result_id": result.pk,
            "webhook_id": result.webhook_id,
        },
    )


def _state(given: str) -> str:
    if given not in Result.State.values:
        raise _invalid("state", f"state is one of: {', '.join(Result.State.values)}.")
    return given


def _line(field: str, given: str, most: int) -> str:
    """On one line, without signs that would turn the text beside it about."""
    if len(given) > most or "\0" in given:
        raise _invalid(field, f"{field} is a text of at most {most} characters.")
    return " ".join(_UNSEEN.sub(" ", given).split())


def _link(given: str) -> str:
    """A page that people may follow; anything a browser would take for a script is none."""
    if not given:
        return ""
    try:
        parts = urlsplit(given)
        host = parts.hostname
    except ValueError:
        host = None
    if (
        host is None
        or parts.scheme not in ("http", "https")
        or parts.username is not None
        or len(given) > MAX_URL_CHARS
        or not all("!" <= char <= "~" for char in given)
    ):
        raise _invalid(
            "target_url",
            f"target_url is an http or https address of at most {MAX_URL_CHARS} characters.",
        )
    return given


def _invalid(field: str, sentence: str) -> ResultInvalid:
    return ResultInvalid(sentence, detail={"field": field})
