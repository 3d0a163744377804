"""An environment without settings, to try some."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from hubsite.config_file import FILE_NAMES, FLAVOUR_NAMES
from hubsite.config_old import OLD_NAMES


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but those of the test."""
    old = {row.variable for row in OLD_NAMES} | {*FILE_NAMES, *FLAVOUR_NAMES}
    for name in list(os.environ):
        if name.startswith("HUB_") or name in old:
            monkeypatch.delenv(name)


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set variables for one test."""

    def env(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return env
