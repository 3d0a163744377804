"""Who may open which webhook page, and what the pages do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from repos.models import Repository
from tests.pages_account.conftest import SECRET
from webhooks.models import Attempt, Delivery, Webhook

pytestmark = pytest.mark.django_db
BASE = "/alice/app/-/webhooks"
VALUES = {
    "url": "https://ci.example.com/other",
    "events": ["push"],
    "format": "dockerhub",
    "active": "on",
}


def text(response: Any) -> str:
    return response.content.decode()


def form_value(response: Any, name: str) -> Any:
    """What a field of the page that came back holds."""
    return response.context["form"][name].value()


def addresses(webhook: Webhook, delivery: Delivery) -> list[tuple[str, str]]:
    one = f"{BASE}/{webhook.pk}"
    return [
        ("GET", BASE),
        ("GET", f"{BASE}/new"),
        ("POST", f"{BASE}/new"),
        ("GET", one),
        ("GET", f"{one}/edit"),
        ("POST", f"{one}/edit"),
        ("GET", f"{one}/deliveries/{delivery.uid}"),
        ("POST", f"{one}/deliveries/{delivery.uid}/redeliver"),
        ("GET", f"{one}/deliveries/{delivery.uid}/compare"),
        ("POST", f"{one}/ping"),
        ("POST", f"{one}/switch"),
        ("POST", f"{one}/resume"),
        ("POST", f"{one}/redeliver"),
        ("GET", f"{one}/secret"),
        ("POST", f"{one}/secret"),
        ("GET", f"{one}/replay"),
        ("POST", f"{one}/replay"),
        ("GET", f"{BASE}/promotions"),
        ("POST", f"{BASE}/promotions"),
        ("POST", f"{one}/delete"),
    ]


class TestWho:
    @pytest.mark.parametrize(
        ("name", "public", "private"),
        [
            ("alice", "ok", "ok"),
            ("boss", "ok", "ok"),
            ("writer", 403, 403),
            ("reader", 403, 403),
            ("mallory", 403, 404),
            ("root0", 403, 404),
            ("", "login", 404),
        ],
    )
    @pytest.mark.parametrize("visibility", ["public", "private"])
    def test_person_and_address(
        self,
        name: str,
        public: str | int,
        private: str | int,
        visibility: str,
        repository: Repository,
        webhook: Webhook,
        delivery: Delivery,
        signed_in: Callable[[User | None], Client],
    ) -> None:
        Repository.objects.update(visibility=visibility)
        expected = public if visibility == "public" else private
        user = User.objects.filter(username=name).first()
        for method, path in addresses(webhook, delivery):
            client = signed_in(user)
            response = client.generic(method, path)
            status = response.status_code
            if expected == "ok":
                fine = (200,) if method == "GET" else (200, 302, 422)
                assert status in fine, (method, path)
            elif expected == "login":
                assert status == 302, (method, path)
                assert response["Location"].startswith("/accounts/login/"), (method, path)
            else:
                assert status == expected, (method, path)

    def test_invisible_is_as_absent(
        self, webhook: Webhook, signed_in: Callable[[User | None], Client]
    ) -> None:
        Repository.objects.update(visibility="private")
        client = signed_in(User.objects.get(username="mallory"))
        hidden, absent = client.get(BASE), client.get("/alice/xyz/-/webhooks")
        assert hidden.status_code == absent.status_code == 404
        assert text(hidden).replace("alice/app", "alice/xyz") == text(absent)

    def test_denied_says_why(
        self, webhook: Webhook, signed_in: Callable[[User | None], Client]
    ) -> None:
        page = text(signed_in(User.objects.get(username="writer")).get(BASE))
        assert "needs the role admin on alice/app; yours is write" in page
        assert webhook.url not in page

    def test_webhooks_of_another_repository(
        self, browser: Client, webhook: Webhook, delivery: Delivery, alice: User
    ) -> None:
        Repository.objects.create(
            namespace=alice.namespace, name="other/deep", path="alice/other/deep"
        )
        base = f"/alice/other/deep/-/webhooks/{webhook.pk}"
        assert browser.get("/alice/other/deep/-/webhooks").status_code == 200
        sent = f"{base}/deliveries/{delivery.uid}"
        for path in (
            base,
            f"{base}/edit",
            f"{base}/secret",
            f"{base}/replay",
            sent,
            f"{sent}/compare",
        ):
            assert browser.get(path).status_code == 404
        for path in (f"{base}/delete", f"{base}/ping", f"{base}/switch", f"{base}/redeliver"):
            assert browser.post(path).status_code == 404

    def test_csrf(self, alice: User, webhook: Webhook, delivery: Delivery) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(alice)
        for method, path in addresses(webhook, delivery):
            if method == "POST":
                assert strict.post(path, VALUES).status_code == 403, path
        assert Webhook.objects.count() == 1


class TestMaking:
    def test_empty_state(self, browser: Client, repository: Repository) -> None:
        assert "Trigger your CI after each push" in text(browser.get(BASE))

    def test_secret_is_shown_once(self, browser: Client, repository: Repository) -> None:
        response = browser.post(f"{BASE}/new", VALUES)
        assert response.status_code == 200
        assert response["Cache-Control"] == "no-store"
        webhook = Webhook.objects.get()
        assert webhook.secret.startswith("whsec_")
        assert webhook.secret in text(response)
        one = f"{BASE}/{webhook.pk}"
        for path in (BASE, one, f"{one}/edit"):
            assert webhook.secret not in text(browser.get(path))

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ({"url": "ftp://example.com"}, "http"),
            ({"url": "http://127.0.0.1/"}, "id_url_error"),
            ({"url": ""}, "required"),
            ({"events": []}, "Choose at least one event."),
            ({"events": ["everything"]}, "everything"),
            ({"tag_filter": "x" * 201}, "200"),
            ({"tag_filter": "/(/"}, "id_tag_filter_error"),
            ({"format": "morse"}, "id_format_error"),
            ({"format": "custom", "template": ""}, "id_template_error"),
            ({"format": "custom", "template": "{"}, "id_template_error"),
            ({"headers": "no colon"}, "Line 1 is not a header"),
            ({"headers": "X-Fine: 1\nbad name: 2"}, "Line 2 is not a header"),
            ({"headers": "Host: elsewhere"}, "id_headers_error"),
            ({"client_certificate": "not PEM"}, "id_client_certificate_error"),
        ],
    )
    def test_refusals(
        self, browser: Client, repository: Repository, values: dict[str, Any], sentence: str
    ) -> None:
        response = browser.post(f"{BASE}/new", {**VALUES, "name": "Nightly", **values})
        assert response.status_code == 422
        assert sentence in text(response)
        assert not Webhook.objects.exists()
        for name, value in {**VALUES, "name": "Nightly", **values}.items():
            if name not in ("events", "active", "format") and value:
                assert form_value(response, name) == value, name

    def test_edit_keeps_the_secret(self, browser: Client, webhook: Webhook) -> None:
        values = {**VALUES, "secret": "not taken here", "tag_filter": "v*", "format": "quay"}
        del values["active"]
        response = browser.post(f"{BASE}/{webhook.pk}/edit", values)
        assert response.status_code == 302
        webhook.refresh_from_db()
        assert (webhook.secret, webhook.tag_filter, webhook.active) == (SECRET, "v*", False)
        assert webhook.format == "quay"

    def test_delete(self, browser: Client, webhook: Webhook, delivery: Delivery) -> None:
        page = text(browser.get(f"{BASE}/{webhook.pk}"))
        assert '<dialog class="dialog" id="delete-webhook"' in page
        assert browser.get(f"{BASE}/{webhook.pk}/delete").status_code == 405
        assert browser.post(f"{BASE}/{webhook.pk}/delete").status_code == 302
        assert not Webhook.objects.exists()


class TestDeliveries:
    def page(self, browser: Client, delivery: Delivery, **headers: str) -> str:
        path = f"{BASE}/{delivery.webhook_id}/deliveries/{delivery.uid}"
        return text(browser.get(path, headers=headers))

    def test_list(self, browser: Client, delivery: Delivery) -> None:
        page = text(browser.get(f"{BASE}/{delivery.webhook_id}"))
        assert str(delivery.uid) in page
        assert "Delivered" in page
        page = text(browser.get(f"{BASE}/{delivery.webhook_id}?state=gave_up"))
        assert str(delivery.uid) not in page

    def test_pages_of_the_list(self, browser: Client, delivery: Delivery) -> None:
        for _ in range(26):
            event = delivery.event
            event.pk, event.uid = None, None
            event.uid = type(delivery)._meta.get_field("uid").get_default()
            event.save()
            Delivery.objects.create(
                webhook=delivery.webhook, event=event, next_attempt_at=timezone.now()
            )
        first = browser.get(f"{BASE}/{delivery.webhook_id}")
        assert str(delivery.uid) not in text(first)
        cursor = first.context["next_cursor"]
        second = text(browser.get(f"{BASE}/{delivery.webhook_id}", {"cursor": cursor}))
        assert str(delivery.uid) in second
        assert browser.get(f"{BASE}/{delivery.webhook_id}?cursor=x!").status_code == 400

    def test_shows_every_attempt(self, browser: Client, delivery: Delivery) -> None:
        page = self.page(browser, delivery)
        assert "Attempt 1" in page
        assert "Attempt 2" in page
        assert "&lt;b&gt;Bad Gateway&lt;/b&gt;" in page
        assert "<b>Bad Gateway" not in page
        assert "could not handle the request" in page
        assert "X-Hub-Event: push" in page
        assert SECRET not in page
        assert page.count("<h1") == 1

    def test_private_answers_are_explained(self, browser: Client, delivery: Delivery) -> None:
        from webhooks.outcomes import NOT_SHOWN

        Attempt.objects.update(response_excerpt=NOT_SHOWN)
        assert "HUB_WEBHOOK_SHOW_PRIVATE_RESPONSES" in self.page(browser, delivery)

    def test_without_an_answer(self, browser: Client, delivery: Delivery) -> None:
        Attempt.objects.update(status=None, error="Nobody took the connection.")
        page = self.page(browser, delivery)
        assert "no answer" in page
        assert "Nobody took the connection." in page

    def test_curl_signs_the_same_body(self, browser: Client, delivery: Delivery) -> None:
        response = browser.get(f"{BASE}/{delivery.webhook_id}/deliveries/{delivery.uid}")
        script = response.context["tries"][0]["curl"]
        assert SECRET not in script
        shown = subprocess.run(
            ["sh", "-c", f'curl() {{ printf "%s\\n" "$@"; }}\n{script}'],
            env={"PATH": "/usr/bin:/bin", "HUB_SECRET": SECRET},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        body = delivery.attempts.last().request_body
        assert shown[-1] == body
        import hashlib
        import hmac

        digest = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
        assert f"X-Hub-Signature-256: sha256={digest}" in shown
        assert not any("…" in line for line in shown)

    def test_polls_until_settled(self, browser: Client, delivery: Delivery) -> None:
        assert "hx-trigger" not in self.page(browser, delivery).partition('id="delivery"')[2]
        Delivery.objects.update(state=Delivery.State.DUE, attempt_count=0)
        part = self.page(browser, delivery, hx_request="true")
        assert 'hx-trigger="every 2s"' in part
        assert "<html" not in part
        Delivery.objects.update(next_attempt_at=timezone.now() + timedelta(hours=1))
        assert 'hx-trigger="every 30s"' in self.page(browser, delivery, hx_request="true")

    def test_ping(self, browser: Client, webhook: Webhook, rung: list[Any]) -> None:
        response = browser.post(f"{BASE}/{webhook.pk}/ping")
        made = Delivery.objects.get()
        assert response["Location"] == f"{BASE}/{webhook.pk}/deliveries/{made.uid}"
        assert "ping" in text(browser.get(response["Location"]))

    def test_ping_of_one_switched_off(self, browser: Client, webhook: Webhook) -> None:
        Webhook.objects.update(active=False)
        response = browser.post(f"{BASE}/{webhook.pk}/ping", follow=True)
        assert "switched off" in text(response)
        assert not Delivery.objects.exists()

    def test_redeliver(self, browser: Client, delivery: Delivery) -> None:
        path = f"{BASE}/{delivery.webhook_id}/deliveries/{delivery.uid}"
        assert browser.post(f"{path}/redeliver")["Location"] == path
        delivery.refresh_from_db()
        assert (delivery.state, delivery.attempt_count) == ("due", 0)
        Delivery.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
        page = text(browser.post(f"{path}/redeliver", follow=True))
        assert "being sent just now" in page

    def test_body_that_is_not_json(self, browser: Client, delivery: Delivery) -> None:
        Attempt.objects.update(request_body="plain <text>")
        assert "plain &lt;text&gt;" in self.page(browser, delivery)
        Attempt.objects.update(request_body=json.dumps({"a": 1}))
        assert "&quot;a&quot;: 1" in self.page(browser, delivery)
