"""Somebody with a name."""

from __future__ import annotations

import pytest

from accounts.models import User
from tests.unit.repos.people import person


@pytest.fixture
def alice() -> User:
    return person("alice")
