"""One world for a whole module, and its store for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.matrix.world import World, open_world


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """Not a store for each test: the world keeps the one it was made with."""


@pytest.fixture(scope="module")
def world(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Everybody and everything; nothing of it changes."""
    with (
        django_db_blocker.unblock(),
        open_world(tmp_path_factory.mktemp("matrix")) as made,
    ):
        yield made
