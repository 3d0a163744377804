"""Organizations, quotas, and namespaces that have lost whoever kept them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import principal_from
from accounts.models import Membership, Namespace
from accounts.reauthentication import require_recent_sign_in
from accounts.selectors import find_namespace, get_user
from accounts.services.people import hand_over, set_quota
from core.errors import HubError, NotFound
from core.paging import page_by_name
from hubsite.site.entrance import ROWS, administrators_only, note_view, show
from hubsite.site.forms import HandOverForm, QuotaForm, written_size
from repos.models import Repository


@administrators_only
@require_safe
def organizations(request: HttpRequest) -> HttpResponse:
    """Every organization with its owners, counts and quota."""
    query = request.GET.get("q", "").replace("\0", "").strip()[:100]
    rows = Namespace.objects.filter(kind=Namespace.Kind.ORGANIZATION)
    rows = rows.exclude(name__startswith="~")  # deleted, and not taken apart yet
    rows = rows.select_related("organization").filter(name__icontains=query)
    page = page_by_name(rows, field="name", limit=ROWS, cursor=request.GET.get("cursor") or None)
    note_view(principal_from(request), "organizations")
    context = {
        "rows": _with_figures(page.rows),
        "next_cursor": page.next_cursor,
        "query": query,
    }
    return show(request, "organizations", "organizations", context)


@administrators_only
@require_POST
def quota(request: HttpRequest, name: str) -> HttpResponse:
    """How much a namespace may hold, a person's or an organization's."""
    namespace = _get(name)
    form = QuotaForm(request.POST)
    if form.is_valid():
        set_quota(namespace, form.cleaned_data["quota"], actor=principal_from(request).actor)
        messages.success(request, _("The quota of %(name)s was saved.") % {"name": name})
    else:
        messages.error(request, str(form.errors["quota"][0]))
    if namespace.user is not None:
        return redirect("site-person", namespace.user.username)
    return redirect("site-organizations")


@administrators_only
@require_safe
def orphans(request: HttpRequest) -> HttpResponse:
    """Namespaces of deactivated people, and organizations without an active owner."""
    rows = orphaned().select_related("user", "organization")
    page = page_by_name(rows, field="name", limit=ROWS, cursor=request.GET.get("cursor") or None)
    note_view(principal_from(request), "orphans")
    context = {"rows": _with_figures(page.rows), "next_cursor": page.next_cursor}
    return show(request, "orphans", "orphans", context)


@administrators_only
@require_POST
def give(request: HttpRequest, name: str) -> HttpResponse:
    """Give somebody a namespace of the list, and no other."""
    namespace = orphaned().filter(name=name).first()
    if namespace is None:
        raise NotFound("There is nothing here that you may see.")
    form = HandOverForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say who it goes to."))
        return redirect("site-orphans")
    require_recent_sign_in(request)
    try:
        to = get_user(form.cleaned_data["username"])
        hand_over(namespace, to, actor=principal_from(request).actor)
    except HubError as error:
        messages.error(request, error.message)
    else:
        words = {"name": name, "owner": to.username}
        messages.success(request, _("%(owner)s owns %(name)s now.") % words)
    return redirect("site-orphans")


def orphaned() -> QuerySet[Namespace]:
    """The list: nobody who is active owns them."""
    owners = Membership.objects.filter(
        organization=OuterRef("organization"), role=Membership.Role.OWNER, user__is_active=True
    )
    return Namespace.objects.exclude(name__startswith="~").filter(
        Q(kind=Namespace.Kind.USER, user__is_active=False)
        | Q(~Exists(owners), kind=Namespace.Kind.ORGANIZATION)
    )


def _get(name: str) -> Namespace:
    namespace = find_namespace(name)
    if namespace is None:
        raise NotFound("There is nothing here that you may see.")
    return namespace


def _with_figures(namespaces: Iterable[Namespace]) -> list[dict[str, Any]]:
    """Owners, members and repositories of each, in three queries whatever their number."""
    rows = list(namespaces)
    groups = [row.organization_id for row in rows if row.organization_id is not None]
    owners: dict[int, list[str]] = defaultdict(list)
    for group, name in (
        Membership.objects.filter(organization__in=groups, role=Membership.Role.OWNER)
        .order_by("user__username")
        .values_list("organization_id", "user__username")
    ):
        owners[group].append(name)
    members = dict(
        Membership.objects.filter(organization__in=groups)
        .values_list("organization_id")
        .annotate(total=Count("pk"))
    )
    repositories = dict(
        Repository.objects.filter(
            namespace__in=[row.pk for row in rows], state=Repository.State.ACTIVE
        )
        .values_list("namespace_id")
        .annotate(total=Count("pk"))
    )
    return [
        {
            "namespace": row,
            "quota": written_size(row.quota_bytes),
            "owners": owners.get(row.organization_id or 0, []),
            "members": members.get(row.organization_id, 0),
            "repositories": repositories.get(row.pk, 0),
        }
        for row in rows
    ]
