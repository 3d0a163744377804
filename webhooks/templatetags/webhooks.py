"""Parts of the pages of webhooks: `{% load webhooks %}`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import template
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from webhooks.labels import EVENT_LABELS, FORMAT_LABELS
from webhooks.models import Promotion, Webhook
from webhooks.presets import Preset
from webhooks.standing import SHOWN, host_shown

register = template.Library()
_BAR, _GAP, _HEIGHT = 6, 2, 20
# Height by outcome, so that the colour is not all that tells them apart.
_TALL = {"ok": 12, "bad": 20, "none": 6}
_SYMBOLS = {
    **dict.fromkeys(("slack", "teams", "mattermost"), "message-square"),
    **dict.fromkeys(("argocd", "flux", "tekton"), "refresh-cw"),
    "generic": "webhook",
}


@register.simple_tag(takes_context=True)
def at(context: template.Context, name: str, *rest: Any) -> str:
    """The address of a page below this one's owner: `{% at "webhook-edit" webhook.pk %}`."""
    return str(context["place"].url(name, *rest))


@register.simple_tag
def outcome_bars(outcomes: Sequence[str]) -> SafeString:
    """The last deliveries, one bar each, with the sum in words for who cannot see them."""
    bars = format_html_join(
        "",
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>',
        (
            (kind, n * (_BAR + _GAP), _HEIGHT - _TALL[kind], _BAR, _TALL[kind])
            for n, kind in enumerate(outcomes)
        ),
    )
    label = gettext("%(ok)s of the last %(all)s delivered, %(bad)s failed") % {
        "ok": outcomes.count("ok"),
        "all": len(outcomes),
        "bad": outcomes.count("bad"),
    }
    return format_html(
        '<svg class="bars" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img"'
        ' aria-label="{}">{}</svg>',
        SHOWN * (_BAR + _GAP),
        _HEIGHT,
        label,
        bars,
    )


@register.filter
def hook_name(webhook: Webhook) -> str:
    """What people call it: its name, else where it leads."""
    return webhook.name or host_shown(webhook.url)


@register.filter
def preset_symbol(preset: Preset) -> str:
    """The icon of a receiver's kind."""
    return _SYMBOLS.get(preset.name, "play")


@register.filter
def required_names(rule: Promotion, webhooks: Sequence[Webhook]) -> str:
    """Names of the webhooks a rule goes by; costs no query on prefetched rules."""
    wanted = {hook.pk for hook in rule.requires.all()}
    return " + ".join(hook_name(hook) for hook in webhooks if hook.pk in wanted)


@register.filter
def event_label(name: str) -> str | Promise:
    """What an event is called on pages; one that has no name here, as it is."""
    return EVENT_LABELS.get(name, name)


@register.filter
def format_label(name: str) -> str | Promise:
    """What a format is called on pages."""
    return FORMAT_LABELS.get(name, name)
