"""Invitations to a role on one repository by mail, and answering an invitation of either kind.

Callers have already decided who may invite.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Invitation, User
from accounts.services import invitations as into_organization
from accounts.services.credentials import principal_of
from accounts.services.invitations import (
    LIFE,
    check_guest,
    check_limits,
    check_mails,
    checked_email,
    gone,
    new_secret,
)
from accounts.services.mail import post
from core.crypto import token_hash
from core.errors import Invalid, NotFound
from events.services import audit
from events.types import Actor
from repos.models import Collaborator, Repository, RepositoryInvitation, Role
from repos.permissions import decide
from repos.permissions.roles import RANK
from repos.services.collaborators import grant_role

AnyInvitation = Invitation | RepositoryInvitation


def invite(
    repository: Repository, email: str, role: str, *, inviter: Actor
) -> RepositoryInvitation:
    """Owe the mail that gives whoever reads it a role; replaces an invitation of the same address.

    Raises Invalid, NotFound, Conflict and RateLimited.
    """
    email = checked_email(email)
    if role not in Role.values:
        raise Invalid("A role is read, write or admin.", code="ROLE_INVALID")
    with transaction.atomic():
        _lock(repository)
        rows = RepositoryInvitation.objects.filter(repository=repository)
        check_limits(rows, email, inviter)
        return _send(repository, email, role, inviter)


def resend(invitation: RepositoryInvitation, *, actor: Actor) -> RepositoryInvitation:
    """Send it again with another secret and a new life; raises NotFound, RateLimited."""
    with transaction.atomic():
        _lock(invitation.repository)
        row = RepositoryInvitation.objects.filter(pk=invitation.pk).first()
        if row is None:
            raise NotFound("There is no such invitation.")
        check_mails(actor)
        return _send(invitation.repository, row.email, row.role, actor)


def list_open(repository: Repository) -> QuerySet[RepositoryInvitation]:
    """Invitations that can still be accepted, oldest first."""
    rows = RepositoryInvitation.objects.filter(repository=repository, expires_at__gt=timezone.now())
    return rows.select_related("repository__namespace", "invited_by").order_by("pk")


def get_open(repository: Repository, pk: int) -> RepositoryInvitation:
    """One of them; raises NotFound."""
    invitation = list_open(repository).filter(pk=pk).first()
    if invitation is None:
        raise NotFound("There is no such invitation.")
    return invitation


def withdraw(invitation: RepositoryInvitation, *, actor: Actor) -> None:
    """Take it back; raises NotFound if it was answered meanwhile."""
    _end(invitation, "repository_invitation.withdrawn", actor)


def accept(secret: str, user: User, *, actor: Actor) -> Collaborator:
    """Give somebody who holds the secret the role; raises NotFound, Denied and Invalid.

    Who has a role there already never gets less than they had.
    """
    check_guest(user)
    invitation = find(secret)
    if invitation is None:
        raise gone()
    with transaction.atomic():
        _lock(invitation.repository)
        invitation = find(secret)  # whoever sent it may have lost the right until now
        if invitation is None:
            raise gone()
        repository, role = invitation.repository, invitation.role
        held = Collaborator.objects.filter(repository=repository, user=user).first()
        _end(invitation, "repository_invitation.accepted", actor)
        if held is not None and RANK[held.role] >= RANK[role]:
            return held
        return grant_role(repository, user, role, actor=actor)


def find(secret: str) -> RepositoryInvitation | None:
    """The invitation this secret is of, while it is good and whoever sent it may still do so."""
    rows = RepositoryInvitation.objects.select_related(
        "repository__namespace__organization", "invited_by"
    )
    row = rows.filter(
        secret_hash=token_hash(secret),
        expires_at__gt=timezone.now(),
        repository__state=Repository.State.ACTIVE,
    ).first()
    inviter = row.invited_by if row is not None else None
    if row is None or inviter is None or not inviter.is_active:
        return None
    allowed = decide(principal_of(inviter), "administer", row.repository).allowed
    return row if allowed else None


def get_any(secret: str) -> AnyInvitation:
    """The invitation of either kind; raises NotFound, the same for all that opens nothing."""
    found = into_organization.find(secret) or find(secret)
    if found is None:
        raise gone()
    return found


def accept_any(secret: str, user: User, *, actor: Actor) -> AnyInvitation:
    """Accept whichever kind it is; raises NotFound, Denied and Invalid."""
    check_guest(user)
    invitation = get_any(secret)
    if isinstance(invitation, Invitation):
        into_organization.accept(secret, user, actor=actor)
    else:
        accept(secret, user, actor=actor)
    return invitation


def refuse_any(secret: str, *, actor: Actor) -> AnyInvitation:
    """Refuse whichever kind it is; raises NotFound."""
    invitation = get_any(secret)
    if isinstance(invitation, Invitation):
        into_organization.refuse(secret, actor=actor)
    else:
        _end(invitation, "repository_invitation.refused", actor)
    return invitation


def _send(repository: Repository, email: str, role: str, inviter: Actor) -> RepositoryInvitation:
    secret = new_secret()
    values = {
        "role": role,
        "secret_hash": token_hash(secret),
        "invited_by_id": inviter.id,
        "created_at": timezone.now(),
        "expires_at": timezone.now() + LIFE,
    }
    row, _ = RepositoryInvitation.objects.update_or_create(
        repository=repository, email=email, defaults=values
    )
    context = {"who": inviter.name, "path": repository.path, "role": role}
    post(email, "invitation_repository", {**context, "secret": secret, "until": row.expires_at})
    _audit("repository_invitation.sent", row, inviter)
    return row


def _end(invitation: RepositoryInvitation, kind: str, actor: Actor) -> None:
    with transaction.atomic():
        rows = RepositoryInvitation.objects.filter(
            pk=invitation.pk, secret_hash=invitation.secret_hash
        )
        if not rows.delete()[0]:
            raise gone()
        _audit(kind, invitation, actor)


def _lock(repository: Repository) -> None:
    rows = Repository.objects.select_for_update(no_key=True).filter(pk=repository.pk)
    if not rows.filter(state=Repository.State.ACTIVE).values_list("pk", flat=True).first():
        raise NotFound("There is no such repository.")


def _audit(kind: str, invitation: RepositoryInvitation, actor: Actor) -> None:
    repository = invitation.repository
    payload = {"email": invitation.email, "role": invitation.role}
    if invitation.invited_by is not None:
        payload["invited_by"] = invitation.invited_by.username
    audit(
        kind,
        actor=actor,
        repository_id=repository.pk,
        repository_path=repository.path,
        namespace_id=repository.namespace_id,
        payload=payload,
    )
