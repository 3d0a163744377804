"""The trash: what was deleted is gone for everybody and can still come back whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from accounts.models import BaseRole, Membership, Namespace, Team, User
from accounts.services.closing import close_account, holds
from accounts.services.names import is_name_free
from accounts.services.organizations import (
    create_organization,
    delete_organization,
    drop_emptied,
    update_organization,
)
from accounts.types import Principal
from core.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated
from events.models import Event
from events.types import Actor
from repos.errors import RepositoryExists
from repos.models import Alias, Collaborator, Comment, Repository, Star, TeamGrant
from repos.permissions import decide, find_moved, find_visible, visible_to
from repos.services import repositories, trash
from repos.services.renaming import rename_account, rename_repository, transfer_repository
from repos.services.repositories import create_repository, delete_repository
from repos.services.trash import (
    enter_trash,
    get_trashed,
    list_trash,
    purge_due,
    purge_repository,
    restore_repository,
)
from tests.unit.repos.people import organization, person, principal, repository, team

pytestmark = pytest.mark.django_db
State = Repository.State


@pytest.fixture(autouse=True)
def _silent(rung: list[Any]) -> None:
    """No messages for workers."""


@pytest.fixture
def alice() -> Principal:
    return principal(person("alice"))


@pytest.fixture
def home(alice: Principal) -> Namespace:
    return Namespace.objects.get(name="alice")


def trashed(namespace: Namespace, name: str = "app", **values: Any) -> Repository:
    row = repository(namespace, name, **values)
    delete_repository(row, actor=Actor(1, "alice"))
    row.refresh_from_db()
    return row


def test_deleting_puts_a_repository_aside_for_everybody_and_keeps_its_row(alice, home):
    row = repository(home, "app", visibility="public", star_count=3)
    with time_machine.travel("2026-05-01T12:00Z", tick=False):
        assert delete_repository(row, actor=alice.actor)
    row.refresh_from_db()
    assert (row.state, row.path, row.name) == (State.TRASHED, f"~{row.pk}", f"~{row.pk}")
    assert (row.former_name, row.deleted_by_name, row.star_count) == ("app", "alice", 3)
    assert row.purge_after - row.deleted_at == timedelta(days=7)
    assert find_visible(alice, "alice/app") is None
    assert find_moved(alice, "alice/app") is None
    assert not visible_to(alice).exists()
    event = Event.objects.get()
    assert (event.kind, event.repository_path) == ("repository.deleted", "alice/app")
    assert event.payload == {"deleted_at": "2026-05-01T12:00:00+00:00"}


@pytest.mark.parametrize("how", ["no trash", "final"])
def test_where_there_is_no_trash_a_deletion_is_final(alice, home, hub_settings, how):
    hub_settings(trash_days=0 if how == "no trash" else 7)
    row = repository(home, "app")
    assert not delete_repository(row, actor=alice.actor, final=how == "final")
    row.refresh_from_db()
    assert (row.state, row.former_name, row.purge_after) == (State.DELETING, "", None)
    assert not list_trash(alice, home).exists()


def test_what_comes_back_is_what_went(alice, home):
    friend = person("friend")
    row = repository(home, "app", description="Hi", visibility="public", star_count=1)
    Star.objects.create(user=friend, repository=row)
    Comment.objects.create(repository=row, author=friend, body="x", body_html="x")
    Collaborator.objects.create(repository=row, user=friend, role="write")
    Alias.objects.create(old_path="alice/before", repository=row)
    before = {f.attname: getattr(row, f.attname) for f in Repository._meta.concrete_fields}
    delete_repository(row, actor=alice.actor)
    found = get_trashed(alice, home, row.pk)
    Event.objects.all().delete()
    restore_repository(found, principal=alice)
    row = Repository.objects.get()
    assert {f.attname: getattr(row, f.attname) for f in Repository._meta.concrete_fields} == before
    assert find_visible(principal(friend), "alice/app") == row
    assert decide(principal(friend), "push", row).allowed
    assert find_moved(alice, "alice/before") == row
    assert row.stars.count() == row.comments.count() == 1
    event = Event.objects.get()
    assert (event.kind, event.repository_path) == ("repository.restored", "alice/app")
    assert event.payload == {"visibility": "public"}


def test_a_name_that_is_taken_meanwhile_needs_another_one(alice, home):
    row = trashed(home)
    create_repository(home, "app", actor=alice.actor)
    with pytest.raises(RepositoryExists):
        restore_repository(row, principal=alice)
    with pytest.raises(Invalid):
        restore_repository(row, principal=alice, name="Not A Name")
    back = restore_repository(row, principal=alice, name="app-back")
    assert back.path == "alice/app-back"
    event = Event.objects.filter(kind="repository.restored").get()
    assert event.payload["before"] == {"name": "app"}
    assert event.payload["after"] == {"name": "app-back"}


def test_a_former_name_that_somebody_took_does_not_come_back(alice, home):
    row = repository(home, "app")
    rename_repository(row, "new", principal=alice)
    delete_repository(row, actor=alice.actor)
    taken = create_repository(home, "app", actor=alice.actor)
    restore_repository(get_trashed(alice, home, row.pk), principal=alice)
    assert find_visible(alice, "alice/app") == taken
    assert not Alias.objects.exists()


def test_a_repository_may_come_back_under_one_of_its_former_names(alice, home):
    row = repository(home, "app")
    rename_repository(row, "new", principal=alice)
    delete_repository(row, actor=alice.actor)
    found = get_trashed(alice, home, row.pk)
    restore_repository(found, principal=alice, name="app")
    assert find_visible(alice, "alice/app") == row
    assert not Alias.objects.exists()


def test_it_comes_back_once(alice, home):
    row = trashed(home)
    restore_repository(row, principal=alice)
    for act in (restore_repository, purge_repository):
        with pytest.raises(NotFound):
            act(row, principal=alice)
    assert Event.objects.filter(kind="repository.restored").count() == 1


def test_what_was_purged_does_not_come_back(alice, home):
    row = trashed(home)
    assert purge_repository(row, principal=alice) == "alice/app"
    with pytest.raises(NotFound):
        restore_repository(row, principal=alice)
    row.refresh_from_db()
    assert (row.state, row.former_name, row.purge_after) == (State.DELETING, "", None)
    event = Event.objects.filter(kind="repository.purged").get()
    assert (event.repository_path, event.actor_name) == ("alice/app", "alice")
    assert event.dispatched_at is not None  # nobody is told


def test_its_days_end(alice, home):
    row = trashed(home)
    now = timezone.now()
    with time_machine.travel(now + timedelta(days=6, hours=23)):
        assert purge_due() == 0
    with time_machine.travel(now + timedelta(days=7, minutes=1)):
        assert purge_due() == 1
        assert purge_due() == 0
    row.refresh_from_db()
    assert row.state == State.DELETING
    assert Event.objects.filter(kind="repository.purged").get().actor_name == "hub"


def test_its_namespace_may_be_renamed_meanwhile(alice, home):
    row = trashed(home)
    seen = get_trashed(alice, enter_trash(alice, "alice"), row.pk)
    rename_account(home, "alicia", principal=alice)
    with pytest.raises(Conflict):
        restore_repository(seen, principal=alice)
    home.refresh_from_db()
    back = restore_repository(get_trashed(alice, home, row.pk), principal=alice)
    assert back.path == "alicia/app"
    assert find_moved(alice, "alice/app") == back


def test_a_longer_name_of_the_namespace_may_leave_no_room_for_the_old_one(alice, home):
    row = trashed(home, "a" * 200)
    Namespace.objects.filter(pk=home.pk).update(name="n" * 60)
    home.refresh_from_db()
    with pytest.raises(Invalid):
        restore_repository(get_trashed(alice, home, row.pk), principal=alice)
    assert (
        restore_repository(get_trashed(alice, home, row.pk), principal=alice, name="a").path
        == f"{'n' * 60}/a"
    )


def test_where_nothing_may_be_public_any_longer_it_comes_back_private(alice):
    group = create_organization(User.objects.get(username="alice"), name="acme")
    row = trashed(group.namespace, visibility="public")
    update_organization(group, actor=alice.actor, public_allowed=False)
    found = get_trashed(alice, enter_trash(alice, "acme"), row.pk)
    assert restore_repository(found, principal=alice).visibility == "private"


def test_in_the_trash_nothing_else_can_be_done_with_it(alice, home):
    row = trashed(home)
    with pytest.raises(NotFound):
        delete_repository(row, actor=alice.actor)
    with pytest.raises(NotFound):
        rename_repository(row, "other", principal=alice)
    with pytest.raises(Invalid):  # it has no name to take along
        transfer_repository(row, person("bob").namespace, principal=alice)


class TestWho:
    """Exactly those who could have deleted it."""

    @pytest.fixture
    def world(self) -> dict[str, Any]:
        olga = person("olga")
        acme = organization("acme", olga)
        Membership.objects.create(organization=acme, user=person("member"))
        admins = team(acme, "admins", person("in-admins"))
        everywhere = team(acme, "everywhere", person("in-everywhere"))
        Team.objects.filter(pk=everywhere.pk).update(base_role="admin")
        rows = []
        for name in ("one", "two"):
            row = repository(acme.namespace, name, visibility="public")
            for role in ("read", "write", "admin"):
                if name == "one":
                    user = person(f"{role}-of-one")
                    Collaborator.objects.create(repository=row, user=user, role=role)
            rows.append(row)
        TeamGrant.objects.create(repository=rows[1], team=admins, role="admin")
        person("stranger")
        return {"acme": acme, "rows": rows}

    def everybody(self) -> Iterator[Principal]:
        for user in User.objects.order_by("pk"):
            yield principal(user)
            yield principal(user, "repository:*:pull,push,delete")
        yield Principal()

    @pytest.mark.parametrize("base", ["", "admin"])
    @pytest.mark.parametrize("suspended", [False, True])
    def test_the_list_is_what_decide_allows(self, world, base, suspended):
        acme, rows = world["acme"], world["rows"]
        acme.base_role, acme.second_factor_required = BaseRole(base) if base else "", suspended
        acme.save()
        could = {
            (who.username, who.is_limited, row.pk)
            for who in self.everybody()
            for row in Repository.objects.select_related("namespace__organization")
            if decide(who, "administer", row).allowed
        }
        for row in rows:
            delete_repository(row, actor=Actor(1, "olga"))
        namespace = Namespace.objects.select_related("organization", "user").get(name="acme")
        can = {
            (who.username, who.is_limited, row.pk)
            for who in self.everybody()
            for row in list_trash(who, namespace)
        }
        assert can == could
        assert bool(can) != suspended

    def test_the_door(self, world):
        acme, (one, _two) = world["acme"], world["rows"]
        users = {user.username: user for user in User.objects.all()}
        olga, admin = principal(users["olga"]), principal(users["admin-of-one"])
        assert enter_trash(olga, "acme") == acme.namespace
        with pytest.raises(Denied):
            enter_trash(admin, "acme")
        with pytest.raises(Unauthenticated):
            enter_trash(Principal(), "acme")
        with pytest.raises(NotFound):
            enter_trash(olga, "nobody-there")
        delete_repository(one, actor=olga.actor)
        assert enter_trash(admin, "acme") == acme.namespace
        with pytest.raises(Denied):
            enter_trash(principal(users["write-of-one"]), "acme")

    def test_a_role_that_went_in_between_counts(self, world, monkeypatch):
        _, (one, _two) = world["acme"], world["rows"]
        admin = principal(Namespace.objects.get(name="admin-of-one").user)
        delete_repository(one, actor=admin.actor)
        found = get_trashed(admin, enter_trash(admin, "acme"), one.pk)
        lock = trash.lock_namespace

        def lock_after_the_role_went(namespace):
            Collaborator.objects.filter(user_id=admin.user_id).delete()
            lock(namespace)

        monkeypatch.setattr(trash, "lock_namespace", lock_after_the_role_went)
        for act in (restore_repository, purge_repository):
            with pytest.raises(NotFound):
                act(found, principal=admin)
        one.refresh_from_db()
        assert one.state == State.TRASHED


class TestTogether:
    """Two at once: each other act at every moment before the first holds its locks."""

    @pytest.mark.parametrize("first", ["restore", "purge"])
    @pytest.mark.parametrize("other", ["restore", "purge", "create", "rename", "expire"])
    def test_one_wins_and_nothing_is_lost(self, alice, home, first, other):
        row = trashed(home)
        seen = get_trashed(alice, home, row.pk)
        acts = {
            "restore": lambda: restore_repository(
                get_trashed(alice, home, row.pk), principal=alice
            ),
            "purge": lambda: purge_repository(get_trashed(alice, home, row.pk), principal=alice),
            "create": lambda: create_repository(home, "app", actor=alice.actor),
            "rename": lambda: rename_account(
                Namespace.objects.get(pk=home.pk), "alicia", principal=alice
            ),
            "expire": lambda: self._expire(),
        }
        done: list[str] = []

        def in_between(execute: Any, sql: str, *call: Any) -> Any:
            if not done and sql.startswith("SAVEPOINT"):  # the transaction is about to begin
                done.append(other)
                acts[other]()
            return execute(sql, *call)

        act = restore_repository if first == "restore" else purge_repository
        with connection.execute_wrapper(in_between):
            try:
                act(seen, principal=alice)
                refused = None
            except (NotFound, Conflict) as error:
                refused = error
        assert done == [other]
        row.refresh_from_db()
        if other == "restore":
            assert (row.state, row.path) == (State.ACTIVE, "alice/app")
            assert isinstance(refused, NotFound)
        elif other in ("purge", "expire"):
            assert row.state == State.DELETING
            assert isinstance(refused, NotFound)
        elif other == "rename":
            assert row.state == State.TRASHED
            assert isinstance(refused, Conflict)
        elif first == "restore":
            assert row.state == State.TRASHED
            assert isinstance(refused, RepositoryExists)
        else:
            assert (row.state, refused) == (State.DELETING, None)
        assert Repository.objects.filter(path="alice/app").count() <= 1

    def _expire(self) -> None:
        Repository.objects.update(purge_after=timezone.now() - timedelta(seconds=1))
        assert purge_due() == 1

    def test_a_name_taken_after_the_look_is_refused_all_the_same(self, alice, home, monkeypatch):
        row = trashed(home)
        claim = trash.claim_path

        def claim_and_create(namespace, path, **values):
            repository(home, "app")
            claim(namespace, path, **values)

        monkeypatch.setattr(trash, "claim_path", claim_and_create)
        with pytest.raises(RepositoryExists):
            restore_repository(row, principal=alice)
        row.refresh_from_db()
        assert row.state == State.TRASHED


class TestOwnersThatGo:
    def test_an_organization_takes_its_trash_along(self, alice):
        group = organization("acme", Namespace.objects.get(name="alice").user)
        row = trashed(group.namespace)
        seen = get_trashed(alice, enter_trash(alice, "acme"), row.pk)
        delete_organization(group, actor=alice.actor)
        row.refresh_from_db()
        assert (row.state, row.former_name) == (State.DELETING, "")
        with pytest.raises(Conflict):
            restore_repository(seen, principal=alice)
        Repository.objects.all().delete()
        assert drop_emptied() == 1

    def test_a_person_does(self, alice, home):
        user, pulls = home.user, 500
        row = trashed(home, pull_count=pulls)
        user.is_superuser = False
        user.save()
        seen = get_trashed(alice, home, row.pk)
        assert not holds(user).anything
        close_account(user)
        row.refresh_from_db()
        assert row.state == State.DELETING
        with pytest.raises(Conflict):
            restore_repository(seen, principal=alice)
        assert Namespace.objects.get(pk=home.pk).name == f"~{home.pk}"
        assert not is_name_free("alice")
        Repository.objects.all().delete()
        assert drop_emptied() == 1
        assert not Namespace.objects.filter(pk=home.pk).exists()

    def test_a_former_address_in_the_trash_keeps_a_name_of_others_as_before(self, alice, home):
        """Else what comes back would be found under a name that is somebody else's by then."""
        bob = person("bob")
        row = repository(home, "app")
        acme = organization("acme", home.user)
        transfer_repository(row, acme.namespace, principal=alice)
        assert Alias.objects.get().old_path == "alice/app"
        Namespace.objects.filter(pk=home.pk).update(name="elsewhere")
        User.objects.filter(pk=home.user_id).update(username="elsewhere")
        assert not is_name_free("alice", to=bob)
        delete_repository(row, actor=alice.actor)
        assert not is_name_free("alice", to=bob)
        purge_repository(
            get_trashed(alice, Namespace.objects.get(name="acme"), row.pk), principal=alice
        )
        assert is_name_free("alice", to=bob)


def test_the_order_of_locks_is_the_namespace_and_then_the_repository(alice, home, monkeypatch):
    row = trashed(home)
    order: list[str] = []
    lock = repositories.lock_namespace
    monkeypatch.setattr(trash, "lock_namespace", lambda n: (order.append("namespace"), lock(n)))

    def watch(execute: Any, sql: str, *call: Any) -> Any:
        if '"repos_repository"' in sql and sql.startswith("SELECT"):
            order.append("repository")
        return execute(sql, *call)

    with connection.execute_wrapper(watch):
        restore_repository(row, principal=alice)
    assert order[:2] == ["namespace", "repository"]
