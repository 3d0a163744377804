"""One hub with everything the matrix is played with, made once; what a cell changes is undone."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.http import HttpResponse
from django.middleware.csrf import _get_new_csrf_string
from django.test import Client, override_settings
from django.test.client import ClientHandler
from django.utils import timezone

from accounts.models import (
    AccessToken,
    Invitation,
    Membership,
    Namespace,
    NamespaceAlias,
    Organization,
    User,
)
from accounts.services.credentials import principal_of, principal_of_token
from accounts.services.tokens import create_token, revoke_token
from accounts.types import ANONYMOUS, Principal
from events import wake
from events.models import Event
from events.types import SYSTEM
from registry.models import Manifest
from registry.services import pulls
from registry.services.retag import retag
from registry.services.tags import delete_tag
from registry.v2 import auth
from repos.models import (
    AccessRequest,
    Alias,
    Collaborator,
    Opening,
    Repository,
    RepositoryInvitation,
    TeamGrant,
)
from repos.services.comments import add_comment
from repos.services.repositories import delete_repository
from storage.factory import get_store
from tests.matrix.rules import COLUMNS, FARTHER, LIMITS, ROBOTS, SUPERUSERS, Caller
from tests.security.lane import Answer, send
from tests.security.world import basic, furnish
from tests.security.world import bearer as bearer_of
from tests.unit.repos import people
from tokens import services
from tokens.services import current_keys, forget_keys
from webhooks.owners import Owner
from webhooks.promotions import create_promotion
from webhooks.resending import owe
from webhooks.services import create_webhook, ping

HOOK = "http://127.0.0.1:8080/hook"
PASSWORD = "a long enough secret"
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
_PERSONS = (
    *("stranger", "reader", "writer", "admin", "member", "tess", "tina", "everywhere", "olga"),
    *("root", "opener", "unverified", "gone", "alice", "bert", "bea", "vera", "viktor", "retired"),
)
Ids = dict[str, Any]


@contextmanager
def undone() -> Iterator[None]:
    """Take back whatever the block writes to the database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@dataclass
