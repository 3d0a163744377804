"""Webhooks and rules as people fill them in. The services check what only they can know."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core.errors import HubError
from oci.names import parse_tag
from webhooks.filters import Filters
from webhooks.labels import EVENT_LABELS, FORMAT_GROUPS, FORMAT_LABELS
from webhooks.models import Webhook
from webhooks.signing import headers_of
from webhooks.types import EVENTS

MAX_NAME, MAX_FILTER, MAX_SECRET, MAX_TEMPLATE, MAX_PEM = 100, 200, 200, 20_000, 40_000
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PLAIN = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
_MONO = {**_PLAIN, "data-mono": True}
FILTER_FIELDS = ("tag_filter", "platform_filter", "actor_filter", "media_type_filter")
KEPT = ("name", "url", "events", *FILTER_FIELDS, "format", "template", "active")


def _filter(label: Any, help_text: Any, placeholder: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=False,
        max_length=MAX_FILTER,
        widget=forms.TextInput(attrs={**_MONO, "placeholder": placeholder}),
    )


class WebhookForm(forms.Form):
    """Where to, what about, in which shape and signed with what.

    `webhook` is the one that is edited: its headers and its certificate are kept unless taken
    away or replaced, and its secret has a page of its own.
    """

    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=MAX_NAME,
        help_text=_("What people call it, such as Nightly tests."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    url = forms.CharField(
        label=_("Address"),
        max_length=2000,
        help_text=_("Gets a POST for each event."),
        widget=forms.TextInput(
            attrs={
                **_PLAIN,
                "inputmode": "url",
                "placeholder": "https://ci.example.com/hooks/hub",
            }
        ),
    )
    events = forms.MultipleChoiceField(
        label=_("Events"),
        choices=[(name, EVENT_LABELS.get(name, name)) for name in EVENTS],
        initial=["push"],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one event.")},
    )
    tag_filter = _filter(_("Tags"), _("Such as v2.* or /^v[0-9]+$/; empty for all."), "v2.*")
    platform_filter = _filter(_("Platforms"), _("The image has one like this."), "linux/arm64")
    actor_filter = _filter(_("People"), _("Who did it, robots too."), "acme+*")
    media_type_filter = _filter(
        _("Media types"), _("Of the manifest."), "application/vnd.oci.image.*"
    )
    format = forms.ChoiceField(
        label=_("Format"),
        initial=Webhook.Format.DOCKERHUB,
        choices=[
            (title, [(name, FORMAT_LABELS[name]) for name in names])
            for title, names in FORMAT_GROUPS
        ],
    )
    template = forms.CharField(
        label=_("Template (JSON)"),
        required=False,
        max_length=MAX_TEMPLATE,
        strip=False,
        widget=forms.Textarea(attrs={**_MONO, "rows": 10}),
    )
    secret = forms.CharField(
        label=_("Secret"),
        required=False,
        max_length=MAX_SECRET,
        strip=False,
        help_text=_("Signs every delivery. Leave it empty and a good one is made for you."),
        widget=forms.TextInput(attrs=_MONO),
    )
    kept_headers = forms.MultipleChoiceField(
        label=_("Headers that are sent"),
        required=False,
        help_text=_("Take away the tick to remove one. Their values are not shown."),
        widget=forms.CheckboxSelectMultiple,
    )
    headers = forms.CharField(
        label=_("Add headers"),
        required=False,
        strip=False,
        help_text=_("One a line. Values are kept encrypted and never shown again."),
        widget=forms.Textarea(attrs={**_MONO, "rows": 3, "placeholder": "Authorization: Bearer …"}),
    )
    client_certificate = forms.CharField(
        label=_("Client certificate"),
        required=False,
        max_length=MAX_PEM,
        help_text=_("PEM with the chain and the key, for receivers that ask for one."),
        widget=forms.Textarea(
            attrs={**_MONO, "rows": 3, "placeholder": "-----BEGIN CERTIFICATE-----"}
        ),
    )
    drop_certificate = forms.BooleanField(label=_("Remove the certificate"), required=False)
    active = forms.BooleanField(
        label=_("Active"),
        required=False,
        initial=True,
        help_text=_("Switched off, nothing is sent."),
    )

    def __init__(
        self,
        *args: Any,
        webhook: Webhook | None = None,
        preset: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if webhook is not None:
            kwargs["initial"] = {name: getattr(webhook, name) for name in KEPT}
        elif preset:
            kwargs["initial"] = dict(preset)
        super().__init__(*args, **kwargs)
        self._webhook = webhook
        self._present = list(headers_of(webhook)) if webhook else []
        kept: Any = self.fields["kept_headers"]
        kept.choices = [(name, name) for name in self._present]
        kept.initial = self._present
        if webhook is not None:
            del self.fields["secret"]
        if not self._present:
            del self.fields["kept_headers"]
        if webhook is None or not webhook.client_certificate:
            del self.fields["drop_certificate"]
        else:
            self.fields["client_certificate"].label = _("Another client certificate")

    def clean_headers(self) -> dict[str, str]:
        """The new ones by name."""
        found: dict[str, str] = {}
        for number, line in enumerate(self.cleaned_data["headers"].splitlines(), start=1):
            if not line.strip():
                continue
            name, colon, value = line.partition(":")
            if not colon or not _HEADER.fullmatch(name.strip()) or not value.strip():
                raise forms.ValidationError(
                    _t("Line %(number)s is not a header. Write it as Name: value."),
                    params={"number": number},
                )
            found[name.strip()] = value.strip()
        return found

    @property
    def values(self) -> dict[str, Any]:
        """What the services take."""
        data = dict(self.cleaned_data)
        kept = data.pop("kept_headers", [])
        new = data.pop("headers")
        names = {name.lower() for name in new}
        present = {name: None for name in kept if name.lower() not in names}
        data["headers"] = {**present, **new}
        if data.pop("drop_certificate", False):
            data["client_certificate"] = ""
        elif self._webhook is not None and not data["client_certificate"]:
            data["client_certificate"] = None
        return data

    @property
    def filters(self) -> Filters:
        """As far as they make sense by now."""
        found = getattr(self, "cleaned_data", None)
        data = self.initial if found is None else found
        return Filters(
            events=tuple(data.get("events") or ("push",)),
            **{name: data.get(name) or "" for name in FILTER_FIELDS},
        )


class RotateForm(forms.Form):
    """Another secret, and how long the present one still signs."""

    secret = forms.CharField(
        label=_("New secret"),
        required=False,
        max_length=MAX_SECRET,
        strip=False,
        help_text=_("Leave it empty and a good one is made for you."),
        widget=forms.TextInput(attrs=_MONO),
    )
    overlap = forms.TypedChoiceField(
        label=_("Sign with both for"),
        coerce=int,
        initial=24,
        choices=[
            (0, _("not at all: the old one has leaked")),
            (1, _("an hour")),
            (24, _("a day")),
            (168, _("a week")),
        ],
        help_text=_("Time to give the new one to the receiver without losing a delivery."),
    )

    @property
    def lasting(self) -> timedelta:
        """How long both sign."""
        return timedelta(hours=self.cleaned_data["overlap"])


class ReplayForm(forms.Form):
    """A time span whose events are to be sent again."""

    since = forms.DateTimeField(
        label=_("From (UTC)"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    until = forms.DateTimeField(
        label=_("To (UTC)"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        now = timezone.now().replace(second=0, microsecond=0)
        kwargs.setdefault(
            "initial", {"since": now - timedelta(days=1), "until": now + timedelta(minutes=1)}
        )
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        """The end lies behind the beginning."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = data.get("since"), data.get("until")
        if isinstance(since, datetime) and isinstance(until, datetime) and since >= until:
            self.add_error("until", _t("The end must be after the beginning."))
        return data


class PromotionForm(forms.Form):
    """Which results move which tag."""

    requires = forms.MultipleChoiceField(
        label=_("When these report success"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one webhook.")},
    )
    source = forms.CharField(
        label=_("…for a push of a tag like"),
        required=False,
        max_length=MAX_FILTER,
        help_text=_("Such as v2.* or main; empty for every tag."),
        widget=forms.TextInput(attrs={**_MONO, "placeholder": "main"}),
    )
    target = forms.CharField(
        label=_("…move this tag to the same image"),
        max_length=128,
        widget=forms.TextInput(attrs={**_MONO, "placeholder": "stable"}),
    )

    def __init__(self, *args: Any, webhooks: Collection[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        requires: Any = self.fields["requires"]
        requires.choices = [(str(pk), name) for pk, name in webhooks]

    def clean_target(self) -> str:
        """A tag by its grammar."""
        try:
            return str(parse_tag(self.cleaned_data["target"].strip()))
        except HubError as error:
            raise forms.ValidationError(error.message) from error

    @property
    def chosen(self) -> set[int]:
        """Ids of the webhooks that must succeed."""
        return {int(pk) for pk in self.cleaned_data["requires"]}
