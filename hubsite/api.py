"""Every address of the REST API, and what tells of it: the schema and the page over it.

Names of repositories hold slashes. The pattern that takes most after the repository's name wins:
`a/b/tags/x` is the tag `x` of `a/b`. So a repository called `a/b/tags` can be read and changed as
a whole, while `a/tags`, whose name is only that word, has everything below it too.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, re_path, register_converter
from django.utils.translation import override
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import account, organizations, robots, teams, tokens
from accounts.rest import HubView
from core.errors import NotFound
from events import api as events
from hubsite.apidocs import sections_of
from notices import api as notices
from registry import api as registry
from repos.api import access, comments, invitations, people, renaming, repositories, trash
from repos.converters import RepositoryConverter
from webhooks.api import deliveries, hooks, outcomes
from webhooks.api.base import OwnerView, of_owner
from webhooks.owners import Kind


class NameConverter(RepositoryConverter):
    """A repository's name without its namespace, with the slashes it has."""

    regex = r"[a-z0-9._-]+(?:/[a-z0-9._-]+)*"


register_converter(NameConverter, "name")


class UnknownView(HubView):
    """Any other address: a bad credential is still a bad credential, anything else is absent."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Whatever the method."""
        super().initial(request, *args, **kwargs)
        raise NotFound("The API has nothing at this address; /api/docs lists what there is.")


class SchemaView(HubView):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """OpenAPI 3.1 as JSON, which is YAML too."""
        return Response({**schema(), "servers": [{"url": settings.HUB.external_url}]})


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The same for people."""
    return render(request, "api/docs.html", {"sections": sections_of(schema())})


@cache
def schema() -> dict[str, Any]:
    """Made once by each process, whatever the language of its first reader; do not change it."""
    with override("en"):
        made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return made


def _below(tail: str, view: type[HubView], name: str) -> URLPattern:
    """An address below a repository's."""
    address = f"repositories/<namespace:namespace>/<name:name>{tail}"
    return path(address, view.as_view(), name=f"api-{name}")


_WEBHOOKS: dict[str, type[OwnerView]] = {
    "/<int:id>/deliveries/<int:delivery>/redeliver": deliveries.RedeliverView,
    "/<int:id>/deliveries/<int:delivery>": deliveries.DeliveryView,
    "/<int:id>/deliveries": deliveries.DeliveriesView,
    "/<int:id>/difference": deliveries.DifferenceView,
    "/<int:id>/ping": hooks.PingView,
    "/<int:id>/redeliver": deliveries.RedeliverAllView,
    "/<int:id>/replay": deliveries.ReplayView,
    "/<int:id>/resume": hooks.ResumeView,
    "/<int:id>/rotate": hooks.RotateView,
    "/<int:id>": hooks.WebhookView,
    "/dry-run": hooks.DryRunView,
    "/preview": hooks.PreviewView,
}


def _webhooks(base: str, kind: Kind) -> list[URLPattern]:
    """Addresses below the webhooks of any owner."""
    return [
        path(f"{base}/webhooks{tail}", of_owner(view, kind).as_view())
        for tail, view in _WEBHOOKS.items()
    ]


def _all_webhooks(base: str, kind: Kind) -> list[URLPattern]:
    """Those and their list, where no repository's name comes before."""
    by_id = of_owner(deliveries.DeliveryRedeliverView, kind).as_view()
    return [
        *_webhooks(base, kind),
        path(f"{base}/deliveries/<int:delivery>/redeliver", by_id),
        path(f"{base}/webhooks", of_owner(hooks.WebhooksView, kind).as_view()),
    ]


