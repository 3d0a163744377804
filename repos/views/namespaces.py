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
from accounts.permissions import membership_of
from accounts.selectors import find_namespace, find_renamed
from accounts.types import Principal
from core.errors import Denied, HubError, NotFound, Unauthenticated
from repos.access import wants_part
from repos.forms import RepositoryForm
from repos.limits import refuse_often
from repos.models import Repository
from repos.permissions import may_create
from repos.selectors import in_namespace
from repos.services.aliases import note_use
from repos.services.repositories import create_repository

ROWS = 20
SHOWN_MEMBERS = 30


@require_safe
def namespace_page(request: HttpRequest, name: str) -> HttpResponse:
    """Who this is, and the repositories the reader may see."""
    principal = principal_from(request)
    namespace = find_namespace(name)
    if namespace is None:
        return _to_present(request, name)
    page = Paginator(in_namespace(principal, namespace), ROWS).get_page(request.GET.get("page"))
    context = {
        "namespace": namespace,
        "about": _about(namespace),
        "page": page,
        "repositories": list(page.object_list),
        "may_create": may_create(principal, namespace),
        "is_me": namespace.user_id is not None and namespace.user_id == principal.user_id,
        "list_template": "repos/_namespace_empty.html",
        **_inside(principal, namespace),
    }
    template = "repos/_list.html" if wants_part(request) else "repos/namespace.html"
    return render(request, template, context)


@require_http_methods(["GET", "HEAD", "POST"])
def new_repository(request: HttpRequest) -> HttpResponse:
    """Make a repository by hand; the first push would do as well."""
    principal = principal_from(request)
    if principal.user_id is None:
        raise Unauthenticated("Sign in to make a repository.")
    namespaces = list(creatable(principal.user_id, principal.is_superuser))
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


def _to_present(request: HttpRequest, name: str) -> HttpResponse:
    """The page of whoever had this name before; raises NotFound."""
    renamed = find_renamed(name)
    if renamed is None:
        raise NotFound("There is no such person or organization.")
    note_use(name)
    rest = request.get_full_path().removeprefix(f"/{name}")
    return redirect(f"/{renamed.name}{rest}")


def creatable(user_id: int, is_superuser: bool) -> QuerySet[Namespace]:
    """Namespaces this person may make repositories in: the set form of `may_create`."""
    owned = Membership.objects.filter(
        Q(role=Membership.Role.OWNER) | Q(organization__members_create=True), user_id=user_id
    )
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
        refuse_often(principal, "repository.created")
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


def _inside(principal: Principal, namespace: Namespace) -> dict[str, Any]:
    """What the people of an organization see of it, and nobody else."""
    organization = namespace.organization
    member = membership_of(principal, organization) if organization is not None else None
    if organization is None or member is None:
        return {}
    if organization.second_factor_required and not principal.second_factor:
        return {"suspended": True}
    rows = Membership.objects.filter(organization=organization).select_related("user")
    return {
        "is_inside": True,
        "is_owner": member.role == Membership.Role.OWNER,
        "member_count": rows.count(),
        "members": list(rows.order_by("user__username")[:SHOWN_MEMBERS]),
    }
