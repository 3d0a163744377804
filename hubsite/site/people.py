"""Accounts: finding, deactivating, starting a password reset, making administrators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.forms import ResetPasswordForm
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import principal_from
from accounts.models import AccessToken, Membership, Namespace, User
from accounts.reauthentication import require_recent_sign_in
from accounts.services.people import (
    MAX_REASON,
    MIN_REASON,
    deactivate,
    is_last_administrator,
    note_reset,
    reactivate,
    remove_second_factor,
    set_superuser,
)
from accounts.services.signins import signs_in_elsewhere
from core.errors import HubError, Invalid, NotFound
from core.paging import page_by_name
from events.types import Actor
from hubsite.site.entrance import ROWS, administrators_only, note_view, show
from hubsite.site.forms import written_size

_STATES = {
    "active": Q(is_active=True),
    "deactivated": Q(is_active=False),
    "administrators": Q(is_superuser=True),
    "unverified": Q(is_verified=False),
    "one-factor": Q(second_factor=False, is_active=True),
}


@administrators_only
@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """Everybody with an account, by name."""
    query = request.GET.get("q", "").replace("\0", "").strip()[:100]
    state = request.GET.get("state", "")
    rows = User.objects.filter(robot_namespace=None)
    if query:
        rows = rows.filter(Q(username__icontains=query) | Q(email__icontains=query))
    if state in _STATES:
        rows = rows.filter(_STATES[state])
    page = page_by_name(
        rows, field="username", limit=ROWS, cursor=request.GET.get("cursor") or None
    )
    note_view(principal_from(request), "people")
    context = {
        "rows": page.rows,
        "next_cursor": page.next_cursor,
        "query": query,
        "state": state,
        "states": [
            ("", _("Everybody")),
            ("active", _("Active")),
            ("deactivated", _("Deactivated")),
            ("administrators", _("Administrators")),
            ("unverified", _("Address not confirmed")),
            ("one-factor", _("Without second factor")),
        ],
    }
    return show(request, "people", "people", context)


@administrators_only
@require_safe
def person(request: HttpRequest, name: str) -> HttpResponse:
    """One account and what can be done with it."""
    user = _get(name)
    note_view(principal_from(request), f"people/{user.username}")
    return show(request, "person", "people", _about(user, principal_from(request).user_id))


@administrators_only
@require_POST
def act(request: HttpRequest, name: str, verb: str) -> HttpResponse:
    """One of the acts; each is recorded by its service."""
    user = _get(name)
    do = _ACTS.get(verb)
    if do is None:
        raise NotFound("There is nothing here that you may see.")
    if verb in _GRAVE:
        require_recent_sign_in(request)
    try:
        done = do(request, user, principal_from(request).actor)
    except HubError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, done)
    return redirect("site-person", user.username)


def _deactivate(request: HttpRequest, user: User, actor: Actor) -> str:
    if user.pk == actor.id:
        raise Invalid(_("Somebody else has to deactivate you."))
    deactivate(user, actor=actor)
    return _("%(name)s was deactivated; all sessions were ended.") % {"name": user.username}


def _reactivate(request: HttpRequest, user: User, actor: Actor) -> str:
    reactivate(user, actor=actor)
    return _("%(name)s is active again.") % {"name": user.username}


def _promote(request: HttpRequest, user: User, actor: Actor) -> str:
    set_superuser(user, superuser=True, actor=actor)
    return _("%(name)s administers the hub now.") % {"name": user.username}


def _demote(request: HttpRequest, user: User, actor: Actor) -> str:
    set_superuser(user, superuser=False, actor=actor)
    return _("%(name)s no longer administers the hub.") % {"name": user.username}


def _reset(request: HttpRequest, user: User, actor: Actor) -> str:
    """The same mail as the reset page sends; nobody but the person sees the link in it."""
    if not user.email or not user.is_active:
        raise Invalid(_("This needs an active account with a mail address."))
    if signs_in_elsewhere(user):
        raise Invalid(_("This account has no password here; its person signs in elsewhere."))
    form = ResetPasswordForm({"email": user.email})
    if not form.is_valid():
        raise Invalid(_("This address cannot be written to."))
    form.save(request)
    note_reset(user, actor=actor)
    return _("A mail with a link to set a new password goes to %(email)s.") % {"email": user.email}


def _remove_factor(request: HttpRequest, user: User, actor: Actor) -> str:
    remove_second_factor(user, reason=request.POST.get("reason", ""), actor=actor)
    return _("%(name)s has no second factor any more; all sessions were ended.") % {
        "name": user.username
    }


_GRAVE = ("deactivate", "reactivate", "promote", "demote", "second-factor")
_ACTS: dict[str, Callable[[HttpRequest, User, Actor], str]] = {
    "deactivate": _deactivate,
    "reactivate": _reactivate,
    "promote": _promote,
    "demote": _demote,
    "reset": _reset,
    "second-factor": _remove_factor,
}


def _get(name: str) -> User:
    user = User.objects.filter(username=name, robot_namespace=None).first()
    if user is None:
        raise NotFound("There is nothing here that you may see.")
    return user


def _about(user: User, me: int | None) -> dict[str, Any]:
    memberships = Membership.objects.filter(user=user).select_related("organization")
    namespace = Namespace.objects.filter(user=user).exclude(name__startswith="~").first()
    return {
        "person": user,
        "is_me": user.pk == me,
        "is_last": is_last_administrator(user),
        "namespace": namespace,
        "quota": written_size(namespace.quota_bytes) if namespace else "",
        "memberships": memberships.order_by("organization__name")[:ROWS],
        "has_factor": Authenticator.objects.filter(user=user).exists(),
        "reason_lengths": (MIN_REASON, MAX_REASON),
        "token_count": AccessToken.objects.filter(user=user, revoked_at=None).count(),
    }
