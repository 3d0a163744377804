"""Who has a role on a repository, where it comes from, and giving and taking roles."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Membership, Team, User
from accounts.selectors import get_account, get_team
from core.errors import HubError, Invalid, NotFound
from repos.access import Access, enter, wants_part
from repos.forms import ROLES, AnswerForm, CollaboratorForm, RoleForm, TeamForm, WhoForm
from repos.models import Collaborator, Repository, TeamGrant
from repos.reach import changes_without_collaborator, changes_without_grant, who_reaches
from repos.selectors import get_collaborator, list_collaborators, list_team_grants
from repos.services.access_requests import answer, get_request
from repos.services.access_requests import list_open as list_requests
from repos.services.collaborators import (
    grant_role,
    grant_team,
    may_leave,
    revoke_role,
    revoke_team,
)
from repos.services.invitations import get_open, invite, list_open, resend, withdraw

SHOWN_CHANGES = 100


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
            said = _add_person(access, form.cleaned_data["username"], form.cleaned_data["role"])
        except HubError as error:
            form.add_error("username", error.message)
        else:
            messages.success(request, said)
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
    actor, recheck = access.principal.actor, access.recheck("administer")
    if isinstance(target, User):
        grant_role(access.repository, target, role, actor=actor, recheck=recheck)
    else:
        grant_team(access.repository, target, role, actor=actor, recheck=recheck)
    if wants_part(request):
        return _show(request, access, saved=who)
    messages.success(request, _("The role was changed."))
    return redirect("people", path)


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, path: str) -> HttpResponse:
    """What changes without somebody's role, and taking it away."""
    access = enter(request, path, "administer")
    form = WhoForm(request.POST if request.method == "POST" else request.GET)
    if not form.is_valid():
        raise Invalid(_("Say who is to be removed."))
    target = _target(access.repository, form.cleaned_data["who"])
    if request.method != "POST":
        return _ask(request, access, target, form.cleaned_data["who"])
    actor, recheck = access.principal.actor, access.recheck("administer")
    if isinstance(target, User):
        revoke_role(access.repository, target, actor=actor, recheck=recheck)
        name = target.username
    else:
        revoke_team(access.repository, target, actor=actor, recheck=recheck)
        name = target.name
    messages.success(request, _("%(name)s was removed.") % {"name": name})
    return redirect("people", path)


def _ask(request: HttpRequest, access: Access, target: User | Team, who: str) -> HttpResponse:
    repository = access.repository
    if isinstance(target, User):
        changes, name = changes_without_collaborator(repository, target), target.username
    else:
        changes, name = changes_without_grant(repository, target), target.name
    context = {
        "access": access,
        "repository": repository,
        "tab": "people",
        "who": who,
        "name": name,
        "changes": changes[:SHOWN_CHANGES],
        "change_total": len(changes),
        "with_names": True,
    }
    return render(request, "repos/people_remove.html", context)


@require_POST
def leave(request: HttpRequest, path: str) -> HttpResponse:
    """Give up one's own role; what teams and the organization give stays."""
    access = enter(request, path)
    principal = access.principal
    if not may_leave(principal):
        raise NotFound("You have no role of your own here.")
    held = get_collaborator(access.repository, principal.username)
    revoke_role(access.repository, held.user, actor=principal.actor, recheck=access.recheck("see"))
    messages.success(request, _("You gave up your role on %(path)s.") % {"path": path})
    return redirect("account-access")


@require_POST
def answer_request(request: HttpRequest, path: str, pk: int) -> HttpResponse:
    """Grant or refuse what somebody asked for."""
    access = enter(request, path, "administer")
    form = AnswerForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("Grant or refuse; a role is read, write or admin."))
    asked = get_request(access.repository, pk)
    granted = form.cleaned_data["state"] == "granted"
    answer(asked, actor=access.principal.actor, granted=granted, role=form.cleaned_data["role"])
    name = {"name": asked.user.username}
    said = _("%(name)s has access now.") if granted else _("%(name)s was told no.")
    messages.success(request, said % name)
    return redirect("people", path)


@require_POST
def withdraw_invitation(request: HttpRequest, path: str, pk: int) -> HttpResponse:
    """Take an invitation back."""
    access = enter(request, path, "administer")
    withdraw(get_open(access.repository, pk), actor=access.principal.actor)
    messages.success(request, _("The invitation was taken back."))
    return redirect("people", path)


@require_POST
def resend_invitation(request: HttpRequest, path: str, pk: int) -> HttpResponse:
    """Send the mail again, with another link."""
    access = enter(request, path, "administer")
    resend(get_open(access.repository, pk), actor=access.principal.actor)
    messages.success(request, _("The invitation was sent again; the first link ended."))
    return redirect("people", path)


def _add_person(access: Access, who: str, role: str) -> str:
    """Give an account a role, or invite an address; returns what to say."""
    actor, recheck = access.principal.actor, access.recheck("administer")
    if "@" in who:
        invitation = invite(access.repository, who, role, inviter=actor)
        return _("%(email)s was invited.") % {"email": invitation.email}
    user = get_account(who, access.repository.namespace_id)
    grant_role(access.repository, user, role, actor=actor, recheck=recheck)
    return _("%(name)s was added.") % {"name": user.username}


def _add_team(request: HttpRequest, access: Access) -> HttpResponse:
    form = TeamForm(request.POST, teams=_free_teams(access.repository))
    if not form.is_valid():
        return _show(request, access, team_form=form)
    team = _team(access.repository, form.cleaned_data["team"])
    actor, recheck = access.principal.actor, access.recheck("administer")
    role = form.cleaned_data["role"]
    grant_team(access.repository, team, role, actor=actor, recheck=recheck)
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
        context["requests"] = list_requests(repository)
        context["invitations"] = list(list_open(repository))
        context["rows"] = who_reaches(repository)
        context["form"] = person_form or CollaboratorForm()
        context["team_form"] = team_form or (TeamForm(teams=teams) if teams else None)
    failed = bool((person_form and person_form.errors) or (team_form and team_form.errors))
    return render(request, "repos/people.html", context, status=422 if failed else 200)
