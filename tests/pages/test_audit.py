"""Pages of the audit log: who may read which, filters in the address, exports."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from django.http import StreamingHttpResponse

from accounts.models import Namespace
from accounts.services.credentials import principal_of
from events.models import Event
from events.services import audit
from events.types import Actor, Origin, origin
from repos.models import Collaborator, Repository
from repos.services.repositories import update_repository
from tests.pages.conftest import actor

pytestmark = pytest.mark.django_db


def read(response: Any) -> str:
    assert isinstance(response, StreamingHttpResponse)
    return b"".join(response.streaming_content).decode()  # type: ignore[arg-type]


class TestWho:
    @pytest.mark.parametrize(
        ("name", "open_status", "secret_status"),
        [
            ("", 302, 404),
            ("stranger", 403, 404),
            ("reader", 403, 403),
            ("writer", 403, 403),
            ("manager", 200, 200),
            ("owner", 200, 200),
        ],
    )
    def test_repository(
        self,
        browser: Any,
        public: Repository,
        private: Repository,
        name: str,
        open_status: int,
        secret_status: int,
    ) -> None:
        for row, status in ((public, open_status), (private, secret_status)):
            for query in ("", "?export=csv"):
                page = browser(name).get(f"/{row.path}/-/audit{query}")
                assert page.status_code == status, (row.path, query)

    @pytest.mark.parametrize(
        ("name", "status"), [("", 302), ("stranger", 403), ("writer", 403), ("owner", 200)]
    )
    def test_organization(
        self, browser: Any, organization: Repository, name: str, status: int
    ) -> None:
        assert browser(name).get("/crew/-/audit").status_code == status

    @pytest.mark.parametrize(("name", "status"), [("", 404), ("stranger", 404), ("owner", 200)])
    def test_own_namespace(self, browser: Any, people: Any, name: str, status: int) -> None:
        assert browser(name).get("/owner/-/audit").status_code == status
        assert browser(name).get("/absent/-/audit").status_code == 404

    def test_an_owner_without_the_demanded_second_factor(
        self, browser: Any, organization: Repository
    ) -> None:
        group = organization.namespace.organization
        assert group is not None
        group.second_factor_required = True
        group.save()
        assert browser("owner").get("/crew/-/audit").status_code == 403

    def test_account(self, browser: Any, people: Any) -> None:
        assert browser().get("/settings/audit")["Location"].startswith("/accounts/login/")
        audit("signin.failed", actor=Actor(None, "reader"), outcome="bad_credential")
        audit("token.revoked", actor=actor(people["reader"]), payload={"token": "my ci"})
        audit("token.revoked", actor=actor(people["owner"]), payload={"token": "not mine"})
        page = browser("reader").get("/settings/audit").content.decode()
        assert "my ci" in page
        assert "not mine" not in page

    def test_own_log_tells_nothing_of_what_is_hidden(
        self, browser: Any, people: Any, private: Repository, public: Repository
    ) -> None:
        stranger = actor(people["stranger"])
        for row in (private, public):
            audit(
                "access.denied",
                actor=stranger,
                repository_id=row.pk,
                repository_path=row.path,
                outcome="role_missing",
            )
        page = browser("stranger").get("/settings/audit").content.decode()
        assert public.path in page
        assert private.path not in page
        assert private.path not in read(browser("stranger").get("/settings/audit?export=jsonl"))
        Collaborator.objects.create(repository=private, user=people["stranger"], role="read")
        assert private.path in browser("stranger").get("/settings/audit").content.decode()

    def test_links_lead_there(self, browser: Any, organization: Repository) -> None:
        page = browser("owner").get("/crew").content
        assert b'href="/crew/-/audit"' in page
        assert b"/crew/-/audit" not in browser("writer").get("/crew").content
        settings = browser("owner").get("/crew/ship/-/settings").content
        assert b'href="/crew/ship/-/audit"' in settings
        assert b'href="/settings/audit"' in browser("owner").get("/settings/profile").content


class TestPage:
    def test_a_row_says_everything(self, browser: Any, public: Repository, people: Any) -> None:
        token = origin.set(Origin("192.0.2.7", "docker/29 (linux)"))
        try:
            me = Actor(people["owner"].pk, "owner", "token ci (abc)")
            update_repository(public, actor=me, description="<b>Another</b>")
            audit(
                "access.denied",
                actor=me,
                repository_id=public.pk,
                repository_path=public.path,
                outcome="role_missing",
            )
        finally:
            origin.reset(token)
        page = browser("owner").get(f"/{public.path}/-/audit").content.decode()
        for text in ["owner", "token ci (abc)", "192.0.2.7", "docker/29 (linux)", "Refused"]:
            assert text in page
        assert "<del>An image.</del>" in page
        assert "<ins>&lt;b&gt;Another&lt;/b&gt;</ins>" in page
        assert "kept for 365 days" in page
        assert page.count("<h1") == 1

    def test_time_kept(self, browser: Any, public: Repository, hub_settings: Any) -> None:
        hub_settings(audit_days=0)
        page = browser("owner").get(f"/{public.path}/-/audit").content.decode()
        assert "kept for ever" in page

    def test_filters_are_in_the_address(self, browser: Any, public: Repository) -> None:
        def kinds(query: str) -> set[str]:
            page = browser("owner").get(f"/{public.path}/-/audit?{query}")
            assert page.status_code == 200
            return {entry.event.kind for entry in page.context["entries"]}

        assert kinds("kind=collaborator.added") == {"collaborator.added"}
        assert kinds("kind=access") == {"collaborator.added"}
        assert kinds("kind=content&person=pusher") == {"tag.moved"}
        assert kinds("person=Pusher&outcome=done") == {"tag.moved"}
        assert kinds("outcome=refused") == set()
        assert kinds("from=2020-01-01&to=2020-12-31") == set()
        assert kinds("kind=made.up") == set()
        page = browser("owner").get(f"/{public.path}/-/audit?kind=content")
        assert '<option value="content" selected>' in page.content.decode()

    def test_the_form_sends_what_the_address_knows(self, browser: Any, public: Repository) -> None:
        query = "kind=content&person=pusher&outcome=done&from=2020-01-01&to=2099-01-01"
        page = browser("owner").get(f"/{public.path}/-/audit?{query}").content.decode()
        for name, value in [("person", "pusher"), ("from", "2020-01-01"), ("to", "2099-01-01")]:
            assert re.search(rf'<input [^>]*name="{name}" [^>]*value="{value}"', page), name
        assert 'name="repository"' not in page
        assert 'name="repository"' in browser("owner").get("/owner/-/audit").content.decode()

    @pytest.mark.parametrize("query", ["from=yesterday", "outcome=perhaps", "person=" + "x" * 200])
    def test_bad_filters_are_explained(self, browser: Any, public: Repository, query: str) -> None:
        for export in ("", "&export=csv"):
            page = browser("owner").get(f"/{public.path}/-/audit?{query}{export}")
            assert page.status_code == 422
            assert b'data-state="error"' in page.content

    def test_bad_cursor(self, browser: Any, public: Repository) -> None:
        assert browser("owner").get(f"/{public.path}/-/audit?cursor=x").status_code == 400

    def test_older_and_newest(self, browser: Any, public: Repository, monkeypatch: Any) -> None:
        monkeypatch.setattr("repos.views.audit.ROWS", 2)
        client = browser("owner")
        address = f"/{public.path}/-/audit?outcome=done"
        seen: list[int] = []
        page = client.get(address)
        while True:
            seen += [entry.event.pk for entry in page.context["entries"]]
            older = page.context["older_url"]
            if not older:
                break
            assert "outcome=done" in older
            page = client.get(f"/{public.path}/-/audit{older}")
        rows = Event.objects.filter(repository_id=public.pk).order_by("-pk")
        assert seen == list(rows.values_list("pk", flat=True))
        assert page.context["newest_url"] == "?outcome=done"

    def test_the_same_queries_for_many_rows(
        self,
        browser: Any,
        organization: Repository,
        people: Any,
        django_assert_num_queries: Any,
        django_assert_max_num_queries: Any,
    ) -> None:
        client = browser("owner")
        for address in ("/crew/-/audit", "/crew/ship/-/audit", "/settings/audit"):
            client.get(address)
            with django_assert_max_num_queries(14) as few:
                client.get(address)
            for _ in range(30):
                audit(
                    "tag.moved",
                    actor=actor(people["owner"]),
                    repository_id=organization.pk,
                    repository_path=organization.path,
                    namespace_id=organization.namespace_id,
                )
            with django_assert_num_queries(len(few)):
                client.get(address)


class TestExport:
    def test_csv(self, browser: Any, public: Repository, people: Any) -> None:
        me = Actor(people["owner"].pk, "owner", "=cmd|' /C calc'!A0")
        audit("x.y", actor=me, repository_id=public.pk, repository_path=public.path)
        response = browser("owner").get(f"/{public.path}/-/audit?export=csv")
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert response["Content-Disposition"].startswith('attachment; filename="audit-owner-open-')
        rows = list(csv.DictReader(io.StringIO(read(response), newline="")))
        assert [row["kind"] for row in rows[:2]] == ["audit.exported", "x.y"]
        assert rows[1]["credential"] == "'=cmd|' /C calc'!A0"

    def test_json_lines_with_filters(self, browser: Any, public: Repository) -> None:
        response = browser("owner").get(f"/{public.path}/-/audit?export=jsonl&kind=content")
        rows = [json.loads(line) for line in read(response).splitlines()]
        assert [row["kind"] for row in rows] == ["tag.moved"]
        assert rows[0]["details"]["tag"] == "1.0"

    def test_it_is_recorded(self, browser: Any, organization: Repository, people: Any) -> None:
        browser("owner").get("/crew/-/audit?export=jsonl&kind=content")
        entry = Event.objects.get(kind="audit.exported")
        assert entry.actor_name == "owner"
        assert entry.credential == "session"
        assert entry.namespace_id == Namespace.objects.get(name="crew").pk
        assert entry.payload == {"log": "crew", "format": "jsonl", "filters": {"kind": "content"}}

    def test_an_unknown_format_is_a_page(self, browser: Any, public: Repository) -> None:
        page = browser("owner").get(f"/{public.path}/-/audit?export=exe")
        assert page["Content-Type"].startswith("text/html")

    def test_principal_without_role_writes_nothing(self, browser: Any, public: Repository) -> None:
        browser("stranger").get(f"/{public.path}/-/audit?export=csv")
        assert not Event.objects.filter(kind="audit.exported").exists()
        assert principal_of(Collaborator.objects.first().user).credential == "session"  # type: ignore[union-attr]
