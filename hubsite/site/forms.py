"""Forms of the administration."""

from __future__ import annotations

import re

from django import forms
from django.utils.translation import gettext_lazy as _

from repos.services.openings import MAX_REASON, MIN_REASON

_SIZE = re.compile(r"(\d{1,15})\s*(k|m|g|t)?i?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_LARGEST = 2**62


def parse_size(text: str) -> int | None:
    """Bytes of `500`, `500 MB`, `20 GiB`; None for anything else. `i` makes it powers of 1024."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    base = 1024 if "i" in text.lower() else 1000
    size = int(match[1]) * base ** _POWERS[(match[2] or "").lower()]
    return size if size <= _LARGEST else None


def written_size(size: int | None) -> str:
    """The shortest text that `parse_size` takes for exactly this; empty for no limit."""
    if size is None:
        return ""
    for base, mark in ((1000, ""), (1024, "i")):
        for unit in ("t", "g", "m", "k"):
            count, rest = divmod(size, base ** _POWERS[unit])
            if count and not rest:
                return f"{count} {'k' if unit == 'k' and not mark else unit.upper()}{mark}B"
    return str(size)


class QuotaForm(forms.Form):
    """How much a namespace may hold."""

    quota = forms.CharField(label=_("Quota"), required=False, max_length=30)

    def clean_quota(self) -> int | None:
        """Bytes, or None for no limit."""
        text = str(self.cleaned_data["quota"])
        if not text:
            return None
        size = parse_size(text)
        if size is None:
            raise forms.ValidationError(_("Write a size such as 20 GB, or nothing for no limit."))
        return size


class OpenForm(forms.Form):
    """Look into a private repository."""

    path = forms.CharField(label=_("Repository"), max_length=255)
    reason = forms.CharField(
        label=_("Reason"),
        min_length=MIN_REASON,
        max_length=MAX_REASON,
        help_text=_("The owners get it by mail, and it stays in the audit log."),
    )


class HandOverForm(forms.Form):
    """Whom a namespace goes to."""

    username = forms.CharField(label=_("User name"), max_length=60)
