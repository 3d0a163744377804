"""Who may read which audit log, and the people that filters name."""

from __future__ import annotations

from dataclasses import replace

from accounts.models import Membership, Namespace, User
from accounts.selectors import find_namespace
from accounts.types import Principal
from core.errors import Denied, NotFound, Unauthenticated
from events.selectors import Filters, Trail, trail_of_hub, trail_of_namespace, trail_of_person

_NOTHING = "There is nothing here that you may see."
_UNVERIFIED = (
    "Confirm your email address first; the link is in the mail you got, and the email page sends "
    "another."
)


def namespace_to_audit(principal: Principal, name: str) -> Namespace:
    """The namespace whose log this person may read: their own, or an organization they own.

    Raises NotFound for what is absent or another person's, Unauthenticated and Denied.
    """
    namespace = find_namespace(name)
    if namespace is None:
        raise NotFound(_NOTHING)
    organization = namespace.organization
    if organization is None:
        library = namespace.kind == Namespace.Kind.LIBRARY and principal.is_superuser
        if principal.is_anonymous or not (library or namespace.user_id == principal.user_id):
            raise NotFound(_NOTHING)
        return namespace
    if principal.is_anonymous:
        raise Unauthenticated("Sign in to do this.")
    owner = Membership.objects.filter(
        organization=organization, user_id=principal.account_id, role=Membership.Role.OWNER
    )
    if principal.is_robot or not owner.exists():
        raise Denied(f"Only owners of {name} read its audit log.", code="NOT_OWNER")
    if organization.second_factor_required and not principal.second_factor:
        raise Denied(
            f"{name} asks its people for a second factor; set one up first.", code="SECOND_FACTOR"
        )
    if not principal.is_verified:
        raise Denied(_UNVERIFIED, code="UNVERIFIED")
    return namespace


def trail_of_namespace_for(principal: Principal, name: str) -> Trail:
    """The log of a namespace; raises as `namespace_to_audit`."""
    return trail_of_namespace(namespace_to_audit(principal, name).pk)


def trail_of_hub_for(principal: Principal) -> Trail:
    """The log of the hub, for administrators; raises NotFound for everybody else."""
    if not principal.is_superuser:
        raise NotFound(_NOTHING)
    return trail_of_hub()


def trail_of_account(principal: Principal) -> Trail:
    """What this person did, and what was done or tried with their account."""
    namespace = Namespace.objects.filter(user_id=principal.account_id).values_list("pk", flat=True)
    return trail_of_person(principal.account_id, namespace.first())


def with_person(filters: Filters) -> Filters:
    """The filters with the id of the person they name, which finds former names too."""
    if not filters.person:
        return filters
    found = User.objects.filter(username=filters.person).values_list("pk", flat=True).first()
    return replace(filters, person_id=found)
