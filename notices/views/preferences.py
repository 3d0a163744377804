"""How the reader wants to be told, the key of their feeds, and the link that stops mails."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts.authentication import principal_from
from accounts.reauthentication import require_recent_sign_in
from accounts.selectors import get_user
from notices.forms import PreferencesForm
from notices.selectors import feed_key_of
from notices.services.feed_keys import make_key, revoke_key
from notices.services.preferences import choices_of, holder_of, set_choices, stop_mails


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    """For each kind: in the bell or not, by mail or not."""
    user_id = principal_from(request).account_id
    form = PreferencesForm(
        request.POST if request.method == "POST" else None, choices=choices_of(user_id)
    )
    if form.is_valid():
        set_choices(user_id, form.chosen())
        messages.success(request, _("Saved."))
        return redirect("notice-preferences")
    context = {
        "form": form,
        "rows": form.rows(),
        "key": feed_key_of(user_id),
        "digest_hour": f"{settings.HUB.digest_hour:02}:00",
        "days": settings.HUB.notice_days,
    }
    status = 422 if form.errors else 200
    return render(request, "notices/preferences.html", context, status=status)


@login_required
@require_POST
def new_key(request: HttpRequest) -> HttpResponse:
    """A new secret for one's feeds, shown this once; the one before is dead."""
    require_recent_sign_in(request)
    user = get_user(request.user.get_username())
    secret = make_key(user, actor=principal_from(request).actor)
    outer = settings.HUB.external_url
    context = {
        "notices_url": f"{outer}/notifications/feed.atom?key={secret}",
        "namespace_url": f"{outer}/{user.username}/-/feed.atom?key={secret}",
        "secret": secret,
    }
    response = render(request, "notices/feed_key.html", context)
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
def end_key(request: HttpRequest) -> HttpResponse:
    """No feed can be read with the secret any more."""
    user = get_user(request.user.get_username())
    revoke_key(user, actor=principal_from(request).actor)
    messages.success(request, _("The secret of your feeds no longer works."))
    return redirect("notice-preferences")


@csrf_exempt  # the ticket is proof enough, and mail programs post without a page of ours
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, ticket: str) -> HttpResponse:
    """The link in a mail: a page with one button, for programs look at links too; no sign-in."""
    user_id = holder_of(ticket)
    if request.method == "POST":
        stop_mails(user_id)
    done = request.method == "POST"
    return render(request, "notices/stop.html", {"done": done, "ticket": ticket})
