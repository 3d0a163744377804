"""I18: to an outsider, a hub with private things is the same as a hub without them."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import jwt
import pytest
from django.utils import timezone

from accounts.models import Invitation
from accounts.services.credentials import principal_of
from accounts.services.tokens import create_token
from repos.models import (
    AccessRequest,
    Alias,
    Collaborator,
    RepositoryInvitation,
    Star,
    TeamGrant,
)
from repos.services.comments import add_comment
from tests.matrix.play import NOTHING, ROWS
from tests.matrix.routes_registry import Play
from tests.matrix.rules import NOBODY, Caller
from tests.matrix.table import METHODS, Row
from tests.matrix.world import HOOK, World, quiet, undone
from tests.security.world import furnish
from tests.unit.repos import people
from tokens.services import current_keys
from webhooks.owners import Owner
from webhooks.services import create_webhook, ping
from webhooks.types import EVENTS

pytestmark = pytest.mark.django_db
SEED = int(os.environ.get("HUB_TEST_SEED", "20261129"))
COUNT = 660  # requests, in each of the two worlds
FROM = "203.0.113.7"  # not this machine, which may read /metrics
OUTSIDERS = (
    NOBODY,
    Caller("stranger", "session"),
    Caller("stranger", "token"),
    Caller("stranger", "bearer"),
)
SHOWN = ("acme/open", "alice/open")
HIDDEN = ("acme/closed", "alice/closed", "alice/deep/er", "acme/former")
ABSENT = ("acme/absent", "alice/absent")
MOVING = ("X-Request-Id", "Date", "Expires", "Set-Cookie", "Content-Length")
MASKS = (
    (re.compile(r'name="csrfmiddlewaretoken" value="\w+"'), "CSRF"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"), "TIME"),
    (re.compile(r'title="[-\d]+ [:\d]+ UTC">[\w ]+<'), "AGO"),
    (re.compile(r'"X-CSRFToken": "\w+"'), "CSRF"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "REQUEST"),
    # Of what the request itself made: secrets, and ids, which are counted for the whole hub.
    (re.compile(r"hub[fp]_\w+"), "SECRET"),
    (re.compile(r'"prefix":"\w+"'), "PREFIX"),
    (re.compile(r'^\{"id":\d+,'), "ID"),
    (re.compile(r"#comment-\d+"), "ID"),
)


class Request(NamedTuple):
    """One thing to ask; `row` says how."""

    row: Row
    method: str
    address: str
    place: str
    data: Any
    caller: Caller


@pytest.fixture
def twins(rung: object, tmp_path: Any) -> Iterator[World]:
    """The public world, made first, so that its ids are those of both worlds."""
    with quiet(tmp_path):
        world = World()
        current_keys()  # made here, so that no answer takes the key back
        for name in ("alice", "olga", "stranger", "guest"):
            world.users[name] = people.person(name)
        acme = people.organization("acme", world.users["olga"])
        people.team(acme, "everybody", world.users["alice"])
        for namespace in (acme.namespace, world.users["alice"].namespace):
            row = people.repository(namespace, "open", visibility="public", description="A box.")
            world.repositories[row.path] = row
            furnish(row)
            author = principal_of(world.users["guest"])
            comment = add_comment(row, principal=author, body="Works.")
            world.ids[row.path] = {"path": row.path, "comment": comment.pk, "uid": NOTHING}
            world.ids[row.path] |= {"digest": row.manifests.first().digest}
            Star.objects.create(user=world.users["guest"], repository=row)
        mine = people.repository(world.users["stranger"].namespace, "mine")
        world.repositories[mine.path] = mine
        furnish(mine)
        world.ids[""] = {"olga": world.users["olga"].pk}
        for caller in OUTSIDERS:
            world.prepare(caller)
            world.rest(caller, "GET", "/api/user", address=FROM)  # a first use is noted
        yield world


def hide(world: World) -> None:
    """Private things of every kind, next to and on the public ones."""
    acme = world.repositories["acme/open"].namespace.organization
    assert acme is not None
    alice, olga, guest = (world.users[name] for name in ("alice", "olga", "guest"))
    owner = principal_of(olga)
    crew = people.team(acme, "crew", alice)
    until = timezone.now() + timedelta(days=3)
    for path in (*SHOWN, *HIDDEN[:3]):
        space, _, name = path.partition("/")
        row = world.repositories.get(path)
        if row is None:
            namespace = world.repositories[f"{space}/open"].namespace
            row = people.repository(namespace, name, description="A secret box.")
            furnish(row)
            Star.objects.create(user=guest, repository=row)
            Collaborator.objects.create(repository=row, user=guest, role="read")
            comment = add_comment(row, principal=principal_of(guest), body="Hidden.")
            world.ids[path] = {"path": path, "comment": comment.pk, "digest": "sha256:" + "0" * 64}
        else:
            Collaborator.objects.create(repository=row, user=guest, role="write")
        if space == "acme":
            TeamGrant.objects.create(repository=row, team=crew, role="write")
        AccessRequest.objects.create(repository=row, user=guest, role="admin")
        RepositoryInvitation.objects.create(
            repository=row,
            email="new@example.org",
            role="read",
            secret_hash=path,
            invited_by=olga,
            expires_at=until,
        )
        webhook = create_webhook(Owner(row), actor=owner.actor, url=HOOK)
        sent = ping(webhook, actor=owner.actor)
        world.ids[path] |= {"webhook": webhook.pk, "delivery": sent.pk, "uid": sent.uid}
    wide = create_webhook(
        Owner(namespace=acme.namespace), actor=owner.actor, url=HOOK, events=EVENTS, name="Hidden"
    )
    server = create_webhook(Owner(), actor=owner.actor, url=HOOK, events=EVENTS, name="Hidden")
    Invitation.objects.create(
        organization=acme, email="x@example.org", role="owner", secret_hash="x", expires_at=until
    )
    hidden = type(world.repositories["acme/open"]).objects.get(path="acme/closed")
    Alias.objects.create(old_path="acme/former", repository=hidden)
    world.ids["acme/former"] = {**world.ids["acme/closed"], "path": "acme/former"}
    robot = type(alice).objects.create(
        username="acme+ci", password="!", robot_namespace=acme.namespace, robot_role="write"
    )
    world.ids[""] |= {
        "spare": create_token(olga, name="spare").row.pk,
        "robot_token": create_token(robot, name="spare").row.pk,
        "space_hook": wide.pk,
        "space_sent": ping(wide, actor=owner.actor).pk,
        "server_hook": server.pk,
        "server_sent": ping(server, actor=owner.actor).pk,
        "told": NOTHING,
    }
    for path in ABSENT:
        world.ids[path] = {**world.ids["acme/closed"], "path": path}


def requests(world: World) -> list[Request]:
    """Drawn from the table, with the places it is not about."""
    draw = random.Random(SEED)
    rows = [
        row
        for surface in ("page", "rest", "registry")
        for row in ROWS[surface]  # type: ignore[index]
        if row.method in METHODS and "logout" not in row.pattern
    ]
    below = [row for row in rows if row.places != ("",)]
    made = []
    for number in range(COUNT):
        row = draw.choice(below if number % 4 else rows)
        place = draw.choice((*HIDDEN, *HIDDEN, *SHOWN, *ABSENT))
        method = row.method if draw.random() < 0.85 else draw.choice(METHODS)
        address = world.fill(row.address(), place).replace("{upload}", NOTHING)
        data = row.data
        if data and not callable(data):
            data = json.loads(world.fill(json.dumps(data), place))
        caller = draw.choice(OUTSIDERS[: 4 if row.surface == "registry" else 3])
        made.append(Request(row, method, address, place, data, caller))
    return made


def answer(world: World, request: Request) -> Any:
    """Status, headers and body without what differs from one moment to the next."""
    row, method, address, place, data, caller = request
    with undone():
        if row.surface == "registry":
            act = row.data.act if isinstance(row.data, Play) else None
            more = {"Content-Type": act.content_type} if act and act.content_type else {}
            scopes = [f"repository:{place}:pull,push,delete"]
            got = world.registry(
                *(caller, method, address),
                headers=more,
                body=act.body if act else b"",
                scopes=scopes,
                address=FROM,
            )
            return got.status, headers(got.headers), masked(got.body)
        send = world.page if row.surface == "page" else world.rest
        response = send(caller, method, address, data, address=FROM)
        assert response.status_code < 500
        return response.status_code, headers(dict(response.items())), masked(response.content)


def headers(found: dict[str, str]) -> dict[str, str]:
    return {k: masked(v.encode()) for k, v in found.items() if k not in MOVING}


def masked(body: bytes) -> Any:
    """Text without moments and secrets; of a token, what it grants."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return body
    if text.startswith("{") and '"access_token"' in text:
        claims = jwt.decode(json.loads(text)["token"], options={"verify_signature": False})
        return {k: claims[k] for k in ("iss", "aud", "sub", "access")}
    for pattern, word in MASKS:
        text = pattern.sub(word, text)
    return text


