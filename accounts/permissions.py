"""Who sees the inside of an organization, and who changes it.

An organization's name is public, its people and teams are not: people from outside are answered as
if there were nothing, members see its people and their own teams, owners see and change all.
"""

from __future__ import annotations

from accounts.models import Membership, Organization
from accounts.types import Principal
from core.errors import Denied, NotFound, Unauthenticated


def membership_of(principal: Principal, organization: Organization) -> Membership | None:
    """How this person belongs to the organization, if they do."""
    rows = Membership.objects.select_related("organization", "user")
    return rows.filter(organization=organization, user_id=principal.account_id).first()


def sees_inside(principal: Principal, organization: Organization) -> bool:
    """Whether `require_member` would let them pass."""
    lacks = organization.second_factor_required and not principal.second_factor
    return not lacks and membership_of(principal, organization) is not None


def require_member(principal: Principal, organization: Organization) -> Membership:
    """The membership; raises NotFound for people from outside, and Denied for a member who lacks
    the second factor that the organization demands."""
    member = membership_of(principal, organization)
    if member is None:
        raise NotFound("There is nothing here that you may see.")
    _check_second_factor(principal, organization)
    return member


def require_owner(principal: Principal, organization: Organization) -> Membership:
    """The membership of an owner; raises Unauthenticated or Denied."""
    if principal.is_anonymous:
        raise Unauthenticated("Sign in to do this.")
    member = membership_of(principal, organization)
    if member is None or member.role != Membership.Role.OWNER:
        raise Denied(f"Only owners of {organization.name} can do this.", code="NOT_OWNER")
    _check_second_factor(principal, organization)
    if not principal.is_verified:
        raise Denied(
            "Confirm your email address first; the link is in the mail you got, and the email page "
            "sends another.",
            code="UNVERIFIED",
        )
    return member


def _check_second_factor(principal: Principal, organization: Organization) -> None:
    if organization.second_factor_required and not principal.second_factor:
        raise Denied(
            f"{organization.name} asks its people for a second factor; set one up first.",
            code="SECOND_FACTOR",
        )
