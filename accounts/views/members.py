"""Who belongs to an organization, who is invited, and coming and going."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Membership, Team
from accounts.reauthentication import require_recent_sign_in, signed_in_recently
from accounts.selectors import get_account, get_member, get_team, get_user
from accounts.services.invitations import get_open, invite, list_open, resend, withdraw
from accounts.services.organizations import other_owners, remove_member, set_member
from accounts.services.teams import let_in
from accounts.views.organization_forms import ROLES, InviteForm, MemberRoleForm
from accounts.views.organizations import Inside, enter, own_membership
from core.errors import HubError, Invalid
from events.models import Event
from repos.access import wants_part
from repos.reach import changes_without_member, reach_in, reachable

ROWS = 50
SHOWN_CHANGES = 100


@require_safe
def people(request: HttpRequest, name: str) -> HttpResponse:
    """Members; for owners also what they need to look after them."""
    return _show(request, enter(request, name))


@require_POST
def add(request: HttpRequest, name: str) -> HttpResponse:
    """Let somebody in by name, or send an invitation by mail."""
    inside = enter(request, name, owner=True)
    form = InviteForm(request.POST, teams=_teams(inside))
    if not form.is_valid():
        return _show(request, inside, form=form)
    if form.cleaned_data["role"] == Membership.Role.OWNER:
        require_recent_sign_in(request)
    try:
        said = _let_in(inside, **form.cleaned_data)
    except HubError as error:
        form.add_error("who", error.message)
        return _show(request, inside, form=form)
    messages.success(request, said)
    return redirect("organization-people", name)


@require_POST
def change(request: HttpRequest, name: str) -> HttpResponse:
    """Another role for a member."""
    inside = enter(request, name, owner=True)
    form = MemberRoleForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("A member's role is owner or member."))
    if form.cleaned_data["role"] == Membership.Role.OWNER and not signed_in_recently(request):
        return _confirm_first(request, name)
    who = form.cleaned_data["who"]
    member = get_member(inside.organization, who)
    refused = ""
    try:
        set_member(
            inside.organization,
            member.user,
            form.cleaned_data["role"],
            actor=inside.principal.actor,
        )
    except HubError as error:
        refused = error.message
    stays = member.pk != inside.member.pk or form.cleaned_data["role"] == Membership.Role.OWNER
    if wants_part(request) and stays:
        return _show(request, inside, saved="" if refused else who, refused=refused)
    if refused:
        messages.error(request, refused)
    else:
        messages.success(request, _("The role was changed."))
    if wants_part(request):  # whoever steps down needs another page
        address = reverse("organization-people", args=[name])
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return redirect("organization-people", name)


@require_safe
def access(request: HttpRequest, name: str, username: str) -> HttpResponse:
    """What a person, a member or not, or a robot reaches in the organization, and through what."""
    inside = enter(request, name, owner=True)
    who = get_account(username, inside.namespace.pk)
    found = reachable(who, inside.organization)
    page = Paginator(found, ROWS).get_page(request.GET.get("page"))
    rows = reach_in(who, page.object_list)
    context = inside.context("robots" if who.is_robot else "people", who=who, rows=rows, page=page)
    return render(request, "accounts/organizations/access.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, name: str, username: str) -> HttpResponse:
    """What is lost with a member, and taking them out."""
    inside = enter(request, name, owner=True)
    return _go(request, inside, get_member(inside.organization, username))


@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: HttpRequest, name: str) -> HttpResponse:
    """The same for oneself."""
    inside = own_membership(request, name)
    return _go(request, inside, inside.member)


@require_POST
def send_again(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """Another mail with another link; the first one ends."""
    inside = enter(request, name, owner=True)
    row = get_open(inside.organization, pk)
    if row.role == Membership.Role.OWNER:
        require_recent_sign_in(request)
    try:
        resend(row, actor=inside.principal.actor)
    except HubError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Another mail is on its way to %(to)s.") % {"to": row.email})
    return redirect("organization-people", name)


@require_POST
def take_back(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """The link in the mail leads nowhere from now on."""
    inside = enter(request, name, owner=True)
    row = get_open(inside.organization, pk)
    withdraw(row, actor=inside.principal.actor)
    messages.success(request, _("The invitation of %(to)s was withdrawn.") % {"to": row.email})
    return redirect("organization-people", name)


def _let_in(inside: Inside, who: str, role: str, team: str) -> str:
    """Do it, and say what was done."""
    organization, actor = inside.organization, inside.principal.actor
    into = get_team(organization, team) if team else None
    if "@" in who:
        row = invite(organization, who, role, inviter=actor, team=into)
        return _("An invitation is on its way to %(to)s.") % {"to": row.email}
    user = get_user(who.strip())
    if let_in(organization, user, role, actor=actor, team=into):
        return _("%(name)s was added.") % {"name": user.username}
    words = {"name": user.username, "team": team}
    if into is not None:
        return _("%(name)s is a member already, and is in the team %(team)s now.") % words
    return _("%(name)s is a member already; the role stays what it was.") % words


def _confirm_first(request: HttpRequest, name: str) -> HttpResponse:
    """Ask who it is; a part of a page cannot be gone on with, so the whole page comes back."""
    if not wants_part(request):
        require_recent_sign_in(request)
    back = urlencode({"next": reverse("organization-people", args=[name])})
    address = f"{reverse('account_reauthenticate')}?{back}"
    return HttpResponse(status=204, headers={"HX-Redirect": address})


def _go(request: HttpRequest, inside: Inside, member: Membership) -> HttpResponse:
    leaving, name = member.pk == inside.member.pk, inside.namespace.name
    refused = ""
    if request.method == "POST":
        try:
            remove_member(inside.organization, member.user, actor=inside.principal.actor)
        except HubError as error:
            refused = error.message
        else:
            if leaving:
                messages.success(request, _("You left %(name)s.") % {"name": name})
                return redirect("namespace", name)
            words = {"who": member.user.username, "name": name}
            messages.success(request, _("%(who)s was removed from %(name)s.") % words)
            return redirect("organization-people", name)
    teams = Team.objects.filter(organization=inside.organization, memberships__user=member.user)
    changes = changes_without_member(inside.organization, member.user)
    context = inside.context(
        "people",
        member=member,
        leaving=leaving,
        refused=refused,
        last_owner=_is_last_owner(member),
        teams=list(teams.order_by("name")),
        changes=changes[:SHOWN_CHANGES],
        change_total=len(changes),
    )
    status = 409 if refused else 200
    return render(request, "accounts/organizations/remove.html", context, status=status)


def _is_last_owner(member: Membership) -> bool:
    if member.role != Membership.Role.OWNER:
        return False
    return not other_owners(member.organization, member.user).exists()


def _members(inside: Inside) -> QuerySet[Membership]:
    """By name; for owners with the time of the last act that this organization's log tells of."""
    rows = Membership.objects.filter(organization=inside.organization).select_related("user")
    if inside.is_owner:
        acts = Event.objects.filter(
            actor_id=OuterRef("user_id"), namespace_id=inside.namespace.pk
        ).order_by("-pk")
        rows = rows.annotate(last_active=Subquery(acts.values("occurred_at")[:1]))
    return rows.order_by("user__username")


def _teams(inside: Inside) -> list[str]:
    rows = Team.objects.filter(organization=inside.organization).order_by("name")
    return list(rows.values_list("name", flat=True))


def _show(
    request: HttpRequest,
    inside: Inside,
    *,
    form: InviteForm | None = None,
    saved: str = "",
    refused: str = "",
) -> HttpResponse:
    page = Paginator(_members(inside), ROWS).get_page(request.GET.get("page"))
    context: dict[str, Any] = inside.context(
        "people", page=page, members=list(page.object_list), roles=ROLES, saved=saved
    )
    context["refused"] = refused
    if wants_part(request):
        return render(request, "accounts/organizations/_members.html", context)
    if inside.is_owner:
        context["invitations"] = list(list_open(inside.organization))
        context["form"] = form or InviteForm(teams=_teams(inside))
    status = 422 if form and form.errors else 200
    return render(request, "accounts/organizations/people.html", context, status=status)
