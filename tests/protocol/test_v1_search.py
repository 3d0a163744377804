"""`/v1/_ping`, `/v1/search` and `/v1/users/` (registry-v1, 1.3, 1.11, 2.2, 8.1, 8.2)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Namespace, User
from repos.models import Collaborator, Repository
from tests.security.lane import Answer, send
from tests.security.world import Caller, basic, caller
from tests.unit.repos import people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("alone")]
PASSWORD = "a long enough secret"
PODMAN = {"User-Agent": "containers/5.23.1 (github.com/containers/image)"}


@pytest.fixture
def alice() -> Caller:
    user = people.person("alice")
    for number in range(30):
        visibility = "private" if number % 3 == 0 else "public"
        people.repository(
            user.namespace,
            f"app{number:02}",
            visibility=visibility,
            star_count=number,
            description=f"number {number}",
        )
    library = Namespace.objects.get_or_create(name="library", defaults={"kind": "library"})[0]
    people.repository(library, "official", visibility="public", description="100% café")
    return caller("alice", user)


def ask(query: str = "", headers: dict[str, str] | None = None) -> Answer:
    return send("GET", f"/v1/search{query}", headers=headers or {})


def found(query: str = "", headers: dict[str, str] | None = None) -> dict[str, Any]:
    answer = ask(query, headers)
    assert answer.status == 200, answer.body
    document: dict[str, Any] = json.loads(answer.body)
    return document


@pytest.mark.parametrize("path", ["/v1/_ping", "/_ping", "/v1/_ping/"])
def test_ping_needs_nothing(path: str) -> None:
    answer = send("GET", path)
    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers["X-Docker-Registry-Standalone"] == "False"
    assert answer.headers["X-Docker-Registry-Version"] == "0.9.1"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Pragma"] == "no-cache"
    assert answer.headers["Expires"] == "-1"
    assert send("HEAD", path).headers["Content-Length"] == "2"
    assert send("POST", path).status == 405


def test_a_result_has_all_fields(alice: Caller) -> None:
    assert found("?q=official") == {
        "query": "official",
        "num_results": 1,
        "num_pages": 1,
        "page": 1,
        "page_size": 25,
        "results": [
            {
                "name": "library/official",
                "description": "100% café",
                "star_count": 0,
                "is_official": True,
                "is_automated": False,
                "is_trusted": False,
            }
        ],
    }
    assert found("?q=app29")["results"][0]["is_official"] is False


def test_who_sees_what_and_totals_say_nothing_more(alice: Caller) -> None:
    assert found("?q=app")["num_results"] == 20
    assert found("?q=app00")["num_results"] == 0
    stranger = caller("stranger", people.person("stranger"))
    assert found("?q=app", stranger.basic())["num_results"] == 20
    for headers in (
        alice.basic(),
        alice.plain(),
        {**alice.basic(), "X-Docker-Token": "true"},
        alice.bearer("registry:catalog:*"),
        alice.bearer("registry:catalog:search"),  # engines that are signed in for good
    ):
        assert found("?q=app", headers)["num_results"] == 30
    other = alice.bearer("repository:alice/app00:pull")
    assert found("?q=app", other)["num_results"] == 20
    user = User.objects.get(username="stranger")
    row = Repository.objects.get(path="alice/app00")
    Collaborator.objects.create(repository=row, user=user, role="read")
    assert found("?q=app", stranger.basic())["num_results"] == 21
    limited = caller("limited", User.objects.get(username="alice"), "repository:alice/app00:pull")
    assert found("?q=app", limited.basic())["num_results"] == 21


@pytest.mark.parametrize(
    ("query", "names", "pages"),
    [
        ("?q=app&n=2", ["alice/app29", "alice/app28"], 10),
        ("?q=app&n=2&page=2", ["alice/app26", "alice/app25"], 10),
        ("?q=app&n=2&page=11", [], 10),
        ("?q=app&n=2&page=999999999", [], 10),
        ("?q=app01&n=100", ["alice/app01"], 1),
        ("?q=alice%2Fapp01", ["alice/app01"], 1),
        ("?q=APP01+number", ["alice/app01"], 1),
        ("?q=%25", ["library/official"], 1),
        ("?q=caf%C3%A9", ["library/official"], 1),
        ("?q=_", [], 0),
    ],
)
def test_pages_and_terms(alice: Caller, query: str, names: list[str], pages: int) -> None:
    answer = found(query)
    assert [result["name"] for result in answer["results"]] == names
    assert answer["num_pages"] == pages


def test_sizes_of_pages(alice: Caller) -> None:
    assert len(found("?q=")["results"]) == 21
    for query, size in (("", 25), ("?n=", 25), ("?n=1", 1), ("?n=100", 100), ("?n=5000", 100)):
        answer = found(query)
        assert answer["page_size"] == size
        assert len(answer["results"]) == min(size, 21)


@pytest.mark.parametrize(
    "query",
    [
        *("?n=0", "?n=-1", "?n=x", "?n=1.5", "?n=%D9%A1", "?n=99999999999999999999"),
        *("?page=0", "?page=-1", "?page=x", "?q=%00", f"?q={'x' * 201}"),
    ],
)
def test_nonsense_is_refused(query: str) -> None:
    answer = ask(query)
    assert answer.status == 400
    assert set(json.loads(answer.body)) == {"error"}


def test_the_number_of_queries_is_fixed(alice: Caller) -> None:
    def count(query: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            found(query, alice.basic())
        return len(asked)

    count("?q=app")  # the first use of a token is noted, what a process finds out once is known
    assert count("?q=app&n=1") == count("?q=app&n=100") <= 4


def test_a_bad_credential_is_never_nobody(alice: Caller) -> None:
    for headers in (
        basic("alice", "wrong"),
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Token nonsense"},
        {"Authorization": "Basic !"},
        {"Authorization": "Digest x"},
    ):
        answer = ask("?q=app", headers)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="auth required",Token'
    empty = base64.b64encode(b":").decode()  # engines send this for nobody
    assert found("?q=app", {"Authorization": f"Basic {empty}"})["num_results"] == 20


def test_podman_is_sent_to_the_catalogue_where_nothing_public_matches(alice: Caller) -> None:
    """It never signs in here, and there it does; what is hidden makes no difference."""
    assert found("?q=app", PODMAN)["num_results"] == 20
    hidden, absent = ask("?q=app00", PODMAN), ask("?q=nothing", PODMAN)
    assert hidden.status == absent.status == 401
    assert hidden.fixed == absent.fixed
    assert found("?q=nothing", {**PODMAN, **alice.basic()})["num_results"] == 0


def test_login(alice: Caller) -> None:
    for path in ("/v1/users", "/v1/users/"):
        answer = send("GET", path, headers=alice.basic())
        assert (answer.status, answer.body) == (200, b'"OK"')
        for headers in ({}, basic("alice", "wrong"), basic("nobody", alice.secret)):
            answer = send("GET", path, headers=headers)
            assert answer.status == 401
            assert "WWW-Authenticate" in answer.headers


def sign_up(**values: Any) -> Answer:
    document = {"username": "bob", "email": "bob@example.org", "password": PASSWORD, **values}
    body = json.dumps({k: v for k, v in document.items() if v is not None}).encode()
    return send("POST", "/v1/users/", body=body)


def test_sign_up_of_old_engines(alice: Caller) -> None:
    made = sign_up(auth="")
    assert (made.status, made.body) == (201, b'"User Created"')
    assert User.objects.get(username="bob").check_password(PASSWORD)
    again = sign_up()
    assert (again.status, again.body) == (400, b'"Username or email already exists"')
    for wrong in (
        {"username": "B"},
        {"username": "admin"},
        {"username": 5},
        {"email": "nothing"},
        {"email": None},
        {"password": "x"},
        {"password": None},
    ):
        answer = sign_up(**{"username": "carol", "email": "carol@example.org", **wrong})
        assert answer.status == 400
        assert isinstance(json.loads(answer.body), str)
    for body in (b"", b"[]", b"nonsense"):
        assert send("POST", "/v1/users/", body=body).status == 400
    assert not User.objects.filter(username="carol").exists()


def test_sign_up_has_the_same_limits_as_elsewhere(hub_settings: Callable[..., None]) -> None:
    hub_settings(signups_per_hour=2)
    statuses = [sign_up(username=f"p{n}", email=f"p{n}@example.org").status for n in range(4)]
    assert statuses == [201, 201, 401, 401]
    hub_settings(signup="closed", signups_per_hour=100)
    assert sign_up().status == 401
    assert User.objects.count() == 2


def test_accounts_are_not_changed_here(alice: Caller) -> None:
    body = json.dumps({"password": "another long secret"}).encode()
    mine = send("PUT", "/v1/users/alice/", headers=alice.basic(), body=body)
    assert mine.status == 403
    assert "/settings" in json.loads(mine.body)["error"]
    assert send("PUT", "/v1/users/bob/", headers=alice.basic(), body=body).status == 404
    assert send("PUT", "/v1/users/alice/", body=body).status == 401
