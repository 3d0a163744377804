"""How long a browser stays signed in: not without use, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.services.sessions import SEEN_AT, SIGNED_IN_AT, touch_session

EVERY_S = 300  # use is written down at most this often


class SessionLifeMiddleware:
    """Signs out what rested or lived too long; notes now and then that a session is in use."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        session = request.session
        began = session.get(SIGNED_IN_AT)
        if began is not None:
            now, seen = int(time.time()), session.get(SEEN_AT, began)
            if (
                now - seen > settings.HUB.session_idle_s
                or now - began > settings.HUB.session_life_s
            ):
                logout(request)
            elif now - seen >= EVERY_S:
                session[SEEN_AT] = now
                touch_session(session.session_key or "")
        return self.get_response(request)
