"""Random histories of the services, with a store that breaks, against a model of dictionaries.

`HYPOTHESIS_PROFILE=long` looks for most of an hour instead of seconds, and shrinks what it finds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from storage.base import BlobStore
from storage.local import LocalStore
from storage.memory import MemoryStore
from tests.machine.contents import ContentRules
from tests.machine.sessions import UploadRules
from tests.machine.trashing import TrashRules

IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
HISTORIES = settings(
    max_examples=2000 if IS_LONG else 60,
    stateful_step_count=60 if IS_LONG else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=(Phase.generate, Phase.shrink) if IS_LONG else (Phase.generate,),
    report_multiple_bugs=False,
)


class Registry(ContentRules, UploadRules, TrashRules):
    """Everything that can happen to the content of two repositories."""


@pytest.mark.django_db
@pytest.mark.timeout(0 if IS_LONG else 300)
@pytest.mark.parametrize("kind", ["memory", "local"])
def test_every_history_agrees_with_the_model_and_leaves_nothing_behind(
    kind: str, tmp_path: Path
) -> None:
    makers: dict[str, Callable[[], BlobStore]] = {
        "memory": MemoryStore,
        "local": lambda: LocalStore(tmp_path / uuid4().hex),
    }
    machine = type(Registry.__name__, (Registry,), {"make_store": staticmethod(makers[kind])})
    run_state_machine_as_test(machine, settings=HISTORIES)
