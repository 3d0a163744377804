"""Charts as pictures made on the server: `{% load charts %}`."""

from __future__ import annotations

from collections.abc import Sequence

from django import template
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from repos.charts import Day, bars

register = template.Library()
STEP, HEIGHT = 10, 60


@register.simple_tag
def pull_chart(days: Sequence[Day]) -> SafeString:
    """Draw one bar for each day; the numbers are also in its name and, by day, as tips."""
    shapes = bars([day.pulls for day in days], height=HEIGHT, step=STEP)
    rects = format_html_join(
        "",
        '<rect class="f0" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
        (
            (bar.x, bar.y, bar.width, bar.height, pulls_on(day))
            for day, bar in zip(days, shapes, strict=True)
            if bar is not None
        ),
    )
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img"'
        ' aria-label="{}">{}</svg>',
        STEP * len(days),
        HEIGHT,
        in_words(days),
        rects,
    )


@register.filter
def total(days: Sequence[Day]) -> int:
    """Pulls on all of the days."""
    return sum(day.pulls for day in days)


def pulls_on(day: Day) -> str:
    """One day in words."""
    text = ngettext("%(date)s: %(count)d pull", "%(date)s: %(count)d pulls", day.pulls)
    return text % {"date": date_format(day.day), "count": day.pulls}


def in_words(days: Sequence[Day]) -> str:
    """What a chart says, for those who do not see it."""
    best = max(days, key=lambda day: day.pulls, default=None)
    if best is None or not best.pulls:
        return _("No pulls in %(days)d days") % {"days": len(days)}
    return _("%(count)d pulls in %(days)d days; most on %(date)s: %(most)d") % {
        "count": total(days),
        "days": len(days),
        "date": date_format(best.day),
        "most": best.pulls,
    }