def test_an_outsider_cannot_tell_the_two_worlds_apart(twins: World) -> None:
    with undone():
        hide(twins)
        asked = requests(twins)
        rich = [answer(twins, request) for request in asked]
    plain = [answer(twins, request) for request in asked]
    different = [
        f"{request.method} {request.address} by {request.caller}:\n  {_difference(one, other)}"
        for request, one, other in zip(asked, rich, plain, strict=True)
        if one != other
    ]
    assert len(asked) >= 500
    if different:
        pytest.fail(f"seed {SEED}\n" + "\n".join(different), pytrace=False)
    statuses = {one[0] for one in rich}
    assert {200, 401, 403, 404, 405} <= statuses, statuses
    hidden = [one for request, one in zip(asked, rich, strict=True) if request.place in HIDDEN]
    assert len(hidden) > COUNT // 3


def test_the_worlds_do_differ_to_whoever_is_inside(twins: World) -> None:
    """The comparison sees what there is to see."""
    inside = Caller("guest", "token")
    twins.prepare(inside)
    row = next(r for r in ROWS["rest"] if r.pattern.endswith("<name:name>") and r.method == "GET")
    ask = Request(row, "GET", "/api/repositories/acme/closed", "acme/closed", None, inside)
    with undone():
        hide(twins)
        rich = answer(twins, ask)
    assert (rich[0], answer(twins, ask)[0]) == (200, 404)


def _difference(one: Any, other: Any) -> str:
    for name, a, b in zip(("status", "headers", "body"), one, other, strict=True):
        if a != b and isinstance(a, str) and isinstance(b, str):
            at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
            return f"{name}: …{a[max(0, at - 80) : at + 120]}… is …{b[max(0, at - 80) : at + 120]}…"
        if a != b:
            return f"{name}: {a!r:.300} is {b!r:.300}"
    return ""
