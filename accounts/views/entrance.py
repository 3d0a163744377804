"""Signing up and in: allauth's views with forms and statuses of our own."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from allauth.account import views as allauth_views
from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.forms import LoginForm, SignupForm
from accounts.selectors import has_administrator
from core.address import client_address
from core.errors import RateLimited

NAME_CHECKS = (60, 60)  # how many from one address, in how many seconds


class SignupView(allauth_views.SignupView):  # type: ignore[misc]
    """A new account; tells the first visitor how this hub gets its administrator."""

    def get_form_class(self) -> type[SignupForm]:
        """Ours."""
        return SignupForm

    def closed(self) -> HttpResponse:
        """Who makes accounts instead."""
        context = {"no_administrator": not has_administrator()}
        return render(
            self.request, self.template_name_signup_closed, context, status=HTTPStatus.FORBIDDEN
        )

    def form_invalid(self, form: SignupForm) -> HttpResponse:
        """The form again, as what it is: not accepted."""
        return _not_accepted(self, form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Whether anybody administers this hub."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return {**context, "no_administrator": not has_administrator()}


class LoginView(allauth_views.LoginView):  # type: ignore[misc]
    """Sign in with user name or e-mail."""

    def get_form_class(self) -> type[LoginForm]:
        """Ours."""
        return LoginForm

    def form_invalid(self, form: LoginForm) -> HttpResponse:
        """The form again, as what it is: not accepted."""
        return _not_accepted(self, form)


class EmailView(allauth_views.EmailView):  # type: ignore[misc]
    """One's addresses; an address that another account took meanwhile cannot become the first."""

    def _action_primary(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            with transaction.atomic():
                return super()._action_primary(request, *args, **kwargs)
        except IntegrityError:
            messages.error(request, _("This address cannot be used."))
            return None


def _not_accepted(view: Any, form: Any) -> HttpResponse:
    response: HttpResponse = view.render_to_response(view.get_context_data(form=form))
    response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    return response


@require_safe
def signup_name(request: HttpRequest) -> HttpResponse:
    """Whether the name that is being typed can be had."""
    if not _may_check(request):
        return HttpResponse(status=HTTPStatus.TOO_MANY_REQUESTS)
    name, problem = request.GET.get("username", "").strip(), ""
    if name:
        try:
            get_adapter().clean_username(name)
        except ValidationError as error:
            problem = error.messages[0]
    return render(request, "accounts/_name_state.html", {"name": name, "problem": problem})


def too_often(request: HttpRequest) -> HttpResponse:
    """What allauth shows when one of its limits is reached."""
    error = RateLimited(_("Too many tries; wait a minute and try again."))
    status = HTTPStatus.TOO_MANY_REQUESTS
    response = render(request, "error.html", {"error": error, "status": status}, status=status)
    response["Retry-After"] = "60"
    return response


def _may_check(request: HttpRequest) -> bool:
    limit, window_s = NAME_CHECKS
    key = f"signup-name:{client_address(request.META, settings.HUB.trusted_proxies)}"
    try:
        return cache.add(key, 1, window_s) or cache.incr(key) <= limit
    except ValueError:  # it ran out between the two
        return True
