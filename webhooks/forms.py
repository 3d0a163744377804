"""A webhook as people fill it in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from webhooks.models import Webhook
from webhooks.services import MAX_GLOB_CHARS, MAX_SECRET_CHARS
from webhooks.types import EVENTS

EVENT_LABELS = {
    "push": _("Push: a tag was set or moved"),
    "tag.deleted": _("Tag deleted"),
    "manifest.deleted": _("Manifest deleted"),
    "repository.created": _("Repository made"),
    "repository.deleted": _("Repository deleted"),
    "repository.restored": _("Repository restored"),
    "repository.visibility": _("Made public or private"),
    "star": _("Star given"),
    "comment": _("Comment written"),
    "collaborator": _("Collaborator added"),
}


class WebhookForm(forms.Form):
    """Where to, what about, signed with what. The services check the address."""

    url = forms.CharField(
        label=_("Address"),
        max_length=2000,
        help_text=_("Gets a POST for each event, such as https://ci.example.com/hooks/hub."),
        widget=forms.TextInput(
            attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    events = forms.MultipleChoiceField(
        label=_("Events"),
        choices=[(name, EVENT_LABELS.get(name, name)) for name in EVENTS],
        initial=["push"],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one event.")},
    )
    tag_filter = forms.CharField(
        label=_("Tag filter"),
        required=False,
        max_length=MAX_GLOB_CHARS,
        help_text=_("Only tags like this one, such as v2.* or release-*; empty for all."),
        widget=forms.TextInput(
            attrs={"data-mono": True, "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    secret = forms.CharField(
        label=_("Secret"),
        required=False,
        max_length=MAX_SECRET_CHARS,
        strip=False,
        help_text=_("Signs every delivery. Leave it empty and a good one is made for you."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    active = forms.BooleanField(
        label=_("Active"),
        required=False,
        initial=True,
        help_text=_("Switched off, nothing is sent."),
    )

    def __init__(self, *args: Any, webhook: Webhook | None = None, **kwargs: Any) -> None:
        if webhook is not None:
            kwargs["initial"] = {
                name: getattr(webhook, name) for name in ("url", "events", "tag_filter", "active")
            }
        super().__init__(*args, **kwargs)
        if webhook is not None:
            self.fields["secret"].label = _("New secret")
            self.fields["secret"].help_text = _(
                "Leave it empty to keep the present one, which is never shown again."
            )
