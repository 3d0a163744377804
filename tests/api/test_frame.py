"""What holds for every address: errors, bodies, caching, the schema and the page over it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from hubsite import api
from repos.api.repositories import RepositoriesView
from repos.models import Repository
from tests.api.conftest import Caller

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["", "nothing", "users/", "repositories/alice", "tags/x/y/z"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_unknown_addresses(nobody: Caller, method: str, path: str) -> None:
    response = nobody(method, path)
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response["Cache-Control"] == "private, no-store"
    assert response.json()["code"] == "not_found"


def test_wrong_methods(nobody: Caller) -> None:
    response = nobody("DELETE", "search")
    assert response.status_code == 405
    assert response.json()["code"] == "method_not_allowed"
    assert "GET" in response["Allow"]
    assert nobody("OPTIONS", "search").status_code == 405
    assert nobody("HEAD", "search").status_code == 200


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ("null", "application/json", 400),
        ('"x"', "application/json", 400),
        ("7", "application/json", 400),
        ('{"name": NaN}', "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        ('{"name": ' + "9" * 5000 + "}", "application/json", 400),
        (b"\xff", "application/json", 400),
        ("", "application/json", 400),
        ("name=x", "application/x-www-form-urlencoded", 415),
        ("x", "text/plain", 415),
        (json.dumps({"name": "x" * 3_000_000}), "application/json", 413),
    ],
    ids=lambda value: str(value)[:20],
)
def test_bad_bodies(as_alice: Caller, body: str | bytes, kind: str, status: int) -> None:
    response = as_alice.client.generic(
        "POST", "/api/tokens", body, kind, HTTP_AUTHORIZATION=f"Bearer {as_alice.token}"
    )
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"


def test_unknown_fields_are_named(as_alice: Caller) -> None:
    response = as_alice("POST", "tokens", {"name": "x", "nmae": 1})
    assert response.status_code == 400
    assert response.json()["detail"].startswith("nmae: There is no such field")


def test_whatever_is_accepted_json_comes(nobody: Caller) -> None:
    for accept in ("text/html", "application/xml", "nonsense"):
        response = nobody("GET", "repositories?format=xml", HTTP_ACCEPT=accept)
        assert response.status_code == 200
        assert response["Content-Type"] == "application/json"
        assert response["Cache-Control"] == "private, no-store"


def test_what_breaks_tells_nothing(
    nobody: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(RepositoriesView, "get", broken)
    response = nobody("GET", "repositories")
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert b"secret" not in response.content
    assert "a secret" in caplog.text


def test_huge_ids_are_absent(as_alice: Caller, app: Repository) -> None:
    for number in (2**63, 10**30):
        for path in (f"tokens/{number}", f"repositories/alice/app/comments/{number}"):
            assert as_alice("DELETE", path).status_code == 404


def test_schema(nobody: Caller, settings: Any) -> None:
    document = nobody("GET", "schema").json()
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": settings.HUB.external_url}]
    assert set(document["components"]["securitySchemes"]) == {"token", "password", "session"}
    ids = [op["operationId"] for path in document["paths"].values() for op in path.values()]
    assert len(ids) == len(set(ids))


def test_every_address_is_described() -> None:
    described = {
        (path, method.upper())
        for path, operations in api.schema()["paths"].items()
        for method in operations
    }
    served = set()
    for pattern in api.urlpatterns:
        view = getattr(pattern.callback, "view_class", None)
        if view in (None, api.UnknownView, api.SchemaView):
            continue
        path = "/api/" + str(pattern.pattern)
        for converter in ("namespace", "name", "account", "robot", "tag", "int", "uuid"):
            path = path.replace(f"<{converter}:", "{")
        methods = [m.upper() for m in view.http_method_names if hasattr(view, m)]
        served |= {(path.replace(">", "}"), m) for m in methods if m not in ("HEAD", "OPTIONS")}
    assert described == served


def test_docs(nobody: Caller, alice: User) -> None:
    for client in (Client(), Client()):
        page = client.get("/api/docs")
        assert page.status_code == 200
        assert page["Cache-Control"] == "private, no-store"
        text = page.content.decode()
        for path in api.schema()["paths"]:
            assert path in text
        client.force_login(alice)
    assert "Authorization: Bearer $HUB_TOKEN" in text
    assert client.post("/api/docs").status_code == 405
