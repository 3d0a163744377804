"""Forms of what people are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext_lazy as _

from notices.models import Kind, Mail
from notices.services.preferences import MAILED_ANYWAY, Choice
from notices.services.searches import MAX_CHARS


class PreferencesForm(forms.Form):
    """Two fields for each kind: `web-<kind>` and, unless a mail is sent anyway, `mail-<kind>`."""

    def __init__(self, *args: Any, choices: Mapping[Kind, Choice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for kind, choice in choices.items():
            self.fields[f"web-{kind}"] = forms.BooleanField(
                label=_("In the bell"), required=False, initial=choice.web
            )
            if kind not in MAILED_ANYWAY:
                self.fields[f"mail-{kind}"] = forms.ChoiceField(
                    label=_("By mail"),
                    choices=Mail.choices,
                    initial=choice.mail,
                    widget=forms.Select({"class": "input"}),
                )

    def rows(self) -> list[dict[str, Any]]:
        """Each kind with its fields."""
        return [
            {
                "kind": kind,
                "label": kind.label,
                "web": self[f"web-{kind}"],
                "mail": self._field(f"mail-{kind}"),
            }
            for kind in Kind
        ]

    def chosen(self) -> dict[Kind, Choice]:
        """What was chosen."""
        data = self.cleaned_data
        return {
            kind: Choice(data[f"web-{kind}"], Mail(data.get(f"mail-{kind}", Mail.NEVER)))
            for kind in Kind
        }

    def _field(self, name: str) -> BoundField | None:
        return self[name] if name in self.fields else None


class SearchForm(forms.Form):
    """A search to watch."""

    q = forms.CharField(
        label=_("Words to search for"),
        max_length=MAX_CHARS,
        help_text=_("You are told of repositories that this search finds from now on."),
    )
