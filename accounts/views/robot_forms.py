"""What owners fill in about robot accounts, and everybody about rotating a token."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.forms import TokenForm, ends_at, set_lives
from accounts.names import MAX_LENGTH
from accounts.services.robots import MAX_DESCRIPTION


class RobotForm(forms.Form):
    """What a robot is for and may do on all of its namespace."""

    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=MAX_DESCRIPTION,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(
        label=_("Role on all repositories"),
        required=False,
        choices=[
            ("", _("None: only where it is added on the repository’s people page")),
            ("read", _("read: pulls everything")),
            ("write", _("write: pulls, pushes and deletes everything")),
        ],
        help_text=_("Of this namespace, those to come included. A robot reaches nothing else."),
    )
    may_create = forms.BooleanField(
        label=_("A push may make repositories"),
        required=False,
        help_text=_("Otherwise the robot pushes only to repositories that are there."),
    )


class NewRobotForm(RobotForm):
    """The same with a name, and the life of its first token."""

    name = forms.CharField(
        label=_("Name"),
        max_length=MAX_LENGTH,
        help_text=_("What it is, such as ci or cluster. It cannot be changed later."),
        widget=forms.TextInput(
            attrs={
                "data-mono": True,
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
            }
        ),
    )
    expires = forms.ChoiceField(
        label=_("Its first token expires"),
        choices=TokenForm.base_fields["expires"].choices,  # type: ignore[attr-defined]
        initial="90",
        help_text=TokenForm.base_fields["expires"].help_text,
    )
    field_order = ("name", "description", "role", "may_create", "expires")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_lives(self.fields["expires"])

    def expires_at(self) -> datetime | None:
        """When the first token expires; None for never."""
        return ends_at(self.cleaned_data["expires"])


class RotateForm(forms.Form):
    """A new secret for a token."""

    keep_old = forms.BooleanField(
        label=_("The old secret stays good for 24 hours"),
        required=False,
        help_text=_(
            "Time to bring the new one to every place that uses it. Leave it off if the old one "
            "may have leaked."
        ),
    )
