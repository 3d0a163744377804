"""From an event to the deliveries it owes. Only inserts rows; sending is another day's work."""

from __future__ import annotations

from django.db.models import Q

from accounts.models import User
from accounts.services.credentials import principal_of
from accounts.types import ANONYMOUS
from events.models import Event
from repos.models import Repository
from repos.permissions import decide
from repos.permissions.readers import who_may_see
from webhooks.filters import Fact, Filters
from webhooks.models import Delivery, Webhook
from webhooks.resending import owe
from webhooks.types import NAMES, OWN_NAMESPACE_ONLY, RESULT_KIND


def on_event(event: Event) -> None:
    """Owe the event to each webhook that is on, asked for it, and whose maker may know of it.

    Those of its repository, of the namespace the repository was in then, and of the server; none
    that was made after the event.
    """
    if event.kind not in NAMES:
        return
    hooks = list(_may_match(event))
    if not hooks:
        return
    fact = Fact.of(event)
    wanted = [hook for hook in hooks if not Filters.of(hook).refusal(fact)]
    wanted = _permitted(wanted, event)
    told = Delivery.objects.filter(event=event, webhook__in=wanted) if wanted else ()
    before = {delivery.webhook_id for delivery in told}
    owe((hook, event) for hook in wanted if hook.pk not in before)


def _may_match(event: Event) -> list[Webhook]:
    owners = Q(pk=None)
    if event.repository_id is not None:
        owners |= Q(repository=event.repository_id)
    if event.namespace_id is not None:
        owners |= Q(namespace=event.namespace_id)
    if event.kind not in OWN_NAMESPACE_ONLY:
        owners |= Q(repository=None, namespace=None)
    rows = Webhook.objects.filter(
        owners, active=True, paused_at=None, created_at__lte=event.occurred_at
    )
    if event.kind == RESULT_KIND:  # nobody hears the echo of what they said
        rows = rows.exclude(pk=event.payload.get("webhook_id") or 0)
    return list(rows.order_by("id"))


def _permitted(hooks: list[Webhook], event: Event) -> list[Webhook]:
    """Those of the repository itself, and those whose makers may see it; looked at again when it
    is sent."""
    others = [hook for hook in hooks if hook.repository_id is None]
    if not others or event.repository_id is None:
        return hooks
    rows = Repository.objects.select_related("namespace__organization")
    repository = rows.filter(pk=event.repository_id).first()
    makers = {hook.created_by_id for hook in others}
    able = _readers(repository, makers) if repository is not None else set()
    return [hook for hook in hooks if hook.repository_id or hook.created_by_id in able]


def _readers(repository: Repository, makers: set[int | None]) -> set[int | None]:
    """Those who may see it; the hub itself, None, as anybody."""
    able: set[int | None] = set()
    if None in makers and decide(ANONYMOUS, "see", repository).allowed:
        able.add(None)
    people = {maker for maker in makers if maker is not None}
    if repository.is_active:
        return able | who_may_see(repository, people)
    for user in User.objects.filter(pk__in=people, is_active=True):  # of one that was deleted
        if decide(principal_of(user), "see", repository).allowed:
            able.add(user.pk)
    return able
