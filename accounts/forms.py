"""What people fill in about themselves: sign-up, sign-in, profile, access tokens."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from allauth.account.forms import AddEmailForm as BaseAddEmailForm
from allauth.account.forms import LoginForm as BaseLoginForm
from allauth.account.forms import SignupForm as BaseSignupForm
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from allauth.socialaccount.forms import SignupForm as BaseSocialSignupForm
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django import forms
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy, pgettext_lazy

from accounts.models import User
from accounts.names import MAX_LENGTH
from accounts.services.tokens import MAX_SCOPES, parse_token_scopes
from accounts.types import TokenScope
from core.errors import Invalid

NAME_STATE = "name-state"


def _ask_for_name(form: forms.Form) -> None:
    """Say where the new name will stand, and check it while it is typed."""
    name = form.fields["username"]
    name.label = _("User name")
    name.help_text = format_html(
        '<div id="{}" role="status">{}</div>',
        NAME_STATE,
        render_to_string("accounts/_name_state.html", {"registry_host": settings.EXTERNAL_HOST}),
    )
    name.widget.attrs |= {
        "autocapitalize": "none",
        "spellcheck": "false",
        "maxlength": str(MAX_LENGTH),
        "hx-get": reverse("signup-name"),
        "hx-trigger": "input changed delay:300ms",
        "hx-target": f"#{NAME_STATE}",
        "hx-sync": "this:replace",
        "hx-status:4xx": "swap:none",
        "hx-status:5xx": "swap:none",
    }
    form.fields["email"].label = _("Email")
    form.fields["email"].help_text = _("For resetting your password. Other people never see it.")


class SignupForm(BaseSignupForm):  # type: ignore[misc]
    """A new account with a password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _ask_for_name(self)


class SocialSignupForm(BaseSocialSignupForm):  # type: ignore[misc]
    """A new account for somebody who signs in elsewhere."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _ask_for_name(self)


class LoginForm(BaseLoginForm):  # type: ignore[misc]
    """User name or email, and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("User name or email")
        self.fields["login"].widget.attrs |= {
            "autocomplete": "username",
            "autocapitalize": "none",
            "spellcheck": "false",
        }
        self.fields["password"].help_text = format_html(
            '<a href="{}">{}</a>', reverse_lazy("account_reset_password"), _("Forgot the password?")
        )


# What the libraries raise for an answer that no key gave, besides saying that it is wrong.
_NO_ANSWER = (
    *(AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError),
    *(struct.error, InvalidSignature, UnsupportedAlgorithm),
)


class AddKeyForm(AddWebAuthnForm):  # type: ignore[misc]
    """A passkey or a security key, in our words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = forms.CharField(label=_("Name"), required=False, max_length=60)
        self.fields["passwordless"].label = _("Make it a passkey")
        self.fields["passwordless"].help_text = _(
            "It signs you in without your password, and asks for your finger, face or PIN instead."
        )

    def clean(self) -> dict[str, Any]:
        """What a key answered; anything else is an error like a wrong answer."""
        try:
            values: dict[str, Any] = super().clean()
        except _NO_ANSWER as error:
            raise get_mfa_adapter().validation_error("incorrect_code") from error
        return values


class _KeyAnswer:
    """The same for signing in and confirming."""

    def clean_credential(self) -> Any:
        """The key."""
        try:
            return super().clean_credential()  # type: ignore[misc]
        except _NO_ANSWER as error:
            raise get_mfa_adapter().validation_error("incorrect_code") from error


class PasskeyLoginForm(_KeyAnswer, LoginWebAuthnForm):  # type: ignore[misc]
    """Signing in with a passkey alone."""


class KeyForm(_KeyAnswer, AuthenticateWebAuthnForm):  # type: ignore[misc]
    """A key after the password."""


class ConfirmWithKeyForm(_KeyAnswer, ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """A key before a dangerous step."""


class AddEmailForm(BaseAddEmailForm):  # type: ignore[misc]
    """One more address; each address belongs to one person."""

    def clean_email(self) -> str:
        """The address, unless somebody else has it."""
        email: str = super().clean_email()
        if User.objects.filter(email=email).exclude(pk=self.user.pk).exists():
            raise forms.ValidationError(_("This address cannot be used."))
        return email


class CloseAccountForm(forms.Form):
    """The name, typed, so that nobody closes an account by a slip."""

    confirm = forms.CharField(
        max_length=MAX_LENGTH,
        label=_("User name"),
        widget=forms.TextInput(
            attrs={
                "data-mono": True,
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
            }
        ),
    )

    def __init__(self, *args: Any, username: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._username = username

    def clean_confirm(self) -> str:
        """Exactly the name."""
        if self.cleaned_data["confirm"] != self._username:
            raise forms.ValidationError(_("This is not the name of your account."))
        return self._username


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """What others read on a person's page."""

    class Meta:
        model = User
        fields = ["bio"]
        labels = {"bio": _("About you")}
        help_texts = {"bio": _("One or two sentences, shown on your page.")}
        widgets = {"bio": forms.Textarea(attrs={"rows": 3})}


