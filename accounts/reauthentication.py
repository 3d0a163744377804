"""Dangerous steps: only for somebody who proved lately who they are."""

from __future__ import annotations

import time
from typing import Any

from allauth.account import app_settings
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.core.exceptions import ReauthenticationRequired
from django.http import HttpRequest

from accounts.services.sessions import SIGNED_IN_AT


def signed_in_recently(request: HttpRequest) -> bool:
    """Whether the sign-in, or the last confirmation of it, was a few minutes ago.

    Whoever signs in elsewhere, with neither password nor second factor here, has nothing to
    confirm with and is not asked.
    """
    user = request.user
    if not user.is_authenticated or not get_reauthentication_flows(user):
        return True
    records: list[dict[str, Any]] = get_authentication_records(request, user)
    times = [float(record.get("at", 0)) for record in records]
    times = times or [float(request.session.get(SIGNED_IN_AT, 0))]
    return bool(time.time() - max(times) < app_settings.REAUTHENTICATION_TIMEOUT)


def require_recent_sign_in(request: HttpRequest) -> None:
    """Unless the sign-in was a few minutes ago, have it done again and come back to this request.

    The middleware turns what this raises into the page that asks.
    """
    if not signed_in_recently(request):
        raise ReauthenticationRequired
