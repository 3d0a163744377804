"""Robot accounts: machines of a namespace, with a role there and tokens, and nothing else."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from accounts.errors import NameTaken
from accounts.models import Membership, Namespace, RobotRole, User
from accounts.names import MAX_LENGTH
from accounts.services.tokens import revoke_token
from accounts.types import Principal
from core.errors import Denied, Invalid, NotFound
from events.services import audit
from events.types import Actor
from oci.names import is_component

MAX_ROBOTS = 100  # of one namespace
MAX_DESCRIPTION = 300
_TAKEN_BY_PAGES = ("new",)


def check_manager(principal: Principal, namespace: Namespace) -> None:
    """Whoever manages a namespace's robots: the person it is of, or owners of the organization.

    Raises NotFound for people from outside, and Denied for members and for whoever lacks what
    owners need.
    """
    organization = namespace.organization
    if principal.is_robot:
        raise Denied("Robot accounts cannot do this; people can.", code="ROBOT")
    if organization is None:
        library = namespace.kind == Namespace.Kind.LIBRARY and principal.is_superuser
        if principal.is_anonymous or not (library or namespace.user_id == principal.user_id):
            raise NotFound("There is nothing here that you may see.")
    else:
        rows = Membership.objects.filter(organization=organization, user_id=principal.account_id)
        role = rows.values_list("role", flat=True).first()
        if role is None:
            raise NotFound("There is nothing here that you may see.")
        if role != Membership.Role.OWNER:
            raise Denied(f"Only owners of {organization.name} can do this.", code="NOT_OWNER")
        if organization.second_factor_required and not principal.second_factor:
            raise Denied(
                f"{organization.name} asks its people for a second factor; set one up first.",
                code="SECOND_FACTOR",
            )
    if not principal.is_verified:
        raise Denied(
            "Confirm your email address first; the link is in the mail you got.", code="UNVERIFIED"
        )


def list_robots(namespace: Namespace) -> QuerySet[User]:
    """The robots of a namespace, with the number of their tokens that are in use."""
    now = timezone.now()
    in_use = Q(access_tokens__revoked_at=None) & (
        Q(access_tokens__expires_at=None) | Q(access_tokens__expires_at__gt=now)
    )
    rows = User.objects.filter(robot_namespace=namespace).select_related(
        "robot_namespace", "robot_made_by"
    )
    return rows.annotate(token_count=Count("access_tokens", filter=in_use)).order_by("username")


def get_robot(namespace: Namespace, name: str) -> User:
    """A robot by the part of its name after the plus sign; raises NotFound."""
    robot = list_robots(namespace).filter(username=f"{namespace.name}+{name}").first()
    if robot is None:
        raise NotFound("There is no such robot account.")
    return robot


def short_name(robot: User) -> str:
    """The part of a robot's name after the plus sign."""
    return robot.username.partition("+")[2]


def create_robot(
    namespace: Namespace,
    name: str,
    *,
    actor: Actor,
    description: str = "",
    role: str = "",
    may_create: bool = False,
) -> User:
    """Make a robot without tokens; raises Invalid or NameTaken."""
    if not is_component(name) or len(name) > MAX_LENGTH or name in _TAKEN_BY_PAGES:
        raise Invalid(
            f"A robot's name has 1 to {MAX_LENGTH} lower-case letters and digits; single . _ - "
            "may stand between them.",
            code="NAME_INVALID",
        )
    robot = User(
        username=f"{namespace.name}+{name}",
        bio=_checked_description(description),
        robot_namespace=namespace,
        robot_role=_checked_role(role),
        robot_creates=may_create,
        robot_made_by=User.objects.filter(pk=actor.id or 0).first(),
    )
    robot.set_unusable_password()
    try:
        with transaction.atomic():
            Namespace.objects.select_for_update(no_key=True).get(pk=namespace.pk)
            if User.objects.filter(robot_namespace=namespace).count() >= MAX_ROBOTS:
                raise Invalid(f"A namespace has at most {MAX_ROBOTS} robots; delete one first.")
            robot.save()
            _audit("robot.created", robot, actor, _facts(robot))
    except IntegrityError as error:
        raise NameTaken("This namespace has a robot with this name.") from error
    return robot


def update_robot(
    robot: User,
    *,
    actor: Actor,
    description: str | None = None,
    role: str | None = None,
    may_create: bool | None = None,
) -> User:
    """Change what is given; it counts from the robot's next request on. Raises Invalid, and
    NotFound if it was deleted meanwhile."""
    with transaction.atomic():
        rows = User.objects.select_for_update(no_key=True).filter(pk=robot.pk)
        if not rows.values_list("pk", flat=True).first():
            raise NotFound("There is no such robot account.")
        robot.refresh_from_db(fields=["bio", "robot_role", "robot_creates"])
        before = _facts(robot)
        if description is not None:
            robot.bio = _checked_description(description)
        if role is not None:
            robot.robot_role = _checked_role(role)
        if may_create is not None:
            robot.robot_creates = may_create
        after = _facts(robot)
        if after != before:
            robot.save(update_fields=["bio", "robot_role", "robot_creates"])
            _audit("robot.updated", robot, actor, {"before": before, "after": after})
    return robot


def delete_robot(robot: User, *, actor: Actor) -> None:
    """Take a robot away with its tokens and roles; history keeps its name."""
    with transaction.atomic():
        for token in robot.access_tokens.filter(revoked_at=None).select_related("user"):
            revoke_token(token, actor=actor)
        _audit("robot.deleted", robot, actor, _facts(robot))
        robot.delete()


def _facts(robot: User) -> dict[str, Any]:
    return {
        "description": robot.bio,
        "role": robot.robot_role,
        "may_create": robot.robot_creates,
    }


def _checked_role(role: str) -> str:
    if role and role not in RobotRole.values:
        raise Invalid("A robot's role on all of its namespace is read, write, or none at all.")
    return role


def _checked_description(description: str) -> str:
    description = description.strip()
    if len(description) > MAX_DESCRIPTION:
        raise Invalid(f"A description has at most {MAX_DESCRIPTION} characters.")
    return description


def _audit(kind: str, robot: User, actor: Actor, payload: dict[str, Any]) -> None:
    audit(
        kind,
        actor=actor,
        namespace_id=robot.robot_namespace_id,
        payload={"robot": robot.username, **payload},
    )