def set_lives(field: Any) -> None:
    """Offer no life of a token that is longer than this hub allows."""
    most = settings.HUB.token_max_days
    if not most:
        return
    offered = [(days, label) for days, label in field.choices if days.isdigit()]
    offered = [(days, label) for days, label in offered if int(days) < most]
    last = ngettext_lazy("in %(days)d day", "in %(days)d days", most) % {"days": most}
    field.choices = [*offered, (str(most), last)]
    field.initial = next((days for days, _label in reversed(offered) if int(days) <= 90), str(most))
    field.help_text = _("This hub allows no longer life.")


def ends_at(days: str) -> datetime | None:
    """When the life that was chosen ends; None for never."""
    return None if days == "never" else timezone.now() + timedelta(days=int(days))


class TokenForm(forms.Form):
    """A new access token, without the repositories it is limited to."""

    ALL, CHOSEN = "all", "chosen"

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("Where you will use it, such as laptop or ci."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    expires = forms.ChoiceField(
        label=_("Expires"),
        choices=[
            ("30", _("in 30 days")),
            ("90", _("in 90 days")),
            ("365", _("in 365 days")),
            ("never", pgettext_lazy("expiry", "never")),
        ],
        initial="90",
        help_text=_("A token that never expires can be misused for ever if it leaks."),
    )
    access = forms.ChoiceField(
        label=_("Access"),
        choices=[
            (ALL, _("Everything I may do")),
            (CHOSEN, _("Chosen repositories")),
        ],
        initial=ALL,
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, robot: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_lives(self.fields["expires"])
        if robot:
            self.fields["access"].choices = [  # type: ignore[attr-defined]
                (self.ALL, _("Everything the robot may do")),
                (self.CHOSEN, _("Chosen repositories")),
            ]

    def expires_at(self) -> datetime | None:
        """The moment of expiry; None for never."""
        return ends_at(self.cleaned_data["expires"])

    def scopes(self, rows: Iterable[ScopeForm]) -> list[str] | None:
        """The scopes that were chosen, empty for all; None when rows and choice contradict."""
        named = [row.scope() for row in rows if row.cleaned_data.get("pattern")]
        if self.cleaned_data["access"] == self.CHOSEN and not named:
            self.add_error("access", _("Name at least one repository below."))
            return None
        if self.cleaned_data["access"] == self.ALL and named:
            self.add_error(
                "access",
                _("You named repositories: select “Chosen repositories”, or empty the rows."),
            )
            return None
        return named


class ScopeForm(forms.Form):
    """One repository or pattern, and what a token may do there."""

    pattern = forms.CharField(
        label=_("Repository"),
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={
                "data-mono": True,
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
                "placeholder": "alice/app",
            }
        ),
    )
    actions = forms.MultipleChoiceField(
        label=_("May"),
        required=False,
        choices=[("pull", _("pull")), ("push", _("push")), ("delete", _("delete"))],
        initial=["pull"],
        widget=forms.CheckboxSelectMultiple,
    )

    def clean_pattern(self) -> str:
        """Something a repository's path could match."""
        pattern: str = self.cleaned_data["pattern"]
        if not pattern:
            return pattern
        try:
            parse_token_scopes([f"repository:{pattern}:pull"])
        except Invalid:
            pattern = ""
        if "/" not in pattern and "*" not in pattern:
            raise forms.ValidationError(
                _("Write a repository such as alice/app, or alice/* for all of a namespace.")
            )
        return pattern

    def clean(self) -> dict[str, Any]:
        """A repository without any action would be a token for nothing."""
        values = super().clean() or {}
        if values.get("pattern") and not values.get("actions"):
            self.add_error("actions", _("Tick at least one action."))
        return values

    def scope(self) -> str:
        """As the token service writes it."""
        return str(
            TokenScope(self.cleaned_data["pattern"], frozenset(self.cleaned_data["actions"]))
        )


ScopeRows = forms.formset_factory(
    ScopeForm, extra=0, max_num=MAX_SCOPES, absolute_max=MAX_SCOPES, validate_max=True
)
