"""The bench of webhooks: dry run, preview, search, replay, compare, secrets, results, rules; and
the same pages for a namespace and for the whole hub."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.services.credentials import principal_of
from events.models import Event
from events.services import record
from repos.models import Repository
from tests.pages_account.conftest import SECRET
from tests.pages_account.test_webhook_pages import BASE, VALUES, form_value, text
from webhooks.models import Attempt, Delivery, Promotion, Receiver, Result, Webhook
from webhooks.owners import Owner
from webhooks.presets import PRESETS
from webhooks.services import create_webhook
from webhooks.signing import headers_of

pytestmark = pytest.mark.django_db
DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def pushes(repository: Repository, alice: User) -> list[Event]:
    """Three earlier pushes, the oldest first."""
    return [
        record(
            "tag.moved",
            actor=principal_of(alice).actor,
            repository_id=repository.pk,
            repository_path=repository.path,
            namespace_id=repository.namespace_id,
            payload={"tag": tag, "digest": DIGEST, "media_type": "application/x"},
        )
        for tag in ("v1", "main", "v2")
    ]


@pytest.fixture
def root(repository: Repository, signed_in: Callable[[User | None], Client]) -> Client:
    return signed_in(User.objects.get(username="root0"))


def on_namespace(alice: User, **values: Any) -> Webhook:
    values = {"url": "https://ns.example.com/x", "name": "All of mine", **values}
    owner = Owner(namespace=alice.namespace)
    return create_webhook(owner, actor=principal_of(alice).actor, **values)


def on_server(**values: Any) -> Webhook:
    boss = User.objects.get(username="root0")
    values = {"url": "https://hub.example.com/x", "name": "All of it", **values}
    return create_webhook(Owner(), actor=principal_of(boss).actor, **values)


class TestOwners:
    """One set of pages, three places."""

    @pytest.mark.parametrize(
        ("kind", "base"), [("namespace", "/alice/-/webhooks"), ("server", "/admin/webhooks")]
    )
    def test_the_whole_round(
        self, kind: str, base: str, browser: Client, root: Client, pushes: list[Event], rung: Any
    ) -> None:
        client = browser if kind == "namespace" else root
        assert "Trigger your CI" in text(client.get(base))
        made = client.post(f"{base}/new", VALUES)
        webhook = Webhook.objects.get()
        assert (webhook.repository_id, webhook.namespace_id is not None) == (
            None,
            kind == "namespace",
        )
        assert webhook.secret in text(made)
        one = f"{base}/{webhook.pk}"
        assert client.post(f"{one}/edit", {**VALUES, "name": "Fleet"})["Location"] == one
        assert "Fleet" in text(client.get(base))
        assert text(client.get(one)).count("alice/app:v2") >= 1
        sent = client.post(f"{one}/ping")["Location"]
        assert sent.startswith(f"{one}/deliveries/")
        assert client.get(sent).status_code == 200
        assert client.get(f"{sent}/compare").status_code == 200
        assert client.get(f"{one}/secret").status_code == 200
        assert client.get(f"{one}/replay").status_code == 200
        assert client.post(f"{one}/delete")["Location"] == base
        assert not Webhook.objects.exists()

    def test_who(
        self, alice: User, repository: Repository, signed_in: Callable[[User | None], Client]
    ) -> None:
        hooks = {"/alice/-/webhooks": on_namespace(alice), "/admin/webhooks": on_server()}
        expected = {
            "alice": (200, 404),
            "boss": (403, 404),  # administers the repository alone
            "mallory": (403, 404),
            "root0": (403, 200),
            "": (302, 404),
        }
        for name, statuses in expected.items():
            client = signed_in(User.objects.filter(username=name).first())
            for (base, hook), status in zip(hooks.items(), statuses, strict=True):
                for path in (base, f"{base}/{hook.pk}", f"{base}/{hook.pk}/edit"):
                    assert client.get(path).status_code == status, (name, path)

    def test_hooks_of_others_are_not_found(
        self, alice: User, browser: Client, root: Client
    ) -> None:
        mine, all_of_it = on_namespace(alice), on_server()
        for base in (BASE, "/alice/-/webhooks"):
            assert browser.get(f"{base}/{all_of_it.pk}").status_code == 404
        assert browser.get(f"{BASE}/{mine.pk}").status_code == 404
        assert root.get(f"/admin/webhooks/{mine.pk}").status_code == 404

    def test_those_from_above_are_shown_to_who_may_manage_them(
        self,
        alice: User,
        browser: Client,
        webhook: Webhook,
        signed_in: Callable[[User | None], Client],
    ) -> None:
        on_namespace(alice)
        on_server()
        page = text(browser.get(BASE))
        assert "All of mine" in page
        assert "All of it" not in page
        boss = signed_in(User.objects.get(username="boss"))
        page = text(boss.get(BASE))
        assert "All of mine" not in page
        assert "ns.example.com" not in page
        User.objects.filter(username="alice").update(is_superuser=True)
        assert "All of it" in text(browser.get("/alice/-/webhooks"))

    def test_tabs(self, browser: Client, root: Client, webhook: Webhook) -> None:
        assert 'href="/alice/-/webhooks"' in text(browser.get("/alice"))
        assert 'href="/alice/-/webhooks"' not in text(root.get("/alice"))
        assert 'href="/admin/webhooks"' in text(root.get("/admin/"))
        assert 'data-hotkey="w"' in text(browser.get("/alice/app"))


class TestList:
    def test_states(self, browser: Client, webhook: Webhook, delivery: Delivery) -> None:
        def seen(**values: Any) -> str:
            Webhook.objects.update(**values)
            return text(browser.get(BASE))

        now = timezone.now()
        assert "Working" in seen()
        assert "Failing" in seen(failing_since=now)
        assert "Paused" in seen(paused_at=now)
        assert "Off" in seen(active=False)

    def test_bars_tell_of_the_last_fifty(self, browser: Client, delivery: Delivery) -> None:
        for n in range(60):
            event = Event.objects.create(kind="tag.moved", payload={"tag": str(n)})
            state = Delivery.State.GAVE_UP if n == 59 else Delivery.State.DONE
            Delivery.objects.create(
                webhook=delivery.webhook, event=event, state=state, next_attempt_at=timezone.now()
            )
        page = text(browser.get(BASE))
        assert "49 of the last 50 delivered, 1 failed" in page
        assert page.count('<rect class="ok"') == 49

    def test_switch(self, browser: Client, webhook: Webhook) -> None:
        path = f"{BASE}/{webhook.pk}/switch"
        assert browser.post(path, {"on": "0"})["Location"] == BASE
        webhook.refresh_from_db()
        assert not webhook.active
        assert 'aria-checked="false"' in text(browser.get(BASE))
        assert browser.post(path, {"on": "1", "stay": "1"})["Location"] == f"{BASE}/{webhook.pk}"
        webhook.refresh_from_db()
        assert webhook.active

    def test_presets(self, browser: Client, repository: Repository) -> None:
        page = text(browser.get(BASE))
        for preset in PRESETS:
            assert f'href="{BASE}/new?preset={preset.name}"' in page
            response = browser.get(f"{BASE}/new?preset={preset.name}")
            assert form_value(response, "url") == preset.address
            assert form_value(response, "format") == preset.format
            assert form_value(response, "template") == preset.template
            for name, value in preset.headers.items():
                assert f"{name}: {value}" in form_value(response, "headers")
        assert browser.get(f"{BASE}/new?preset=nonsense").status_code == 200


class TestForm:
    def look(self, browser: Client, values: dict[str, Any], *, part: bool = False) -> Any:
        headers = {"HX-Request": "true"} if part else {}
        return browser.post(f"{BASE}/new", {**VALUES, **values, "look": "1"}, headers=headers)

    def test_dry_run(self, browser: Client, pushes: list[Event]) -> None:
        page = text(self.look(browser, {"tag_filter": "v*"}))
        assert "2 of the last 3 pushes pass" in page
        assert "does not fit" in page
        assert "<html" in page
        part = text(self.look(browser, {"tag_filter": "/^main$/"}, part=True))
        assert "1 of the last 3 pushes passes" in part or "1 of the last 3 pushes pass" in part
        assert "<html" not in part
        assert not Webhook.objects.exists()

    def test_trying_keeps_what_was_typed_and_complains_of_nothing(
        self, browser: Client, pushes: list[Event]
    ) -> None:
        typed = {
            "url": "",
            "tag_filter": "v*",
            "headers": "X-One: 1",
            "secret": "mine",
            "name": "N",
        }
        response = self.look(browser, typed)
        assert response.status_code == 200
        assert response["Cache-Control"] == "no-store"
        for name, value in typed.items():
            assert form_value(response, name) == value
        assert "errorlist" not in text(response)

    def test_a_bad_pattern_is_told(self, browser: Client, pushes: list[Event]) -> None:
        response = self.look(browser, {"tag_filter": "/(/"}, part=True)
        assert response.status_code == 200
        assert 'role="alert"' in text(response)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"format": "dockerhub"}, "&quot;push_data&quot;"),
            ({"format": "cloudevents"}, "&quot;specversion&quot;"),
            (
                {"format": "custom", "template": '{"what": "${event.tag}"}'},
                "&quot;what&quot;: &quot;v2&quot;",
            ),
            ({"format": "custom", "template": "{"}, "JSON object"),
        ],
    )
    def test_preview(
        self, browser: Client, pushes: list[Event], values: dict[str, Any], words: str
    ) -> None:
        assert words in text(self.look(browser, values, part=True))
        assert not Delivery.objects.exists()

    def test_without_a_push_it_says_so(self, browser: Client, repository: Repository) -> None:
        assert "Nothing was pushed here yet" in text(browser.get(f"{BASE}/new"))

    def test_headers_are_written_only(self, browser: Client, webhook: Webhook) -> None:
        edit = f"{BASE}/{webhook.pk}/edit"
        same = {**VALUES, "url": webhook.url}
        browser.post(edit, {**same, "headers": "Authorization: Bearer hush\nX-Team: blue"})
        webhook.refresh_from_db()
        assert headers_of(webhook) == {"Authorization": "Bearer hush", "X-Team": "blue"}
        for path in (edit, f"{BASE}/{webhook.pk}", BASE):
            assert "hush" not in text(browser.get(path))
        assert "Authorization" in text(browser.get(edit))
        browser.post(edit, {**same, "kept_headers": ["Authorization"], "headers": "X-New: 1"})
        webhook.refresh_from_db()
        assert headers_of(webhook) == {"Authorization": "Bearer hush", "X-New": "1"}
        browser.post(
            edit, {**same, "kept_headers": ["Authorization", "X-New"], "headers": "X-New: 2"}
        )
        webhook.refresh_from_db()
        assert headers_of(webhook) == {"Authorization": "Bearer hush", "X-New": "2"}
        moved = {**same, "url": "https://thief.example.org/", "kept_headers": ["Authorization"]}
        response = browser.post(edit, moved)
        assert response.status_code == 422
        assert "id_headers_error" in text(response)
        browser.post(edit, same)
        webhook.refresh_from_db()
        assert headers_of(webhook) == {}

    def test_certificate_is_kept_until_it_is_removed(
        self, browser: Client, webhook: Webhook
    ) -> None:
        Webhook.objects.filter(pk=webhook.pk).update(client_certificate="PEM of a key")
        edit = f"{BASE}/{webhook.pk}/edit"
        assert "PEM of a key" not in text(browser.get(edit))
        same = {**VALUES, "url": webhook.url}
        assert browser.post(edit, same).status_code == 302
        webhook.refresh_from_db()
        assert webhook.client_certificate == "PEM of a key"
        browser.post(edit, {**same, "drop_certificate": "on"})
        webhook.refresh_from_db()
        assert webhook.client_certificate == ""


class TestSecret:
    def test_rotate(self, browser: Client, webhook: Webhook) -> None:
        path = f"{BASE}/{webhook.pk}/secret"
        response = browser.post(path, {"secret": "", "overlap": "24"})
        webhook.refresh_from_db()
        assert webhook.secret != SECRET
        assert webhook.previous_secret == SECRET
        assert webhook.secret in text(response)
        assert SECRET not in text(response)
        assert response["Cache-Control"] == "no-store"
        page = text(browser.get(f"{BASE}/{webhook.pk}"))
        assert "the old one signs too until" in page
        assert webhook.secret not in page
        assert "A change is under way" in text(browser.get(path))

    def test_a_leaked_one_ends_at_once(self, browser: Client, webhook: Webhook) -> None:
        page = text(
            browser.post(f"{BASE}/{webhook.pk}/secret", {"secret": "another", "overlap": "0"})
        )
        webhook.refresh_from_db()
        assert webhook.secret == "another"
        assert webhook.previous_until is None or webhook.previous_until <= timezone.now()
        assert "signs too" not in page

    @pytest.mark.parametrize(
        "values", [{"overlap": "5"}, {"secret": "x" * 201, "overlap": "1"}, {}]
    )
    def test_refusals(self, browser: Client, webhook: Webhook, values: dict[str, str]) -> None:
        assert browser.post(f"{BASE}/{webhook.pk}/secret", values).status_code == 422
        webhook.refresh_from_db()
        assert webhook.secret == SECRET


class TestHook:
    def test_search(self, browser: Client, delivery: Delivery) -> None:
        path = f"{BASE}/{delivery.webhook_id}"

        def found(**query: str) -> bool:
            return str(delivery.uid) in text(browser.get(path, query))

        today, tomorrow = timezone.now(), timezone.now() + timedelta(days=1)
        for query, is_found in [
            ({"state": "done"}, True),
            ({"state": "gave_up"}, False),
            ({"state": "nonsense"}, True),
            ({"event": "push"}, True),
            ({"event": "star"}, False),
            ({"tag": "v1"}, True),
            ({"tag": "v2"}, False),
            ({"text": "push_data"}, True),
            ({"text": "nowhere at all"}, False),
            ({"since": f"{today:%Y-%m-%d}"}, True),
            ({"since": f"{tomorrow:%Y-%m-%d}"}, False),
            ({"until": f"{today:%Y-%m-%d}"}, True),
            ({"until": "2001-01-01"}, False),
            ({"since": "soon"}, True),
        ]:
            assert found(**query) is is_found, query
        assert "No delivery fits" in text(browser.get(path, {"tag": "v2"}))
        part = text(browser.get(path, {"state": "done"}, headers={"HX-Request": "true"}))
        assert "<html" not in part
        assert str(delivery.uid) in part

    def test_pages_keep_the_search(self, browser: Client, delivery: Delivery) -> None:
        for _ in range(30):
            event = Event.objects.create(kind="tag.moved", payload={"tag": "v9"})
            Delivery.objects.create(
                webhook=delivery.webhook, event=event, state="done", next_attempt_at=timezone.now()
            )
        page = text(browser.get(f"{BASE}/{delivery.webhook_id}", {"tag": "v9"}))
        assert f"{BASE}/{delivery.webhook_id}?tag=v9&amp;cursor=" in page

    def test_test_with_a_chosen_push(
        self, browser: Client, webhook: Webhook, pushes: list[Event]
    ) -> None:
        one = f"{BASE}/{webhook.pk}"
        page = text(browser.get(one))
        for event in pushes:
            assert f'<option value="{event.pk}">' in page
        browser.post(f"{one}/ping", {"event": str(pushes[0].pk)})
        assert Delivery.objects.get().event.payload["of"] == pushes[0].pk
        assert browser.post(f"{one}/ping", {"event": "999999"}).status_code == 404
        assert browser.post(f"{one}/ping", {"event": "x"}).status_code == 404

    def test_pause(self, browser: Client, webhook: Webhook) -> None:
        now = timezone.now()
        Webhook.objects.update(paused_at=now, failing_since=now - timedelta(days=3))
        one = f"{BASE}/{webhook.pk}"
        assert "Mend the receiver" in text(browser.get(one))
        assert browser.post(f"{one}/resume")["Location"] == one
        webhook.refresh_from_db()
        assert webhook.paused_at is None
        assert "Mend the receiver" not in text(browser.get(one))

    def test_redeliver_all(self, browser: Client, delivery: Delivery) -> None:
        one = f"{BASE}/{delivery.webhook_id}"
        assert 'id="redeliver-all"' not in text(browser.get(one))
        Delivery.objects.update(state=Delivery.State.GAVE_UP)
        assert 'id="redeliver-all"' in text(browser.get(one))
        page = text(browser.post(f"{one}/redeliver", follow=True))
        assert "1 delivery is being sent again" in page
        delivery.refresh_from_db()
        assert delivery.state == "due"
        assert "nothing to send again" in text(browser.post(f"{one}/redeliver", follow=True))

    def test_replay(self, browser: Client, webhook: Webhook, pushes: list[Event]) -> None:
        path = f"{BASE}/{webhook.pk}/replay"
        now = timezone.now()
        span = {
            "since": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M}",
            "until": f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M}",
        }
        page = text(browser.get(path, span))
        assert "3 events will be sent" in page
        assert not Delivery.objects.exists()
        assert browser.post(path, span)["Location"] == f"{BASE}/{webhook.pk}"
        assert set(Delivery.objects.values_list("event_id", flat=True)) == {e.pk for e in pushes}
        before = {"since": "2001-01-01T00:00", "until": "2001-01-02T00:00"}
        assert "Nothing that fits happened" in text(browser.get(path, before))

    def test_a_span_that_makes_no_sense(self, browser: Client, webhook: Webhook) -> None:
        path = f"{BASE}/{webhook.pk}/replay"
        backwards = {"since": "2026-01-02T00:00", "until": "2026-01-01T00:00"}
        response = browser.get(path, backwards)
        assert response.status_code == 422
        assert "The end must be after" in text(response)
        assert form_value(response, "since") == backwards["since"]
        assert browser.post(path, {"since": "x", "until": ""}).status_code == 422
        assert not Delivery.objects.exists()

    def test_snippets(self, browser: Client, webhook: Webhook) -> None:
        page = text(browser.get(f"{BASE}/{webhook.pk}"))
        for words in ("hmac.compare_digest", "hmac.Equal", "timingSafeEqual", "openssl dgst"):
            assert words in page


class TestDelivery:
    def page(self, browser: Client, delivery: Delivery) -> str:
        return text(browser.get(f"{BASE}/{delivery.webhook_id}/deliveries/{delivery.uid}"))

    def test_why_it_waits(self, browser: Client, delivery: Delivery) -> None:
        later = timezone.now() + timedelta(minutes=5)
        Delivery.objects.update(
            state="due", host="ci.example.com:443", order_key="1:v1", attempt_count=0
        )
        assert "Waiting to be sent" in self.page(browser, delivery)
        for n in range(settings.HUB.webhook_slots_per_host):
            event = Event.objects.create(kind="star", payload={})
            Delivery.objects.create(
                webhook=delivery.webhook,
                event=event,
                host="ci.example.com:443",
                next_attempt_at=later,
                lease_until=later,
            )
            is_last = n + 1 == settings.HUB.webhook_slots_per_host
            assert ("Waiting for other deliveries" in self.page(browser, delivery)) is is_last
        Delivery.objects.exclude(pk=delivery.pk).delete()
        Delivery.objects.update(next_attempt_at=later, attempt_count=1)
        assert "Attempt 1 of" in self.page(browser, delivery)
        Receiver.objects.create(host="ci.example.com:443", failures=9, closed_until=later)
        assert "left alone for a while" in self.page(browser, delivery)
        event = Event.objects.create(kind="tag.moved", payload={"tag": "v1"})
        first = Delivery.objects.create(
            webhook=delivery.webhook,
            event=event,
            order_key="1:v1",
            next_attempt_at=later,
            owed_at=timezone.now() - timedelta(hours=1),
        )
        assert "Waiting for its turn" in self.page(browser, delivery)
        assert str(first.uid) in self.page(browser, delivery)
        Webhook.objects.update(paused_at=later)
        assert "the webhook is paused" in self.page(browser, delivery)
        Webhook.objects.update(active=False)
        assert "switched off" in self.page(browser, delivery)

    def test_the_result_that_came_back(self, browser: Client, delivery: Delivery) -> None:
        assert "none reported yet" in self.page(browser, delivery)
        Result.objects.create(
            delivery=delivery,
            webhook=delivery.webhook,
            repository=delivery.webhook.repository,
            tag="v1",
            digest=DIGEST,
            state="failure",
            description="2 tests failed",
            target_url="https://ci.example.com/7",
        )
        page = self.page(browser, delivery)
        assert "2 tests failed" in page
        assert 'href="https://ci.example.com/7"' in page

    def test_compare(self, browser: Client, delivery: Delivery) -> None:
        first, second = delivery.attempts.order_by("pk")
        Attempt.objects.filter(pk=first.pk).update(request_body='{"a":1,"b":2}')
        Attempt.objects.filter(pk=second.pk).update(request_body='{"a":1,"b":3}')
        path = f"{BASE}/{delivery.webhook_id}/deliveries/{delivery.uid}/compare"
        response = browser.get(path)
        assert (response.context["left"].pk, response.context["right"].pk) == (first.pk, second.pk)
        page = text(response)
        assert '<td data-kind="bad">  &quot;b&quot;: 2</td>' in page
        assert '<td data-kind="ok">  &quot;b&quot;: 3</td>' in page
        same = text(browser.get(path, {"left": first.pk, "right": first.pk}))
        assert "Both bodies are the same" in same
        assert browser.get(path, {"left": "999999"}).status_code == 404
        assert browser.get(path, {"left": "x"}).status_code == 200

    def test_compare_takes_no_attempt_of_another_webhook(
        self, browser: Client, alice: User, delivery: Delivery
    ) -> None:
        other = on_namespace(alice)
        strange = Delivery.objects.create(
            webhook=other, event=delivery.event, next_attempt_at=timezone.now()
        )
        attempt = Attempt.objects.create(delivery=strange, duration_ms=1, request_body="other")
        path = f"{BASE}/{delivery.webhook_id}/deliveries/{delivery.uid}/compare"
        assert browser.get(path, {"left": attempt.pk}).status_code == 404

    def test_compare_with_the_delivery_before(self, browser: Client, delivery: Delivery) -> None:
        event = Event.objects.create(kind="tag.moved", payload={"tag": "v2"})
        newer = Delivery.objects.create(
            webhook=delivery.webhook, event=event, state="done", next_attempt_at=timezone.now()
        )
        path = f"{BASE}/{delivery.webhook_id}/deliveries/{newer.uid}/compare"
        assert "has not been tried yet" in text(browser.get(path))
        attempt = Attempt.objects.create(
            delivery=newer, duration_ms=1, request_body="{}", status=200
        )
        response = browser.get(path)
        assert response.context["right"].pk == attempt.pk
        assert response.context["left"].pk == delivery.attempts.order_by("pk").last().pk


class TestPromotions:
    PATH = f"{BASE}/promotions"

    def values(self, webhook: Webhook, **more: Any) -> dict[str, Any]:
        return {"requires": [str(webhook.pk)], "source": "v*", "target": "stable", **more}

    def test_needs_a_webhook(self, browser: Client, repository: Repository) -> None:
        assert "A rule needs a webhook" in text(browser.get(self.PATH))

    def test_add_and_remove(self, browser: Client, webhook: Webhook) -> None:
        assert browser.post(self.PATH, self.values(webhook))["Location"] == self.PATH
        rule = Promotion.objects.get()
        page = text(browser.get(self.PATH))
        assert "Success reported by ci.example.com moves stable to the same image." in page
        assert browser.post(f"{self.PATH}/{rule.pk}/remove")["Location"] == self.PATH
        assert not Promotion.objects.exists()
        assert browser.post(f"{self.PATH}/{rule.pk}/remove").status_code == 404

    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"requires": []}, "Choose at least one webhook."),
            ({"requires": ["999999"]}, "999999"),
            ({"target": ""}, "id_target_error"),
            ({"target": "not a tag!"}, "id_target_error"),
            ({"source": "/(/"}, "id_source_error"),
        ],
    )
    def test_refusals(
        self, browser: Client, webhook: Webhook, more: dict[str, Any], field: str
    ) -> None:
        response = browser.post(self.PATH, self.values(webhook, **more))
        assert response.status_code == 422
        assert field in text(response)
        assert not Promotion.objects.exists()
        assert form_value(response, "target") == self.values(webhook, **more)["target"]

    def test_a_rule_of_another_repository(
        self, browser: Client, alice: User, webhook: Webhook
    ) -> None:
        other = Repository.objects.create(namespace=alice.namespace, name="x", path="alice/x")
        rule = Promotion.objects.create(repository=other, target="stable")
        assert browser.post(f"{self.PATH}/{rule.pk}/remove").status_code == 404

    def test_history(self, browser: Client, delivery: Delivery) -> None:
        Result.objects.create(
            delivery=delivery,
            webhook=delivery.webhook,
            repository=delivery.webhook.repository,
            tag="v1",
            digest=DIGEST,
            state="success",
            context="unit tests",
            description="all green",
        )
        page = text(browser.get(self.PATH))
        assert "all green" in page
        assert str(delivery.uid) in page
