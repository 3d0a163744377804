"""An organization itself: making one, its settings, leaving, handing over, deleting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.authentication import principal_from
from accounts.models import Membership, Namespace, Organization, User
from accounts.permissions import membership_of, require_member, require_owner
from accounts.reauthentication import require_recent_sign_in
from accounts.selectors import find_namespace, get_user, list_members
from accounts.services.organizations import (
    create_organization,
    delete_organization,
    transfer_ownership,
    update_organization,
)
from accounts.types import Principal
from accounts.views.organization_forms import NewOrganizationForm, OwnershipForm, SettingsForm
from core.errors import Conflict, Denied, HubError, NotFound, Unauthenticated

NOTHING = "There is nothing here that you may see."


@dataclass(frozen=True, slots=True)
class Inside:
    """Somebody inside an organization."""

    principal: Principal
    organization: Organization
    namespace: Namespace
    member: Membership

    @property
    def is_owner(self) -> bool:
        """Sees and changes all."""
        return self.member.role == Membership.Role.OWNER

    def context(self, tab: str, **more: Any) -> dict[str, Any]:
        """What the head of every page below an organization shows."""
        return {
            "inside": self,
            "namespace": self.namespace,
            "organization": self.organization,
            "about": self.organization.description,
            "is_owner": self.is_owner,
            "is_inside": True,
            "member_count": self.organization.memberships.count(),
            "tab": tab,
            **more,
        }


def enter(request: HttpRequest, name: str, *, owner: bool = False) -> Inside:
    """An organization from inside; raises NotFound for people from outside.

    With `owner` raises Unauthenticated for nobody in particular, and Denied for members.
    """
    namespace = find_namespace(name)
    if namespace is None or namespace.organization is None:
        raise NotFound(NOTHING)
    principal, organization = principal_from(request), namespace.organization
    if owner and principal.is_anonymous:
        raise Unauthenticated("Sign in to do this.")
    member = require_member(principal, organization)
    if owner:
        require_owner(principal, organization)
    return Inside(principal, organization, namespace, member)


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Make an organization, whose owner one is."""
    principal = principal_from(request)
    if principal.is_anonymous:
        raise Unauthenticated("Sign in to make an organization.")
    form = NewOrganizationForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        if not principal.is_verified:
            raise Denied(
                "Confirm your email address first; the link is in the mail you got.",
                code="UNVERIFIED",
            )
        me = User.objects.get(pk=principal.account_id)
        try:
            made = create_organization(me, actor=principal.actor, **form.cleaned_data)
        except HubError as error:
            form.add_error("name", error.message)
        else:
            messages.success(request, _("%(name)s was made. Invite people.") % {"name": made.name})
            return redirect("organization-people", made.name)
    status = 422 if form.errors else 200
    return render(request, "accounts/organizations/new.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest, name: str) -> HttpResponse:
    """What it says of itself, its switches, and the ways out."""
    inside = enter(request, name, owner=True)
    posted = request.POST if request.method == "POST" else None
    form = SettingsForm.of(inside.organization, posted)
    if form.is_valid():
        try:
            update_organization(
                inside.organization, actor=inside.principal.actor, **form.cleaned_data
            )
        except HubError as error:
            form.add_error(_FIELD_OF.get(error.code), error.message)
        else:
            messages.success(request, _("The settings were saved."))
            return redirect("namespace-settings", name)
    return _show(request, inside, form=form)


# Which switch a refusal of the service is about.
_FIELD_OF = {
    "HAS_PUBLIC": "public_allowed",
    "VISIBILITY_INVALID": "default_public",
    "SECOND_FACTOR": "second_factor_required",
}


@require_POST
def transfer(request: HttpRequest, name: str) -> HttpResponse:
    """Make somebody else owner in one's place."""
    inside = enter(request, name, owner=True)
    form = _ownership(inside, request.POST)
    if not form.is_valid():
        return _show(request, inside, ownership=form)
    require_recent_sign_in(request)
    to = get_user(form.cleaned_data["to"])
    try:
        transfer_ownership(
            inside.organization, inside.member.user, to, actor=inside.principal.actor
        )
    except HubError as error:
        form.add_error("to", error.message)
        return _show(request, inside, ownership=form)
    messages.success(request, _("%(who)s owns %(name)s now.") % {"who": to.username, "name": name})
    return redirect("organization-people", name)


@require_POST
def delete(request: HttpRequest, name: str) -> HttpResponse:
    """Take the organization away; the dialog has asked for its name."""
    inside = enter(request, name, owner=True)
    if request.POST.get("confirm") != name:
        messages.error(request, _("Type the name of the organization to delete it."))
        return redirect("namespace-settings", name)
    require_recent_sign_in(request)
    try:
        delete_organization(inside.organization, actor=inside.principal.actor)
    except Conflict as error:
        messages.error(request, error.message)
        return redirect("namespace-settings", name)
    messages.success(request, _("%(name)s was deleted.") % {"name": name})
    return redirect("home")


def own_membership(request: HttpRequest, name: str) -> Inside:
    """One's own, which one may give up whatever else the organization demands."""
    namespace = find_namespace(name)
    if namespace is None or namespace.organization is None:
        raise NotFound(NOTHING)
    principal = principal_from(request)
    member = membership_of(principal, namespace.organization)
    if member is None:
        raise NotFound(NOTHING)
    return Inside(principal, namespace.organization, namespace, member)


def _ownership(inside: Inside, data: Any = None) -> OwnershipForm:
    rows = list_members(inside.organization)
    names = [m.user.username for m in rows if m.user.is_active and m.pk != inside.member.pk]
    return OwnershipForm(data, members=names, name=inside.namespace.name)


def _show(
    request: HttpRequest,
    inside: Inside,
    *,
    form: SettingsForm | None = None,
    ownership: OwnershipForm | None = None,
) -> HttpResponse:
    failed = bool((form and form.errors) or (ownership and ownership.errors))
    rows = Namespace.objects.filter(pk=inside.namespace.pk, repositories__state="active")
    without = inside.organization.memberships.filter(user__second_factor=False).count()
    context = inside.context(
        "settings",
        form=form or SettingsForm.of(inside.organization),
        ownership=ownership or _ownership(inside),
        repository_count=rows.count(),
        without_second_factor=without,
    )
    status = 422 if failed else 200
    return render(request, "accounts/organizations/settings.html", context, status=status)
