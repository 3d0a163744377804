"""Clients that were signed in for good: seen and signed out on the page of access tokens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.errors import BadCredential
from accounts.models import User
from accounts.services.credentials import principal_of, principal_of_token
from accounts.services.tokens import create_token
from tokens.models import RefreshToken
from tokens.refresh import create_refresh_token, redeem

pytestmark = pytest.mark.django_db
LIST = "/settings/tokens"


def end(browser: Client, row: RefreshToken) -> int:
    return browser.post(f"/settings/clients/{row.pk}/end").status_code


def test_a_person_sees_their_clients_and_signs_one_out(browser: Client, alice: User) -> None:
    assert "Signed-in clients" not in browser.get(LIST).content.decode()
    made = create_token(alice, name="for the laptop")
    laptop = create_refresh_token(
        principal_of_token(made.row), service="hub.example", client_id="docker<b>"
    )
    other = create_refresh_token(principal_of(alice), service="other.example")
    page = browser.get(LIST).content.decode()
    for text in ("Signed-in clients", "docker&lt;b&gt;", "unnamed client", "for the laptop"):
        assert text in page
    assert "hub.example" in page
    assert laptop not in page
    assert end(browser, RefreshToken.objects.get(service="hub.example")) == 302
    page = browser.get(LIST).content.decode()
    assert "The client was signed out." in page
    assert "hub.example" not in page
    with pytest.raises(BadCredential):
        redeem(laptop, address="192.0.2.1")
    assert redeem(other, address="192.0.2.1").principal.user_id == alice.pk


def test_nobody_else_signs_it_out(
    alice: User, person: Callable[..., User], signed_in: Callable[[User | None], Client]
) -> None:
    secret = create_refresh_token(principal_of(alice), service="hub.example", client_id="docker")
    row = RefreshToken.objects.get()
    mallory = signed_in(person("mallory"))
    assert "docker" not in mallory.get(LIST).content.decode().partition("Signed-in")[2]
    assert end(mallory, row) == 404
    assert end(signed_in(None), row) == 302
    assert signed_in(alice).get(f"/settings/clients/{row.pk}/end").status_code == 405
    assert redeem(secret, address="192.0.2.1")
