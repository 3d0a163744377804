"""Another name for a person or an organization, and its former ones."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.authentication import principal_from
from accounts.models import Namespace
from accounts.selectors import find_namespace
from accounts.types import Principal
from core.errors import HubError, NotFound, Unauthenticated
from repos.forms import AccountNameForm
from repos.models import Repository
from repos.services.renaming import give_up_name, rename_account, require_owner


@require_http_methods(["GET", "HEAD", "POST"])
def rename(request: HttpRequest, name: str) -> HttpResponse:
    """What changes with the name, and changing it."""
    principal, namespace = _enter(request, name)
    form = AccountNameForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            wanted = form.cleaned_data["name"].strip()
            renamed = rename_account(namespace, wanted, principal=principal)
        except HubError as error:
            form.add_error("name", error.message)
        else:
            messages.success(request, _("The name is now %(name)s.") % {"name": renamed.name})
            return redirect("account-rename", renamed.name)
    active = Repository.objects.filter(namespace=namespace, state=Repository.State.ACTIVE)
    context = {
        "namespace": namespace,
        "form": form,
        "aliases": namespace.aliases.order_by("-pk"),
        "repository_count": active.count(),
        "robot_count": namespace.robots.count(),
    }
    return render(request, "accounts/rename.html", context, status=422 if form.errors else 200)


@require_POST
def give_up(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """A former name is to lead nowhere."""
    principal, namespace = _enter(request, name)
    old = give_up_name(namespace, pk, principal=principal)
    messages.success(request, _("%(name)s leads here no longer.") % {"name": old})
    return redirect("account-rename", name)


def _enter(request: HttpRequest, name: str) -> tuple[Principal, Namespace]:
    """For owners; names of people and organizations are public."""
    principal, namespace = principal_from(request), find_namespace(name)
    if namespace is None:
        raise NotFound("There is no such person or organization.")
    if principal.is_anonymous:
        raise Unauthenticated("Sign in to do this.")
    require_owner(principal, namespace)
    return principal, namespace
