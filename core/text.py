"""Pure formatting: sizes, counts, digests, times, stable colours and layer strip widths.

One helper per kind of value, so that the portal never shows the same thing in two ways.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from django.utils.translation import gettext, ngettext

COLOURS = 6
SHORT_DIGEST = 12
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_MINUTE, _HOUR, _DAY, _MONTH, _YEAR = 60, 3600, 86_400, 2_629_800, 31_557_600


def _round(value: Decimal, places: int) -> Decimal:
    """Round half up to a number of decimal places."""
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def human_bytes(size: int) -> str:
    """Write a size in decimal units, with one decimal below 10: ``4.2 MB``, ``197 MB``."""
    value = Decimal(max(size, 0))
    unit = 0
    while unit < len(_UNITS) - 1 and _round(value, 0) >= 1000:
        value /= 1000
        unit += 1
    if unit and _round(value, 1) < 10:
        return f"{_round(value, 1)} {_UNITS[unit]}"
    return f"{_round(value, 0)} {_UNITS[unit]}"


def compact_count(count: int) -> str:
    """Write a count: ``1,234`` in full, then ``12.3k``, ``123k``, ``1.2M``."""
    if abs(count) < 10_000:
        return f"{count:,}"
    value = Decimal(count)
    for suffix in ("k", "M", "G"):
        value /= 1000
        if abs(_round(value, 0)) < 1000 or suffix == "G":
            break
    places = 1 if abs(_round(value, 1)) < 100 else 0
    return f"{_round(value, places):f}".removesuffix(".0") + suffix


def short_digest(digest: str) -> str:
    """Return the first 12 hex characters of a digest, without the name of the algorithm."""
    return digest.rpartition(":")[2][:SHORT_DIGEST]


def stable_index(text: str, size: int = COLOURS) -> int:
    """Map a text to a number below ``size``, the same in every process and release."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % size


def initials(name: str) -> str:
    """Return one or two letters that stand for a name: ``ci-bot`` gives ``CB``."""
    words = [word for word in _split_words(name) if word]
    if not words:
        return "?"
    if len(words) == 1:
        return words[0][:2].upper()
    return (words[0][0] + words[-1][0]).upper()


def _split_words(name: str) -> list[str]:
    for separator in "-_./+@":
        name = name.replace(separator, " ")
    return name.split()


def utc_stamp(moment: datetime) -> str:
    """Write an absolute time: ``2026-11-25 06:35 UTC``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def relative_time(moment: datetime, now: datetime) -> str:
    """Write a time as seen from ``now``: ``3 hours ago``, ``in 12 days``."""
    seconds = round((now - moment).total_seconds())
    if abs(seconds) < _MINUTE:
        return gettext("just now") if seconds >= 0 else gettext("in a moment")
    return _past(seconds) if seconds > 0 else _future(-seconds)


def _past(seconds: int) -> str:
    if seconds < _HOUR:
        count = seconds // _MINUTE
        text = ngettext("%(count)d minute ago", "%(count)d minutes ago", count)
    elif seconds < _DAY:
        count = seconds // _HOUR
        text = ngettext("%(count)d hour ago", "%(count)d hours ago", count)
    elif seconds < 2 * _MONTH:
        count = seconds // _DAY
        text = ngettext("%(count)d day ago", "%(count)d days ago", count)
    elif seconds < _YEAR:
        count = seconds // _MONTH
        text = ngettext("%(count)d month ago", "%(count)d months ago", count)
    else:
        count = seconds // _YEAR
        text = ngettext("%(count)d year ago", "%(count)d years ago", count)
    return text % {"count": count}


def _future(seconds: int) -> str:
    if seconds < _HOUR:
        count = seconds // _MINUTE
        text = ngettext("in %(count)d minute", "in %(count)d minutes", count)
    elif seconds < _DAY:
        count = seconds // _HOUR
        text = ngettext("in %(count)d hour", "in %(count)d hours", count)
    elif seconds < 2 * _MONTH:
        count = seconds // _DAY
        text = ngettext("in %(count)d day", "in %(count)d days", count)
    elif seconds < _YEAR:
        count = seconds // _MONTH
        text = ngettext("in %(count)d month", "in %(count)d months", count)
    else:
        count = seconds // _YEAR
        text = ngettext("in %(count)d year", "in %(count)d years", count)
    return text % {"count": count}


def strip_widths(
    sizes: Sequence[int], total: int = 1000, gap: int = 3, minimum: int = 2
) -> list[int]:
    """Share ``total`` units among layers by size, less the gaps; none gets less than ``minimum``.

    The widths and gaps together fill ``total`` exactly. There must be room for the minima.
    """
    if not sizes:
        return []
    room = total - gap * (len(sizes) - 1) - minimum * len(sizes)
    if room < 0:
        raise ValueError("too many layers for one strip")
    weights = [max(size, 0) for size in sizes]
    whole = sum(weights)
    if not whole:
        weights, whole = [1] * len(sizes), len(sizes)
    shares = [weight * room // whole for weight in weights]
    rest = room - sum(shares)
    by_fraction = sorted(range(len(sizes)), key=lambda i: -(weights[i] * room % whole))
    for index in by_fraction[:rest]:
        shares[index] += 1
    return [minimum + share for share in shares]
