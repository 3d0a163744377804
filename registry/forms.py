"""Forms about content. Services check everything again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

_MONO = {"data-mono": "", "autocapitalize": "off", "autocomplete": "off", "spellcheck": "false"}


class ConfirmForm(forms.Form):
    """A repository's path, typed to confirm that several tags go."""

    confirm = forms.CharField(label=_("Name"), widget=forms.TextInput({**_MONO}))

    def __init__(self, *args: Any, path: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.path = path

    def clean_confirm(self) -> str:
        """The very name."""
        typed: str = self.cleaned_data["confirm"]
        if typed != self.path:
            raise ValidationError(_("This is not the repository's name. Nothing was deleted."))
        return typed
