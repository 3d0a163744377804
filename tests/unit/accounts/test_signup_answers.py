"""Signing up: what is recorded, and what is told about an address that is known."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress

from accounts.errors import AddressKnown
from accounts.models import OutgoingMail, User
from accounts.services.signup import create_user, sign_up
from core.errors import Invalid
from events.models import Event
from events.types import Actor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]
GOOD = {"username": "bob", "email": "bob@example.com", "password": "correct horse 9"}
LONG = f"{'a' * 60}@{'.'.join(['b' * 50] * 4)}.example.com"


def test_an_account_is_recorded_with_whoever_made_it():
    bob = create_user(**GOOD)
    root = create_user(username="root0", email="", password="x", superuser=True)
    by = Actor(root.pk, "root0", "session")
    create_user(**{**GOOD, "username": "carol", "email": ""}, by_superuser=True, actor=by)
    found = Event.objects.filter(kind="account.created").order_by("pk")
    assert [(e.payload["user"], e.actor_name) for e in found] == [
        ("bob", "bob"),
        ("root0", "hub"),
        ("carol", "root0"),
    ]
    assert found[0].namespace_id == bob.namespace.pk


def test_an_error_records_nothing():
    with pytest.raises(Invalid):
        create_user(**{**GOOD, "email": LONG})
    assert not Event.objects.exists()


@pytest.mark.parametrize("own", ["account", "second address"])
def test_where_addresses_are_confirmed_nobody_is_told_that_one_is_known(settings, alice, own):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    if own == "account":
        User.objects.filter(pk=alice.pk).update(email="bob@example.com")
    else:
        EmailAddress.objects.create(user=alice, email="bob@example.com", verified=True)
    answered = sign_up(**{**GOOD, "email": "Bob@example.com"})
    assert (answered.pk, answered.username, answered.email) == (None, "bob", "bob@example.com")
    assert not User.objects.filter(username="bob").exists()
    mail = OutgoingMail.objects.get()
    assert mail.to == "bob@example.com"
    assert "http://localhost:5000/accounts/password/reset/" in mail.text
    new = sign_up(**{**GOOD, "email": "other@example.com"})
    assert new.pk


def test_elsewhere_they_are(alice):
    User.objects.filter(pk=alice.pk).update(email="bob@example.com")
    with pytest.raises(AddressKnown):
        sign_up(**GOOD)
    assert not OutgoingMail.objects.exists()