class World:
    """Accounts by name, repositories by path, ids of what there is in each, credentials."""

    users: dict[str, User] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    ids: dict[str, Ids] = field(default_factory=dict)
    secrets: dict[Caller, str] = field(default_factory=dict)
    rows: dict[Caller, AccessToken] = field(default_factory=dict)
    browsers: dict[Caller, Client] = field(default_factory=dict)
    cookies: dict[Caller, SimpleCookie] = field(default_factory=dict)
    crossing: str = field(default_factory=_get_new_csrf_string)
    # One for all: making it looks through every static file.
    handler: ClientHandler = field(default_factory=lambda: ClientHandler(enforce_csrf_checks=True))

    # --- credentials

    def secret(self, caller: Caller) -> str:
        """The access token this caller presents; made when first asked for."""
        if caller not in self.secrets:
            glob, actions = LIMITS.get(caller.how, ("", ""))
            scopes = [f"repository:{glob}:{actions}"] if glob else []
            made = create_token(self.users[caller.person], name=caller.how, scopes=scopes)
            used = AccessToken.objects.filter(pk=made.row.pk)
            used.update(last_used_at=timezone.now())  # a use is noted every few minutes
            if caller.how == "expired token":
                past = timezone.now() - timedelta(seconds=1)
                AccessToken.objects.filter(pk=made.row.pk).update(expires_at=past)
            if caller.how == "revoked token":
                revoke_token(made.row)
            self.rows[caller] = made.row
            self.secrets[caller] = made.secret
        return self.secrets[caller]

    def principal(self, caller: Caller) -> Principal:
        """Who services take the caller for, where one of them has to be called directly."""
        if caller.person == "nobody":
            return ANONYMOUS
        if caller.how in LIMITS:
            self.secret(caller)
            return principal_of_token(self.rows[caller])
        return principal_of(self.users[caller.person])

    def headers(self, caller: Caller, *scopes: str) -> dict[str, str]:
        """What the caller sends besides cookies."""
        if caller.person == "nobody" or caller.how in ("session", "no csrf"):
            return {}
        name = self.users[caller.person].username
        if caller.how == "password":
            return basic(name, PASSWORD)
        if caller.how == "wrong password":
            return basic("nosuchperson", "not a password of anybody")
        if caller.how == "wrong token":
            return {"Authorization": "Bearer hubp_0123456789_nothing"}
        if caller.how == "basic token":
            return basic(name, self.secret(caller))
        if caller.how == "bearer":
            return bearer_of(self.principal(caller), *scopes)
        return {"Authorization": f"Bearer {self.secret(caller)}"}

    def _browser(self, caller: Caller) -> Client:
        """A client with the caller's session and, unless it is to be missing, the CSRF cookie."""
        if caller not in self.browsers:
            made = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
            made.handler = self.handler
            if caller.person != "nobody" and caller.how in ("session", "no csrf"):
                made.force_login(self.users[caller.person], backend=BACKEND)
            if caller.how != "no csrf":
                made.cookies[settings.CSRF_COOKIE_NAME] = self.crossing
            self.browsers[caller] = made
            self.cookies[caller] = made.cookies
        made = self.browsers[caller]
        made.cookies = SimpleCookie({k: v.value for k, v in self.cookies[caller].items()})
        return made

    def prepare(self, caller: Caller) -> None:
        """Make the credential now, so that no cell pays for it or takes it back."""
        if caller.person != "nobody" and caller.how not in ("session", "no csrf"):
            self.secret(caller)
        self._browser(caller)

    # --- asking

    def page(
        self,
        caller: Caller,
        method: str,
        target: str,
        data: Any = None,
        *,
        address: str = "127.0.0.1",
    ) -> HttpResponse:
        """A page, as a browser asks for it."""
        sent: dict[str, Any] = {"REMOTE_ADDR": address}
        headers = {**self.headers(caller), "accept-language": "en"}
        if caller.how != "no csrf":
            headers["X-CSRFToken"] = self.crossing
        client = self._browser(caller)
        if method == "POST":
            return client.post(target, data or {}, headers=headers, **sent)
        return client.generic(method, target, headers=headers, **sent)

    def rest(
        self,
        caller: Caller,
        method: str,
        target: str,
        data: Any = None,
        *,
        address: str = "127.0.0.1",
    ) -> HttpResponse:
        """A call of the REST API."""
        headers = self.headers(caller)
        if caller.how != "no csrf":
            headers["X-CSRFToken"] = self.crossing
        body = "" if data is None else data if isinstance(data, str) else json.dumps(data)
        kind = "application/json" if body else ""
        client = self._browser(caller)
        return client.generic(method, target, body, kind, headers=headers, REMOTE_ADDR=address)

    def registry(self, caller: Caller, method: str, target: str, **more: Any) -> Answer:
        """A call of the registry lane; a session goes along, and must count for nothing."""
        auth._decided.clear()  # it is not for use inside a transaction
        headers = {**more.pop("headers", {}), **self.headers(caller, *more.pop("scopes", ()))}
        if caller.how in ("session", "no csrf"):
            cookies = self._browser(caller).cookies
            headers["Cookie"] = "; ".join(f"{k}={v.value}" for k, v in cookies.items())
        return send(method, target, headers=headers, **more)

    def fill(self, text: str, place: str) -> str:
        """`{words}` of an address or a body, for this place."""
        ids = {**self.ids[""], **self.ids.get(place, {})}
        return re.sub(r"\{(\w+)\}", lambda m: str(ids.get(m[1], m[0])), text)


# --- making it


