"""People and a repository with a webhook, for the pages about accounts and webhooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import time
from typing import Any

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.services.credentials import principal_of
from accounts.services.signup import create_user
from events.services import record
from repos.models import Collaborator, Repository, Role
from repos.services.repositories import create_repository
from webhooks.models import Attempt, Delivery, Webhook
from webhooks.owners import Owner
from webhooks.services import create_webhook

PASSWORD = "a sentence nobody guesses"
SECRET = "whsec_bm90IHRvIGJlIHNob3duIGFnYWlu"


@pytest.fixture(autouse=True)
def _quiet(rung: list[Any], settings: Any) -> Iterator[None]:
    """No messages to workers; mails stay in memory; cheap hashing would change what is tested."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    yield
    mail.outbox.clear()


@pytest.fixture
def person() -> Callable[..., User]:
    """Make somebody: `person("alice")`."""

    def make(name: str, **values: Any) -> User:
        return create_user(username=name, email=f"{name}@example.com", password=PASSWORD, **values)

    return make


@pytest.fixture
def alice(person: Callable[..., User]) -> User:
    return person("alice")


@pytest.fixture
def signed_in() -> Callable[[User | None], Client]:
    """A browser of this person, who signed in a moment ago, or of nobody."""

    def make(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
            session = client.session
            session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": time()}]
            session[f"{AUTHENTICATION_METHODS_SESSION_KEY}_user"] = str(user.pk)
            session.save()
        return client

    return make


@pytest.fixture
def browser(alice: User, signed_in: Callable[[User | None], Client]) -> Client:
    return signed_in(alice)


@pytest.fixture
def repository(alice: User, person: Callable[..., User]) -> Repository:
    """`alice/app`, public, with a reader, a writer and a second administrator."""
    repository = create_repository(
        alice.namespace, "app", actor=principal_of(alice).actor, visibility="public"
    )
    for name, role in [("reader", Role.READ), ("writer", Role.WRITE), ("boss", Role.ADMIN)]:
        Collaborator.objects.create(repository=repository, user=person(name), role=role)
    person("mallory")
    person("root0", superuser=True)
    return repository


@pytest.fixture
def webhook(repository: Repository, alice: User) -> Webhook:
    return create_webhook(
        Owner(repository=repository),
        actor=principal_of(alice).actor,
        url="https://ci.example.com/hooks/hub",
        secret=SECRET,
    )


@pytest.fixture
def delivery(webhook: Webhook) -> Delivery:
    """One that succeeded at the second try."""
    event = record(
        "tag.moved",
        actor=principal_of(User.objects.get(username="alice")).actor,
        repository_id=webhook.repository_id,
        repository_path="alice/app",
        payload={"tag": "v1", "digest": "sha256:" + "a" * 64},
    )
    delivery = Delivery.objects.create(
        webhook=webhook,
        event=event,
        state=Delivery.State.DONE,
        attempt_count=2,
        next_attempt_at=timezone.now(),
    )
    common: dict[str, Any] = {
        "delivery": delivery,
        "request_headers": {
            "Content-Type": "application/json",
            "X-Hub-Event": "push",
            "X-Hub-Signature-256": "sha256=0123456789…",
            "webhook-signature": "v1,0123456789…",
        },
        "request_body": '{"push_data":{"tag":"it\'s v1"}}',
        "duration_ms": 12,
    }
    Attempt.objects.create(**common, status=502, response_excerpt="<b>Bad Gateway</b>")
    Attempt.objects.create(**common, status=200, response_excerpt="queued", response_size=6)
    return delivery
