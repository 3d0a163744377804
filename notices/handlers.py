"""From events to notices. Runs where events are dispatched, never while somebody waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models.signals import post_save

from accounts.models import Invitation, InvitationBase, Membership, Namespace, User
from core.markdown import mentioned
from events.models import Event
from events.wake import wake
from notices.models import Kind, Watch
from notices.services.telling import tell, tell_again
from notices.services.watching import (
    administrators_of,
    forget_person,
    levels_of,
    owners_of,
)
from repos.models import AccessRequest, Comment, Repository, RepositoryInvitation
from repos.services.comments import MAX_MENTIONS

Level = Watch.Level


def on_event(event: Event) -> None:
    """Tell whoever is to be told."""
    handler = _HANDLERS.get(event.kind)
    if handler is not None:
        handler(event)


def connect() -> None:
    """Hear of what is no event that is dispatched; once, when the application is ready."""
    post_save.connect(user_saved, sender=User)
    for kind in (Invitation, RepositoryInvitation):
        post_save.connect(invited, sender=kind)


def user_saved(sender: Any, instance: User, **_: Any) -> None:
    """Take everything of an account away that was closed: then it has no namespace any more."""
    if instance.is_active or instance.is_robot:
        return
    spaces = Namespace.objects.filter(user=instance).exclude(name__startswith="~")
    if not spaces.exists():
        forget_person(instance)


def invited(sender: Any, instance: InvitationBase, **_: Any) -> None:
    """Afterwards and elsewhere: whoever invites does not learn whether there is an account."""
    is_repository = isinstance(instance, RepositoryInvitation)
    wake("notices.tasks.take_up_invitation", is_repository, instance.pk)


def take_up_invitation(is_repository: bool, pk: int) -> None:
    """Tell the person with this address, if there is one who confirmed it."""
    to, row = _invitation(is_repository, pk)
    if row is None or not row.is_open:
        return
    guest = User.objects.filter(email=row.email, is_verified=True).exclude(email="").first()
    if guest is not None:
        who = row.invited_by.username if row.invited_by else ""
        tell([guest.pk], Kind.INVITATION, actor_name=who, details={"to": to})


def _invitation(is_repository: bool, pk: int) -> tuple[str, InvitationBase | None]:
    """Where to, and the row if it is still there."""
    if is_repository:
        rows = RepositoryInvitation.objects.select_related("repository", "invited_by")
        found = rows.filter(pk=pk).first()
        return (found.repository.path if found else ""), found
    into = Invitation.objects.select_related("organization", "invited_by").filter(pk=pk).first()
    return (into.organization.name if into else ""), into


def _comment_added(event: Event) -> None:
    comment = _comment_of(event)
    if comment is None:
        return
    called = _called(comment)
    repository = comment.repository
    levels = levels_of(repository)
    about: dict[str, Any] = {
        "repository": repository,
        "comment": comment,
        "actor_name": event.actor_name,
    }
    tell(called - {event.actor_id}, Kind.MENTION, **about)
    hearing = {user for user, level in levels.items() if level == Level.EVERYTHING}
    hearing |= {
        user
        for user in owners_of(repository)
        if levels.get(user, Level.EVERYTHING) == Level.EVERYTHING
    }
    tell(hearing - called - {event.actor_id}, Kind.COMMENT, **about)


def _comment_edited(event: Event) -> None:
    comment = _comment_of(event)
    if comment is not None:
        tell(
            _called(comment) - {event.actor_id},
            Kind.MENTION,
            repository=comment.repository,
            comment=comment,
            actor_name=event.actor_name,
        )


def _tag_moved(event: Event) -> None:
    levels = {Level.EVERYTHING} if event.payload.get("previous_digest") else {*Level} - {Level.NONE}
    watching = Watch.objects.filter(repository_id=event.repository_id or 0, level__in=levels)
    ids = set(watching.values_list("user_id", flat=True)) - {event.actor_id}
    repository = _repository_of(event) if ids else None
    if repository is not None:
        details = {"tag": event.payload["tag"]}
        who = event.actor_name
        tell_again(ids, Kind.TAG, repository=repository, actor_name=who, details=details)


def _access_asked(event: Event) -> None:
    """`repos` has made the request by now, if there is something to ask for."""
    asked = (
        AccessRequest.objects.filter(
            repository__path=event.payload["path"],
            user_id=event.actor_id or 0,
            state=AccessRequest.State.OPEN,
        )
        .select_related("repository__namespace__organization")
        .first()
    )
    if asked is not None:
        tell_again(
            set(administrators_of(asked.repository)) - {event.actor_id},
            Kind.REQUEST,
            repository=asked.repository,
            actor_name=event.actor_name,
            details={"role": asked.role},
        )


def _role_given(event: Event) -> None:
    name, role = event.payload.get("user"), event.payload.get("role")
    if not name or event.payload.get("before") == {"role": role}:
        return
    ids = User.objects.filter(username=name).values_list("pk", flat=True)
    repository = _repository_of(event)
    if repository is not None:
        tell_again(
            set(ids) - {event.actor_id},
            Kind.ACCESS,
            repository=repository,
            actor_name=event.actor_name,
            details={"role": role},
        )


def _webhook(event: Event) -> None:
    """Those who look after it; one of a namespace has no repository, one of the server neither."""
    details: dict[str, Any] = {"paused": event.kind == "webhook.paused"}
    repository = _repository_of(event)
    if repository is not None:
        tell_again(
            administrators_of(repository),
            Kind.WEBHOOK,
            repository=repository,
            actor_name=event.actor_name,
            details=details,
        )
    elif event.repository_id is None:
        _wide_webhook(event, details)


def _wide_webhook(event: Event, details: dict[str, Any]) -> None:
    page = f"webhooks/{event.payload.get('webhook_id', '')}"
    if event.namespace_id is None:
        everybody = User.objects.filter(is_superuser=True).values_list("pk", flat=True)
        about = {"server": True, "path": f"/admin/{page}"}
        tell(set(everybody), Kind.WEBHOOK, actor_name=event.actor_name, details=details | about)
        return
    namespace = Namespace.objects.filter(pk=event.namespace_id).first()
    if namespace is not None:
        about = {
            "namespace": namespace.pk,
            "owner": namespace.name,
            "path": f"/{namespace.name}/-/{page}",
        }
        tell(_owners(namespace), Kind.WEBHOOK, actor_name=event.actor_name, details=details | about)


def _owners(namespace: Namespace) -> list[int]:
    """The person whose it is, or the owners of the organization."""
    ids = [namespace.user_id] if namespace.user_id is not None else []
    if namespace.organization_id is not None:
        owners = Membership.objects.filter(
            organization_id=namespace.organization_id, role=Membership.Role.OWNER
        )
        ids = list(owners.values_list("user_id", flat=True))
    return ids


def _token_expiring(event: Event) -> None:
    owner = (
        User.objects.filter(username=event.payload["owner"])
        .select_related("robot_namespace")
        .first()
    )
    if owner is None:
        return
    details = {name: event.payload[name] for name in ("token", "expires_at")}
    namespace = owner.robot_namespace
    if namespace is None:
        tell([owner.pk], Kind.TOKEN, details={**details, "path": "/settings/tokens"})
        return
    short = owner.username.partition("+")[2]
    path = f"/{namespace.name}/-/robots/{short}"
    ids = _owners(namespace)
    tell(ids, Kind.TOKEN, details={**details, "path": path, "robot": owner.username})


def _comment_of(event: Event) -> Comment | None:
    """The comment an event is of, if it is still there for everybody."""
    rows = Comment.objects.filter(
        pk=event.payload["comment_id"], deleted_at=None, hidden_at=None
    ).select_related("repository__namespace__organization")
    return rows.first()


def _called(comment: Comment) -> set[int]:
    names = mentioned(comment.body)[:MAX_MENTIONS]
    return set(User.objects.filter(username__in=names).values_list("pk", flat=True))


def _repository_of(event: Event) -> Repository | None:
    rows = Repository.objects.select_related("namespace__organization")
    return rows.filter(pk=event.repository_id or 0).first()


_HANDLERS: dict[str, Callable[[Event], None]] = {
    "comment.added": _comment_added,
    "comment.edited": _comment_edited,
    "tag.moved": _tag_moved,
    "access.asked": _access_asked,
    "collaborator.added": _role_given,
    "webhook.failing": _webhook,
    "webhook.paused": _webhook,
    "token.expiring": _token_expiring,
}
