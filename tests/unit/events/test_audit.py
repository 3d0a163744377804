"""The audit log: what an entry holds, finding and exporting entries, how long they stay."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.errors import BadCredential
from accounts.models import User
from accounts.services.credentials import authenticate, principal_of
from accounts.services.failures import shown_name
from accounts.services.signup import create_user
from accounts.services.tokens import create_token, revoke_token
from core.sheets import csv_lines, json_lines, safe_cell
from events import retention
from events.audit import FIELDS, GROUPS, LABELS, changes_of, entry_of, record_of
from events.jobs import JOBS
from events.models import Event
from events.selectors import (
    Filters,
    Trail,
    trail_of_hub,
    trail_of_namespace,
    trail_of_person,
    trail_of_repository,
)
from events.services import MAX_PAYLOAD_BYTES, audit, record
from events.types import Actor, Origin, origin
from repos.services.collaborators import grant_role, revoke_role
from repos.services.comments import add_comment, delete_comment, edit_comment
from repos.services.repositories import create_repository, delete_repository, update_repository
from repos.services.stars import set_star
from tests.architecture.sources import sources
from webhooks import history
from webhooks.models import Delivery
from webhooks.owners import Owner
from webhooks.services import create_webhook, delete_webhook, ping, update_webhook

pytestmark = pytest.mark.django_db

ALICE = Actor(1, "alice", "token ci (abc)")
PASSWORD = "a long enough secret"


@pytest.fixture(autouse=True)
def _quiet(rung: list[Any], hub_settings: Any) -> None:
    hub_settings(webhook_allow_networks=["127.0.0.0/8"])


@pytest.fixture
def alice() -> User:
    return create_user(username="alice", email="alice@example.org", password=PASSWORD)


def entries(trail: Trail, **filters: Any) -> list[str]:
    return [e.kind for e in trail.filtered(Filters(**filters)).page(limit=50, cursor=None).rows]


def test_an_entry_says_who_with_what_from_where() -> None:
    token = origin.set(Origin("192.0.2.7", "docker/29"))
    try:
        event = audit("tag.moved", actor=ALICE, repository_path="a/b", payload={"tag": "1"})
    finally:
        origin.reset(token)
    shown = record_of(event)
    assert (shown["actor"], shown["credential"]) == ("alice", "token ci (abc)")
    assert (shown["address"], shown["client"]) == ("192.0.2.7", "docker/29")
    assert shown["outcome"] == "done"
    assert set(shown) == set(FIELDS)
    assert entry_of(event).target == "a/b:1"
    assert event.dispatched_at is not None


def test_a_payload_is_small_whatever_it_was() -> None:
    huge = {f"k{n}": "x" * 1000 for n in range(100)} | {"list": ["y" * 5000] * 50, "tag": "v1"}
    kept = audit("x.y", actor=ALICE, payload=huge).payload
    assert len(json.dumps(kept).encode()) <= MAX_PAYLOAD_BYTES
    assert (kept["cut"], kept["tag"]) == (True, "v1")
    assert audit("x.y", actor=ALICE, payload={"tag": "v1"}).payload == {"tag": "v1"}


def test_changes_are_what_is_different() -> None:
    payload = {"before": {"a": 1, "b": 2}, "after": {"b": 3, "c": 4}, "d": 5}
    found = [(c.name, c.before, c.after) for c in changes_of(payload)]
    assert found == [("a", 1, None), ("b", 2, 3), ("c", None, 4)]
    assert changes_of({"before": "odd", "after": {"a": 1, "b": 1}})[0].name == "a"
    assert changes_of({"before": {"a": 1}, "after": {"a": 1}}) == []


def test_every_kind_with_words_is_in_one_group() -> None:
    for kind in LABELS:
        groups = [name for name, group in GROUPS.items() if kind.startswith(group.prefixes)]
        assert len(groups) == 1, kind


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\tx", "\rx", "\nx"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert safe_cell(text) == f"'{text}"
    lines = "".join(csv_lines(["a"], [{"a": text}]))
    assert list(csv.reader(io.StringIO(lines, newline="")))[1] == [f"'{text}"]


def test_files_can_be_read_again() -> None:
    rows = [{"a": 'quote " comma, line\nbreak', "b": {"x": [1]}}, {"a": None, "b": {}}]
    read = list(csv.reader(io.StringIO("".join(csv_lines(["a", "b"], rows)), newline="")))
    assert read == [["a", "b"], [rows[0]["a"], '{"x": [1]}'], ["", ""]]
    assert [json.loads(line) for line in json_lines(rows)] == rows


class TestFinding:
    @pytest.fixture(autouse=True)
    def _entries(self) -> None:
        audit("tag.moved", actor=ALICE, repository_id=1, repository_path="a/b", namespace_id=1)
        audit("token.revoked", actor=ALICE, namespace_id=1)
        audit("signin.failed", actor=Actor(None, "alice"), namespace_id=1, outcome="bad")
        audit("tag.deleted", actor=Actor(2, "bob"), repository_id=1, repository_path="a/b")
        audit("token.created", actor=Actor(1, "al"), namespace_id=9)

    def test_places(self) -> None:
        assert entries(trail_of_repository(1)) == ["tag.deleted", "tag.moved"]
        assert entries(trail_of_namespace(1)) == ["signin.failed", "token.revoked", "tag.moved"]
        assert len(entries(trail_of_hub())) == 5

    def test_a_person_sees_own_acts_and_what_was_tried_with_the_account_once(self) -> None:
        found = ["token.created", "signin.failed", "token.revoked", "tag.moved"]
        assert entries(trail_of_person(1, 1)) == found
        audit("tag.moved", actor=Actor(2, "bob"), repository_id=3, namespace_id=1)
        assert entries(trail_of_person(1, 1)) == found
        assert entries(trail_of_person(1, None)) == ["token.created", "token.revoked", "tag.moved"]

    def test_filters(self) -> None:
        hub = trail_of_hub()
        assert entries(hub, kind="tag.moved") == ["tag.moved"]
        assert entries(hub, kind="tokens") == ["token.created", "token.revoked"]
        assert entries(hub, kind="sign-ins", outcome="refused") == ["signin.failed"]
        assert entries(hub, outcome="refused") == ["signin.failed"]
        assert len(entries(hub, outcome="done")) == 4
        assert entries(hub, person="bob") == ["tag.deleted"]
        assert len(entries(hub, person="alice", person_id=1)) == 4
        assert len(entries(hub, person="alice")) == 3
        assert len(entries(hub, repository="a/b")) == 2
        today = timezone.now().date()
        assert len(entries(hub, since=today, until=today)) == 5
        assert entries(hub, since=today + timedelta(days=1)) == []
        assert entries(hub, until=today - timedelta(days=1)) == []

    def test_pages_and_exports_are_complete_and_in_order(self, monkeypatch: Any) -> None:
        trail = trail_of_person(1, 1)
        whole = [e.pk for e in trail.page(limit=50, cursor=None).rows]
        found: list[int] = []
        cursor = None
        while True:
            page = trail.page(limit=1, cursor=cursor)
            found += [e.pk for e in page.rows]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == whole
        monkeypatch.setattr("events.selectors._CHUNK", 1)
        assert [e.pk for e in trail.export()] == whole
        assert [e.pk for e in trail.export(2)] == whole[:2]

    def test_one_query_for_each_part_and_no_count(self, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(1) as taken:
            trail_of_namespace(1).page(limit=2, cursor=None)
        assert "COUNT" not in taken.captured_queries[0]["sql"].upper()
        with django_assert_num_queries(2):
            trail_of_person(1, 1).page(limit=2, cursor=None)

    def test_indexes(self) -> None:
        """Each place has an index by which its newest come first; SQLite says that it is used."""
        places = {
            "event_repository": trail_of_repository(1),
            "event_namespace": trail_of_namespace(1),
            "event_actor": trail_of_person(1, None),
        }
        with connection.cursor() as cursor:
            there = connection.introspection.get_constraints(cursor, Event._meta.db_table)
        assert set(places) <= set(there)
        if connection.vendor != "sqlite":
            return  # its planner reads a table of five rows from one end to the other
        for index, trail in places.items():
            for part in trail.filtered(Filters(kind="tokens", outcome="done")).parts:
                plan = part.order_by("-pk").explain()
                assert index in plan, plan
                assert "TEMP B-TREE" not in plan, plan


class TestRetention:
    def old(self, event: Event, days: int) -> Event:
        then = timezone.now() - timedelta(days=days)
        Event.objects.filter(pk=event.pk).update(occurred_at=then)
        return event

    def test_only_what_is_old_and_dispatched_goes(self, monkeypatch: Any) -> None:
        monkeypatch.setattr(retention, "BATCH", 2)
        for _ in range(5):
            self.old(audit("a.b", actor=ALICE), 366)
        young = self.old(audit("a.b", actor=ALICE), 364)
        waiting = self.old(record("a.b", actor=ALICE), 999)
        assert retention.forget_old() == 5
        assert set(Event.objects.values_list("pk", flat=True)) == {young.pk, waiting.pk}

    def test_for_ever(self, hub_settings: Any) -> None:
        self.old(audit("a.b", actor=ALICE), 9999)
        hub_settings(audit_days=0)
        assert retention.forget_old() == 0
        assert Event.objects.exists()

    def test_an_entry_stays_as_long_as_its_delivery(self, alice: User, hub_settings: Any) -> None:
        hub_settings(delivery_days=90, audit_days=30)
        actor = principal_of(alice).actor
        row = create_repository(alice.namespace, "app", actor=actor)
        hook = create_webhook(Owner(row), actor=actor, url="http://127.0.0.1:8080/")
        delivery = ping(hook, actor=actor)
        Event.objects.update(dispatched_at=timezone.now())
        self.old(delivery.event, 100)
        assert (retention.forget_old(), history.forget_old()) == (0, 0)
        then = timezone.now() - timedelta(days=100)
        Delivery.objects.update(owed_at=then)
        assert history.forget_old() == 0  # it is still to be sent
        Delivery.objects.update(state=Delivery.State.DONE)
        hub_settings(delivery_days=0)
        assert history.forget_old() == 0
        hub_settings(delivery_days=90)
        assert (history.forget_old(), retention.forget_old()) == (1, 1)
        assert not Event.objects.filter(pk=delivery.event_id).exists()

    def test_both_are_jobs(self) -> None:
        assert {"events.forget_old", "webhooks.forget_old"} <= set(JOBS)

    def test_nothing_else_changes_or_deletes_entries(self) -> None:
        changing = {"update", "delete", "bulk_update", "update_or_create", "_raw_delete"}
        found = {
            source.name
            for source in sources()
            if not source.name.startswith("tests/") and "/migrations/" not in source.name
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in changing
            and "Event.objects" in ast.unparse(node.func)
        }
        assert found == {"events/retention.py"}


class TestFailedSignIns:
    def fail(self, name: str, secret: str = "wrong", address: str = "192.0.2.7") -> None:
        with pytest.raises(BadCredential):
            authenticate(name, secret, address=address)

    def test_once_for_name_and_address_in_a_minute(self, alice: User) -> None:
        for _ in range(3):
            self.fail("alice")
        self.fail("alice", address="192.0.2.8")
        self.fail("nobody")
        self.fail("alice", "hubp_" + "0" * 63)
        found = Event.objects.filter(kind="signin.failed").order_by("pk")
        assert [(e.actor_name, e.actor_id, e.credential) for e in found] == [
            ("alice", None, "password"),
            ("alice", None, "password"),
            ("nobody", None, "password"),
        ]
        assert [e.namespace_id for e in found] == [alice.namespace.pk, alice.namespace.pk, None]
        assert {e.outcome for e in found} == {"bad_credential"}
        assert entries(trail_of_person(alice.pk, alice.namespace.pk), kind="sign-ins")

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("Alice", "alice"),
            ("crew+ci", "crew+ci"),
            ("alice@example.org", "alice@example.org"),
            ("hubp_" + "a" * 20, ""),
            ("My Secret Sentence", ""),
            ("p@ss!word", ""),
            ("a\u202eb", ""),
            ("x" * 200, ""),
        ],
    )
    def test_only_what_can_be_a_name_is_kept(self, typed: str, kept: str) -> None:
        assert shown_name(typed) == kept


class TestServices:
    def test_before_and_after(self, alice: User) -> None:
        bob = create_user(username="bob", email="", password=PASSWORD)
        actor = principal_of(alice).actor
        row = create_repository(alice.namespace, "app", actor=actor, description="one")
        update_repository(row, actor=actor, description="two", readme="# New", visibility="public")
        grant_role(row, bob, "read", actor=actor)
        grant_role(row, bob, "write", actor=actor)
        revoke_role(row, bob, actor=actor)
        found = Event.objects.exclude(kind__endswith=".created").order_by("pk")
        changed, given, raised, taken = [e.payload for e in found]
        assert changed["before"] == {"description": "one", "visibility": "private"}
        assert changed["after"] == {"description": "two", "visibility": "public"}
        assert changed["changed"] == ["readme"]
        assert "New" not in json.dumps(changed)
        assert "before" not in given
        assert (raised["before"], raised["after"]) == ({"role": "read"}, {"role": "write"})
        assert taken == {"user": "bob", "before": {"role": "write"}}

    def test_comments_and_stars(self, alice: User) -> None:
        me = principal_of(alice)
        row = create_repository(alice.namespace, "app", actor=me.actor)
        comment = add_comment(row, principal=me, body="Words.")
        edit_comment(comment, principal=me, body="Other words.")
        delete_comment(comment, principal=me)
        set_star(row, actor=me.actor, starred=True)
        set_star(row, actor=me.actor, starred=False)
        kinds = entries(trail_of_repository(row.pk))
        assert kinds[::-1] == [
            "repository.created",
            "comment.added",
            "comment.edited",
            "comment.deleted",
            "repository.starred",
            "repository.unstarred",
        ]
        assert not Event.objects.filter(payload__icontains="words").exists()

    def test_nothing_secret_is_written(self, alice: User) -> None:
        """Every secret made on the way is looked for in every column of every entry."""
        me = principal_of(alice)
        row = create_repository(alice.namespace, "app", actor=me.actor)
        made = create_token(alice, name="ci")
        url = "https://ci.example.com/hooks/T0K3N?key=S3CR3T"
        hook = create_webhook(Owner(row), actor=me.actor, url=url, secret="open sesame")
        fresh = create_webhook(Owner(row), actor=me.actor, url="http://127.0.0.1:8080/hook")
        update_webhook(hook, actor=me.actor, secret="another sesame", active=False)
        update_webhook(hook, actor=me.actor, secret="third sesame")
        update_webhook(hook, actor=me.actor, url="https://ci.example.com/hooks/T0K3N2")
        delete_webhook(hook, actor=me.actor)
        revoke_token(made.row, actor=me.actor)
        for name, secret in [("alice", PASSWORD + "x"), (made.secret, "x"), ("", made.secret)]:
            with pytest.raises(BadCredential):
                authenticate(name, secret, address="192.0.2.9")
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM events_event")
            text = repr(cursor.fetchall())
        secrets = ["sesame", "T0K3N", "S3CR3T", PASSWORD, made.secret, fresh.secret]
        secrets += [made.secret.split("_")[2], made.row.secret_hash, "whsec_"]
        assert [s for s in secrets if s in text] == []
        # A token's handle is shown in lists too; what follows it is secret.
        assert re.search(r"hub[a-z]_[0-9A-Za-z]+_", text) is None
        kinds = entries(trail_of_repository(row.pk), kind="webhooks")
        assert kinds[::-1] == [
            "webhook.created",
            "webhook.created",
            "webhook.secret_changed",
            "webhook.changed",
            "webhook.secret_changed",
            "webhook.changed",
            "webhook.deleted",
        ]

    def test_a_deleted_repository_stays_in_the_log_of_its_namespace(self, alice: User) -> None:
        actor = principal_of(alice).actor
        row = create_repository(alice.namespace, "app", actor=actor)
        delete_repository(row, actor=actor)
        assert entries(trail_of_namespace(alice.namespace.pk), repository="alice/app") == [
            "repository.deleted",
            "repository.created",
        ]
