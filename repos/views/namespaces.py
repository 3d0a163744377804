"""A person's or an organization's page, and making repositories in it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.authentication import principal_from
from accounts.models import Membership, Namespace
from accounts.selectors import find_namespace
from accounts.types import Principal
from core.errors import Denied, HubError, NotFound, Unauthenticated
from repos.access import wants_part
from repos.forms import RepositoryForm
from repos.models import Repository
from repos.permissions import may_create
from repos.selectors import in_namespace
from repos.services.repositories import create_repository

ROWS = 20


@require_safe
def namespace_page(request: HttpRequest, name: str) -> HttpResponse:
    """Who this is, and the repositories the reader may see."""
    principal = principal_from(request)
    namespace = find_namespace(name)
    if namespace is None:
        raise NotFound("There is no such person or organization.")
    page = Paginator(in_namespace(principal, namespace), ROWS).get_page(request.GET.get("page"))
    memberships = _members(namespace)
    mine = next((m for m in memberships if m.user_id == principal.user_id), None)
    is_owner = mine is not None and mine.role == Membership.Role.OWNER
    context = {
        "namespace": namespace,
        "about": _about(namespace),
        "page": page,
        "repositories": list(page.object_list),
        "members": memberships if mine else [],
        "member_count": len(memberships),
        "is_owner": is_owner,
        "may_create": is_owner or may_create(principal, namespace),
        "is_me": namespace.user_id is not None and namespace.user_id == principal.user_id,
        "list_template": "repos/_namespace_empty.html",
    }
    template = "repos/_list.html" if wants_part(request) else "repos/namespace.html"
    return render(request, template, context)


@require_http_methods(["GET", "HEAD", "POST"])
def new_repository(request: HttpRequest) -> HttpResponse:
    """Make a repository by hand; the first push would do as well."""
    principal = principal_from(request)
    if principal.user_id is None:
        raise Unauthenticated("Sign in to make a repository.")
    namespaces = list(_creatable(principal.user_id, principal.is_superuser))
    form = RepositoryForm(
        request.POST or None,
        namespaces=namespaces,
        initial={
            "namespace": request.GET.get("namespace", principal.username),
            "name": request.GET.get("name", ""),
        },
    )
    if request.method == "POST" and form.is_valid():
        made = _create(principal, namespaces, form)
        if made is not None:
            messages.success(request, _("%(path)s was made.") % {"path": made.path})
            return redirect("repository", made.path)
    status = 422 if form.errors else 200
    return render(request, "repos/new.html", {"form": form}, status=status)


def _creatable(user_id: int, is_superuser: bool) -> QuerySet[Namespace]:
    """Namespaces this person may make repositories in: the set form of `may_create`."""
    owned = Membership.objects.filter(user_id=user_id, role=Membership.Role.OWNER)
    mine = Q(user=user_id) | Q(organization__in=owned.values("organization"))
    if is_superuser:
        mine |= Q(kind=Namespace.Kind.LIBRARY)
    return Namespace.objects.filter(mine).order_by("kind", "name").reverse()


def _create(
    principal: Principal, namespaces: list[Namespace], form: RepositoryForm
) -> Repository | None:
    """The new repository, or None with the reason in the form."""
    data: dict[str, Any] = form.cleaned_data
    namespace = next(n for n in namespaces if n.name == data["namespace"])
    if not may_create(principal, namespace):
        raise Denied(f"You may not make repositories in {namespace.name}.")
    try:
        return create_repository(
            namespace,
            data["name"],
            actor=principal.actor,
            visibility=data["visibility"],
            description=data["description"],
        )
    except HubError as error:
        form.add_error("name", error.message)
        return None


def _about(namespace: Namespace) -> str:
    if namespace.organization is not None:
        return namespace.organization.description
    return namespace.user.bio if namespace.user is not None else ""


def _members(namespace: Namespace) -> list[Membership]:
    if namespace.organization_id is None:
        return []
    return list(
        Membership.objects.filter(organization_id=namespace.organization_id)
        .select_related("user")
        .order_by("user__username")
    )
