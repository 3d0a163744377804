"""Teams of an organization: all for owners, their own for members."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Team, TeamMembership
from accounts.selectors import get_member, get_team
from accounts.services.teams import (
    add_to_team,
    create_team,
    delete_team,
    invitations_into,
    remove_from_team,
    teams_for,
    update_team,
)
from accounts.views.organization_forms import TeamForm, TeamGrantForm, TeamMemberForm
from accounts.views.organizations import NOTHING, Inside, enter
from core.errors import HubError, Invalid, NotFound
from repos.models import Repository, TeamGrant
from repos.reach import Change, changes_without_grant, changes_without_team
from repos.services.collaborators import grant_team, revoke_team

ROWS = 50
SHOWN_CHANGES = 100


@require_safe
def teams(request: HttpRequest, name: str) -> HttpResponse:
    """Each with how many people and repositories it has."""
    inside = enter(request, name)
    rows = teams_for(inside.organization, inside.member.user_id, owner=inside.is_owner)
    rows = rows.annotate(
        people=Count("memberships", distinct=True), repositories=Count("grants", distinct=True)
    )
    if not inside.is_owner:  # the filter on one's own membership must not shape the counts
        own = Team.objects.filter(pk__in=[team.pk for team in rows])
        rows = own.annotate(
            people=Count("memberships", distinct=True), repositories=Count("grants", distinct=True)
        ).order_by("name")
    context = inside.context("teams", teams=list(rows))
    return render(request, "accounts/organizations/teams.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, name: str) -> HttpResponse:
    """Make a team."""
    inside = enter(request, name, owner=True)
    form = TeamForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            values = dict(form.cleaned_data)
            team = create_team(
                inside.organization, values.pop("name"), actor=inside.principal.actor, **values
            )
        except HubError as error:
            form.add_error("name", error.message)
        else:
            messages.success(request, _("Team %(name)s was made.") % {"name": team.name})
            return redirect("team", name, team.name)
    status = 422 if form.errors else 200
    context = inside.context("teams", form=form)
    return render(request, "accounts/organizations/team_new.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def team(request: HttpRequest, name: str, team: str) -> HttpResponse:
    """Who is in it and what it reaches; owners change it here."""
    if request.method != "POST":
        inside = enter(request, name)
        return _show(request, inside, _seen(inside, team))
    inside, found = _owned(request, name, team)
    form = TeamForm(request.POST)
    if form.is_valid():
        try:
            changed = update_team(found, actor=inside.principal.actor, **form.cleaned_data)
        except HubError as error:
            form.add_error("name", error.message)
        else:
            messages.success(request, _("Team %(name)s was saved.") % {"name": changed.name})
            return redirect("team", name, changed.name)
    return _show(request, inside, found, form=form)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, name: str, team: str) -> HttpResponse:
    """What changes without the team, and taking it away."""
    inside, found = _owned(request, name, team)
    if request.method != "POST":
        return _confirm(
            request,
            inside,
            found,
            changes_without_team(found),
            title=_("Delete team %(name)s?") % {"name": team},
            text=_("Its people stay in the organization. There is no way back."),
            button=_("Delete team"),
            invitation_count=invitations_into(found).count(),
        )
    delete_team(found, actor=inside.principal.actor)
    messages.success(request, _("Team %(name)s was deleted.") % {"name": team})
    return redirect("teams", name)


@require_POST
def add(request: HttpRequest, name: str, team: str) -> HttpResponse:
    """Put a member of the organization into it."""
    inside, found = _owned(request, name, team)
    form = TeamMemberForm(request.POST)
    if form.is_valid():
        try:
            user = get_member(inside.organization, form.cleaned_data["username"].strip()).user
            add_to_team(found, user, actor=inside.principal.actor)
        except NotFound:
            form.add_error("username", _("Add this person to the organization first."))
        else:
            messages.success(request, _("%(name)s was added.") % {"name": user.username})
            return redirect("team", name, team)
    return _show(request, inside, found, member_form=form)


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, name: str, team: str, username: str) -> HttpResponse:
    """What somebody loses with their place in it, and taking them out."""
    inside, found = _owned(request, name, team)
    user = get_member(inside.organization, username).user
    if request.method != "POST":
        if not TeamMembership.objects.filter(team=found, user=user).exists():
            raise NotFound("This person is not in the team.")
        changes = [c for c in changes_without_team(found) if c.name == user.username]
        words = {"who": user.username, "name": team}
        return _confirm(
            request,
            inside,
            found,
            changes,
            title=_("Remove %(who)s from %(name)s?") % words,
            text=_("They stay in the organization."),
            button=_("Remove %(who)s") % words,
        )
    remove_from_team(found, user, actor=inside.principal.actor)
    messages.success(request, _("%(name)s was removed.") % {"name": user.username})
    return redirect("team", name, team)


@require_POST
def grant(request: HttpRequest, name: str, team: str) -> HttpResponse:
    """Give it a role on a repository of the organization."""
    inside, found = _owned(request, name, team)
    form = TeamGrantForm(request.POST)
    if form.is_valid():
        try:
            row = _repository(inside, form.cleaned_data["repository"])
            grant_team(row, found, form.cleaned_data["role"], actor=inside.principal.actor)
        except HubError as error:
            form.add_error("repository", error.message)
        else:
            messages.success(request, _("%(name)s was added.") % {"name": row.path})
            return redirect("team", name, team)
    return _show(request, inside, found, grant_form=form)


@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HttpRequest, name: str, team: str) -> HttpResponse:
    """What changes without its role on a repository, and taking that away."""
    inside, found = _owned(request, name, team)
    asked = request.POST if request.method == "POST" else request.GET
    row = _repository(inside, asked.get("repository", ""))
    if request.method != "POST":
        return _confirm(
            request,
            inside,
            found,
            changes_without_grant(row, found),
            title=_("Remove %(path)s from %(name)s?") % {"path": row.path, "name": team},
            text=_("The repository stays, and so do roles that people have otherwise."),
            button=_("Remove %(path)s") % {"path": row.path},
            repository=row,
        )
    revoke_team(row, found, actor=inside.principal.actor)
    messages.success(request, _("%(name)s was removed.") % {"name": row.path})
    return redirect("team", name, team)


def _confirm(
    request: HttpRequest, inside: Inside, team: Team, changes: list[Change], **words: Any
) -> HttpResponse:
    context = inside.context(
        "teams",
        team=team,
        changes=changes[:SHOWN_CHANGES],
        change_total=len(changes),
        **words,
    )
    return render(request, "accounts/organizations/team_confirm.html", context)


def _seen(inside: Inside, name: str) -> Team:
    """A team for whoever may see it; raises NotFound."""
    rows = teams_for(inside.organization, inside.member.user_id, owner=inside.is_owner)
    found = rows.filter(name=name).first()
    if found is None:
        raise NotFound(NOTHING)
    return found


def _owned(request: HttpRequest, name: str, team: str) -> tuple[Inside, Team]:
    inside = enter(request, name, owner=True)
    return inside, get_team(inside.organization, team)


def _repository(inside: Inside, path: str) -> Repository:
    """One of the organization, by its name or its whole path; raises Invalid."""
    path = path.replace("\0", "").strip().strip("/")
    whole = (
        path if path.startswith(f"{inside.namespace.name}/") else f"{inside.namespace.name}/{path}"
    )
    rows = Repository.objects.filter(namespace=inside.namespace, state=Repository.State.ACTIVE)
    found = rows.select_related("namespace").filter(path__in=[whole]).first()
    if found is None:
        raise Invalid("The organization has no repository with this name.")
    return found


def _show(
    request: HttpRequest,
    inside: Inside,
    team: Team,
    *,
    form: TeamForm | None = None,
    member_form: TeamMemberForm | None = None,
    grant_form: TeamGrantForm | None = None,
) -> HttpResponse:
    members = TeamMembership.objects.filter(team=team).select_related("user")
    page = Paginator(members.order_by("user__username"), ROWS).get_page(request.GET.get("page"))
    grants = TeamGrant.objects.filter(team=team, repository__state=Repository.State.ACTIVE)
    context: dict[str, Any] = inside.context(
        "teams",
        team=team,
        page=page,
        members=list(page.object_list),
        grants=list(grants.select_related("repository").order_by("repository__path")[:200]),
    )
    if inside.is_owner:
        initial = {n: getattr(team, n) for n in ("name", "description", "base_role")}
        context["form"] = form or TeamForm(initial=initial)
        context["member_form"] = member_form or TeamMemberForm()
        context["grant_form"] = grant_form or TeamGrantForm()
    failed = any(f is not None and f.errors for f in (form, member_form, grant_form))
    status = 422 if failed else 200
    return render(request, "accounts/organizations/team.html", context, status=status)
