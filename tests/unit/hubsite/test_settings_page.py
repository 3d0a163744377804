"""The page of settings says what config.py says."""

from __future__ import annotations

from hubsite.config import BASE_DIR, reference


def test_the_page_is_up_to_date() -> None:
    assert (BASE_DIR / "docs" / "settings.md").read_text() == reference(), (
        "run: python -m hubsite.config --docs > docs/settings.md"
    )
