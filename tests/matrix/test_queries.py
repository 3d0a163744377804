"""Every page, list and token costs the same number of queries, however much there is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, reset_queries
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Invitation, Membership, TeamMembership, User
from accounts.services import tokens
from accounts.services.credentials import principal_of
from accounts.services.tokens import create_token
from events.models import Event
from notices.models import Notice, SearchWatch, Watch
from registry.models import Tag, TagMove
from registry.services.tags import delete_tag
from repos.models import (
    AccessRequest,
    Alias,
    Collaborator,
    Repository,
    RepositoryInvitation,
    Star,
    TeamGrant,
)
from repos.services.comments import add_comment
from repos.services.repositories import delete_repository, update_repository
from tests.matrix.play import ROWS, ask, expected, status_of
from tests.matrix.rules import Caller
from tests.matrix.table import Row
from tests.matrix.world import HOOK, World, open_world, undone
from tests.unit.repos import people
from webhooks.owners import Owner
from webhooks.promotions import create_promotion
from webhooks.resending import owe
from webhooks.results import report
from webhooks.services import create_webhook, ping

pytestmark = pytest.mark.django_db
FEW, MANY = 2, 20
PLACE = "acme/closed"
WHO = ("olga", "root", "tess")
HOW = {"page": "session", "rest": "token", "registry": "basic token"}
# What reads a number of rows that has nothing to do with how many there are, and why.
EXCEPT: dict[str, str] = {}


def grow(world: World, numbers: range) -> None:
    """One more of everything for each number."""
    acme = world.repositories[PLACE].namespace.organization
    assert acme is not None
    main = world.repositories[PLACE]
    olga, tess = world.users["olga"], world.users["tess"]
    owner, root = principal_of(olga), principal_of(world.users["root"])
    until = timezone.now() + timedelta(days=3)
    pushers = acme.teams.get(name="pushers")
    for n in numbers:
        person = people.person(f"person{n}")
        Membership.objects.create(organization=acme, user=person)
        TeamMembership.objects.create(team=pushers, user=person)
        Collaborator.objects.create(repository=main, user=person, role="read")
        team = people.team(acme, f"team{n}", person, tess)
        TeamGrant.objects.create(repository=main, team=team, role="read")
        for namespace in (acme.namespace, person.namespace, olga.namespace):
            for visibility in ("public", "private"):
                row = people.repository(
                    namespace,
                    f"{visibility}{n}",
                    visibility=visibility,
                    last_pushed_at=timezone.now() - timedelta(days=n + 1),
                )
                Star.objects.create(user=olga, repository=row)
                Star.objects.create(user=tess, repository=row)
        Star.objects.create(user=person, repository=main)
        update_repository(main, actor=owner.actor, description=f"Box {n}.")
        people.organization(f"group{n}", olga)
        tag = Tag.objects.filter(repository=main, name="1").get()
        tag.pk, tag.name = None, f"tag{n}"
        tag.save()
        TagMove.objects.create(
            repository=main,
            name="1",
            manifest=tag.manifest,
            digest=tag.manifest.digest,
            kind="push",
        )
        comment = add_comment(main, principal=owner, body=f"Number {n}")
        Watch.objects.create(repository=main, user=person, level="everything")
        for watcher in (olga, tess, world.users["root"]):
            SearchWatch.objects.create(user=watcher, text=f"box{n}")
            Watch.objects.create(user=watcher, repository=row, level="tags")
            Notice.objects.create(user=watcher, kind="comment", repository=main, comment=comment)
            Notice.objects.create(user=watcher, kind="tag", repository=row)
        if n < 15:  # a repository has at most 20
            webhook = create_webhook(Owner(main), actor=owner.actor, url=f"http://127.0.0.1/{n}")
            ping(webhook, actor=owner.actor)
            for wide, who in ((Owner(namespace=acme.namespace), owner), (Owner(), root)):
                ping(create_webhook(wide, actor=who.actor, url=HOOK), actor=who.actor)
            create_promotion(
                main, actor=owner.actor, source="", target=f"next{n}", requires=[webhook]
            )
            push = Event.objects.filter(kind="tag.moved", repository_id=main.pk).first()
            assert push is not None
            (sent,) = owe([(webhook, push)])
            report(sent.uid, state="success", context=f"tests {n}")
        AccessRequest.objects.create(repository=main, user=person, role="write")
        facts = {"email": f"{n}@example.org", "expires_at": until, "invited_by": olga}
        Invitation.objects.create(organization=acme, role="member", secret_hash=f"i{n}", **facts)
        RepositoryInvitation.objects.create(
            repository=main, role="read", secret_hash=f"r{n}", **facts
        )
        Alias.objects.create(old_path=f"acme/former{n}", repository=main)
        delete_repository(people.repository(acme.namespace, f"gone{n}"), actor=owner.actor)
        deleted_tag = Tag.objects.filter(repository=main, name="1").get()
        deleted_tag.pk, deleted_tag.name = None, f"gone{n}"
        deleted_tag.save()
        delete_tag(main, deleted_tag.name, actor=owner.actor)
        robot = User.objects.create(
            username=f"acme+robot{n}", password="!", robot_namespace=acme.namespace
        )
        Collaborator.objects.create(repository=main, user=robot, role="read")
        create_token(robot, name="a")
        create_token(world.users["acme+ci"], name=f"b{n}")
        for user in (olga, tess):
            create_token(user, name=f"c{n}")


@pytest.fixture(scope="module")
def world(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with (
        django_db_blocker.unblock(),
        open_world(tmp_path_factory.mktemp("matrix")) as made,
    ):
        # What has content stays on the first page, however it is sorted.
        Repository.objects.filter(path__startswith="acme/").update(star_count=MANY)
        grow(made, range(FEW))
        for name in WHO:
            for how in set(HOW.values()):
                made.prepare(Caller(name, how))
        yield made


def reads() -> list[tuple[Row, Caller]]:
    """Whatever is read by somebody who may."""
    found = []
    for surface, rows in ROWS.items():
        for row in rows:
            for name in WHO:
                caller = Caller(name, HOW[surface])
                if row.method != "GET" or row.ok != 200 or str(row) in EXCEPT:
                    continue
                if expected(row, PLACE if row.places != ("",) else "", caller)[0] == 200:
                    found.append((row, caller))
    return found


def cost(world: World, row: Row, caller: Caller) -> list[str]:
    place = PLACE if row.places != ("",) else ""
    reset_queries()  # only so many are kept
    with CaptureQueriesContext(connection) as queries:
        answer = ask(world, row, place, caller)
    assert status_of(answer) == 200, (str(row), str(caller))
    return [q["sql"] for q in queries.captured_queries if "SAVEPOINT" not in q["sql"]]


def test_reading_costs_the_same_with_few_and_with_many(world: World) -> None:
    asked = reads()
    assert len(asked) > 60
    for row, caller in asked:
        cost(world, row, caller)  # what is looked up once in each process
    few = [cost(world, row, caller) for row, caller in asked]
    with undone():
        grow(world, range(FEW, MANY))
        many = [cost(world, row, caller) for row, caller in asked]
    wrong = [
        f"{row} by {caller}: {len(a)} queries with {FEW}, {len(b)} with {MANY}\n"
        f"    more: {_more(a, b)}"
        for (row, caller), a, b in zip(asked, few, many, strict=True)
        if len(a) != len(b)
    ]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def _more(few: list[str], many: list[str]) -> str:
    """A query that is asked more often, or not at all before."""
    shapes = [sql[:200].partition(" WHERE ")[0] for sql in few]
    for sql in many:
        shape = sql[:200].partition(" WHERE ")[0]
        if shape in shapes:
            shapes.remove(shape)
        else:
            return sql[:300]
    return f"fewer: {shapes[:1]}"


SCOPES = (
    f"scope=repository:{PLACE}:pull,push",
    "scope=repository:acme/open:pull&scope=repository:acme/closed:pull",
    "scope=repository:acme/absent:pull,push",
    "scope=registry:catalog:*",
    "",
)


@pytest.mark.parametrize("scopes", SCOPES)
def test_tokens_cost_the_same_with_few_and_with_many(
    world: World, scopes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "note_use", lambda _: None)  # every few minutes, whoever asks
    callers = [Caller(name, "basic token") for name in WHO]

    def costs() -> list[int]:
        found = []
        world.registry(callers[0], "GET", f"/token?{scopes}")  # keys are read once in a minute
        for caller in callers:
            with undone(), CaptureQueriesContext(connection) as queries:
                answer = world.registry(caller, "GET", f"/token?{scopes}")
            assert answer.status == 200, answer.body
            assert json.loads(answer.body)["token"]
            found.append(len(queries))
        return found

    costs()  # what is looked up once in each process
    few = costs()
    with undone():
        grow(world, range(FEW, MANY))
        assert costs() == few
