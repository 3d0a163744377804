"""Prepared queries give what their querysets give, and inserting gives what saving gives."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection, connections, models, transaction
from django.utils import timezone

from accounts.models import AccessToken, User
from accounts.services import credentials
from accounts.services.tokens import create_token
from core.prepared import Prepared, insert
from registry import selectors
from registry.models import (
    Blob,
    BlobLink,
    Manifest,
    ManifestInfo,
    Tag,
    UploadPart,
    UploadSession,
)
from registry.services import locking, manifests, tags, uploads
from repos.models import Collaborator, Repository, Role
from repos.permissions import lists
from tests.images import image
from tests.unit.registry.pushing import make_person, make_repository, push

pytestmark = pytest.mark.django_db


class World:
    """One of everything prepared queries ask for, and something beside it."""

    def __init__(self) -> None:
        self.alice, self.bob, self.eve = map(make_person, ("alice", "bob", "eve"))
        self.app = make_repository(self.alice.namespace, "app")
        self.open = make_repository(self.bob.namespace, "open", visibility="public")
        Collaborator.objects.create(repository=self.app, user=self.bob, role=Role.READ)
        self.manifest = push(self.app, image("1"), "1.0")
        push(self.open, image("1"), "1.0")
        push(self.open, image("2"), "2.0")
        self.bare = Manifest.objects.create(repository=self.app, digest="sha256:2", payload=b"")
        self.link = BlobLink.objects.filter(repository=self.app).first()
        self.token = AccessToken.objects.get(pk=create_token(self.alice, name="laptop").row.pk)
        self.session = UploadSession.objects.create(
            repository=self.app, started_by_id=self.alice.pk, expires_at=timezone.now()
        )
        for start in (5, 0):
            UploadPart.objects.create(
                session=self.session,
                start=start,
                size=5,
                hash_state=b"\0\xff" * start,
                storage_key=f"k{start}",
            )


@pytest.fixture
def world(rung) -> World:
    return World()


def of(name):
    """An argument taken from the world: `of("app.pk")`."""

    def get(world):
        value = world
        for part in name.split("."):
            value = getattr(value, part)
        return value

    return get


NOBODY = -1
PERSON, SUPERUSER = lists._Kind(), lists._Kind(is_superuser=True, second_factor=True)
PREPARED = {
    "manifest by digest": (selectors._by_digest, of("app.pk"), of("manifest.digest")),
    "manifest by digest, elsewhere": (selectors._by_digest, NOBODY, of("manifest.digest")),
    "manifest by tag": (selectors._by_tag, of("app.pk"), of("app.pk"), "1.0"),
    "manifest by tag, none": (selectors._by_tag, of("app.pk"), of("app.pk"), "2.0"),
    "link": (selectors._link, of("app.pk"), of("link.blob.digest")),
    "link, none": (selectors._link, of("app.pk"), "sha256:0"),
    "session": (uploads._session, of("session.uuid"), of("app.pk"), of("alice.pk")),
    "session, stranger's": (uploads._session, of("session.uuid"), of("app.pk"), of("bob.pk")),
    "session, other": (uploads._session, uuid.UUID(int=1), of("app.pk"), of("alice.pk")),
    "session, held": (uploads._held, of("session.pk")),
    "parts": (uploads._parts, of("session.pk")),
    "parts, none": (uploads._parts, NOBODY),
    "blob": (uploads._blob, of("link.blob.digest")),
    "repository, locked": (locking._repository, of("app.pk")),
    "manifest to put": (manifests._manifest, of("app.pk"), of("manifest.digest")),
    "tag": (tags._tag, of("app.pk"), "1.0"),
    "public": (lists._bare[None], "bob/open"),
    "public, private": (lists._bare[None], "alice/app"),
    "mine": (lists._bare[PERSON], of("alice.pk"), "alice/app"),
    "shared": (lists._bare[PERSON], of("bob.pk"), "alice/app"),
    "stranger's": (lists._bare[PERSON], of("eve.pk"), "alice/app"),
    "somebody's public": (lists._bare[PERSON], of("eve.pk"), "bob/open"),
    "superuser's": (lists._bare[SUPERUSER], of("alice.pk"), "alice/app"),
    "token": (credentials._token, of("token.pk")),
    "user": (credentials._user, of("alice.pk")),
    "user, none": (credentials._user, NOBODY),
    "user of name": (credentials._user_of_name, "alice"),
    "user of name, odd": (credentials._user_of_name, "o'hara%s"),
}  # fmt: skip
EMPTY = {
    "manifest by digest, elsewhere", "manifest by tag, none", "link, none", "session, stranger's",
    "session, other", "parts, none", "public, private", "stranger's", "user, none",
    "user of name, odd",
}  # fmt: skip


def portrait(row: models.Model) -> dict[str, object]:
    """Columns, what is deferred, and the same of every related row that came along."""
    loaded = {
        field.attname: plain(row.__dict__[field.attname])
        for field in row._meta.concrete_fields
        if field.attname in row.__dict__
    }
    related = {
        name: None if other is None else portrait(other)
        for name, other in row._state.fields_cache.items()
    }
    return {
        "class": type(row),
        "loaded": loaded,
        "deferred": row.get_deferred_fields(),
        "related": related,
        "state": (row._state.adding, row._state.db),
    }


def plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


@pytest.mark.parametrize("name", PREPARED)
def test_rows_are_those_of_the_queryset(world, name, django_assert_num_queries):
    prepared, *wanted = PREPARED[name]
    arguments = [one(world) if callable(one) else one for one in wanted]
    with transaction.atomic():
        expected = [portrait(row) for row in prepared._build(*arguments)]
        assert (expected == []) == (name in EMPTY)
        for _ in range(2):
            assert [portrait(row) for row in prepared.all(*arguments)] == expected
        first = prepared.first(*arguments)
        assert (None if first is None else portrait(first)) == (expected or [None])[0]
        with django_assert_num_queries(1):
            prepared.all(*arguments)


def test_rows_made_by_a_prepared_query_are_of_their_own(world):
    one, other = (credentials._token.first(world.token.pk) for _ in range(2))
    one.name = one.user.username = "changed"
    assert (other.name, other.user.username) == ("laptop", "alice")
    one.user.save(update_fields=["username"])
    assert credentials._token.first(world.token.pk).user.username == "changed"


def test_what_was_deferred_is_fetched_when_it_is_wanted(world, django_assert_num_queries):
    row = selectors._by_digest.first(world.app.pk, world.manifest.digest)
    with django_assert_num_queries(0):
        assert bytes(row.payload) == image("1").manifest
    with django_assert_num_queries(1):
        assert row.total_size == world.manifest.total_size


MOMENT = datetime(2027, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.get_default_timezone())
KINDS = {
    "datetime": (
        lambda at: UploadSession.objects.filter(expires_at__lt=at),
        models.DateTimeField(),
        lambda world: world.session.expires_at + timedelta(microseconds=1),
        lambda world: world.session.expires_at,
    ),
    "uuid": (
        lambda key: UploadSession.objects.filter(uuid=key),
        models.UUIDField(),
        of("session.uuid"),
        lambda world: uuid.uuid4(),
    ),
    "text": (
        lambda name: Repository.objects.filter(path=name),
        models.CharField(),
        lambda world: "alice/app",
        lambda world: "' OR 1=1 --",
    ),
    "boolean": (
        lambda yes: User.objects.filter(is_staff=yes, username="alice"),
        models.BooleanField(),
        lambda world: False,
        lambda world: True,
    ),
    "number": (
        lambda pk: Blob.objects.filter(pk=pk),
        models.BigIntegerField(),
        of("link.blob_id"),
        lambda world: 2**62,
    ),
}


@pytest.mark.parametrize(("build", "field", "right", "wrong"), KINDS.values(), ids=KINDS)
def test_arguments_of_every_kind_reach_the_database(world, build, field, right, wrong):
    prepared = Prepared(build, field)
    assert len(prepared.all(right(world))) == 1
    assert prepared.all(wrong(world)) == []
    assert prepared.first(wrong(world)) is None
    assert len(prepared.all(right(world))) == 1


def test_constants_and_arguments_keep_their_places(world):
    prepared = Prepared(
        lambda name, path: Repository.objects.filter(
            state="active", path=path, namespace__name=name, visibility="public"
        ),
        models.CharField(),
        models.CharField(),
    )
    assert prepared.first("bob", "bob/open") == world.open
    assert prepared.first("bob/open", "bob") is None


@pytest.mark.django_db(transaction=True)
def test_threads_that_are_first_together_compile_once_or_alike(world):
    built, found, start = [], [], threading.Barrier(6)

    def build(name):
        built.append(name)
        return User.objects.filter(username=name).select_related("namespace")[:1]

    prepared = Prepared(build, models.CharField())

    def work(name):
        start.wait()
        try:
            for _ in range(20):
                row = prepared.first(name)
                found.append((name, row.username, row.namespace.name))
        finally:
            connections.close_all()

    names = ["alice", "bob", "eve"] * 2
    threads = [threading.Thread(target=work, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 120
    assert all(asked == got == namespace for asked, got, namespace in found)
    assert len(built) <= len(threads)


# --- inserting

VALUES = {
    "defaults, foreign key": lambda world: UploadSession(
        repository=world.app, expires_at=MOMENT, started_by_id=None
    ),
    "binary": lambda world: UploadPart(
        session=world.session, start=10, size=1, hash_state=b"\0\xff\x80", storage_key="k10"
    ),
    "binary by default": lambda world: UploadPart(
        session=world.session, start=10, size=1, storage_key="k10"
    ),
    "json": lambda world: Manifest(
        repository=world.app,
        digest="sha256:1",
        media_type="m",
        payload=b"{}\0",
        annotations={"größe": ["a", 1, None, {"b": "'%s"}]},
    ),
    "one to one": lambda world: ManifestInfo(
        manifest=world.bare,
        built_at=MOMENT,
        config={},
    ),
    "tag": lambda world: Tag(
        repository=world.app, name="2.0", manifest=world.manifest, moved_at=MOMENT
    ),
}


def fresh(row: models.Model) -> dict[str, object]:
    """The row as the database has it, without what differs from one to the next."""
    found = type(row).objects.get(pk=row.pk)
    return {
        key: value
        for key, value in portrait(found)["loaded"].items()
        if key not in ("id", "created_at") and not isinstance(value, uuid.UUID)
    }


@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_an_inserted_row_is_as_a_saved_one(world, make, django_assert_num_queries):
    with transaction.atomic():
        row = make(world)
        row.save()
        saved = fresh(row)
        transaction.set_rollback(True)
    row = make(world)
    with django_assert_num_queries(1):
        insert(row)
    assert row.pk is not None
    assert (row._state.adding, row._state.db) == (False, connection.alias)
    assert fresh(row) == saved
    again = type(row).objects.get(pk=row.pk)
    for name in ("created_at", "uuid"):
        if hasattr(row, name):
            assert getattr(again, name) == getattr(row, name) is not None


def test_the_moment_of_creation_is_now(world):
    before = timezone.now()
    row = UploadSession(repository=world.app, expires_at=MOMENT)
    insert(row)
    row.refresh_from_db()
    assert before <= row.created_at <= timezone.now()
    assert row.expires_at == MOMENT


def test_an_inserted_row_is_saved_again_as_the_same_row(world):
    row = UploadSession(repository=world.app, expires_at=MOMENT)
    insert(row)
    row.offset = 7
    row.save()
    assert UploadSession.objects.get(uuid=row.uuid).offset == 7
    assert UploadSession.objects.filter(repository=world.app).count() == 2


def test_what_is_there_already_is_refused(world):
    row = UploadPart(session=world.session, start=5, size=1, storage_key="another")
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(row)
    assert row.pk is None
    assert row._state.adding