urlpatterns = [
    path("schema", SchemaView.as_view(), name="api-schema"),
    path("docs", docs, name="api-docs"),
    path("users", account.UsersView.as_view(), name="api-users"),
    path("user", account.UserView.as_view(), name="api-user"),
    path("user/rename", renaming.UserRenameView.as_view(), name="api-user-rename"),
    path("user/access", access.UserAccessView.as_view(), name="api-user-access"),
    path("user/stars", repositories.StarsView.as_view(), name="api-stars"),
    path("user/notices", notices.NoticesView.as_view(), name="api-notices"),
    path("user/notices/read", notices.NoticesReadView.as_view(), name="api-notices-read"),
    path("tokens", tokens.TokensView.as_view(), name="api-tokens"),
    path("tokens/<int:id>", tokens.TokenView.as_view(), name="api-token"),
    path("tokens/<int:id>/rotate", tokens.RotateView.as_view(), name="api-token-rotate"),
    path(
        "namespaces/<namespace:namespace>/robots",
        robots.RobotsView.as_view(),
        name="api-robots",
    ),
    path(
        "namespaces/<namespace:namespace>/robots/<namespace:robot>",
        robots.RobotView.as_view(),
        name="api-robot",
    ),
    path(
        "namespaces/<namespace:namespace>/robots/<namespace:robot>/tokens",
        robots.RobotTokensView.as_view(),
        name="api-robot-tokens",
    ),
    path(
        "namespaces/<namespace:namespace>/robots/<namespace:robot>/tokens/<int:id>",
        robots.RobotTokenView.as_view(),
        name="api-robot-token",
    ),
    path(
        "namespaces/<namespace:namespace>/robots/<namespace:robot>/tokens/<int:id>/rotate",
        robots.RobotRotateView.as_view(),
        name="api-robot-token-rotate",
    ),
    path("namespaces/<namespace:namespace>/trash", trash.TrashView.as_view(), name="api-trash"),
    path(
        "namespaces/<namespace:namespace>/trash/<int:id>",
        trash.TrashedView.as_view(),
        name="api-trashed",
    ),
    path(
        "namespaces/<namespace:namespace>/trash/<int:id>/restore",
        trash.RestoreView.as_view(),
        name="api-restore",
    ),
    path("organizations", organizations.OrganizationsView.as_view(), name="api-organizations"),
    path(
        "organizations/<namespace:org>",
        organizations.OrganizationView.as_view(),
        name="api-organization",
    ),
    path(
        "organizations/<namespace:org>/rename",
        renaming.OrganizationRenameView.as_view(),
        name="api-organization-rename",
    ),
    path(
        "organizations/<namespace:org>/members",
        organizations.MembersView.as_view(),
        name="api-members",
    ),
    path(
        "organizations/<namespace:org>/members/<namespace:username>",
        organizations.MemberView.as_view(),
        name="api-member",
    ),
    path(
        "organizations/<namespace:org>/transfer",
        organizations.OwnershipView.as_view(),
        name="api-organization-transfer",
    ),
    path(
        "organizations/<namespace:org>/invitations",
        organizations.InvitationsView.as_view(),
        name="api-invitations",
    ),
    path(
        "organizations/<namespace:org>/invitations/<int:id>",
        organizations.InvitationView.as_view(),
        name="api-invitation",
    ),
    path(
        "organizations/<namespace:org>/invitations/<int:id>/resend",
        organizations.InvitationResendView.as_view(),
        name="api-invitation-resend",
    ),
    path("organizations/<namespace:org>/teams", teams.TeamsView.as_view(), name="api-teams"),
    path(
        "organizations/<namespace:org>/teams/<namespace:team>",
        teams.TeamView.as_view(),
        name="api-team",
    ),
    path(
        "organizations/<namespace:org>/teams/<namespace:team>/members",
        teams.TeamMembersView.as_view(),
        name="api-team-members",
    ),
    path(
        "organizations/<namespace:org>/teams/<namespace:team>/members/<namespace:username>",
        teams.TeamMemberView.as_view(),
        name="api-team-member",
    ),
    path("invitations/accept", invitations.AcceptView.as_view(), name="api-invitation-accept"),
    path("search", repositories.SearchView.as_view(), name="api-search"),
    path("events", events.EventsView.as_view(), name="api-events"),
    path("audit", events.AuditView.as_view(), name="api-audit"),
    path("user/audit", events.AccountAuditView.as_view(), name="api-account-audit"),
    path(
        "namespaces/<namespace:namespace>/audit",
        events.NamespaceAuditView.as_view(),
        name="api-namespace-audit",
    ),
    path("repositories", repositories.RepositoriesView.as_view(), name="api-repositories"),
    path(
        "webhook-callbacks/<uuid:uid>",
        outcomes.CallbackView.as_view(),
        name="api-webhook-callback",
    ),
    *_all_webhooks("admin", "server"),
    *_all_webhooks("namespaces/<namespace:namespace>", "namespace"),
    *_webhooks("repositories/<namespace:namespace>/<name:name>", "repository"),
    _below("/deliveries/<int:delivery>/redeliver", deliveries.DeliveryRedeliverView, "redeliver"),
    _below("/promotions/<int:id>", outcomes.PromotionView, "promotion"),
    _below("/teams/<namespace:org>/<namespace:team>", people.TeamGrantView, "team-grant"),
    _below("/collaborators/<account:username>", people.CollaboratorView, "collaborator"),
    _below("/comments/<int:id>/hidden", comments.HiddenView, "comment-hidden"),
    _below("/comments/<int:id>", comments.CommentView, "comment"),
    _below("/deleted-tags/<int:id>/restore", registry.RestoreTagView, "deleted-tag-restore"),
    _below("/deleted-tags", registry.DeletedTagsView, "deleted-tags"),
    _below("/tags/<tag:tag>/history", registry.TagHistoryView, "tag-history"),
    _below("/tags/<tag:tag>/rollback", registry.TagRollbackView, "tag-rollback"),
    _below("/tags/<tag:tag>", registry.TagView, "tag"),
    _below("/aliases/<int:id>", renaming.AliasView, "alias"),
    _below("/webhooks", hooks.WebhooksView, "webhooks"),
    _below("/promotions", outcomes.PromotionsView, "promotions"),
    _below("/results", outcomes.ResultsView, "results"),
    _below("/teams", people.TeamGrantsView, "team-grants"),
    _below("/invitations/<int:id>/resend", invitations.ResendView, "repository-invitation-resend"),
    _below("/invitations/<int:id>", invitations.RepositoryInvitationView, "repository-invitation"),
    _below("/invitations", invitations.RepositoryInvitationsView, "repository-invitations"),
    _below("/access-requests/<int:id>", access.AccessRequestView, "access-request"),
    _below("/access-requests", access.AccessRequestsView, "access-requests"),
    _below("/access", access.RepositoryAccessView, "repository-access"),
    _below("/collaborators", people.CollaboratorsView, "collaborators"),
    _below("/comments", comments.CommentsView, "comments"),
    _below("/tags", registry.TagsView, "tags"),
    _below("/star", repositories.StarView, "star"),
    _below("/watch", notices.WatchView, "watch"),
    _below("/rename", renaming.RenameView, "rename"),
    _below("/transfer", renaming.TransferView, "transfer"),
    _below("/aliases", renaming.AliasesView, "aliases"),
    _below("/events", events.RepositoryEventsView, "repository-events"),
    _below("/audit", events.RepositoryAuditView, "repository-audit"),
    _below("", repositories.RepositoryView, "repository"),
    re_path("", UnknownView.as_view()),
]
