"""Who has a role on a repository, where it comes from, and giving and taking roles."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Membership, Team, User
from accounts.selectors import get_team, get_user
from core.errors import HubError, Invalid, NotFound
from repos.access import Access, enter, wants_part
from repos.forms import ROLES, CollaboratorForm, RoleForm, TeamForm, WhoForm
from repos.models import Collaborator, Repository, TeamGrant
from repos.selectors import list_collaborators, list_team_grants
from repos.services.collaborators import grant_role, grant_team, revoke_role, revoke_team


@require_safe
def people(request: HttpRequest, path: str) -> HttpResponse:
    """Everybody with a role."""
    return _show(request, enter(request, path, "administer"))


@require_POST
def add(request: HttpRequest, path: str) -> HttpResponse:
    """Give a person or a team a role."""
    access = enter(request, path, "administer")
    if "team" in request.POST:
        return _add_team(request, access)
    form = CollaboratorForm(request.POST)
    if form.is_valid():
        try:
            user = get_user(form.cleaned_data["username"])
            grant_role(
                access.repository, user, form.cleaned_data["role"], actor=access.principal.actor
            )
        except HubError as error:
            form.add_error("username", error.message)
        else:
            messages.success(request, _("%(name)s was added.") % {"name": user.username})
            return redirect("people", path)
    return _show(request, access, person_form=form)


@require_POST
def change(request: HttpRequest, path: str) -> HttpResponse:
    """Give somebody who has a role another one."""
    access = enter(request, path, "administer")
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("A role is read, write or admin."))
    who, role = form.cleaned_data["who"], form.cleaned_data["role"]
    target = _target(access.repository, who)
    if isinstance(target, User):
        grant_role(access.repository, target, role, actor=access.principal.actor)
    else:
        grant_team(access.repository, target, role, actor=access.principal.actor)
    if wants_part(request):
        return _show(request, access, saved=who)
    messages.success(request, _("The role was changed."))
    return redirect("people", path)


@require_POST
def remove(request: HttpRequest, path: str) -> HttpResponse:
    """Take somebody's role away."""
    access = enter(request, path, "administer")
    form = WhoForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("Say who is to be removed."))
    target = _target(access.repository, form.cleaned_data["who"])
    if isinstance(target, User):
        revoke_role(access.repository, target, actor=access.principal.actor)
        name = target.username
    else:
        revoke_team(access.repository, target, actor=access.principal.actor)
        name = target.name
    messages.success(request, _("%(name)s was removed.") % {"name": name})
    return redirect("people", path)


def _add_team(request: HttpRequest, access: Access) -> HttpResponse:
    form = TeamForm(request.POST, teams=_free_teams(access.repository))
    if not form.is_valid():
        return _show(request, access, team_form=form)
    team = _team(access.repository, form.cleaned_data["team"])
    grant_team(access.repository, team, form.cleaned_data["role"], actor=access.principal.actor)
    messages.success(request, _("Team %(name)s was added.") % {"name": team.name})
    return redirect("people", access.repository.path)


def _target(repository: Repository, who: str) -> User | Team:
    """Somebody who has a role here; raises NotFound."""
    kind, _colon, name = who.partition(":")
    if kind == "team":
        team = _team(repository, name)
        if not TeamGrant.objects.filter(repository=repository, team=team).exists():
            raise NotFound("This team has no role here.")
        return team
    row = Collaborator.objects.select_related("user").filter(
        repository=repository, user__username=name
    )
    found = row.first()
    if found is None:
        raise NotFound("This person is not a collaborator.")
    return found.user


def _team(repository: Repository, name: str) -> Team:
    organization = repository.namespace.organization
    if organization is None:
        raise NotFound("There is no such team.")
    return get_team(organization, name)


def _free_teams(repository: Repository) -> list[str]:
    """Teams of the organization that have no role yet."""
    organization_id = repository.namespace.organization_id
    if organization_id is None:
        return []
    return list(
        Team.objects.filter(organization_id=organization_id)
        .exclude(grants__repository=repository)
        .order_by("name")
        .values_list("name", flat=True)
    )


def _owners(repository: Repository) -> list[Membership]:
    if repository.namespace.organization_id is None:
        return []
    return list(
        Membership.objects.filter(
            organization_id=repository.namespace.organization_id, role=Membership.Role.OWNER
        )
        .select_related("user")
        .order_by("user__username")
    )


def _show(
    request: HttpRequest,
    access: Access,
    *,
    person_form: CollaboratorForm | None = None,
    team_form: TeamForm | None = None,
    saved: str = "",
) -> HttpResponse:
    repository = access.repository
    context: dict[str, object] = {
        "access": access,
        "repository": repository,
        "tab": "people",
        "collaborators": list_collaborators(repository),
        "teams": list_team_grants(repository),
        "owners": _owners(repository),
        "roles": ROLES,
        "saved": saved,
    }
    if wants_part(request):
        return render(request, "repos/_people.html", context)
    if access.can_administer:
        teams = _free_teams(repository)
        context["form"] = person_form or CollaboratorForm()
        context["team_form"] = team_form or (TeamForm(teams=teams) if teams else None)
    failed = bool((person_form and person_form.errors) or (team_form and team_form.errors))
    return render(request, "repos/people.html", context, status=422 if failed else 200)
