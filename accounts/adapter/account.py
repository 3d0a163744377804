"""allauth's hooks: who may sign up, which names are allowed, the namespace of a new person, and
mails whose links and name come from the settings, never from a request."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.stages import EmailVerificationStage
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.names import MAX_LENGTH, check_name
from accounts.reauthentication import signed_in_recently
from accounts.services.failures import note_failed_signin
from accounts.services.mail import post, post_text
from accounts.services.names import is_name_free
from accounts.services.signins import note_reset_asked, signs_in_elsewhere
from accounts.services.signup import give_namespace, note_created, starts_verified
from core.address import client_address
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
        user.is_verified = starts_verified()
        with transaction.atomic():
            saved: User = super().save_user(request, user, form, commit=commit)
            if commit:
                give_namespace(saved)
                note_created(saved)
        return saved

    def format_email_subject(self, subject: str) -> str:
        """The hub's host in front, so that mails of several hubs can be told apart."""
        return f"[{settings.EXTERNAL_HOST}] {subject}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Owe the mail, so that asking takes as long whether or not there is an account.

        Every link of it leads to `HUB_EXTERNAL_URL`, whatever Host a request named.
        """
        safe = {
            key: _outer(value) if key.endswith("_url") else value for key, value in context.items()
        }
        safe |= {"external_url": settings.HUB.external_url, "host": settings.EXTERNAL_HOST}
        message = self.render_mail(template_prefix, email, safe)
        post_text(email, message.subject, str(message.body))

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        """Whoever asks need not be this person, so that the audit log names nobody; who signs in
        elsewhere gets no second way in by mail."""
        note_reset_asked(user)
        if signs_in_elsewhere(user):
            post(email, "sign_in_elsewhere", {"name": user.username})
            return
        super().send_password_reset_mail(user, email, context)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Where the caller sits; who comes through a socket of this machine is on this machine."""
        return client_address(request.META, settings.HUB.trusted_proxies) or "127.0.0.1"

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Whose password this is; a deactivated account is answered like a wrong password."""
        user: User | None = super().authenticate(request, **credentials)
        if user is None or user.is_active:
            return user
        self.pre_authenticate(request, **credentials)  # counted, as a wrong one is
        self.authentication_failed(request, **credentials)
        return None

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Into the audit log, with the name that was tried."""
        name = credentials.get("username") or credentials.get("email") or ""
        note_failed_signin(name, self.get_client_ip(request), credential="password")

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Unless the sign-in was a few minutes ago."""
        return not signed_in_recently(self.request)

    def get_login_stages(self) -> list[str]:
        """Those of allauth; of confirming an address ours."""
        theirs = f"{EmailVerificationStage.__module__}.{EmailVerificationStage.__name__}"
        ours = f"{ConfirmAddress.__module__}.{ConfirmAddress.__name__}"
        return [ours if stage == theirs else stage for stage in super().get_login_stages()]

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Name and address together: nobody locks somebody out from elsewhere."""
        name = super()._get_login_attempts_cache_key(request, **credentials)
        return f"{name}:{self.get_client_ip(request)}"


class ConfirmAddress(EmailVerificationStage):  # type: ignore[misc]
    """Only whoever has not confirmed an address yet is asked to: not those whom the operator or a
    directory vouches for, nor accounts from before it was asked for."""

    def handle(self) -> tuple[Any, bool]:
        """The page that says a mail is on its way, or the next step."""
        user = self.login.user
        if user is not None and user.is_verified:
            return None, True
        response, cont = super().handle()
        return response, cont


def _outer(url: str) -> str:
    parts = urlsplit(url)
    return f"{settings.HUB.external_url}{parts._replace(scheme='', netloc='').geturl()}"
