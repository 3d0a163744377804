"""How one's own account is protected: second factors, keys, sessions; and closing it."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.authentication import principal_from
from accounts.forms import CloseAccountForm
from accounts.models import User
from accounts.reauthentication import require_recent_sign_in
from accounts.selectors import get_user, organizations_that_ask
from accounts.services.closing import close_account, holds
from accounts.services.sessions import end_other_sessions, end_session, list_sessions
from core.errors import NotFound


@login_required
@require_safe
def security(request: HttpRequest) -> HttpResponse:
    """Which second factors there are, and where one is signed in."""
    me = _me(request)
    found = list(Authenticator.objects.filter(user=me).order_by("created_at"))
    one = {row.type: row for row in found if row.type != Authenticator.Type.WEBAUTHN}
    codes = one.get(Authenticator.Type.RECOVERY_CODES)
    context = {
        "totp": one.get(Authenticator.Type.TOTP),
        "keys": [_key(row) for row in found if row.type == Authenticator.Type.WEBAUTHN],
        "codes": codes,
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
        "has_factor": me.second_factor,
        "has_password": me.has_usable_password(),
        "asking": organizations_that_ask(me.pk),
        "sessions": list_sessions(me.pk, request.session.session_key),
    }
    return render(request, "accounts/security.html", context)


@login_required
@require_safe
def sessions(request: HttpRequest) -> HttpResponse:
    """Every browser in which this account is signed in."""
    found = list_sessions(_me(request).pk, request.session.session_key)
    return render(request, "accounts/sessions.html", {"sessions": found})


@login_required
@require_POST
def session_end(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign one browser out."""
    me = _me(request)
    current = list_sessions(me.pk, request.session.session_key)
    if any(browser.id == pk and browser.is_current for browser in current):
        return redirect("account_logout")
    if not end_session(me, pk, actor=principal_from(request).actor):
        raise NotFound("There is no such session.")
    messages.success(request, _("The session was ended."))
    return redirect("sessions")


@login_required
@require_POST
def sessions_end(request: HttpRequest) -> HttpResponse:
    """Sign out everywhere but here."""
    actor = principal_from(request).actor
    ended = end_other_sessions(_me(request), request.session.session_key, actor=actor)
    said = ngettext("%(count)d session was ended.", "%(count)d sessions were ended.", ended)
    messages.success(request, said % {"count": ended})
    return redirect("sessions")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def close(request: HttpRequest) -> HttpResponse:
    """Ask once more, then close one's own account."""
    me = _me(request)
    posted = request.method == "POST"
    if posted:
        require_recent_sign_in(request)
    form = CloseAccountForm(request.POST if posted else None, username=me.username)
    held = holds(me)
    if posted and (held.anything or form.is_valid()):
        close_account(me)  # raises, and so answers, what is in the way
        logout(request)
        messages.success(request, _("Your account was closed."))
        return redirect("home")
    context: dict[str, Any] = {"form": form, "held": held}
    return render(request, "accounts/close.html", context, status=422 if form.errors else 200)


def _key(row: Authenticator) -> dict[str, Any]:
    wrapped = row.wrap()
    return {"row": row, "name": wrapped.name, "is_passkey": wrapped.is_passwordless}


def _me(request: HttpRequest) -> User:
    return get_user(request.user.get_username())
