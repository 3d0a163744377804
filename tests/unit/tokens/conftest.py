"""An owner with a private repository, and keys that are read anew in each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import User
from repos.models import Repository
from tests.unit.repos import people
from tokens.services import forget_keys


@pytest.fixture(autouse=True)
def _fresh_keys(rung: list[Any]) -> Iterator[None]:
    forget_keys()
    yield
    forget_keys()


@pytest.fixture
def alice() -> User:
    return people.person("alice")


@pytest.fixture
def repository(alice: User) -> Repository:
    return people.repository(alice.namespace, "app")
