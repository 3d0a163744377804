"""The tags and filters of the design system: ``{% load hub %}``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import conditional_escape, escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, ngettext

from core import text
from repos.commands import pull_commands

register = template.Library()

SPRITE = "vendor/lucide/1.62.0/icons.svg"
KINDS = frozenset({"", "ok", "warn", "bad", "info", "accent"})
STRIP_WIDTH, STRIP_HEIGHT, STRIP_GAP, STRIP_MAX = 1000, 28, 3, 180
KIND_ICONS = {
    "ok": "circle-check",
    "warn": "triangle-alert",
    "bad": "circle-alert",
    "info": "info",
}
register.filter("short_digest", text.short_digest)


@register.filter
def literal_pattern(value: str) -> str:
    """Escape a text for the ``pattern`` attribute of an input, which then accepts only it."""
    return re.sub(r"([\\^$.*+?()\[\]{}|/])", r"\\\1", value)


@register.simple_tag
def marked(value: str, words: Iterable[str] | None) -> SafeString:
    """A text, escaped, with ``<mark>`` around each of the words, whatever their case.

    No filter, because lists that nobody searched have no words.
    """
    found = [word for word in words or () if word]
    if not found:
        return conditional_escape(value)
    parts = _any_of(tuple(found)).split(value)
    return mark_safe(  # noqa: S308 - every part is escaped
        "".join(
            f"<mark>{escape(part)}</mark>" if n % 2 else escape(part)
            for n, part in enumerate(parts)
        )
    )


@lru_cache(maxsize=64)
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the words, the longest that fits; as one group, so that splitting keeps it."""
    longest = sorted(words, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest))})", re.IGNORECASE)


@register.filter
def human_bytes(value: int | None) -> str:
    """Write a size: ``197 MB``; a dash when unknown."""
    return "–" if value is None else text.human_bytes(int(value))


@register.filter
def compact_count(value: int | None) -> str:
    """Write a count: ``12.3k``; a dash when unknown."""
    return "–" if value is None else text.compact_count(int(value))


@register.filter
def ago(value: datetime | None) -> str:
    """Return a ``<time>`` element with the relative time and the absolute one as its title."""
    if value is None:
        return gettext("never")
    moment = timezone.make_aware(value) if timezone.is_naive(value) else value
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        text.utc_stamp(moment),
        text.relative_time(moment, timezone.now()),
    )


@register.simple_tag
@lru_cache(maxsize=1024)
def icon(name: str, label: str = "") -> SafeString:
    """Return an icon of the sprite; decorative unless it has a label. A page has hundreds."""
    href = f"{static(SPRITE)}#{name}"
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}"/></svg>', label, href
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"/></svg>', href)


def _get(item: Any, name: str) -> Any:
    """Read a field of a mapping or an attribute of an object; ``None`` when absent."""
    if isinstance(item, Mapping):
        return item.get(name)
    return getattr(item, name, None)


def _strip_parts(layers: Iterable[Any]) -> list[tuple[str, int]]:
    """Return class and size of each layer; the tail of a very long list becomes one part."""
    parts = []
    for layer in layers:
        colour = "b" if _get(layer, "shared") else text.stable_index(str(_get(layer, "digest")))
        parts.append((f"f{colour}", int(_get(layer, "size") or 0)))
    if len(parts) > STRIP_MAX:
        rest = sum(size for _, size in parts[STRIP_MAX - 1 :])
        parts[STRIP_MAX - 1 :] = [("fb", rest)]
    return parts


def _strip_label(count: int, size: int, shared: int, base: str) -> str:
    """Describe a strip in words, for those who do not see it."""
    values = {"count": count, "size": text.human_bytes(size), "shared": shared, "base": base}
    if shared and base:
        message = ngettext(
            "%(count)d layer, %(size)s, %(shared)d shared with %(base)s",
            "%(count)d layers, %(size)s, %(shared)d shared with %(base)s",
            count,
        )
    elif shared:
        message = ngettext(
            "%(count)d layer, %(size)s, %(shared)d shared",
            "%(count)d layers, %(size)s, %(shared)d shared",
            count,
        )
    else:
        message = ngettext("%(count)d layer, %(size)s", "%(count)d layers, %(size)s", count)
    return message % values


@register.simple_tag
def layer_strip(layers: Iterable[Any], size: str = "", base: str = "") -> SafeString:
    """Draw the layers of an image as one bar.

    ``layers`` are objects or dicts with ``digest``, ``size`` and optionally ``shared`` (owned by
    the base image, drawn grey). ``size="lg"`` for the tall strip, ``base`` names the base image.
    """
    items = list(layers)
    parts = _strip_parts(items)
    rects = []
    x = 0
    widths = text.strip_widths([part[1] for part in parts], STRIP_WIDTH, STRIP_GAP)
    for (css, _), width in zip(parts, widths, strict=True):
        rects.append((css, x, width, STRIP_HEIGHT))
        x += width + STRIP_GAP
    label = _strip_label(
        len(items),
        sum(int(_get(item, "size") or 0) for item in items),
        sum(1 for item in items if _get(item, "shared")),
        base,
    )
    return format_html(
        '<svg class="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img"'
        ' aria-label="{}">{}</svg>',
        "strip lg" if size == "lg" else "strip",
        STRIP_WIDTH,
        STRIP_HEIGHT,
        label,
        format_html_join("", '<rect class="{}" x="{}" width="{}" height="{}"/>', rects),
    )


