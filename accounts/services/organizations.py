"""Organizations and their members. Callers have already decided who may do this.

Whatever changes who is in an organization holds its row, so that it always keeps an owner.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from accounts.errors import LastOwner, NameTaken
from accounts.models import (
    BaseRole,
    Membership,
    Namespace,
    NamespaceAlias,
    Organization,
    TeamMembership,
    User,
)
from accounts.names import check_name
from accounts.services.names import is_name_free, retire_name
from accounts.services.robots import delete_robot
from core.errors import Conflict, Invalid, NotFound, RateLimited
from events.models import Event
from events.services import audit
from events.types import Actor

MAX_MEMBERS = 5000
MAX_A_DAY = 20  # organizations that one person makes
# Of memberships: an owner who may act as one.
CAN_OWN = Q(user__is_active=True, user__is_verified=True) & (
    Q(organization__second_factor_required=False) | Q(user__second_factor=True)
)
MAX_DISPLAY_NAME, MAX_DESCRIPTION = 100, 300
SWITCHES = (
    *("display_name", "description", "base_role", "public_allowed", "default_public"),
    *("members_create", "second_factor_required"),
)


def create_organization(
    owner: User,
    *,
    name: str,
    display_name: str = "",
    description: str = "",
    actor: Actor | None = None,
) -> Organization:
    """Make an organization with its namespace and its first owner, who is the actor if no other is
    named; raises Invalid, NameTaken, RateLimited."""
    check_name(name)
    actor = actor or Actor(owner.pk, owner.username)
    _check_rate(actor)
    facts = {"display_name": display_name, "description": description}
    _check_texts(facts)
    try:
        with transaction.atomic():
            if not is_name_free(name, to=owner):
                raise NameTaken("This name is already in use.")
            organization = Organization.objects.create(name=name, **facts)
            Namespace.objects.create(
                name=name, kind=Namespace.Kind.ORGANIZATION, organization=organization
            )
            Membership.objects.create(
                organization=organization, user=owner, role=Membership.Role.OWNER
            )
            after = {"name": name, "owner": owner.username}
            _audit("organization.created", organization, actor, {"after": after})
    except IntegrityError as error:
        raise NameTaken("This name is already in use.") from error
    return organization


def update_organization(
    organization: Organization, *, actor: Actor, **changes: Any
) -> Organization:
    """Change what is given of `SWITCHES` and leave the rest.

    Raises Invalid; and Conflict while there are public repositories that would be forbidden, or if
    the owner would shut themselves out by demanding a second factor they lack.
    """
    unknown = set(changes) - set(SWITCHES)
    if unknown:
        raise TypeError(f"no such switches: {unknown}")
    _check_texts(changes)
    if changes.get("base_role") and changes["base_role"] not in BaseRole.values:
        raise Invalid("The role of members is read, write, admin or none.", code="ROLE_INVALID")
    with transaction.atomic():
        namespace = _lock_namespace(organization)
        row = lock(organization)
        before = {name: getattr(row, name) for name in SWITCHES}
        after = {**before, **changes}
        if before == after:
            return row
        if after["default_public"] and not after["public_allowed"]:
            raise Invalid(
                "Repositories cannot be public by default where none may be public.",
                code="VISIBILITY_INVALID",
            )
        if before["public_allowed"] and not after["public_allowed"]:
            _check_none_public(namespace)
        if after["second_factor_required"] and not before["second_factor_required"]:
            _check_second_factor(actor)
        for name, value in changes.items():
            setattr(row, name, value)
            setattr(organization, name, value)
        row.save(update_fields=list(changes))
        changed = [name for name in SWITCHES if before[name] != after[name]]
        payload = {
            "before": {n: before[n] for n in changed},
            "after": {n: after[n] for n in changed},
        }
        _audit("organization.changed", row, actor, payload)
    return row


def delete_organization(organization: Organization, *, actor: Actor) -> None:
    """Take an organization away with its members, teams, robots and invitations.

    Its names, former ones included, stay retired for a while, and its trash is emptied. Raises
    Conflict while it has repositories. What is left of deleted ones needs the namespace for some
    days: it then steps aside under a name nobody can have, and `drop_emptied` takes it away.
    """
    with transaction.atomic():
        namespace = _lock_namespace(organization)
        row = lock(organization)
        held = Namespace.objects.filter(pk=namespace.pk, repositories__state="active").count()
        if held:
            raise Conflict(
                f"{row.name} still has repositories: {held}. Delete or transfer them first.",
                code="HAS_REPOSITORIES",
            )
        _retire_names(namespace)
        for robot in User.objects.filter(robot_namespace=namespace):
            delete_robot(robot, actor=actor)
        members = Membership.objects.filter(organization=row)
        payload = {"before": {"name": row.name, "members": members.count()}}
        _audit("organization.deleted", row, actor, payload)
        members.delete()
        row.teams.all().delete()
        row.invitations.all().delete()
        Organization.objects.filter(pk=row.pk).update(name=f"~{namespace.pk}")
        step_aside(namespace)


def step_aside(namespace: Namespace) -> None:
    """Empty the trash of a locked namespace without repositories, and take it away once nothing is
    left of them."""
    trashed = namespace.repositories.filter(state="trashed")
    trashed.update(state="deleting", former_name="", purge_after=None)
    Namespace.objects.filter(pk=namespace.pk).update(name=f"~{namespace.pk}")
    drop_if_empty(namespace)


def drop_emptied() -> int:
    """Take away the namespaces of deleted organizations and closed accounts in which nothing is
    left."""
    rows = Namespace.objects.filter(name__startswith="~", repositories=None)
    return sum(drop_if_empty(namespace) for namespace in rows[:100])


def set_member(organization: Organization, user: User, role: str, *, actor: Actor) -> Membership:
    """Add a member or change their role; raises Invalid, LastOwner."""
    if role not in Membership.Role.values:
        raise Invalid("A member's role is owner or member.", code="ROLE_INVALID")
    _check_person(user)
    with transaction.atomic():
        lock(organization)
        row = Membership.objects.filter(organization=organization, user=user).first()
        if row is None:
            return _join(organization, user, role, actor)
        if row.role == role:
            return row
        if row.role == Membership.Role.OWNER:
            _keep_an_owner(organization, user)
        _set_role(row, role, actor)
        return row


def add_membership(
    organization: Organization, user: User, role: str, *, actor: Actor
) -> Membership:
    """Let somebody in who was invited; who is in already never gets less. Call it under the lock
    of `lock`."""
    row = Membership.objects.filter(organization=organization, user=user).first()
    if row is None:
        return _join(organization, user, role, actor)
    if role == Membership.Role.OWNER and row.role != role:
        _set_role(row, role, actor)
    return row


def remove_member(organization: Organization, user: User, *, actor: Actor) -> None:
    """Take a member out of the organization and its teams; raises NotFound, LastOwner."""
    with transaction.atomic():
        lock(organization)
        row = Membership.objects.filter(organization=organization, user=user).first()
        if row is None:
            raise NotFound("This person is not a member.")
        if row.role == Membership.Role.OWNER:
            _keep_an_owner(organization, user)
        of_teams = TeamMembership.objects.filter(team__organization=organization, user=user)
        before = {
            "role": row.role,
            "teams": sorted(of_teams.values_list("team__name", flat=True)),
        }
        of_teams.delete()
        row.delete()
        payload = {"user": user.username, "before": before}
        _audit("member.removed", organization, actor, payload)


def transfer_ownership(organization: Organization, owner: User, to: User, *, actor: Actor) -> None:
    """Make another member owner and the present one a member, in one act.

    Raises Invalid, NotFound if either is not what they should be.
    """
    if owner == to:
        raise Invalid("Choose another member.")
    with transaction.atomic():
        row = lock(organization)
        old = Membership.objects.filter(
            organization=row, user=owner, role=Membership.Role.OWNER
        ).first()
        new = Membership.objects.filter(organization=row, user=to).first()
        if old is None:
            raise NotFound("Only an owner can hand an organization over.")
        if new is None:
            raise Invalid("Add this person to the organization first.", code="NOT_MEMBER")
        if not (to.is_active and to.is_verified):
            raise Invalid(
                "This account cannot own anything: it is deactivated, or its email address is not "
                "confirmed."
            )
        if row.second_factor_required and not to.second_factor:
            raise Invalid(
                f"{row.name} asks its people for a second factor, and {to.username} has none; "
                "they must set one up first.",
                code="SECOND_FACTOR",
            )
        if new.role != Membership.Role.OWNER:
            _set_role(new, Membership.Role.OWNER, actor)
        _set_role(old, Membership.Role.MEMBER, actor)


def lock(organization: Organization) -> Organization:
    """Hold the row until the transaction ends; raises NotFound if it was deleted."""
    rows = Organization.objects.select_for_update(no_key=True).filter(pk=organization.pk)
    row = rows.exclude(name__startswith="~").first()
    if row is None:
        raise NotFound("There is no such organization.")
    return row


def other_owners(organization: Organization, leaving: User) -> QuerySet[Membership]:
    """Who owns it besides somebody and may act as an owner."""
    owners = Membership.objects.filter(
        CAN_OWN, organization=organization, role=Membership.Role.OWNER
    )
    return owners.exclude(user=leaving)


def place_of(organization: Organization) -> int | None:
    """The namespace whose audit log tells of the organization."""
    rows = Namespace.objects.filter(organization=organization)
    return rows.values_list("pk", flat=True).first()


def _join(organization: Organization, user: User, role: str, actor: Actor) -> Membership:
    members = Membership.objects.filter(organization=organization)
    if members.count() >= MAX_MEMBERS:
        raise Conflict(f"An organization has at most {MAX_MEMBERS} members.", code="TOO_MANY")
    row = Membership.objects.create(organization=organization, user=user, role=role)
    payload = {"user": user.username, "after": {"role": role}}
    _audit("member.added", organization, actor, payload)
    return row


def _set_role(row: Membership, role: str, actor: Actor) -> None:
    before, row.role = row.role, role
    row.save(update_fields=["role"])
    payload = {"user": row.user.username, "before": {"role": before}, "after": {"role": role}}
    _audit("member.role", row.organization, actor, payload)


def _keep_an_owner(organization: Organization, leaving: User) -> None:
    if not other_owners(organization, leaving).exists():
        raise LastOwner(
            "An organization needs an owner who can act; make somebody else owner first, who is "
            "active and has a confirmed address and whatever else it asks for."
        )


def _check_rate(actor: Actor) -> None:
    since = timezone.now() - timedelta(days=1)
    made = Event.objects.filter(
        actor_id=actor.id, kind="organization.created", occurred_at__gt=since
    )
    if actor.id is not None and made.count() >= MAX_A_DAY:
        raise RateLimited(
            f"You made {MAX_A_DAY} organizations since yesterday; go on tomorrow, or use one that "
            "you have."
        )


def _check_person(user: User) -> None:
    if user.is_robot:
        raise Invalid("A robot account cannot be a member; people can.", code="ROBOT")


def _check_texts(facts: dict[str, Any]) -> None:
    for name, most in (("display_name", MAX_DISPLAY_NAME), ("description", MAX_DESCRIPTION)):
        if len(facts.get(name, "")) > most:
            raise Invalid(f"This has at most {most} characters: {name.replace('_', ' ')}.")


def _check_none_public(namespace: Namespace) -> None:
    public = Namespace.objects.filter(
        pk=namespace.pk, repositories__state="active", repositories__visibility="public"
    ).count()
    if public:
        raise Conflict(
            f"{namespace.name} has public repositories: {public}. Make them private first; then "
            "public ones can be forbidden.",
            code="HAS_PUBLIC",
        )


def _check_second_factor(actor: Actor) -> None:
    if not User.objects.filter(pk=actor.id or 0, second_factor=True).exists():
        raise Conflict(
            "Set up a second factor for yourself first, or you would shut yourself out.",
            code="SECOND_FACTOR",
        )


def _lock_namespace(organization: Organization) -> Namespace:
    """Before the organization, as everywhere: so nothing is made in it meanwhile."""
    rows = Namespace.objects.select_for_update(of=("self",)).filter(organization=organization)
    row = rows.exclude(name__startswith="~").first()
    if row is None:
        raise NotFound("There is no such organization.")
    return row


def _retire_names(namespace: Namespace) -> None:
    rows = Namespace.objects.filter(pk=namespace.pk)
    pulls = rows.aggregate(total=Sum("repositories__pull_count"))["total"] or 0
    aliases = NamespaceAlias.objects.filter(namespace=namespace)
    for name in [namespace.name, *aliases.values_list("old_name", flat=True)]:
        retire_name(name, pulls=pulls)
    aliases.delete()


def drop_if_empty(namespace: Namespace) -> int:
    """The rows themselves, if no repository is left in a namespace that stepped aside; returns how
    many namespaces went."""
    if Namespace.objects.filter(pk=namespace.pk, repositories__isnull=False).exists():
        return 0
    organization = namespace.organization_id or 0
    Namespace.objects.filter(pk=namespace.pk).delete()
    Organization.objects.filter(pk=organization).delete()
    return 1


def _audit(kind: str, organization: Organization, actor: Actor, payload: dict[str, Any]) -> None:
    payload = {"organization": organization.name, **payload}
    audit(kind, actor=actor, namespace_id=place_of(organization), payload=payload)
