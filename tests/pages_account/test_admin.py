"""Django's admin: for superusers, through the hub's own door, without secrets."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import AccessToken, Namespace, User
from accounts.services.tokens import create_token
from repos.models import Repository
from tests.pages_account.conftest import PASSWORD, SECRET
from webhooks.models import Delivery, Webhook

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(person: Callable[..., User], signed_in: Callable[[User | None], Client]) -> Client:
    found = User.objects.filter(username="root0").first()
    return signed_in(found or person("root0", superuser=True))


class TestWho:
    def test_visitors_find_nothing(self, client: Client) -> None:
        for path in ["", "login/", "logout/", "accounts/user/", "accounts/nothing/", "jsi18n/"]:
            assert client.get(f"/admin/django/{path}").status_code == 404, path
        response = client.post("/admin/django/login/", {"username": "x", "password": "y"})
        assert response.status_code == 404

    def test_only_superusers(self, alice: User, browser: Client) -> None:
        assert browser.get("/admin/django/").status_code == 404
        User.objects.update(is_staff=True)
        assert browser.get("/admin/django/").status_code == 404
        assert browser.get("/admin/django/accounts/user/").status_code == 404

    def test_nobody_sets_the_password_of_somebody_else(self, alice: User, root: Client) -> None:
        path = f"/admin/django/accounts/user/{alice.pk}/password/"
        values = {"password1": "another long secret", "password2": "another long secret"}
        assert root.post(path, values).status_code == 403
        alice.refresh_from_db()
        assert alice.check_password(PASSWORD)


class TestPages:
    def test_open(
        self, repository: Repository, webhook: Webhook, delivery: Delivery, root: Client
    ) -> None:
        create_token(User.objects.get(username="alice"), name="ci")
        for path in [
            "",
            "accounts/user/",
            "accounts/user/add/",
            f"accounts/user/{webhook.created_by_id}/change/",
            "accounts/organization/",
            "accounts/namespace/",
            "accounts/accesstoken/",
            f"accounts/accesstoken/{AccessToken.objects.get().pk}/change/",
            "repos/repository/",
            f"repos/repository/{repository.pk}/change/",
            "webhooks/webhook/",
            f"webhooks/webhook/{webhook.pk}/change/",
            "events/event/",
            f"events/event/{delivery.event_id}/change/",
            "events/queuemessage/",
        ]:
            page = root.get(f"/admin/django/{path}")
            assert page.status_code == 200, path
            assert SECRET not in page.content.decode()
            assert AccessToken.objects.get().secret_hash not in page.content.decode()
        assert root.get("/admin/django/tokens/signingkey/").status_code == 404

    def test_nothing_of_the_hub_is_made_or_deleted_here(
        self, repository: Repository, webhook: Webhook, delivery: Delivery, root: Client
    ) -> None:
        for path in [
            "accounts/organization/add/",
            "accounts/accesstoken/add/",
            "repos/repository/add/",
            f"repos/repository/{repository.pk}/delete/",
            f"accounts/user/{webhook.created_by_id}/delete/",
            "webhooks/webhook/add/",
            f"events/event/{delivery.event_id}/delete/",
        ]:
            assert root.get(f"/admin/django/{path}").status_code == 403, path


class TestActs:
    def test_new_person_has_a_namespace(self, root: Client) -> None:
        values = {"username": "carol", "usable_password": "true"}
        values |= {"email": "", "password1": PASSWORD, "password2": PASSWORD}
        response = root.post("/admin/django/accounts/user/add/", values)
        assert response.status_code == 302
        carol = User.objects.get(username="carol")
        assert Namespace.objects.get(name="carol").user == carol
        assert carol.check_password(PASSWORD)

    @pytest.mark.parametrize("name", ["admin", "Carol", "root0"])
    def test_bad_names(self, root: Client, name: str) -> None:
        values = {"username": name, "usable_password": "true"}
        values |= {"email": "", "password1": PASSWORD, "password2": PASSWORD}
        response = root.post("/admin/django/accounts/user/add/", values)
        assert response.status_code == 200
        assert User.objects.count() == 1

    def test_revoke_and_switch_off(self, webhook: Webhook, alice: User, root: Client) -> None:
        token = create_token(alice, name="ci").row
        action = {"action": "revoke", "_selected_action": [token.pk]}
        root.post("/admin/django/accounts/accesstoken/", action)
        token.refresh_from_db()
        assert token.revoked_at is not None
        action = {"action": "switch_off", "_selected_action": [webhook.pk]}
        root.post("/admin/django/webhooks/webhook/", action)
        webhook.refresh_from_db()
        assert not webhook.active

    def test_addresses_of_webhooks_are_not_shown_whole(
        self, webhook: Webhook, root: Client
    ) -> None:
        """A path or a query is a password to many receivers; of hidden repositories too."""
        Webhook.objects.filter(pk=webhook.pk).update(url="https://ci.example/hush?token=hush")
        for path in ("", f"{webhook.pk}/change/"):
            shown = root.get(f"/admin/django/webhooks/webhook/{path}").content
            assert b"ci.example" in shown
            assert b"hush" not in shown
        assert b"ci.example" not in root.get("/admin/django/webhooks/webhook/?q=hush").content

    def test_switching_a_person_off(self, alice: User, root: Client) -> None:
        values = {"email": "alice@example.com", "bio": "", "is_superuser": "on"}
        root.post(f"/admin/django/accounts/user/{alice.pk}/change/", values)
        alice.refresh_from_db()
        assert (alice.is_active, alice.is_superuser, alice.is_staff) == (False, True, True)
