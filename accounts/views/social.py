"""Leaving for a provider: by a page, because forms may not lead away from the hub."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.views import ConnectionsView as BaseConnectionsView
from allauth.urls import build_provider_urlpatterns
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _

Answer = Callable[..., HttpResponse]


class ConnectionsView(BaseConnectionsView):  # type: ignore[misc]
    """Identities elsewhere with which one signs in here."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Those that are connected, also where the operator has taken the provider away."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        places = {p.sub_id: p.name for p in get_adapter().list_providers(self.request)}
        rows = SocialAccount.objects.filter(user_id=self.request.user.pk).order_by("pk")
        return {**context, "accounts": [_shown(row, places) for row in rows]}

    def form_invalid(self, form: Any) -> HttpResponse:
        """Why not, as what it is."""
        context = self.get_context_data(form=form)
        answer: HttpResponse = self.render_to_response(context, status=422)
        return answer


def login_patterns() -> list[URLPattern | URLResolver]:
    """The addresses of all providers that are set up, below `accounts/`."""
    found = build_provider_urlpatterns()
    for pattern in _flat(found):
        if str(pattern.name).endswith("_login"):
            pattern.callback = _by_page(pattern.callback)
    return [path("accounts/", (found, None, None))]


def _shown(row: SocialAccount, places: dict[str, str]) -> dict[str, Any]:
    known = row.provider in places
    directory = _("Directory") if row.provider == "ldap" else row.provider
    return {
        "id": row.pk,
        "place": places.get(row.provider, directory),
        "name": row.get_provider_account().to_str() if known else row.uid,
        "removable": known,
    }


def _flat(patterns: list[Any]) -> list[URLPattern]:
    plain = [p for p in patterns if isinstance(p, URLPattern)]
    nested = [p.url_patterns for p in patterns if isinstance(p, URLResolver)]
    return plain + [found for inner in nested for found in _flat(inner)]


def _by_page(view: Answer) -> Answer:
    """The content security policy lets a form lead nowhere else, redirects included, and it does
    not know the provider's address before it was asked for it. A page that goes on may."""

    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer = view(request, *args, **kwargs)
        if request.method == "POST" and isinstance(answer, HttpResponseRedirect):
            return render(request, "socialaccount/leaving.html", {"address": answer.url})
        return answer

    return shown