def make_world() -> World:
    """In the database of the running test; roles are those of rules.py."""
    world = World()
    call_command("createcachetable", verbosity=0)
    current_keys()  # made here, so that no cell takes the key back with what it did
    users = world.users = {name: people.person(name) for name in _PERSONS}
    for name in SUPERUSERS:
        User.objects.filter(username=name).update(is_superuser=True)
    acme = people.organization("acme", users["olga"])
    base = people.organization("base", users["bert"])
    vault = people.organization("vault", users["vera"])
    Organization.objects.filter(pk=base.pk).update(base_role="write", members_create=True)
    Organization.objects.filter(pk=vault.pk).update(
        second_factor_required=True, members_create=True
    )
    library = Namespace.objects.filter(kind=Namespace.Kind.LIBRARY).first()
    library = library or Namespace.objects.create(name="library", kind=Namespace.Kind.LIBRARY)
    _robots(users)
    for space in (acme.namespace, users["alice"].namespace, base.namespace, vault.namespace):
        for name in ("open", "closed"):
            _repository(world, space, name)
    for name in ("open", "closed"):
        _repository(world, library, name)
    Membership.objects.create(organization=acme, user=users["member"])
    Membership.objects.create(organization=base, user=users["bea"])
    Membership.objects.create(organization=vault, user=users["viktor"])
    _roles(world, acme)
    User.objects.filter(username="gone").update(is_active=False)
    User.objects.filter(username="unverified").update(is_verified=False)
    User.objects.filter(username="viktor").update(second_factor=True)
    users["writer"].set_password(PASSWORD)
    users["writer"].save(update_fields=["password"])
    for name in users:
        users[name] = User.objects.get(pk=users[name].pk)
    for place, repository in world.repositories.items():
        world.ids[place] = _things(world, repository)
    spare = create_token(users["olga"], name="spare").row
    robots = create_token(users["acme+ci"], name="spare").row
    invitation = Invitation.objects.create(
        organization=acme,
        email="guest@example.org",
        role="member",
        secret_hash="?",
        invited_by=users["olga"],
        expires_at=timezone.now() + timedelta(days=1),
    )
    former = NamespaceAlias.objects.create(old_name="acme-former", namespace=acme.namespace)
    world.ids[""] = {
        "former": former.pk,
        "trashed": _trashed(acme.namespace).pk,
        "invitation": invitation.pk,
        "spare": spare.pk,
        "robot_token": robots.pk,
        "olga": users["olga"].pk,
        **_wide_webhooks(world, acme.namespace),
    }
    earlier = timezone.now() - timedelta(hours=1)  # few may be made in a minute
    Event.objects.filter(kind="webhook.ping").update(occurred_at=earlier)
    return world


def _wide_webhooks(world: World, namespace: Namespace) -> Ids:
    """A webhook of a namespace and one of the server, each with a delivery; and a callback."""
    owner, root = (principal_of(world.users[name]).actor for name in ("olga", "root"))
    space = create_webhook(Owner(namespace=namespace), actor=owner, url=HOOK)
    server = create_webhook(Owner(), actor=root, url=HOOK)
    place = world.repositories["acme/open"]
    push = Event.objects.filter(kind="tag.moved", repository_id=place.pk).first()
    assert push is not None
    (told,) = owe([(space, push)])
    return {
        "space_hook": space.pk,
        "space_sent": ping(space, actor=owner).pk,
        "server_hook": server.pk,
        "server_sent": ping(server, actor=root).pk,
        "server_uid": server.deliveries.get().uid,
        "told": told.uid,
    }


def _trashed(namespace: Namespace) -> Repository:
    """A repository that was deleted and can still come back."""
    row = people.repository(namespace, "gone")
    delete_repository(row, actor=SYSTEM)
    return row


def _robots(users: dict[str, User]) -> None:
    roles = {"acme+ci": "write", "alice+ci": "read", "vault+ci": "write"}
    for name in sorted(ROBOTS):
        namespace = Namespace.objects.get(name=name.partition("+")[0])
        users[name] = User.objects.create(
            username=name,
            password="!",
            robot_namespace=namespace,
            robot_role=roles.get(name, ""),
            robot_creates=name == "acme+puller",
        )


def _repository(world: World, namespace: Namespace, name: str) -> None:
    visibility = {"open": "public", "closed": "private"}[name]
    made = people.repository(
        namespace, name, visibility=visibility, immutable_tags=["fixed", "v*"], description="A box."
    )
    world.repositories[made.path] = made


