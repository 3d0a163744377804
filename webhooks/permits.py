"""Whether somebody may still be told: of each webhook its maker answers for what it tells.

A right is looked at when an event is handed on, cheaply, and again when it is sent.
"""

from __future__ import annotations

from accounts.models import User
from accounts.services.credentials import principal_of
from accounts.types import ANONYMOUS, Principal
from events.models import Event
from repos.models import Repository
from repos.permissions import decide
from repos.services.renaming import owns
from webhooks.models import Delivery, Webhook
from webhooks.types import FOR_ADMINISTRATORS, PING_KIND

_GONE = "repository.deleted"


def obstacle(delivery: Delivery, repository: Repository | None) -> str:
    """Why this must not be sent any more, in a sentence; empty when nothing is in the way.

    `repository` is what the event is about (`subject_of`); None for an event about none.
    """
    hook, event = delivery.webhook, delivery.event
    if not hook.active:
        return "Not sent: the webhook was switched off in the meantime."
    about = told_event(event)
    if repository is None and about.repository_id is not None:
        return "Not sent: the repository was deleted in the meantime."
    if repository is not None and not repository.is_active and about.kind != _GONE:
        return "Not sent: the repository was deleted in the meantime."
    maker = maker_of(hook)
    if maker is None:
        return "Not sent: the account that made this webhook is no longer active."
    refused = _owner_refused(hook, maker)
    if refused:
        return refused
    if repository is None:
        return ""
    if _has_left(hook, repository):
        return "Not sent: the repository has left this namespace in the meantime."
    return _reader_refused(hook, maker, repository, about)


def may_report(delivery: Delivery, repository: Repository) -> bool:
    """Whether what its receiver says still counts: whoever made the webhook answers for that too.

    Of a repository's own webhooks they may push to it, for rules move tags by these results.
    """
    hook = delivery.webhook
    maker = maker_of(hook)
    if maker is None or _owner_refused(hook, maker) or _has_left(hook, repository):
        return False
    own = hook.repository_id is not None and not maker.is_anonymous
    return decide(maker, "push" if own else "pull", repository).allowed


def subject_of(delivery: Delivery) -> Repository | None:
    """The repository that a delivery tells of; of a ping, that of the push it shows."""
    hook, event = delivery.webhook, told_event(delivery.event)
    wanted = event.repository_id
    if wanted is None:
        return hook.repository
    if hook.repository is not None and hook.repository.pk == wanted:
        return hook.repository
    rows = Repository.objects.select_related("namespace__organization")
    return rows.filter(pk=wanted).first()


def told_event(event: Event) -> Event:
    """The event that receivers read of: a ping shows an earlier one."""
    earlier = event.payload.get("of") if event.kind == PING_KIND else None
    if not isinstance(earlier, int):
        return event
    return Event.objects.filter(pk=earlier).first() or event


def maker_of(webhook: Webhook) -> Principal | None:
    """In whose name it asks; None if that account is no longer active. The hub's own ones read
    what everybody may."""
    if webhook.created_by_id is None:
        return ANONYMOUS
    user = User.objects.filter(pk=webhook.created_by_id, is_active=True).first()
    return None if user is None else principal_of(user)


def _owner_refused(hook: Webhook, maker: Principal) -> str:
    """Why its maker could not make it today, beyond what they read."""
    if hook.repository_id is not None or maker.is_anonymous:
        return ""
    if hook.namespace is None:
        if not maker.is_superuser:
            return "Not sent: whoever made this webhook no longer administers the server."
    elif not owns(maker, hook.namespace):
        return (
            "Not sent: whoever made this webhook no longer owns the namespace. Another owner can "
            "make it anew."
        )
    return ""


def _reader_refused(hook: Webhook, maker: Principal, repository: Repository, about: Event) -> str:
    """Why its maker may not know of this event today."""
    if not decide(maker, "pull", repository).allowed:
        return (
            "Not sent: whoever made this webhook may no longer read the repository. Another "
            "administrator can make it anew."
        )
    of_repository = hook.repository_id is not None and not maker.is_anonymous
    if about.kind not in FOR_ADMINISTRATORS or not of_repository:
        return ""
    if decide(maker, "administer", repository).allowed:
        return ""
    return (
        "Not sent: whoever made this webhook no longer administers the repository. Another "
        "administrator can make it anew."
    )


def _has_left(hook: Webhook, repository: Repository) -> bool:
    """Transferred since; what it is called now is the new owner's to tell."""
    return hook.namespace_id is not None and repository.namespace_id != hook.namespace_id
