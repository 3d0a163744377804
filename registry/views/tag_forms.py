"""Forms of tags. Services check everything again; forms say it in the reader's language."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from oci.names import MAX_TAG_LENGTH, is_tag
from registry.errors import ManifestUnknown
from registry.selectors import find_digest
from repos.models import Repository

_MONO = {"data-mono": "", "autocapitalize": "off", "autocomplete": "off", "spellcheck": "false"}
_GRAMMAR = _("Up to 128 letters, digits, dots, dashes and underscores; no dot or dash in front.")


class RetagForm(forms.Form):
    """Another name for an image."""

    name = forms.CharField(
        label=_("Tag"),
        max_length=MAX_TAG_LENGTH,
        help_text=_GRAMMAR,
        widget=forms.TextInput(_MONO),
    )
    replace = forms.BooleanField(
        label=_("Move the tag if it names another image"),
        help_text=_("Its history keeps where it was, so that it can go back."),
        required=False,
    )

    def clean_name(self) -> str:
        """Inside the grammar."""
        name: str = self.cleaned_data["name"].strip()
        if not is_tag(name):
            raise ValidationError(_GRAMMAR)
        return name


class CompareForm(forms.Form):
    """Two images of a repository, each by tag or digest."""

    a = forms.CharField(
        label=_("From"), max_length=140, widget=forms.TextInput({**_MONO, "list": "some-tags"})
    )
    b = forms.CharField(
        label=_("To"), max_length=140, widget=forms.TextInput({**_MONO, "list": "some-tags"})
    )

    def __init__(self, *args: Any, repository: Repository, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.repository = repository

    def clean_a(self) -> str:
        """Something that is there."""
        return self._known("a")

    def clean_b(self) -> str:
        """Something that is there."""
        return self._known("b")

    def _known(self, field: str) -> str:
        text: str = self.cleaned_data[field].strip()
        try:
            find_digest(self.repository, text)
        except ManifestUnknown as error:
            raise ValidationError(_("There is no such tag or digest here.")) from error
        return text
