"""REST: who has a role on a repository."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Team
from accounts.rest import HubView, describe
from accounts.selectors import get_account, get_team
from core.errors import Invalid
from core.paging import page_by_id
from repos.access import enter
from repos.models import Collaborator, Repository, TeamGrant
from repos.permissions import Action
from repos.selectors import get_collaborator
from repos.serializers import CollaboratorSerializer, RoleSerializer, TeamGrantSerializer
from repos.services.collaborators import (
    grant_role,
    grant_team,
    may_leave,
    revoke_role,
    revoke_team,
)

TAG = "collaborators"


class CollaboratorsView(HubView):
    @describe(
        TAG,
        "People with a role on the repository",
        operation="collaborator_list",
        rows=CollaboratorSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        rows = Collaborator.objects.filter(repository=access.repository).select_related("user")
        return self.answer_page(page_by_id(rows, **self.paging()), CollaboratorSerializer)


class CollaboratorView(HubView):
    @describe(
        TAG,
        "Give a person or a robot account a role, or another one",
        operation="collaborator_set",
        body=RoleSerializer,
        answer=CollaboratorSerializer,
    )
    def put(self, request: Request, namespace: str, name: str, username: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        role = self.read(RoleSerializer)["role"]
        user = get_account(username, access.repository.namespace_id)
        actor, recheck = access.principal.actor, access.recheck("administer")
        row = grant_role(access.repository, user, role, actor=actor, recheck=recheck)
        return Response(CollaboratorSerializer(row).data)

    @describe(
        TAG, "Take a person's role away, or give up one's own", operation="collaborator_delete"
    )
    def delete(self, request: Request, namespace: str, name: str, username: str) -> Response:
        leaving = self.principal.username == username and may_leave(self.principal)
        action: Action = "see" if leaving else "administer"
        access = enter(request, f"{namespace}/{name}", action)
        held = get_collaborator(access.repository, username)
        actor, recheck = access.principal.actor, access.recheck(action)
        revoke_role(access.repository, held.user, actor=actor, recheck=recheck)
        return Response(status=204)


class TeamGrantsView(HubView):
    @describe(
        TAG,
        "Teams with a role on the repository",
        operation="team_grant_list",
        rows=TeamGrantSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        rows = TeamGrant.objects.filter(repository=access.repository)
        page = page_by_id(rows.select_related("team__organization"), **self.paging())
        return self.answer_page(page, TeamGrantSerializer)


class TeamGrantView(HubView):
    @describe(
        TAG,
        "Give a team a role, or another one",
        operation="team_grant_set",
        body=RoleSerializer,
        answer=TeamGrantSerializer,
    )
    def put(self, request: Request, namespace: str, name: str, org: str, team: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        role = self.read(RoleSerializer)["role"]
        found = _team(access.repository, org, team)
        actor, recheck = access.principal.actor, access.recheck("administer")
        row = grant_team(access.repository, found, role, actor=actor, recheck=recheck)
        return Response(TeamGrantSerializer(row).data)

    @describe(TAG, "Take a team's role away", operation="team_grant_delete")
    def delete(self, request: Request, namespace: str, name: str, org: str, team: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        found = _team(access.repository, org, team)
        actor, recheck = access.principal.actor, access.recheck("administer")
        revoke_team(access.repository, found, actor=actor, recheck=recheck)
        return Response(status=204)


def _team(repository: Repository, org: str, team: str) -> Team:
    """A team of the owning organization; which teams others have is not looked at."""
    owner = repository.namespace.organization
    if owner is None or owner.name != org:
        raise Invalid("The team must belong to the organization that owns the repository.")
    return get_team(owner, team)
