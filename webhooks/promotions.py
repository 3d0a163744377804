"""Rules that move a tag once receivers reported success.

What a rule does is decided on when the last result has come in, under the repository's lock: rights
of whoever made it, immutability, and that no newer push was decided on before.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import User
from accounts.services.credentials import principal_of
from core import patterns
from core.errors import HubError, NotFound
from events.models import Event
from events.services import audit
from events.types import Actor
from oci.names import parse_tag
from registry.services.retag import retag
from repos.models import Repository
from repos.permissions import require
from repos.services.locking import lock_active
from webhooks.errors import PromotionInvalid, TooManyPromotions
from webhooks.models import Promotion, Result, Webhook
from webhooks.owners import Owner, Recheck, locked, no_recheck
from webhooks.types import PUSH, RESULT_KIND

MAX_PROMOTIONS = 20
CREDENTIAL = "promotion"  # what events that a rule made say their actor came with


def list_promotions(repository: Repository) -> QuerySet[Promotion]:
    """The rules of a repository with the webhooks they need, oldest first."""
    rows = Promotion.objects.filter(repository=repository)
    return rows.prefetch_related("requires").order_by("id")


def get_promotion(repository: Repository, pk: int) -> Promotion:
    """One of them; raises NotFound."""
    found = list_promotions(repository).filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such rule.")
    return found


def create_promotion(
    repository: Repository,
    *,
    actor: Actor,
    source: str,
    target: str,
    requires: Collection[Webhook],
    recheck: Recheck = no_recheck,
) -> Promotion:
    """Add a rule: when all of `requires`, webhooks of this repository, reported success for a push
    of a tag like `source` (a pattern, empty for all), `target` is moved there.

    Raises PromotionInvalid, TagInvalid, TooManyPromotions.
    """
    _check_pattern(source)
    parse_tag(target)
    if source == target:
        raise _invalid("target", "A tag is not promoted to itself; name another one.")
    with locked(Owner(repository=repository), recheck) as held:
        if Promotion.objects.filter(repository=repository).count() >= MAX_PROMOTIONS:
            raise TooManyPromotions(
                f"A repository may have at most {MAX_PROMOTIONS} rules; remove one first."
            )
        needed = _known(held, requires)
        rule = Promotion.objects.create(
            repository=repository, source=source, target=target, created_by_id=actor.id
        )
        rule.requires.set(needed)
        _audit("promotion.created", rule, actor, webhooks=[hook.pk for hook in needed])
    return rule


def delete_promotion(
    repository: Repository, pk: int, *, actor: Actor, recheck: Recheck = no_recheck
) -> None:
    """Take a rule away; tags stay where they are. Raises NotFound."""
    with locked(Owner(repository=repository), recheck):
        _drop(get_promotion(repository, pk), actor)


def drop_those_of(webhook: Webhook, actor: Actor) -> None:
    """Take the rules away that need a webhook which goes: without it they would ask for less.

    The caller holds the owner.
    """
    for rule in Promotion.objects.filter(requires=webhook).select_related("repository"):
        _drop(rule, actor)


def on_event(event: Event) -> None:
    """Handler: see what a result that came in decides."""
    if event.kind != RESULT_KIND:
        return
    rows = Result.objects.select_related("repository", "delivery__event", "webhook")
    result = rows.filter(pk=event.payload.get("result_id") or 0).first()
    if result is not None:
        on_result(result)


def on_result(result: Result) -> None:
    """Move the targets of the rules that this result fulfils; refusals stand in the audit log.

    Each push is decided on once for each rule, and none that was made by a rule.
    """
    if result.state != Result.State.SUCCESS or not result.digest or result.delivery is None:
        return
    push = result.delivery.event
    if push.credential == CREDENTIAL:
        return
    with transaction.atomic():
        try:
            repository = lock_active(result.repository)
        except NotFound:
            return
        rules = Promotion.objects.filter(repository=repository, requires=result.webhook)
        for rule in rules.filter(last_event_id__lt=push.pk).order_by("id"):
            if _fits(rule, result.tag) and _fulfilled(rule, push):
                _promote(rule, repository, push, result)


def _promote(rule: Promotion, repository: Repository, push: Event, result: Result) -> None:
    Promotion.objects.filter(pk=rule.pk).update(last_event_id=push.pk)
    user = User.objects.filter(pk=rule.created_by_id or 0, is_active=True).first()
    if user is None:
        _refused(rule, None, result, "maker_gone", "Whoever made the rule is no longer active.")
        return
    principal = principal_of(user)
    actor = Actor(user.pk, user.username, CREDENTIAL)
    try:
        with transaction.atomic():
            require(principal, "push", repository)
            retag(repository, rule.target, result.digest, actor=actor, replace=True)
    except HubError as error:
        _refused(rule, actor, result, error.code, error.message)


def _refused(
    rule: Promotion, actor: Actor | None, result: Result, code: str, sentence: str
) -> None:
    who = actor or Actor(rule.created_by_id, "", CREDENTIAL)
    _audit("promotion.failed", rule, who, outcome=code, digest=result.digest, sentence=sentence)


def _fits(rule: Promotion, tag: str) -> bool:
    return tag != rule.target and (not rule.source or patterns.matches(rule.source, tag))


def _fulfilled(rule: Promotion, push: Event) -> bool:
    """Whether every webhook it needs reported success of this very push."""
    needed = set(rule.requires.values_list("pk", flat=True))
    good = Result.objects.filter(
        delivery__event=push, webhook__in=needed, state=Result.State.SUCCESS
    )
    return bool(needed) and needed == set(good.values_list("webhook_id", flat=True))


def _known(owner: Owner, requires: Collection[Webhook]) -> list[Webhook]:
    wanted = {hook.pk for hook in requires}
    if not wanted:
        raise _invalid("requires", "Choose at least one webhook whose success it waits for.")
    found = [hook for hook in owner.webhooks() if hook.pk in wanted]
    if len(found) != len(wanted):
        raise _invalid("requires", "There is no such webhook in this repository.")
    deaf = [hook for hook in found if PUSH not in hook.events]
    if deaf:
        raise _invalid(
            "requires", "A webhook that is not told of pushes never reports on one; let it be told."
        )
    return found


def _check_pattern(source: str) -> None:
    try:
        patterns.check(source)
    except patterns.PatternInvalid as error:
        raise _invalid("source", str(error)) from error


def _drop(rule: Promotion, actor: Actor) -> None:
    _audit("promotion.deleted", rule, actor)
    rule.delete()


def _audit(
    kind: str, rule: Promotion, actor: Actor, *, outcome: str = "", **payload: object
) -> None:
    repository = rule.repository
    audit(
        kind,
        actor=actor,
        repository_id=repository.pk,
        repository_path=repository.path,
        namespace_id=repository.namespace_id,
        payload={"tag": rule.target, "source": rule.source, "rule_id": rule.pk, **payload},
        outcome=outcome,
    )


def _invalid(field: str, sentence: str) -> PromotionInvalid:
    return PromotionInvalid(sentence, detail={"field": field})
