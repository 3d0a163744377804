"""Access tokens nobody seems to need, or that never end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import principal_from
from accounts.models import AccessToken
from accounts.services.tokens import beginning, revoke_token
from core.errors import NotFound
from core.paging import page_by_id
from hubsite.site.entrance import ROWS, administrators_only, note_view, show

STALE_AFTER = timedelta(days=90)


@administrators_only
@require_safe
def tokens(request: HttpRequest) -> HttpResponse:
    """Stale ones, newest first; `?why=` one reason alone."""
    reasons = _reasons(timezone.now())
    why = request.GET.get("why", "")
    wanted = reasons.get(why) or (reasons["unused"] | reasons["endless"] | reasons["shut"])
    rows = AccessToken.objects.filter(wanted, revoked_at=None).select_related("user")
    page = page_by_id(rows, limit=ROWS, cursor=request.GET.get("cursor") or None)
    note_view(principal_from(request), "tokens")
    context = {
        "rows": [_row(token) for token in page.rows],
        "next_cursor": page.next_cursor,
        "why": why,
        "reasons": [
            ("", _("Any reason")),
            ("unused", _("Not used for 90 days")),
            ("endless", _("Never ends")),
            ("shut", _("Of a deactivated account")),
        ],
    }
    return show(request, "tokens", "tokens", context)


@administrators_only
@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """End one for good."""
    token = AccessToken.objects.select_related("user").filter(pk=pk, revoked_at=None).first()
    if token is None:
        raise NotFound("There is nothing here that you may see.")
    revoke_token(token, actor=principal_from(request).actor)
    messages.success(request, _("The token %(name)s was revoked.") % {"name": token.name})
    return redirect("site-tokens")


def _reasons(now: datetime) -> dict[str, Q]:
    before = now - STALE_AFTER
    never = Q(last_used_at__isnull=True, created_at__lt=before)
    return {
        "unused": Q(last_used_at__lt=before) | never,
        "endless": Q(expires_at__isnull=True),
        "shut": Q(user__is_active=False),
    }


def _row(token: AccessToken) -> dict[str, Any]:
    used = token.last_used_at or token.created_at
    return {
        "token": token,
        "beginning": beginning(token),
        "unused": used < timezone.now() - STALE_AFTER,
        "endless": token.expires_at is None,
        "shut": not token.user.is_active,
    }
