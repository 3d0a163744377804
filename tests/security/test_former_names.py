"""NM-02, NM-03, TK-05, I17, I18: names that were given up, changed or moved lead nobody astray."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.errors import NameTaken
from accounts.services.credentials import principal_of
from accounts.services.names import retire_name
from accounts.services.organizations import create_organization
from accounts.services.signup import create_user
from oci.scope import parse_scope
from repos.models import Alias, Repository
from repos.services.aliases import remove_alias
from repos.services.renaming import rename_account, rename_repository, transfer_repository
from repos.services.repositories import create_repository
from tests.hub import Person
from tests.images import image
from tests.security.conftest import Hub
from tests.security.lane import send
from tests.security.world import ALL, COLUMNS, IMAGE, World, basic, bearer
from tests.unit.registry.pushing import push
from tests.unit.repos import people
from tokens.services import issue

OTHER = image("former names: another", layers=1, size=10)
HIDDEN_FROM = ("nobody", "stranger")


def of(world: World, name: str) -> Any:
    """Somebody as the browser knows them."""
    return principal_of(people.User.objects.get(pk=world.callers[name].principal.user_id))


def renamed(world: World, kind: str = "private") -> Repository:
    """`alice/private`, now `alice/moved`."""
    return rename_repository(
        world.repositories[f"alice/{kind}"], "moved", principal=of(world, "owner")
    )


# --- NM-02: nobody takes what somebody else had


@pytest.mark.django_db
def test_nm02_no_way_leads_to_a_name_that_others_had_or_gave_up(world: World) -> None:
    acme = world.repositories["acme/public"].namespace
    rename_account(acme, "corp", principal=of(world, "olga"))
    retire_name("gone", pulls=1)
    retire_name("famous", pulls=101)
    stranger = people.User.objects.get(username="stranger")
    for name in ("acme", "ac-me", "gone", "g.one", "famous", "cor-p", "li-brary"):
        with pytest.raises(NameTaken):
            create_user(username=name, email=f"{name}@example.org", password="correct horse 9")
        with pytest.raises(NameTaken):
            create_organization(stranger, name=name)
        with pytest.raises(NameTaken):
            rename_account(stranger.namespace, name, principal=principal_of(stranger))
        answer = send(
            "POST", f"/v2/{name}/x/blobs/uploads/", headers=world.callers["stranger"].basic()
        )
        assert answer.status == 401, name
    # One's own names may look alike.
    assert create_organization(stranger, name="stran-ger").name == "stran-ger"


@pytest.mark.django_db
def test_nm02_a_token_for_a_name_is_for_what_had_it_then(world: World) -> None:
    """TK-05: registry tokens and access tokens, after a rename and a new repository there."""
    owner, reader = world.callers["owner"], world.callers["reader"]
    before = {
        who: world.callers[who].bearer(f"repository:alice/private:{ALL}")
        for who in ("owner", "reader")
    }
    moved = renamed(world)
    for headers in before.values():  # the old name still means the same repository
        answer = send("GET", "/v2/alice/private/manifests/1", headers=headers)
        assert (answer.status, answer.body) == (200, IMAGE.manifest)
    made = create_repository(moved.namespace, "private", actor=of(world, "owner").actor)
    push(made, OTHER, "1")
    for headers in before.values():
        assert send("GET", "/v2/alice/private/manifests/1", headers=headers).status == 401
        assert send("GET", "/v2/alice/moved/manifests/1", headers=headers).status == 401
    new = owner.bearer(f"repository:alice/private:{ALL}")
    assert send("GET", "/v2/alice/private/manifests/1", headers=new).body == OTHER.manifest
    # Roles hang on the repository: its collaborators have none on what is called so now.
    assert send("GET", "/v2/alice/private/manifests/1", headers=reader.basic()).status == 401
    assert send("GET", "/v2/alice/moved/manifests/1", headers=reader.basic()).status == 200


@pytest.mark.django_db
def test_nm02_the_old_owner_does_not_take_the_path_of_what_was_transferred(world: World) -> None:
    olga = of(world, "olga")
    moved = transfer_repository(
        world.repositories["acme/private"],
        people.User.objects.get(username="olga").namespace,
        principal=olga,
    )
    admin = people.person("second")
    organization = world.repositories["acme/public"].namespace.organization
    people.Membership.objects.create(organization=organization, user=admin, role="owner")
    headers = bearer(principal_of(admin), f"repository:acme/private:{ALL}")
    answer = send("POST", "/v2/acme/private/blobs/uploads/", headers=headers)
    assert (answer.status, answer.code) == (403, "DENIED")
    assert b"olga" not in answer.body
    assert not Repository.objects.filter(path="acme/private").exists()
    remove_alias(moved, Alias.objects.get().pk, actor=olga.actor)
    answer = send("POST", "/v2/acme/private/blobs/uploads/", headers=headers)
    assert answer.status == 202


# --- old names through /v2


@pytest.mark.django_db
@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("kind", ["public", "private"])
def test_nm02_a_former_name_answers_reading_like_the_present_one(
    world: World, name: str, kind: str
) -> None:
    moved = renamed(world, kind)
    caller = world.callers[name]
    for rest in ("manifests/1", f"manifests/{IMAGE.digest}", "tags/list", "_oci/ext/discover"):
        for method in ("GET", "HEAD"):
            for credential in ("basic", "bearer"):
                found = []
                for path in (moved.path, f"alice/{kind}"):
                    headers = getattr(caller, credential)(f"repository:{path}:pull")
                    answer = send(method, f"/v2/{path}/{rest}", headers=headers)
                    text = answer.body.replace(f"alice/{kind}".encode(), moved.path.encode())
                    found.append((answer.status, text))
                assert found[0] == found[1], (rest, method, credential)


@pytest.mark.django_db
@pytest.mark.parametrize("name", [n for n in COLUMNS if n != "nobody"])
def test_nm02_changing_something_under_a_former_name_is_refused_with_the_new_one(
    world: World, name: str
) -> None:
    renamed(world)
    visible = name in ("reader", "writer", "admin", "owner", "pulls", "pushes")
    headers = world.callers[name].basic()
    for method, rest, word in (
        ("POST", "blobs/uploads/", "push"),
        ("PUT", "manifests/2", "push"),
        ("DELETE", "manifests/1", "delete"),
    ):
        there = send(method, f"/v2/alice/private/{rest}", headers=headers, body=b"{}")
        if visible:
            assert (there.status, there.code) == (403, "DENIED")
            assert f"alice/private is now alice/moved; {word} there".encode() in there.body
        else:
            absent = send(method, f"/v2/alice/never-x/{rest}", headers=headers, body=b"{}")
            assert (there.status, absent.status) == (401, 401)
            assert there.body.replace(b"private", b"never-x") == absent.body


@pytest.mark.django_db
def test_nm02_a_push_to_a_former_namespace_is_told_the_new_one(world: World) -> None:
    rename_account(world.repositories["acme/public"].namespace, "corp", principal=of(world, "olga"))
    fresh = "/v2/acme/brand-new/blobs/uploads/"
    olga = send("POST", fresh, headers=world.callers["olga"].basic())
    assert olga.status == 403
    assert b"acme is now corp; push there" in olga.body
    for name in ("stranger", "nobody", "reader"):
        assert send("POST", fresh, headers=world.callers[name].basic()).status == 401
    # Docker keeps the user name of before; only people and robots of that very name had it.
    token = world.callers["olga"].secret
    assert send("GET", "/v2/acme/private/tags/list", headers=basic("olga", token)).status == 200


@pytest.mark.django_db
def test_nm02_a_token_signs_in_with_a_former_name_of_its_owner_only(world: World) -> None:
    owner, other = world.callers["owner"], world.callers["stranger"]
    rename_account(
        world.repositories["alice/public"].namespace, "alicia", principal=of(world, "owner")
    )
    target = "/v2/alicia/private/tags/list"
    for name in ("alice", "alicia", "ALICE"):
        assert send("GET", target, headers=basic(name, owner.secret)).status == 200, name
    for name in ("stranger", "acme", "alice+ci", "nobody-there"):
        assert send("GET", target, headers=basic(name, owner.secret)).status == 401, name
    assert send("GET", "/v2/", headers=basic("alice", other.secret)).status == 401


# --- I18: hidden, absent and formerly there


@pytest.mark.django_db
@pytest.mark.parametrize("name", [*HIDDEN_FROM, "pulls"])
def test_nm02_a_hidden_former_name_costs_what_an_absent_one_costs(world: World, name: str) -> None:
    """On every registry surface, in queries."""
    people.repository(people.person("hider").namespace, "old")
    hidden = Repository.objects.select_related("namespace").get(path="hider/old")
    hider = principal_of(people.User.objects.get(username="hider"))
    rename_repository(hidden, "new", principal=hider)
    caller = world.callers[name]
    issue(caller.principal, [])

    def cost(do: Callable[[], Any]) -> int:
        with CaptureQueriesContext(connection) as queries:
            do()
        return len(queries)

    def ask(method: str, path: str, rest: str) -> int:
        return send(method, f"/v2/{path}/{rest}", headers=caller.basic()).status

    ask("GET", "hider/never", "tags/list")  # the use of the token is noted
    for method, rest in (("GET", "manifests/1"), ("POST", "blobs/uploads/"), ("GET", "tags/list")):
        costs = {
            cost(partial(ask, method, path, rest))
            for path in ("hider/old", "hider/new", "hider/never")
        }
        assert len(costs) == 1, (method, rest, costs)
    scopes = [parse_scope(f"repository:hider/{n}:pull,push") for n in ("old", "new", "never")]
    assert len({cost(partial(issue, caller.principal, [scope])) for scope in scopes}) == 1


# --- NM-03: against a running hub


@pytest.mark.e2e
def test_nm03_renames_and_pushes_have_an_order(hub: Hub, owner: Person) -> None:
    """Whatever was acknowledged is in the one repository, under whichever name it has in the end."""
    name, space = hub.name(owner), owner.name
    client = hub.client(owner)
    made = image("nm03 rename", layers=1, size=50)
    assert client.push(name, made, "first").status == 201
    kept = {"first"}
    for number in range(8):
        barrier = threading.Barrier(2)
        now = name

        def push_some(now: str = now, number: int = number, barrier: Any = barrier) -> set[str]:
            pusher, done = hub.client(owner), set()
            scope = f"repository:{now}:pull,push"
            pusher.token(scope)
            barrier.wait()
            for n in range(4):
                answer = pusher.send(
                    "PUT",
                    f"/v2/{now}/manifests/t{number}-{n}",
                    body=made.manifest,
                    headers={"Content-Type": made.media_type},
                    scope=scope,
                )
                assert answer.status in (201, 403), answer.data
                if answer.status == 201:
                    done.add(f"t{number}-{n}")
                else:
                    assert b"is now" in answer.data or b"taken away" in answer.data
            return done

        def rename(now: str = now, number: int = number, barrier: Any = barrier) -> str:
            barrier.wait()
            body = {"name": f"n{number}-{now.partition('/')[2][-20:]}"}
            return str(hub.api("POST", f"repositories/{now}/rename", body, person=owner)["path"])

        with ThreadPoolExecutor(2) as pool:
            pushed, moved = pool.submit(push_some), pool.submit(rename)
            kept |= pushed.result()
            name = moved.result()
        client.forget()
        listed = client.send("GET", f"/v2/{name}/tags/list")
        assert set(json.loads(listed.data)["tags"]) == kept
    assert name.startswith(f"{space}/")
    hub.running.manage("fsck")


@pytest.mark.e2e
def test_nm03_two_renames_to_one_name_and_first_pushes_to_a_namespace_that_is_renamed(
    hub: Hub,
) -> None:
    """One wins, the other is told why; nothing is left under a path that is not its namespace's."""
    for number in range(4):
        person = hub.person("mover")
        client = hub.client(person)
        made = image("nm03 account", layers=1, size=50)
        for word in ("a", "b"):
            assert client.push(f"{person.name}/{word}", made, "1").status == 201
        barrier = threading.Barrier(4)

        def rename(word: str, person: Person = person, barrier: Any = barrier) -> Any:
            barrier.wait()
            path = f"repositories/{person.name}/{word}/rename"
            return hub.running.api("POST", path, {"name": "same"}, token=person.token)

        def first(person: Person = person, barrier: Any = barrier) -> int:
            pusher = hub.client(person)
            pusher.token(f"repository:{person.name}/new:pull,push")
            barrier.wait()
            scope = f"repository:{person.name}/new:pull,push"
            url = f"/v2/{person.name}/new/blobs/uploads/"
            return pusher.send("POST", url, scope=scope).status

        def account(person: Person = person, barrier: Any = barrier, number: int = number) -> Any:
            barrier.wait()
            body = {"username": f"moved{number}{person.name}"}
            return hub.running.api("POST", "user/rename", body, token=person.token)

        with ThreadPoolExecutor(4) as pool:
            renames = [pool.submit(rename, "a"), pool.submit(rename, "b")]
            pushed, moved = pool.submit(first), pool.submit(account)
            statuses = sorted(r.result()[0] for r in renames)
            assert pushed.result() in (202, 403, 401)
            assert moved.result()[0] == 200
        assert set(statuses) <= {200, 409, 404}
        assert statuses.count(200) <= 1
        for found, answer in (r.result() for r in renames):
            assert found == 200 or answer["code"] in ("name_taken", "moved", "conflict"), answer
        now = f"moved{number}{person.name}"
        rows = hub.running.api("GET", f"repositories?namespace={now}", token=person.token)[1]
        paths = {row["path"] for row in rows["results"]}
        assert {p.partition("/")[0] for p in paths} == {now}
        assert len(paths) in (2, 3)
        old = hub.running.api("GET", f"repositories?namespace={person.name}", token=person.token)[1]
        assert old["results"] == []
    hub.running.manage("fsck")
