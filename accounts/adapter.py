"""allauth's hooks: who may sign up, which names are allowed, the namespace of a new person, and
mails whose links and name come from the settings, never from a request."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.names import MAX_LENGTH, check_name
from accounts.services.signup import give_namespace, is_name_free
from core.errors import HubError

# What `check_name` says, in the reader's language.
_NAME_ERRORS = {
    "NAME_INVALID": _(
        "Use 2 to %(longest)d lower-case letters and digits; single . _ - may stand between them."
    ),
    "NAME_RESERVED": _("This name is reserved; please choose another one."),
}
_NAME_TAKEN = _("This name is already in use.")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """The policy of this hub."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": _("The user name, email or password is not right."),
        "email_password_mismatch": _("The user name, email or password is not right."),
        "email_taken": _("An account with this email exists; sign in or reset its password."),
        "too_many_login_attempts": _("Too many failed sign-ins; wait five minutes and try again."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """`HUB_SIGNUP`."""
        return bool(settings.HUB.signup == "open")

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """One grammar for people, organizations and the first part of every repository."""
        try:
            check_name(username)
        except HubError as error:
            sentence = _NAME_ERRORS.get(error.code, error.message)
            raise ValidationError(sentence, params={"longest": MAX_LENGTH}) from error
        if not shallow and not is_name_free(username):
            raise ValidationError(_NAME_TAKEN)
        return username

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """The account exists only together with its namespace."""
        with transaction.atomic():
            saved: User = super().save_user(request, user, form, commit=commit)
            if commit:
                give_namespace(saved)
        return saved

    def format_email_subject(self, subject: str) -> str:
        """The hub's host in front, so that mails of several hubs can be told apart."""
        return f"[{settings.EXTERNAL_HOST}] {subject}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Every link of the mail leads to `HUB_EXTERNAL_URL`, whatever Host a request named."""
        safe = {
            key: _outer(value) if key.endswith("_url") else value for key, value in context.items()
        }
        safe |= {"external_url": settings.HUB.external_url, "host": settings.EXTERNAL_HOST}
        super().send_mail(template_prefix, email, safe)


def _outer(url: str) -> str:
    parts = urlsplit(url)
    return f"{settings.HUB.external_url}{parts._replace(scheme='', netloc='').geturl()}"
