"""A public repository of alice's on a hub that may call loopback."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.services.signup import create_user
from events.types import Actor
from repos.models import Repository
from repos.services.repositories import create_repository


@pytest.fixture
def repository(settings: Any, transactional_db: None) -> Repository:
    settings.HUB = settings.HUB.model_copy(
        update={
            "webhook_allow_networks": ["127.0.0.1/32"],
            "external_url": "https://hub.example.com",
        }
    )
    alice = create_user(username="alice", email="alice@example.com", password="correct horse 9")
    return create_repository(alice.namespace, "app", actor=Actor(alice.pk, "alice"))
