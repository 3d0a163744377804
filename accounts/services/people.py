"""What administrators of the hub do with accounts. Callers have already decided who may."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from accounts.errors import LastAdministrator, NameTaken
from accounts.models import AccessToken, Membership, Namespace, Organization, User
from accounts.names import RESERVED
from accounts.services.mail import post
from accounts.services.tokens import revoke_token
from core.errors import Invalid
from events.services import audit
from events.types import Actor

MIN_REASON, MAX_REASON = 10, 300


def deactivate(user: User, *, actor: Actor) -> None:
    """Shut an account out from the next request on and end its sessions.

    Its tokens rest until it is active again. Raises LastAdministrator.
    """
    with transaction.atomic():
        lock_administrators()
        if user.is_superuser:
            _keep_an_administrator(user)
        if not User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
            return
        user.is_active = False
        ended = end_sessions(user)
        _audit("account.deactivated", user, actor, sessions_ended=ended)


def reactivate(user: User, *, actor: Actor) -> None:
    """Let an account in again; raises Invalid for one that was closed, or whose namespace has been
    handed over meanwhile."""
    with transaction.atomic():
        if not _has_place(user):
            raise Invalid(
                f"{user.username} was closed, or its namespace was handed over; this account "
                "cannot come back."
            )
        if not User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
            return
        user.is_active = True
        _audit("account.reactivated", user, actor)


def set_superuser(user: User, *, superuser: bool, actor: Actor) -> None:
    """Make somebody an administrator of the hub, or no longer one.

    Raises LastAdministrator, and Invalid for robots and deactivated accounts.
    """
    if superuser and (user.is_robot or not user.is_active):
        raise Invalid("Only an active person can administer the hub.")
    with transaction.atomic():
        lock_administrators()
        if not superuser:
            _keep_an_administrator(user)
        changed = User.objects.filter(pk=user.pk, is_superuser=not superuser).update(
            is_superuser=superuser, is_staff=superuser
        )
        if not changed:
            return
        user.is_superuser = user.is_staff = superuser
        _audit(
            "account.superuser",
            user,
            actor,
            before={"superuser": not superuser},
            after={"superuser": superuser},
        )


def is_last_administrator(user: User) -> bool:
    """Whether nobody else could administer the hub."""
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    return user.is_superuser and user.is_active and not others.exists()


def remove_second_factor(user: User, *, reason: str, actor: Actor) -> None:
    """Take away apps, keys and recovery codes of somebody who lost them, and end their sessions;
    they are told by mail. Raises Invalid without a reason, for oneself and if there are none."""
    reason = " ".join(reason.split())
    if not MIN_REASON <= len(reason) <= MAX_REASON:
        raise Invalid(
            f"Say why in {MIN_REASON} to {MAX_REASON} characters; the person is told.",
            code="REASON_INVALID",
        )
    if user.pk == actor.id:
        raise Invalid("Change your own second factor on the security page.")
    with transaction.atomic():
        rows = Authenticator.objects.select_for_update().filter(user=user)
        factors = sorted({str(row.type) for row in rows})
        if not factors:
            raise Invalid(f"{user.username} has no second factor.")
        rows.delete()
        ended = end_sessions(user)
        facts = {"factors": factors, "sessions_ended": ended, "reason": reason}
        _audit("second_factor.removed", user, actor, **facts)
        context = {"who": actor.name, "username": user.username, "reason": reason}
        post(user.email, "second_factor_removed", context)


def note_reset(user: User, *, actor: Actor) -> None:
    """Record that somebody had a mail sent with which this person sets a new password."""
    _audit("account.reset_started", user, actor)


def note_change(user: User, *, actor: Actor, made: bool, fields: list[str]) -> None:
    """Record that an administrator made an account or changed texts of it; never what they are."""
    kind = "account.created" if made else "account.changed"
    rights = ("is_active", "is_superuser", "password1", "password2", "usable_password")
    changed = [name for name in fields if name not in rights]
    if made or changed:
        _audit(kind, user, actor, changed=changed)


def end_sessions(user: User) -> int:
    """End every browser session of an account; returns how many there were."""
    ended = 0
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
            ended += 1
    return ended


def set_quota(namespace: Namespace, quota_bytes: int | None, *, actor: Actor) -> None:
    """How much a namespace may hold; None for no limit."""
    if quota_bytes is not None and quota_bytes < 0:
        raise Invalid("A quota is a size, or nothing for none.")
    before = namespace.quota_bytes
    if before == quota_bytes:
        return
    with transaction.atomic():
        namespace.quota_bytes = quota_bytes
        namespace.save(update_fields=["quota_bytes"])
        audit(
            "namespace.quota",
            actor=actor,
            namespace_id=namespace.pk,
            payload={
                "namespace": namespace.name,
                "before": {"quota_bytes": before},
                "after": {"quota_bytes": quota_bytes},
            },
        )


def hand_over(namespace: Namespace, to: User, *, actor: Actor) -> None:
    """Give somebody a namespace that has nobody: an organization gets another owner.

    A deactivated person's namespace becomes an organization of the same name, so that every
    address goes on working; tokens of its robots are revoked, for who holds them has gone.
    Nobody gives one to themselves: it would open private content without a trace of a reason.
    Who had it and who belongs to it are told by mail. Raises Invalid and NameTaken.
    """
    if not to.is_active or to.is_robot:
        raise Invalid("Choose an active person.")
    if to.pk == actor.id:
        raise Invalid("Another administrator has to give it to you.")
    with transaction.atomic():
        row = Namespace.objects.select_for_update(of=("self",), no_key=True).get(pk=namespace.pk)
        organization, was = row.organization, row.user
        if organization is None:
            organization = _made_of(row, actor)
        told = _people_of(organization, was)
        Membership.objects.update_or_create(
            organization=organization, user=to, defaults={"role": Membership.Role.OWNER}
        )
        audit(
            "namespace.handed_over",
            actor=actor,
            namespace_id=row.pk,
            payload={
                "namespace": row.name,
                "before": {"person": was.username} if was else {},
                "after": {"owner": to.username},
            },
        )
        context = {"who": actor.name, "namespace": row.name, "owner": to.username}
        for address in told:
            post(address, "namespace_handed_over", context)


def _people_of(organization: Organization, was: User | None) -> list[str]:
    """Addresses of whoever had the namespace and of all members."""
    people = User.objects.filter(memberships__organization=organization).exclude(email="")
    found = set(people.values_list("email", flat=True))
    if was is not None and was.email:
        found.add(was.email)
    return sorted(found)


def _made_of(namespace: Namespace, actor: Actor) -> Organization:
    person = namespace.user
    if person is None or person.is_active:
        raise Invalid("This namespace has somebody; it is theirs to give.")
    if Organization.objects.filter(name=namespace.name).exists():
        raise NameTaken("There is an organization with this name.")
    organization = Organization.objects.create(name=namespace.name)
    namespace.user, namespace.organization = None, organization
    namespace.kind = Namespace.Kind.ORGANIZATION
    namespace.save(update_fields=["user", "organization", "kind"])
    tokens = AccessToken.objects.filter(user__robot_namespace=namespace, revoked_at=None)
    for token in tokens.select_related("user"):
        revoke_token(token, actor=actor)
    return organization


def _has_place(user: User) -> bool:
    """Whether the account is whole: a closed one has lost its namespace, or it stepped aside; of
    those with a reserved name, which never had one, the closed ones have no password."""
    if Namespace.objects.filter(user=user).exclude(name__startswith="~").exists():
        return True
    return user.username in RESERVED and user.has_usable_password()


def lock_administrators() -> None:
    """Two administrators who remove each other at once do so one after the other."""
    list(User.objects.select_for_update().filter(is_superuser=True).order_by("pk"))


def _keep_an_administrator(leaving: User) -> None:
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=leaving.pk)
    if not others.exists():
        raise LastAdministrator("The hub needs an administrator; make somebody else one first.")


def _audit(kind: str, user: User, actor: Actor, **payload: Any) -> None:
    namespace = Namespace.objects.filter(user=user).values_list("pk", flat=True).first()
    audit(kind, actor=actor, namespace_id=namespace, payload={"user": user.username, **payload})
