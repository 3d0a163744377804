"""AZ-20: an organization keeps an owner, whoever removes whom at the same moment."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.hub import Person
from tests.security.conftest import Hub

pytestmark = pytest.mark.e2e
ROUNDS = 10
_numbers = itertools.count(1)


@pytest.fixture
def owners(hub: Hub) -> tuple[Person, Person]:
    return hub.person("first"), hub.person("second")


@pytest.mark.parametrize("act", ["each other", "themselves", "step down"])
def test_az20_two_owners_at_once(hub: Hub, owners: tuple[Person, Person], act: str) -> None:
    """One of them is faster; the other is told, and the organization has one owner left."""
    first, second = owners
    for _ in range(ROUNDS):
        name = f"az{next(_numbers)}-{first.name}"[:40].rstrip("-.")
        hub.api("POST", "organizations", {"name": name}, person=first)
        members = f"organizations/{name}/members"
        hub.api("PUT", f"{members}/{second.name}", {"role": "owner"}, person=first)
        together = threading.Barrier(2)

        def go(me: Person, other: Person, members: str = members, at: Any = together) -> int:
            target = f"{members}/{other.name if act == 'each other' else me.name}"
            method, body = ("PUT", {"role": "member"}) if act == "step down" else ("DELETE", None)
            at.wait()
            return hub.running.api(method, target, body, token=me.token)[0]

        with ThreadPoolExecutor(2) as pool:
            runs = [pool.submit(go, first, second), pool.submit(go, second, first)]
            answers = [run.result() for run in runs]
        assert sum(answer < 300 for answer in answers) == 1, answers
        # Told that it is the last one, or removed before it could ask.
        assert max(answers) in (403, 409), answers
        left = [
            person
            for person in owners
            if hub.running.api("GET", f"organizations/{name}/invitations", token=person.token)[0]
            == 200
        ]
        assert len(left) == 1
