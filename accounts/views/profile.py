"""Settings of one's own account."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.forms import ProfileForm
from accounts.selectors import get_user


@require_safe
def settings(request: HttpRequest) -> HttpResponse:
    """The first of the settings pages."""
    return redirect("profile")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    """What others read about a person."""
    me = get_user(request.user.get_username())
    form = ProfileForm(request.POST if request.method == "POST" else None, instance=me)
    if form.is_valid():
        form.save()
        messages.success(request, _("Your profile was saved."))
        return redirect("profile")
    return render(
        request, "accounts/profile.html", {"form": form}, status=422 if form.errors else 200
    )