def _roles(world: World, acme: Organization) -> None:
    def collaborator(path: str, name: str, role: str) -> None:
        Collaborator.objects.create(
            repository=world.repositories[path], user=world.users[name], role=role
        )

    pushers = people.team(acme, "pushers", world.users["tess"], world.users["tina"])
    seers = people.team(acme, "seers", world.users["everywhere"])
    type(seers).objects.filter(pk=seers.pk).update(base_role="read")
    for name in ("open", "closed"):
        path = f"acme/{name}"
        TeamGrant.objects.create(repository=world.repositories[path], team=pushers, role="write")
        for person in ("reader", "writer", "admin"):
            role = {"reader": "read", "writer": "write", "admin": "admin"}[person]
            collaborator(path, person, role)
        collaborator(path, "unverified", "admin")
        collaborator(path, "gone", "admin")
        collaborator(path, "tina", "read")
        collaborator(path, "acme+puller", "read")
        collaborator(path, "alice+ci", "write")  # counts for nothing outside its namespace
        collaborator(f"alice/{name}", "writer", "write")
        collaborator(f"alice/{name}", "acme+ci", "write")
        collaborator(f"vault/{name}", "viktor", "admin")
        collaborator(f"vault/{name}", "reader", "admin")  # suspended without a second factor
    later, earlier = (timezone.now() + timedelta(hours=h) for h in (1, -1))
    for path, name, until in (
        ("acme/closed", "opener", later),
        ("vault/closed", "opener", later),
        ("alice/closed", "opener", earlier),
        ("acme/closed", "retired", later),
    ):
        Opening.objects.create(
            repository=world.repositories[path], user=world.users[name], reason="?", until=until
        )


def _things(world: World, repository: Repository) -> Ids:
    """Content, a comment, a webhook with a delivery, a request; their ids by the words of rows."""
    Repository.objects.filter(pk=repository.pk).update(last_pushed_at=timezone.now())
    manifest = furnish(repository)
    owner = principal_of(world.users["olga"])
    author = world.users["reader"]
    is_readable = repository.path.startswith("acme/") or repository.is_public
    webhook = create_webhook(Owner(repository), actor=owner.actor, url=HOOK)
    delivery = ping(webhook, actor=owner.actor)
    promotion = create_promotion(
        repository, actor=owner.actor, source="v*", target="next", requires=[webhook]
    )
    request = AccessRequest.objects.create(
        repository=repository, user=world.users["stranger"], role="read"
    )
    alias = Alias.objects.create(old_path=f"{repository.path}-former", repository=repository)
    invited = RepositoryInvitation.objects.create(
        repository=repository,
        email="guest@example.org",
        role="read",
        secret_hash=repository.path,
        expires_at=timezone.now() + timedelta(days=1),
    )
    ids: Ids = {
        "invited": invited.pk,
        "alias": alias.pk,
        "path": repository.path,
        "digest": manifest.digest,
        "webhook": webhook.pk,
        "delivery": delivery.pk,
        "promotion": promotion.pk,
        "uid": delivery.uid,
        "request": request.pk,
        "deleted_tag": _deleted_tag(repository, manifest),
    }
    if is_readable:
        comment = add_comment(repository, principal=principal_of(author), body="Works **well**.")
        ids["comment"] = comment.pk
    return ids


def _deleted_tag(repository: Repository, manifest: Manifest) -> int:
    """The id of the deletion of a tag that can still come back."""
    retag(repository, "former", manifest.digest, actor=SYSTEM)
    return delete_tag(repository, "former", actor=SYSTEM).pk


@contextmanager
def quiet(folder: Path) -> Iterator[None]:
    """A store of one's own, no disk waits, no messages to workers, refusals out of the log."""
    values = {
        "storage_options": {"root": folder / "store"},
        "webhook_allow_networks": ["127.0.0.0/8"],
        "v1": "push",
    }
    hub = settings.HUB.model_copy(update=values)
    with pytest.MonkeyPatch.context() as patch, override_settings(HUB=hub):
        patch.setattr(os, "fsync", lambda descriptor: None)
        patch.setattr(pulls, "note_pull", lambda *_: None)  # a thread would write it later
        patch.setattr(wake, "_send", lambda *_: None)
        patch.setattr(services, "_KEYS_READ_EVERY_S", 3600.0)  # or now and then a query more
        for name in ("django.security.csrf", "django.request"):
            patch.setattr(logging.getLogger(name), "disabled", True)
        get_store.cache_clear()
        forget_keys()
        yield
        forget_keys()
        get_store.cache_clear()


@contextmanager
def open_world(folder: Path) -> Iterator[World]:
    """The world inside a transaction that is taken back at the end."""
    with quiet(folder), undone():
        world = make_world()
        for caller in (c for columns in (COLUMNS, FARTHER) for c in chain(*columns.values())):
            world.prepare(caller)
        yield world
