"""Invitations into an organization by mail, and what every kind of invitation has in common.

Whoever holds the mail may use its link, once, with whichever account; so nobody is told whether
the address has an account. Callers have already decided who may invite.
"""

from __future__ import annotations

import secrets
import string
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from accounts.models import Invitation, Membership, Organization, Team, TeamMembership, User
from accounts.services.mail import post
from accounts.services.organizations import add_membership, lock, place_of
from accounts.services.signup import MAX_EMAIL_CHARS
from core.crypto import token_hash
from core.errors import Conflict, Denied, Invalid, NotFound, RateLimited
from events.models import Event
from events.services import audit
from events.types import Actor

PREFIX = "hubv_"
LIFE = timedelta(days=14)
MAX_OPEN = 50  # of one organization or repository
MAX_MAILS = 100  # that one person has sent in a day
SENT = ("invitation.sent", "repository_invitation.sent")
_ALPHABET = string.digits + string.ascii_letters
_GONE = (
    "This invitation is not good any more: it was used, refused or withdrawn, or is older than "
    "14 days. Ask whoever invited you for another one."
)


def invite(
    organization: Organization, email: str, role: str, *, inviter: Actor, team: Team | None = None
) -> Invitation:
    """Owe the mail that lets whoever reads it in; replaces an invitation of the same address.

    Raises Invalid, Conflict and RateLimited.
    """
    email = checked_email(email)
    if role not in Membership.Role.values:
        raise Invalid("A member's role is owner or member.", code="ROLE_INVALID")
    if team is not None and team.organization_id != organization.pk:
        raise Invalid("The team must belong to the organization.")
    with transaction.atomic():
        lock(organization)
        rows = Invitation.objects.filter(organization=organization)
        rows.exclude(_of_owners()).delete()
        check_limits(rows, email, inviter)
        return _send(organization, email, role, inviter, team)


def resend(invitation: Invitation, *, actor: Actor) -> Invitation:
    """Send it again with another secret and a new life; raises NotFound, RateLimited."""
    with transaction.atomic():
        lock(invitation.organization)
        row = Invitation.objects.select_related("team").filter(pk=invitation.pk).first()
        if row is None:
            raise NotFound("There is no such invitation.")
        check_mails(actor)
        return _send(invitation.organization, row.email, row.role, actor, row.team)


def list_open(organization: Organization) -> QuerySet[Invitation]:
    """Invitations that can still be accepted, oldest first."""
    rows = Invitation.objects.filter(
        _of_owners(), organization=organization, expires_at__gt=timezone.now()
    )
    return rows.select_related("organization", "team", "invited_by").order_by("pk")


def get_open(organization: Organization, pk: int) -> Invitation:
    """One of them; raises NotFound."""
    invitation = list_open(organization).filter(pk=pk).first()
    if invitation is None:
        raise NotFound("There is no such invitation.")
    return invitation


def find(secret: str) -> Invitation | None:
    """The invitation this secret is of, while it is good."""
    rows = Invitation.objects.select_related("organization", "team", "invited_by")
    return rows.filter(
        _of_owners(), secret_hash=token_hash(secret), expires_at__gt=timezone.now()
    ).first()


def withdraw(invitation: Invitation, *, actor: Actor) -> None:
    """Take it back; raises NotFound if it was answered meanwhile."""
    _end(invitation, "invitation.withdrawn", actor)


def refuse(secret: str, *, actor: Actor) -> Invitation:
    """Say no; raises NotFound."""
    invitation = find(secret)
    if invitation is None:
        raise gone()
    _end(invitation, "invitation.refused", actor)
    return invitation


def accept(secret: str, user: User, *, actor: Actor) -> Membership:
    """Let somebody in who holds the secret; raises NotFound and Denied.

    Who is in already stays, and never gets less than they had.
    """
    check_guest(user)
    invitation = find(secret)
    if invitation is None:
        raise gone()
    organization = invitation.organization
    with transaction.atomic():
        lock(organization)
        invitation = find(secret)  # whoever sent it may have left until now
        if invitation is None:
            raise gone()
        _end(invitation, "invitation.accepted", actor)
        member = add_membership(organization, user, invitation.role, actor=actor)
        team = invitation.team
        if team is not None and TeamMembership.objects.get_or_create(team=team, user=user)[1]:
            payload = {"team": team.name, "user": user.username}
            audit(
                "team.member_added",
                actor=actor,
                namespace_id=place_of(organization),
                payload=payload,
            )
    return member


