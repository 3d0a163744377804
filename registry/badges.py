"""Badges: a word and a value as a small picture for READMEs elsewhere.

Nobody can measure text on the server, so widths come from a table of the usual font; the picture
stretches its text to them, whatever font it is shown with.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

MAX_CHARS = 40
HEIGHT = 20
PAD = 6
SIZE = 11
LABEL, VALUE, UNKNOWN = "#3b484b", "#0a6c74", "#5d6b6e"
# Of Verdana, in 1/2048 of its size, from the space to the tilde.
_WIDTHS = (
    *(720, 806, 940, 1676, 1302, 2204, 1488, 550, 930, 930, 1302, 1676, 745, 930, 745, 930),
    *(1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 930, 930, 1676, 1676, 1676),
    *(1117, 2048, 1400, 1404, 1430, 1578, 1295, 1177, 1588, 1539, 862, 931, 1419, 1140, 1726),
    *(1532, 1612, 1235, 1612, 1424, 1400, 1262, 1499, 1400, 2025, 1403, 1260, 1403, 930, 930),
    *(930, 1676, 1302, 1302, 1230, 1276, 1067, 1276, 1220, 720, 1276, 1296, 562, 705, 1212, 562),
    *(1992, 1296, 1243, 1276, 1276, 874, 1067, 807, 1296, 1212, 1676, 1212, 1212, 1076, 1300),
    *(930, 1300, 1676),
)
_WIDEST = 2204


def draw(label: str, value: str, colour: str = VALUE) -> str:
    """The picture as SVG; it loads nothing and brings no style or script."""
    shown = value if len(value) <= MAX_CHARS else f"{value[: MAX_CHARS - 1]}…"
    left, right = text_width(label) + 2 * PAD, text_width(shown) + 2 * PAD
    name = escape(f"{label}: {value}", {'"': "&quot;"})
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{HEIGHT}"'
        f' role="img" aria-label="{name}"><title>{name}</title>'
        f'<clipPath id="r"><rect width="{left + right}" height="{HEIGHT}" rx="4"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="{HEIGHT}" fill="{LABEL}"/>'
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{colour}"/></g>'
        f'<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="{SIZE}">'
        f"{_text(label, PAD)}{_text(shown, left + PAD)}</g></svg>\n"
    )


def text_width(text: str) -> int:
    """Whole pixels that a text takes; of signs not in the table the widest is assumed."""
    total = sum(_WIDTHS[ord(sign) - 32] if " " <= sign <= "~" else _WIDEST for sign in text)
    return -(-total * SIZE // 2048)


def _text(text: str, x: int) -> str:
    return f'<text x="{x}" y="14" textLength="{text_width(text)}">{escape(text)}</text>'