@register.simple_tag
def layer_key(layer: Any) -> SafeString:
    """Draw the colour of one layer as a small square, the same colour as in the strip."""
    ((css, _),) = _strip_parts([layer])
    return format_html(
        '<svg class="key" viewBox="0 0 10 10" aria-hidden="true">'
        '<rect class="{}" width="10" height="10" rx="2"/></svg>',
        css,
    )


@register.simple_tag
def repo_mark(name: str, size: int = 20) -> SafeString:
    """Draw the generated mark of a repository: three stacked rows of containers."""
    rows = []
    for row in range(3):
        seed = text.stable_index(f"{name}#{row}", 6 * 6 * 5)
        first, second, cut = seed % 6, seed // 6 % 6, 4 + 2 * (seed // 36)
        if second == first:
            second = (first + 1) % 6
        y = 2 + row * 5.5
        rows.append((first, 2.0, y, cut - 0.5))
        rows.append((second, 2.5 + cut, y, 15.5 - cut))
    bars = format_html_join(
        "", '<rect class="f{}" x="{}" y="{}" width="{}" height="5" rx="1"/>', rows
    )
    return format_html(
        '<svg class="mark" width="{}" height="{}" viewBox="0 0 20 20" aria-hidden="true">{}</svg>',
        size,
        size,
        bars,
    )


@register.simple_tag
def avatar(name: str, size: int = 24, kind: str = "person") -> SafeString:
    """Draw initials on a container colour: round for people, square for organizations."""
    return format_html(
        '<svg class="avatar" width="{}" height="{}" viewBox="0 0 40 40" aria-hidden="true">'
        '<rect class="f{}" width="40" height="40" rx="{}"/>'
        '<text x="20" y="20" dy=".36em" text-anchor="middle">{}</text></svg>',
        size,
        size,
        text.stable_index(name),
        9 if kind == "organization" else 20,
        text.initials(name),
    )


@register.simple_tag
def digest(value: str, copy: bool = False) -> SafeString:
    """Return a short digest with the full one as its title, with a copy button on request."""
    code = format_html('<code class="digest" title="{}">{}</code>', value, text.short_digest(value))
    if not copy:
        return code
    return format_html('<span class="digest-copy">{}{}</span>', code, copy_button(value))


@register.simple_tag
def copy_button(value: str, label: str = "") -> SafeString:
    """Return a button that copies a text; shown only where scripts run."""
    return format_html(
        '<button class="copy" type="button" data-copy="{}" aria-label="{}">{}{}</button>',
        value,
        label or gettext("Copy"),
        icon("copy"),
        icon("check"),
    )


@register.simple_tag
def chip(label: str, kind: str = "", symbol: str | None = None) -> SafeString:
    """Return a chip: ``kind`` is empty, ok, warn, bad, info or accent; ``symbol`` an icon name."""
    if kind not in KINDS:
        raise template.TemplateSyntaxError(f"unknown kind of chip: {kind!r}")
    name = KIND_ICONS.get(kind, "") if symbol is None else symbol
    return format_html(
        '<span class="chip"{}>{}{}</span>',
        format_html(' data-kind="{}"', kind) if kind else "",
        icon(name) if name else "",
        label,
    )


@register.simple_block_tag
def notice(content: str, kind: str = "info") -> SafeString:
    """Wrap a message in place: ``{% notice "warn" %}…{% endnotice %}``."""
    return format_html(
        '<div class="notice" data-kind="{}"{}>{}<div>{}</div></div>',
        kind,
        mark_safe(' role="alert"') if kind == "bad" else "",
        icon(KIND_ICONS.get(kind, "info")),
        content,
    )


@register.simple_block_tag
def blank(content: str, title: str, symbol: str = "container") -> SafeString:
    """Wrap the words and commands of an empty page: ``{% blank title="…" %}…{% endblank %}``."""
    return format_html(
        '<div class="empty"><span class="empty-mark">{}</span><h2>{}</h2>{}</div>',
        icon(symbol),
        title,
        content,
    )


@register.inclusion_tag("components/cmd.html")
def cmd(command: str, prompt: bool = True, label: str = "") -> dict[str, object]:
    """Show one command with a copy button."""
    return {"command": command, "prompt": prompt, "label": label or gettext("Command")}


@register.inclusion_tag("components/commands.html")
def command_bar(reference: str, label: str = "", digest: str = "") -> dict[str, object]:
    """Show the pull command of a reference with a switch between clients.

    With the ``digest`` that a tag has now, one more switch changes all commands to it.
    """
    name = reference.rpartition("/")[2].partition(":")[0]
    exact = f"{reference.rpartition('/')[0]}/{name}@{digest}" if digest else ""
    pairs = [("tag", reference)] + ([("digest", exact)] if exact else [])
    commands = [
        {"command": command, "by": by}
        for by, wanted in pairs
        for command in pull_commands(wanted, https=settings.HTTPS)
    ]
    key = re.sub(r"[^a-z0-9]+", "-", reference.lower()).strip("-")
    return {
        "commands": commands,
        "clients": [row["command"] for row in commands if row["by"] == "tag"],
        "by_digest": bool(exact),
        "key": key,
        "label": label or gettext("Pull this image"),
    }


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, placeholder: bool = True) -> dict[str, object]:
    """Show a form field with its label, help and errors."""
    if not placeholder:
        bound.field.widget.attrs.pop("placeholder", None)
    return {
        "field": bound,
        "optional": not bound.field.required and "(" not in str(bound.label),
        "checkbox": getattr(bound.field.widget, "input_type", "") == "checkbox"
        and not bound.use_fieldset,
    }
