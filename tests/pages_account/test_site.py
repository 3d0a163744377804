"""The administration: for administrators alone, everything recorded, private content closed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import AccessToken, Membership, Namespace, OutgoingMail, User
from accounts.services.credentials import principal_of
from accounts.services.organizations import create_organization
from accounts.services.people import LastAdministrator, deactivate, set_superuser
from accounts.services.tokens import create_token
from events.models import Event
from events.types import Actor
from hubsite.site.forms import parse_size, written_size
from hubsite.site.inforce import MASK, masked
from repos.models import Opening, Repository
from repos.services.repositories import create_repository

pytestmark = pytest.mark.django_db

PAGES = [
    "",
    "people",
    "people/alice",
    "organizations",
    "orphans",
    "repositories",
    "tokens",
    "jobs",
    "settings",
    "audit",
]
ACTS = [
    "people/alice/deactivate",
    "people/alice/reactivate",
    "people/alice/promote",
    "people/alice/demote",
    "people/alice/reset",
    "quotas/alice",
    "orphans/alice",
    "tokens/1/revoke",
    "repositories/open",
    "repositories/1/close",
]


@pytest.fixture
def chief(person: Callable[..., User]) -> User:
    return person("chief", superuser=True)


@pytest.fixture
def root(chief: User, signed_in: Callable[[User | None], Client]) -> Client:
    return signed_in(chief)


@pytest.fixture
def secret(alice: User) -> Repository:
    actor = principal_of(alice).actor
    return create_repository(alice.namespace, "secret", actor=actor, description="Hidden words")


def kinds() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("kind", flat=True))


class TestDoor:
    @pytest.mark.parametrize("path", PAGES)
    def test_pages(self, alice: User, browser: Client, root: Client, path: str) -> None:
        assert Client().get(f"/admin/{path}").status_code == 404
        assert browser.get(f"/admin/{path}").status_code == 404
        assert browser.head(f"/admin/{path}").status_code == 404
        assert browser.post(f"/admin/{path}").status_code == 404
        page = root.get(f"/admin/{path}")
        assert page.status_code == 200
        assert page.content.count(b"<h1") == 1
        assert root.post(f"/admin/{path}").status_code == 405

    @pytest.mark.parametrize("path", ACTS)
    def test_acts(self, alice: User, browser: Client, root: Client, path: str) -> None:
        for client in (Client(), browser):
            assert client.post(f"/admin/{path}").status_code == 404
            assert client.get(f"/admin/{path}").status_code == 404
        assert root.get(f"/admin/{path}").status_code == 405
        done = {kind for kind in kinds() if kind.startswith("account.")}
        assert done == {"account.created"}

    def test_tokens_and_staff_do_not_open_it(self, chief: User, alice: User) -> None:
        secret = create_token(chief, name="t").secret
        page = Client(headers={"authorization": f"Bearer {secret}"}).get("/admin/")
        assert page.status_code == 404
        User.objects.filter(pk=alice.pk).update(is_staff=True)
        client = Client()
        client.force_login(alice)
        assert client.get("/admin/").status_code == 404

    def test_the_menu_has_a_link_for_administrators_only(
        self, browser: Client, root: Client
    ) -> None:
        assert b'href="/admin/"' in root.get("/explore").content
        assert b'href="/admin/"' not in browser.get("/explore").content
        assert root.get("/admin")["Location"] == "/admin/"

    def test_looking_is_recorded_once_an_hour(self, root: Client, alice: User) -> None:
        for _ in range(2):
            root.get("/admin/people/alice")
        found = Event.objects.filter(kind="site.viewed")
        assert [e.payload["page"] for e in found] == ["people/alice"]
        assert (found[0].actor_name, found[0].credential) == ("chief", "session")


class TestQueries:
    @pytest.mark.parametrize("path", ["people", "organizations", "orphans", "repositories"])
    def test_lists_cost_the_same_however_long(
        self,
        path: str,
        root: Client,
        person: Callable[..., User],
        django_assert_num_queries: Any,
        django_assert_max_num_queries: Any,
    ) -> None:
        for name in ("a1", "a2"):
            create_organization(person(name), name=f"org-{name}")
        Membership.objects.filter(organization__name="org-a1").delete()
        root.get(f"/admin/{path}")
        with django_assert_max_num_queries(13) as few:
            root.get(f"/admin/{path}")
        for n in range(8):
            user = person(f"more{n}")
            group = create_organization(user, name=f"org-more{n}")
            create_repository(group.namespace, "app", actor=principal_of(user).actor)
            User.objects.filter(pk=user.pk).update(is_active=n % 2 == 0)
        with django_assert_num_queries(len(few)):
            root.get(f"/admin/{path}")

    def test_lists_are_paged(
        self, root: Client, person: Callable[..., User], monkeypatch: Any
    ) -> None:
        monkeypatch.setattr("hubsite.site.people.ROWS", 2)
        for n in range(4):
            person(f"p{n}")
        names: list[str] = []
        query = ""
        while True:
            page = root.get(f"/admin/people{query}")
            names += [user.username for user in page.context["rows"]]
            if not page.context["next_cursor"]:
                break
            query = f"?cursor={page.context['next_cursor']}"
        assert names == ["chief", "p0", "p1", "p2", "p3"]


class TestPeople:
    def test_search_and_states(self, root: Client, alice: User, person: Any) -> None:
        person("bob")
        User.objects.filter(username="bob").update(is_active=False)

        def found(query: str) -> list[str]:
            return [u.username for u in root.get(f"/admin/people?{query}").context["rows"]]

        assert found("q=LIC") == found("q=alice@example") == ["alice"]
        assert found("state=deactivated") == ["bob"]
        assert found("state=administrators") == ["chief"]
        assert found("state=nonsense") == ["alice", "bob", "chief"]

    def test_deactivated_is_out_at_once_and_for_good(
        self, root: Client, alice: User, browser: Client
    ) -> None:
        assert browser.get("/settings/profile").status_code == 200
        sessions = Session.objects.count()
        root.post("/admin/people/alice/deactivate")
        assert Session.objects.count() == sessions - 1
        assert browser.get("/settings/profile").status_code == 302
        root.post("/admin/people/alice/reactivate")
        assert browser.get("/settings/profile").status_code == 302
        entries = Event.objects.filter(kind__endswith="activated").order_by("pk")
        assert [e.kind for e in entries] == ["account.deactivated", "account.reactivated"]
        assert entries[0].payload == {"user": "alice", "sessions_ended": 1}
        assert entries[0].namespace_id == alice.namespace.pk

    def test_the_last_administrator_stays(self, root: Client, chief: User, alice: User) -> None:
        root.post("/admin/people/chief/demote")
        root.post("/admin/people/chief/deactivate")
        chief.refresh_from_db()
        assert (chief.is_superuser, chief.is_active) == (True, True)
        with pytest.raises(LastAdministrator):
            deactivate(chief, actor=Actor(None, "hub"))
        root.post("/admin/people/alice/promote")
        alice.refresh_from_db()
        assert (alice.is_superuser, alice.is_staff) == (True, True)
        root.post("/admin/people/chief/demote")
        chief.refresh_from_db()
        assert not chief.is_superuser
        found = Event.objects.filter(kind="account.superuser").order_by("pk")
        assert [(e.payload["user"], e.payload["after"]) for e in found] == [
            ("alice", {"superuser": True}),
            ("chief", {"superuser": False}),
        ]
        assert root.get("/admin/").status_code == 404

    def test_an_administrator_that_is_deactivated_does_not_count(
        self, chief: User, person: Any
    ) -> None:
        other = person("other", superuser=True)
        deactivate(other, actor=Actor(None, "hub"))
        with pytest.raises(LastAdministrator):
            set_superuser(chief, superuser=False, actor=Actor(None, "hub"))

    def test_reset_sends_the_mail_and_tells_nobody_the_link(
        self, root: Client, alice: User, mailoutbox: list[Any]
    ) -> None:
        page = root.post("/admin/people/alice/reset", follow=True)
        texts = [mail.body for mail in mailoutbox]
        texts += [mail.text for mail in OutgoingMail.objects.all()]
        assert len(texts) == 1
        link = next(w for w in texts[0].split() if "/password/reset/key/" in w)
        assert link not in page.content.decode()
        assert kinds()[-1] == "account.reset_started" or "account.reset_started" in kinds()
        assert not any(link in str(e.payload) for e in Event.objects.all())

    def test_absent_people_and_robots(self, root: Client) -> None:
        assert root.get("/admin/people/nobody").status_code == 404
        assert root.post("/admin/people/nobody/deactivate").status_code == 404
        assert root.post("/admin/people/chief/praise").status_code == 404


class TestQuotas:
    @pytest.mark.parametrize(
        ("text", "size"),
        [("5", 5), ("20 GB", 20 * 1000**3), ("3GiB", 3 * 1024**3), ("1 kB", 1000), ("7m", 7000000)],
    )
    def test_sizes(self, text: str, size: int) -> None:
        assert parse_size(text) == size
        assert parse_size(written_size(size)) == size

    @pytest.mark.parametrize("text", ["-1", "1.5 GB", "many", "9" * 16, "9" * 15 + " TB"])
    def test_bad_sizes(self, text: str) -> None:
        assert parse_size(text) is None

    def test_saved_and_recorded(self, root: Client, alice: User) -> None:
        root.post("/admin/quotas/alice", {"quota": "20 GB"})
        root.post("/admin/quotas/alice", {"quota": "a lot"})
        assert Namespace.objects.get(name="alice").quota_bytes == 20 * 1000**3
        assert 'value="20 GB"' in root.get("/admin/people/alice").content.decode()
        root.post("/admin/quotas/alice", {"quota": ""})
        found = Event.objects.filter(kind="namespace.quota").order_by("pk")
        assert [e.payload["after"]["quota_bytes"] for e in found] == [20 * 1000**3, None]


class TestOrphans:
    def test_an_organization_gets_another_owner(
        self, root: Client, alice: User, person: Any
    ) -> None:
        bob = person("bob")
        group = create_organization(alice, name="acme")
        assert root.post("/admin/orphans/acme", {"username": "bob"}).status_code == 404
        deactivate(alice, actor=Actor(None, "hub"))
        rows = root.get("/admin/orphans").context["rows"]
        assert [row["namespace"].name for row in rows] == ["acme", "alice"]
        root.post("/admin/orphans/acme", {"username": "nobody"})
        root.post("/admin/orphans/acme", {"username": "bob"})
        assert Membership.objects.get(organization=group, user=bob).role == "owner"
        assert root.post("/admin/orphans/acme", {"username": "bob"}).status_code == 404

    def test_a_namespace_becomes_an_organization(
        self, root: Client, alice: User, person: Any, secret: Repository, signed_in: Any
    ) -> None:
        bob = person("bob")
        robot = User.objects.create(username="alice+ci", robot_namespace=alice.namespace)
        token = create_token(robot, name="ci").row
        deactivate(alice, actor=Actor(None, "hub"))
        root.post("/admin/orphans/alice", {"username": "bob"})
        page = signed_in(bob).get("/alice/secret")
        assert page.status_code == 200
        assert signed_in(bob).get("/alice/secret/-/audit").status_code == 200
        token.refresh_from_db()
        assert token.revoked_at is not None
        root.post("/admin/people/alice/reactivate")
        alice.refresh_from_db()
        assert not alice.is_active
        entry = Event.objects.get(kind="namespace.handed_over")
        assert entry.payload["before"] == {"person": "alice"}
        assert entry.payload["after"] == {"owner": "bob"}


class TestTokens:
    def test_why_a_token_is_there_and_revoking(self, root: Client, alice: User) -> None:
        soon = timezone.now() + timedelta(days=30)
        long_ago = timezone.now() - timedelta(days=100)
        fine = create_token(alice, name="fine", expires_at=soon).row
        endless = create_token(alice, name="endless").row
        unused = create_token(alice, name="unused", expires_at=soon).row
        AccessToken.objects.filter(pk=unused.pk).update(created_at=long_ago)

        def found(why: str = "") -> set[str]:
            rows = root.get(f"/admin/tokens?why={why}").context["rows"]
            return {row["token"].name for row in rows}

        assert found() == {"endless", "unused"}
        assert (found("unused"), found("endless")) == ({"unused"}, {"endless"})
        assert found("shut") == set()
        User.objects.filter(pk=alice.pk).update(is_active=False)
        assert found("shut") == {"fine", "endless", "unused"}
        root.post(f"/admin/tokens/{endless.pk}/revoke")
        endless.refresh_from_db()
        assert endless.revoked_at
        assert root.post(f"/admin/tokens/{endless.pk}/revoke").status_code == 404
        page = root.get("/admin/tokens").content.decode()
        assert fine.secret_hash not in page


class TestOpening:
    def test_private_content_is_closed_until_it_is_opened(
        self, root: Client, chief: User, alice: User, secret: Repository
    ) -> None:
        for path in ["", "/-/tags", "/-/comments", "/-/audit"]:
            assert root.get(f"/alice/secret{path}").status_code == 404, path
        assert b"Hidden words" not in root.get("/admin/repositories").content
        assert b"alice/secret" in root.get("/admin/repositories").content
        assert root.get("/search?q=secret").content.count(b"alice/secret") == 0

        page = root.post("/admin/repositories/open", {"path": "alice/secret", "reason": "why"})
        assert page.status_code == 422
        assert root.get("/alice/secret").status_code == 404

        reason = "A report of malware, ticket 12"
        page = root.post("/admin/repositories/open", {"path": "alice/secret", "reason": reason})
        assert page["Location"] == "/alice/secret"
        assert b"Hidden words" in root.get("/alice/secret").content
        assert root.get("/alice/secret/-/settings").status_code == 403
        mail = OutgoingMail.objects.get()
        assert mail.to == "alice@example.com"
        assert "alice/secret" in mail.subject
        assert reason in mail.text
        entry = Event.objects.get(kind="repository.opened")
        assert (entry.actor_name, entry.payload["reason"]) == ("chief", reason)
        assert entry.repository_id == secret.pk

        Opening.objects.update(until=timezone.now() - timedelta(seconds=1))
        assert root.get("/alice/secret").status_code == 404

    def test_closed_early(self, root: Client, secret: Repository) -> None:
        values = {"path": "alice/secret", "reason": "A report of malware, ticket 12"}
        root.post("/admin/repositories/open", values)
        assert root.post(f"/admin/repositories/{secret.pk}/close").status_code == 302
        assert root.get("/alice/secret").status_code == 404
        assert "repository.closed" in kinds()

    @pytest.mark.parametrize("path", ["alice/absent", "alice/app"])
    def test_not_opened(self, root: Client, alice: User, path: str) -> None:
        actor = principal_of(alice).actor
        create_repository(alice.namespace, "app", actor=actor, visibility="public")
        values = {"path": path, "reason": "A report of malware, ticket 12"}
        assert root.post("/admin/repositories/open", values).status_code == 422
        assert not Opening.objects.exists()

    def test_whoever_is_no_longer_an_administrator_sees_nothing(
        self, root: Client, chief: User, person: Any, secret: Repository
    ) -> None:
        values = {"path": "alice/secret", "reason": "A report of malware, ticket 12"}
        root.post("/admin/repositories/open", values)
        person("other", superuser=True)
        root.post("/admin/people/chief/demote")
        assert root.get("/alice/secret").status_code == 404


class TestSettings:
    def test_no_secret_is_shown(self, root: Client, settings: Any, hub_settings: Any) -> None:
        hub_settings(
            database_url="postgres://hub:pa55@db/hub",
            broker_url="redis://:pa55@redis/0",
            email_url="smtp://hub:pa55@mail:25",
            storage_options={
                "bucket": "images",
                "secret_key": "pa55",
                "nested": {"password": "pa55"},
            },
        )
        page = root.get("/admin/settings").content.decode()
        assert "pa55" not in page
        assert "postgres://" in page
        assert "images" in page
        assert settings.SECRET_KEY not in page
        for name in type(settings.HUB).model_fields:
            assert f"HUB_{name.upper()}" in page

    def test_masks(self) -> None:
        assert (
            masked({"a": [{"client_secret": "x"}]}) == f"{{'a': [{{'client_secret': '{MASK}'}}]}}"
        )
        assert masked("https://u:p@h/x?token=1") == f"https://{MASK}@h/x?{MASK}"
        assert masked("") == masked([]) == masked(None) == ""
        assert (masked(0), masked(False)) == ("0", "False")
