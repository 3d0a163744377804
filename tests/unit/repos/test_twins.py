"""Absent and hidden cost a stranger the same number of queries, on every surface."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.types import ANONYMOUS, Principal
from oci.scope import parse_scope
from registry.v2.auth import authorise
from registry.v2.errors import Challenge
from tests.unit.repos.people import organization, person, principal, repository
from tokens.services import issue

pytestmark = pytest.mark.django_db


def count(call) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        call()
    return len(queries)


@pytest.fixture(params=["user", "org"])
def hidden(request):
    if request.param == "user":
        return repository(person("owner").namespace, "hidden")
    return repository(organization("acme", person("owner")).namespace, "hidden")


@pytest.fixture(params=["anonymous", "stranger", "limited"])
def outsider(request) -> Principal:
    if request.param == "anonymous":
        return ANONYMOUS
    stranger = person("stranger")
    return principal(stranger, "*:pull,push") if request.param == "limited" else principal(stranger)


def test_the_token_service(hidden, outsider):
    absent = f"{hidden.namespace.name}/absent"
    issue(outsider, [])  # the keys are read once
    costs = {
        path: count(
            lambda path=path: issue(outsider, [parse_scope(f"repository:{path}:pull,push")])
        )
        for path in (hidden.path, absent)
    }
    assert costs[hidden.path] == costs[absent]


def test_the_registry(hidden, outsider, rf, monkeypatch):
    from registry.v2 import auth
    from tokens.verify import Grant

    monkeypatch.setattr(auth, "read_grant", lambda *_: Grant(outsider, presented=True))

    def knock(path: str) -> None:
        with pytest.raises(Challenge):
            authorise(rf.get("/"), path, "push", create=True)

    costs = [count(lambda p=p: knock(p)) for p in (hidden.path, f"{hidden.namespace.name}/absent")]
    assert costs[0] == costs[1]
