"""A repository and its owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from repos.models import Repository
from tests.unit.registry.pushing import make_person, make_repository


@pytest.fixture(autouse=True)
def _silent(rung: list[Any]) -> None:
    """No messages for workers."""


@pytest.fixture
def alice() -> User:
    return make_person("alice")


@pytest.fixture
def repository(alice: User) -> Repository:
    return make_repository(alice.namespace, "app")


@pytest.fixture
def other(alice: User) -> Repository:
    return make_repository(alice.namespace, "other")


@pytest.fixture
def no_grace(hub_settings: Callable[..., None]) -> None:
    """Everything unreferenced goes at once."""
    hub_settings(push_grace_s=0, untag_grace_s=0, discard_grace_s=0, trash_days=0)
