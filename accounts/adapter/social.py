"""Identities elsewhere: they never take over an account here, and make one only where allowed."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.services.signup import starts_verified


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """The policy of this hub."""

    error_messages = {
        **DefaultSocialAccountAdapter.error_messages,
        "email_taken": _(
            "An account here has this email. Sign in to it, then connect your %s account."
        ),
        "no_password": _("Set a password first, or you could not sign in any more."),
        "no_verified_email": _("Confirm an email address first."),
    }

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Whoever has an account with this address signs in to it and connects there: an identity
        elsewhere proves nothing about an account here."""
        connects = sociallogin.state.get("process") == "connect"
        if sociallogin.is_existing or connects:
            return
        addresses = [a.email.lower() for a in sociallogin.email_addresses if a.verified]
        known = Q(email__in=addresses) | Q(emailaddress__email__in=addresses)
        if addresses and User.objects.filter(known).exists():
            raise ImmediateHttpResponse(
                render(
                    request,
                    "socialaccount/not_connected.html",
                    {"provider_name": sociallogin.provider.name},
                    status=HTTPStatus.CONFLICT,
                )
            )

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """`HUB_EXTERNAL_SIGNUP`."""
        if settings.HUB.external_signup_open:
            return True
        page = render(request, "account/signup_closed.html", status=HTTPStatus.FORBIDDEN)
        raise ImmediateHttpResponse(page)

    def populate_user(
        self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]
    ) -> User:
        """Suggest their name there in our letters; what is free is told when it is chosen."""
        user: User = super().populate_user(request, sociallogin, data)
        user.username = user.username.lower()
        return user

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """The account, its namespace and its identity elsewhere, or nothing of it."""
        with transaction.atomic():
            user: User = super().save_user(request, sociallogin, form)
            confirmed = EmailAddress.objects.filter(user=user, email=user.email, verified=True)
            user.is_verified = starts_verified() or confirmed.exists()
            user.save(update_fields=["is_verified"])
        return user
