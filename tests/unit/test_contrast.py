"""Every colour pair of the design keeps WCAG AA, in light and in dark."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

CSS = Path(__file__).resolve().parents[2] / "static" / "css"
TEXT, PART = 4.5, 3.0
PAIRS = [
    *[
        (text, ground, TEXT)
        for text in ("text", "text-2", "text-3", "accent")
        for ground in ("bg", "surface", "sunken", "raised")
    ],
    *[
        (text, ground, TEXT)
        for text in ("accent-hover", "ok", "warn", "bad", "info")
        for ground in ("bg", "surface")
    ],
    *[(kind, f"{kind}-soft", TEXT) for kind in ("accent", "ok", "warn", "bad", "info")],
    *[("text", f"{kind}-soft", TEXT) for kind in ("accent", "ok", "warn", "bad", "info")],
    *[("text-2", f"{kind}-soft", TEXT) for kind in ("accent", "ok", "warn", "bad", "info")],
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-hover", TEXT),
    ("line-strong", "surface", PART),
    ("line-strong", "bg", PART),
    *[(f"l{n}", ground, PART) for n in range(6) for ground in ("surface", "bg", "sunken")],
]
CODE = [(f"l{2}", "sunken", TEXT), ("ok", "sunken", TEXT), ("warn", "sunken", TEXT)]


def tokens() -> dict[str, tuple[str, str]]:
    source = (CSS / "tokens.css").read_text(encoding="utf-8")
    found = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", source)
    return {name: (light, dark) for name, light, dark in found}


TOKENS = tokens()


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_formula() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), [*PAIRS, *CODE])
def test_pair(front: str, back: str, least: float, theme: int) -> None:
    ratio = contrast(TOKENS[front][theme], TOKENS[back][theme])
    assert ratio >= least, f"{front} on {back}: {ratio:.2f}"


def test_every_token_used_is_defined() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in CSS.glob("*.css"))
    defined = set(re.findall(r"--([\w-]+):", text))
    assert not set(re.findall(r"var\(--([\w-]+)", text)) - defined


def test_no_colour_outside_the_tokens() -> None:
    for path in CSS.glob("*.css"):
        if path.name != "tokens.css":
            assert not re.findall(r"#[0-9a-f]{3,8}\b", path.read_text(encoding="utf-8")), path.name


def test_styles_stay_small() -> None:
    """As they are sent: each file for itself, compressed."""
    assert sum(len(gzip.compress(path.read_bytes())) for path in CSS.glob("*.css")) < 12 * 1024
