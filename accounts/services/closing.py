"""Closing one's own account: what it wrote stays with its name, everything private goes."""

from __future__ import annotations

from dataclasses import dataclass

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Sum

from accounts.errors import LastAdministrator, LastOwner, StillOwns
from accounts.models import AccessToken, Membership, Namespace, User
from accounts.services.names import retire_name
from accounts.services.organizations import CAN_OWN, remove_member, step_aside
from accounts.services.people import is_last_administrator, lock_administrators
from accounts.services.robots import delete_robot
from accounts.services.signins import note
from accounts.services.tokens import revoke_token
from events.types import Actor

NAMED = 5  # as many of a long list


@dataclass(frozen=True, slots=True)
class Holds:
    """What keeps an account from being closed."""

    repositories: list[str]
    repository_total: int
    organizations: list[str]
    last_administrator: bool

    @property
    def anything(self) -> bool:
        """Whether there is something to hand over or delete first."""
        return bool(self.repository_total or self.organizations or self.last_administrator)


def holds(user: User) -> Holds:
    """The repositories of their own, organizations nobody else owns, and the hub itself."""
    own = Namespace.objects.filter(user=user, repositories__state="active")
    paths = own.values_list("repositories__path", flat=True)
    owned = Membership.objects.filter(user=user, role=Membership.Role.OWNER)
    shared = Membership.objects.filter(
        CAN_OWN, role=Membership.Role.OWNER, organization__in=owned.values("organization")
    ).exclude(user=user)
    alone = owned.exclude(organization__in=shared.values("organization"))
    return Holds(
        repositories=[str(path) for path in paths.order_by("repositories__path")[:NAMED]],
        repository_total=paths.count(),
        organizations=list(
            alone.order_by("organization__name").values_list("organization__name", flat=True)
        ),
        last_administrator=is_last_administrator(user),
    )


def close_account(user: User) -> None:
    """Switch the account off for good; raises StillOwns, LastOwner and LastAdministrator.

    The address, the password, second factors, identities elsewhere, tokens, memberships, robots
    and the namespace with its trash go; the name is kept from others for a while. What the person
    wrote stays, with the name. What is left of deleted repositories needs the namespace for some
    days: it then steps aside, as that of an organization does.
    """
    with transaction.atomic():
        lock_administrators()
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        own = Namespace.objects.select_for_update(of=("self",)).filter(user=user).first()
        _refuse(holds(user))
        tokens = AccessToken.objects.filter(user=user, revoked_at=None)
        robots = User.objects.filter(robot_namespace=own) if own else User.objects.none()
        note("account.closed", user, tokens=tokens.count(), robots=robots.count())
        _drop_credentials(user)
        user.collaborations.all().delete()
        user.access_requests.all().delete()
        own_actor = Actor(user.pk, user.username, "session")
        for membership in user.memberships.select_related("organization").order_by("organization"):
            remove_member(membership.organization, user, actor=own_actor)  # an owner stays
        for robot in robots:
            delete_robot(robot, actor=own_actor)
        if own is not None:
            _leave_namespace(own)
        user.is_active = user.is_staff = user.is_superuser = user.second_factor = False
        user.email = user.bio = user.first_name = user.last_name = ""
        user.set_unusable_password()
        user.save()


def _refuse(found: Holds) -> None:
    if found.repository_total:
        more = ", …" if found.repository_total > len(found.repositories) else ""
        raise StillOwns(
            f"Delete or transfer your repositories first: {', '.join(found.repositories)}{more}."
        )
    if found.organizations:
        raise LastOwner(
            "Make somebody else an owner first, or delete the organization: "
            f"{', '.join(found.organizations)}."
        )
    if found.last_administrator:
        raise LastAdministrator("The hub needs an administrator; make somebody else one first.")


def _leave_namespace(namespace: Namespace) -> None:
    for former in namespace.aliases.all():
        retire_name(former.old_name, pulls=former.uses)
    namespace.aliases.all().delete()
    pulls = namespace.repositories.aggregate(total=Sum("pull_count"))["total"] or 0
    retire_name(namespace.name, pulls=pulls)
    step_aside(namespace)


def _drop_credentials(user: User) -> None:
    for token in AccessToken.objects.filter(user=user, revoked_at=None).select_related("user"):
        revoke_token(token)
    EmailAddress.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    SocialAccount.objects.filter(user=user).delete()
    keys = UserSession.objects.filter(user=user).values("session_key")
    Session.objects.filter(session_key__in=keys).delete()
    UserSession.objects.filter(user=user).delete()
