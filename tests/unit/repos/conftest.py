"""An owner and a repository; no messages for workers."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from events.types import Actor
from repos.models import Repository
from tests.unit.repos import people


@pytest.fixture
def alice(rung: list[Any]) -> User:
    return people.person("alice")


@pytest.fixture
def actor(alice: User) -> Actor:
    return Actor(alice.pk, alice.username)


@pytest.fixture
def repository(alice: User) -> Repository:
    return people.repository(alice.namespace, "app")
