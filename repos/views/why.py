"""The page behind a refusal: what was decided, from what, and asking for more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts.authentication import principal_from
from accounts.models import AccessToken
from accounts.selectors import list_tokens
from accounts.services.credentials import principal_of_token
from accounts.types import Principal
from core.errors import Unauthenticated
from repos.access import Access, enter
from repos.forms import AskForm
from repos.models import Repository
from repos.permissions import Action, Decision, decide, held_roles
from repos.permissions.roles import is_suspended
from repos.reach import reach_in, reachable
from repos.services.access_requests import ask as ask_for

ROWS = 100
ACTIONS: dict[Action, Promise] = {
    "pull": gettext_lazy("Pull"),
    "push": gettext_lazy("Push"),
    "delete": gettext_lazy("Delete tags"),
    "comment": gettext_lazy("Star and comment"),
    "administer": gettext_lazy("Settings, people, webhooks"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A code that refusals carry, what it means, and what to do about it."""

    code: str
    means: Promise
    do: Promise


_READ = gettext_lazy("Ask an administrator of the repository; its page has a button for that.")
REASONS = (
    Reason("sign_in", gettext_lazy("Nobody is signed in."), gettext_lazy("Sign in.")),
    Reason("role_missing", gettext_lazy("Your role there does not include this."), _READ),
    Reason(
        "token_scope",
        gettext_lazy("The access token is limited and does not reach this."),
        gettext_lazy("Make a token with the scope you need on the tokens page."),
    ),
    Reason(
        "token_cannot",
        gettext_lazy("Access tokens cannot do this."),
        gettext_lazy("Do it in the browser, or with a token that lasts as long."),
    ),
    Reason(
        "unverified",
        gettext_lazy("The email address of the account is not confirmed."),
        gettext_lazy("Open the link in the mail; the email page sends another."),
    ),
    Reason(
        "second_factor",
        gettext_lazy("A second factor is demanded, or the password alone is not enough."),
        gettext_lazy("Turn a second factor on; for docker and programs, use an access token."),
    ),
    Reason(
        "robot",
        gettext_lazy("Robot accounts pull and push only, in their own namespace."),
        gettext_lazy("Let a person do it."),
    ),
    Reason(
        "not_owner",
        gettext_lazy("Only owners of the organization can do this."),
        gettext_lazy("Ask one of its owners."),
    ),
    Reason(
        "public_not_allowed",
        gettext_lazy("The organization keeps all its repositories private."),
        gettext_lazy("Its owners can change that in the settings."),
    ),
    Reason(
        "comments_closed",
        gettext_lazy("The repository takes no comments at present."),
        gettext_lazy("Its administrators can open them again in the settings."),
    ),
    Reason(
        "moved",
        gettext_lazy("This is the former name of a repository; it serves pulls only."),
        gettext_lazy("Use the present name, which the message gives."),
    ),
    Reason(
        "not_found",
        gettext_lazy("There is nothing of that name, or you may not know of it."),
        gettext_lazy("Check the name, sign in, or ask for access."),
    ),
    Reason("denied", gettext_lazy("This is not allowed here."), _READ),
)


@require_safe
def reasons(request: HttpRequest) -> HttpResponse:
    """Every code of a refusal."""
    return render(request, "repos/reasons.html", {"reasons": REASONS})


@require_safe
def why(request: HttpRequest, path: str) -> HttpResponse:
    """What the reader may do with a repository, and why; `?token=` asks for one of their tokens."""
    access = enter(request, path)
    token, tokens = _token(request, access.principal)
    principal = principal_of_token(token) if token else access.principal
    repository = access.repository
    namespace = repository.namespace
    context = {
        "access": access,
        "repository": repository,
        "tab": "",
        "principal": principal,
        "token": token,
        "tokens": tokens,
        "rows": _rows(principal, repository),
        "held": held_roles(principal, repository),
        "suspended": not principal.is_anonymous and is_suspended(principal, repository),
        "quota_bytes": namespace.quota_bytes if access.can_administer else None,
        "form": AskForm() if _may_ask(access) else None,
    }
    return render(request, "repos/why.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, path: str) -> HttpResponse:
    """Ask for access to whatever is there; neither page nor answer tells anything about it."""
    principal = principal_from(request)
    if principal.is_anonymous:
        raise Unauthenticated("Sign in to ask for access.")
    form = AskForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        return render(request, "repos/ask.html", {"form": form, "about": path}, status=status)
    ask_for(principal, path, **form.cleaned_data)
    told = _("If there is such a repository, its administrators were told that you ask for access.")
    messages.success(request, told)
    return redirect("home")


@require_safe
def account_access(request: HttpRequest) -> HttpResponse:
    """Everything the reader reaches by a role, and through what."""
    principal = principal_from(request)
    if principal.is_anonymous or request.user.pk is None:
        raise Unauthenticated("Sign in to see what you reach.")
    page = Paginator(reachable(request.user), ROWS).get_page(request.GET.get("page"))
    rows = reach_in(request.user, page.object_list)
    context = {"rows": rows, "page": page, "nav": "access"}
    return render(request, "repos/account_access.html", context)


def _rows(principal: Principal, repository: Repository) -> list[dict[str, Any]]:
    decided: list[tuple[Action, Decision]] = [
        (action, decide(principal, action, repository)) for action in ACTIONS
    ]
    return [
        {"label": ACTIONS[action], "allowed": decision.allowed, "decision": decision}
        for action, decision in decided
    ]


def _token(
    request: HttpRequest, principal: Principal
) -> tuple[AccessToken | None, list[AccessToken]]:
    """One of the reader's own tokens, if they ask for it, and all of them."""
    if principal.is_anonymous:
        return None, []
    tokens = [token for token in list_tokens(principal.account_id) if token.is_valid]
    wanted = request.GET.get("token", "")
    return next((t for t in tokens if str(t.pk) == wanted), None), tokens


def _may_ask(access: Access) -> bool:
    principal = access.principal
    return not principal.is_anonymous and principal.is_verified and not access.can_administer
