"""The machine's services are alone: no messages for workers, no time spent on the disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from storage import factory


@pytest.fixture(autouse=True)
def _alone(rung: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # no power cut here
    monkeypatch.setattr(factory, "LocalStore", factory.LocalStore)  # given back afterwards


@pytest.fixture
def no_grace(hub_settings: Callable[..., None]) -> None:
    """Everything unreferenced goes at once."""
    hub_settings(push_grace_s=0, untag_grace_s=0, discard_grace_s=0, trash_days=0)
