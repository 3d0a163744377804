"""The page behind the link of an invitation: what is offered, and the answer."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.authentication import principal_from
from accounts.models import Invitation, User
from core.errors import HubError, NotFound, Unauthenticated
from repos.services.invitations import AnyInvitation, accept_any, get_any, refuse_any

ANSWERS = ("accept", "refuse")


@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Shown to whoever holds the secret; only people with an account answer."""
    try:
        found = get_any(secret)
    except NotFound:
        return _private(render(request, "accounts/invitations/gone.html", status=404))
    principal = principal_from(request)
    me = User.objects.filter(pk=principal.account_id).first()
    if request.method != "POST":
        return _show(request, found, me)
    answer = request.POST.get("answer")
    if me is None:
        raise Unauthenticated("Sign in to answer.")
    if answer not in ANSWERS:
        return _show(request, found, me, refused=_("Accept or refuse."))
    if answer == "refuse":
        refuse_any(secret, actor=principal.actor)
        messages.success(request, _("You refused the invitation."))
        return redirect("home")
    if _differs(found, me) and request.POST.get("confirm") != "on":
        return _show(request, found, me, refused=_("Tick that this account is the right one."))
    try:
        accept_any(secret, me, actor=principal.actor)
    except NotFound:
        return _private(render(request, "accounts/invitations/gone.html", status=404))
    except HubError as error:
        return _show(request, found, me, refused=error.message)
    return _welcome(request, found)


def _welcome(request: HttpRequest, found: AnyInvitation) -> HttpResponse:
    if isinstance(found, Invitation):
        name = found.organization.name
        messages.success(request, _("Welcome to %(name)s.") % {"name": name})
        return redirect("namespace", name)
    path = found.repository.path
    messages.success(request, _("%(path)s is shared with you now.") % {"path": path})
    return redirect("repository", path)


def _differs(found: AnyInvitation, me: User) -> bool:
    return me.email.lower() != found.email


def _show(
    request: HttpRequest, found: AnyInvitation, me: User | None, *, refused: str = ""
) -> HttpResponse:
    here = urlencode({"next": request.path})
    context = {
        "invitation": found,
        "organization": found.organization if isinstance(found, Invitation) else None,
        "repository": None if isinstance(found, Invitation) else found.repository,
        "differs": me is not None and _differs(found, me),
        "unverified": me is not None and not me.is_verified,
        "here": here,
        "refused": refused,
    }
    status = 422 if refused else 200
    return _private(render(request, "accounts/invitations/invitation.html", context, status=status))


def _private(response: HttpResponse) -> HttpResponse:
    """The address is the secret: no other site learns it, no cache keeps the page."""
    # Not no-referrer: then forms come from the origin `null`, and are refused as forged.
    response["Referrer-Policy"] = "strict-origin"
    response["Cache-Control"] = "no-store"
    return response
