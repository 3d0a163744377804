"""Headers: signatures that others verify, rotation, and the receiver's own ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import settings as django_settings
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from tests.unit.webhooks.told import HEADER, occur, owe
from webhooks import outcomes
from webhooks.errors import WebhookInvalid
from webhooks.formats import render
from webhooks.signing import (
    MAX_HEADERS,
    check_headers,
    secret_names,
    signed_headers,
    signing_key,
)

NOW = datetime.now(UTC)
OLD, NEW = ("whsec_" + base64.b64encode(name * 6).decode() for name in (b"old!", b"new!"))


@pytest.fixture(autouse=True)
def _now():
    """Verifiers refuse what is more than five minutes old, and a run takes longer."""
    with time_machine.travel(NOW, tick=False):
        yield


def signed(repository, actor, **values):
    delivery = owe(occur("tag.moved", repository, actor), repository, **values)
    rendered = render(delivery)
    return delivery, rendered.body, signed_headers(delivery, rendered, now=NOW)


def hexdigest(secret, body):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.mark.django_db
@pytest.mark.parametrize("secret", ["open sesame", "whsec_not base64!", "Schlüssel", NEW])
def test_headers_can_be_verified_by_others(repository, actor, secret):
    delivery, body, headers = signed(repository, actor, secret=secret)
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"] == f"Hub-Webhook/{django_settings.VERSION}"
    assert headers["X-Hub-Event"] == "push"
    assert headers["X-Hub-Delivery"] == headers["webhook-id"] == str(delivery.event.uid)
    assert headers["X-Hub-Signature-256"] == f"sha256={hexdigest(secret, body)}"

    # By hand, from the text of the specification.
    key = b"new!" * 6 if secret == NEW else secret.encode()
    signed_text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = base64.b64encode(hmac.new(key, signed_text, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"
    # As a receiver does it who pastes the secret into the library.
    pasted = "whsec_" + base64.b64encode(key).decode()
    assert Verifier(pasted).verify(body, headers)["push_data"]["tag"] == "v1.2"


@pytest.mark.django_db
def test_during_a_rotation_either_secret_verifies(repository, actor):
    _, body, headers = signed(
        repository,
        actor,
        secret=NEW,
        previous_secret=OLD,
        previous_until=NOW + timedelta(hours=1),
    )
    first, second = headers["webhook-signature"].split(" ")
    assert Verifier(NEW).verify(body, {**headers, "webhook-signature": first})
    assert Verifier(OLD).verify(body, {**headers, "webhook-signature": second})
    for secret in (OLD, NEW):
        assert Verifier(secret).verify(body, headers)
    assert headers["X-Hub-Signature-256"] == f"sha256={hexdigest(NEW, body)}"


@pytest.mark.django_db
@pytest.mark.parametrize("until", [None, NOW, NOW - timedelta(seconds=1)])
def test_after_a_rotation_the_old_secret_signs_no_more(repository, actor, until):
    _, body, headers = signed(
        repository, actor, secret=NEW, previous_secret=OLD, previous_until=until
    )
    assert " " not in headers["webhook-signature"]
    assert Verifier(NEW).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(OLD).verify(body, headers)


def test_signing_key():
    assert signing_key("whsec_" + base64.b64encode(b"key").decode()) == b"key"
    assert signing_key("whsec_") == b"whsec_"
    assert signing_key("whsec_***") == b"whsec_***"
    assert signing_key("plain") == b"plain"


@pytest.mark.django_db
def test_own_headers_are_sent_and_not_kept(repository, actor):
    delivery, body, headers = signed(
        repository,
        actor,
        secret=NEW,
        headers=json.dumps({"X-Custom": HEADER, "X-Signature": "sha256=${signature}"}),
    )
    assert headers["X-Custom"] == HEADER
    assert headers["X-Signature"] == f"sha256={hexdigest(NEW, body)}"
    kept = outcomes.kept_request_headers(headers, secret_names(delivery.webhook))
    assert kept["X-Custom"] == kept["X-Signature"] == "(not kept)"
    assert kept["X-Hub-Event"] == "push"
    for value in (HEADER, hexdigest(NEW, body), headers["webhook-signature"]):
        assert value not in json.dumps(kept)


@pytest.mark.django_db
def test_headers_of_forges(repository, actor):
    delivery, body, headers = signed(repository, actor, format="gitea", secret=NEW, headers="")
    assert headers["X-Gitea-Event"] == "package"
    assert headers["X-Gitea-Signature"] == hexdigest(NEW, body)
    kept = outcomes.kept_request_headers(headers, secret_names(delivery.webhook))
    assert hexdigest(NEW, body) not in json.dumps(kept)
    own = json.dumps({"x-github-event": "package"})
    _, _, headers = signed(repository, actor, format="github", headers=own)
    assert headers["x-github-event"] == "package"
    assert "X-GitHub-Event" not in headers


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "HOST", "Connection", "Keep-Alive", "Transfer-Encoding", "TE", "Trailer"),
        *("Upgrade", "Expect", "Accept-Encoding", "Proxy-Authorization", "Proxy-Connection"),
        *("Content-Length", "content-type", "Content-Encoding", "Content-Whatever"),
        *("User-Agent", "X-Hub-Event", "x-hub-delivery", "X-Hub-Signature-256"),
        *("webhook-id", "Webhook-Timestamp", "WEBHOOK-SIGNATURE"),
        *("", "a b", "a:b", "a\r\nb", "a\tb", "ä", "a(b)", "a/b", '"a"', "x" * 101, "\x00"),
    ],
)
def test_refused_names(name):
    with pytest.raises(WebhookInvalid) as caught:
        check_headers({name: "value-of-mine"})
    assert caught.value.detail == {"field": "headers"}
    assert "value-of-mine" not in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    "value",
    [
        *("", "  ", "a\r\nX-Injected: 1", "a\nb", "a\rb", "a\tb", "a\x00b", "\x7f", "schön"),
        *("x" * 2001, "hush ${event.tag}", "hush ${signature"),
    ],
)
def test_refused_values(value):
    with pytest.raises(WebhookInvalid) as caught:
        check_headers({"X-Mine": value})
    assert "X-Mine" in caught.value.message
    assert not value.strip() or value not in caught.value.message


def test_bounds_and_doubles():
    many = {f"X-{n}": "v" for n in range(MAX_HEADERS)}
    assert check_headers(many) == many
    with pytest.raises(WebhookInvalid, match="at most 20"):
        check_headers({**many, "X-More": "v"})
    with pytest.raises(WebhookInvalid, match="8 KiB"):
        check_headers({f"X-{n}": "v" * 2000 for n in range(5)})
    with pytest.raises(WebhookInvalid, match="twice"):
        check_headers({"X-A": "1", "x-a": "2"})


def test_headers_that_are_taken():
    given = {"Authorization": " Bearer a.b-c ", "token": "x", "X-Signature": "sha256=${signature}"}
    assert check_headers(given) == {name: value.strip() for name, value in given.items()}
    assert check_headers({}) == {}