def new_secret() -> str:
    """256 random bits behind a prefix that scanners recognise."""
    return PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(43))


def gone() -> NotFound:
    """What is said of every secret that opens nothing."""
    return NotFound(_GONE, code="INVITATION_GONE")


def checked_email(email: str) -> str:
    """The address as accounts keep it; raises Invalid."""
    email = email.strip().lower()
    try:
        validate_email(email)
        if len(email) > MAX_EMAIL_CHARS:
            raise ValidationError("too long")
    except ValidationError as error:
        raise Invalid("This is not an e-mail address.", code="EMAIL_INVALID") from error
    return email


def check_guest(user: User) -> None:
    """Raises Denied for an account that cannot accept anything."""
    if user.is_robot or not user.is_active:
        raise Denied("Only people accept invitations.", code="ROBOT")
    if not user.is_verified:
        raise Denied(
            "Confirm your email address first; the link is in the mail you got, and the email "
            "page sends another. Then open the invitation again.",
            code="UNVERIFIED",
        )


def check_limits(rows: QuerySet[Any], email: str, inviter: Actor) -> None:
    """Whether one more may be sent; drops those that are too old. Call it under a lock."""
    now = timezone.now()
    rows.filter(expires_at__lte=now).delete()
    if rows.exclude(email=email).count() >= MAX_OPEN:
        raise Conflict(
            f"There are {MAX_OPEN} open invitations already; withdraw one first.", code="TOO_MANY"
        )
    check_mails(inviter)


def check_mails(actor: Actor) -> None:
    """Raises RateLimited for whoever had too many mails sent since yesterday."""
    since = timezone.now() - timedelta(days=1)
    sent = Event.objects.filter(actor_id=actor.id, kind__in=SENT, occurred_at__gt=since).count()
    if sent >= MAX_MAILS:
        raise RateLimited(f"You sent {MAX_MAILS} invitations since yesterday; go on tomorrow.")


def _send(
    organization: Organization, email: str, role: str, inviter: Actor, team: Team | None
) -> Invitation:
    secret = new_secret()
    values = {
        "role": role,
        "team": team,
        "secret_hash": token_hash(secret),
        "invited_by_id": inviter.id,
        "created_at": timezone.now(),
        "expires_at": timezone.now() + LIFE,
    }
    row, _ = Invitation.objects.update_or_create(
        organization=organization, email=email, defaults=values
    )
    context = {"who": inviter.name, "organization": organization, "owner": role == "owner"}
    post(email, "invitation", {**context, "secret": secret, "until": row.expires_at})
    _audit("invitation.sent", row, inviter)
    return row


def _end(invitation: Invitation, kind: str, actor: Actor) -> None:
    with transaction.atomic():
        rows = Invitation.objects.filter(pk=invitation.pk, secret_hash=invitation.secret_hash)
        if not rows.delete()[0]:
            raise gone()
        _audit(kind, invitation, actor)


def _of_owners() -> Exists:
    """Whoever is no owner any more lets nobody in, not by a mail they sent before either."""
    return Exists(
        Membership.objects.filter(
            organization=OuterRef("organization"),
            user=OuterRef("invited_by"),
            user__is_active=True,
            role=Membership.Role.OWNER,
        )
    )


def _audit(kind: str, invitation: Invitation, actor: Actor) -> None:
    payload = {"email": invitation.email, "role": invitation.role}
    if invitation.team is not None:
        payload["team"] = invitation.team.name
    if invitation.invited_by is not None:
        payload["invited_by"] = invitation.invited_by.username
    audit(kind, actor=actor, namespace_id=place_of(invitation.organization), payload=payload)
