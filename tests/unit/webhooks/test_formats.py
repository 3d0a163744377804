"""The bytes that receivers rely on: every format, every event."""

from __future__ import annotations

import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from repos.services.repositories import delete_repository, update_repository
from tests.unit.webhooks.told import (
    BEFORE,
    DIGEST,
    HEADER,
    INDEX,
    SECRET,
    add_image,
    loaded,
    occur,
    owe,
)
from webhooks.formats import FORMATS, MAX_BODY_BYTES, check_template, preview, render
from webhooks.models import Delivery, Webhook
from webhooks.types import NAMES, PING_KIND

pytestmark = pytest.mark.django_db

ALL = json.dumps(
    {
        "about": "${event.name} ${event.id} by ${event.actor}",
        "what": ["${repository.path}", "${event.tag}", "${event.digest}"],
    }
)


def document_of(delivery):
    return json.loads(render(delivery).body)


def test_every_format_of_the_model_is_rendered():
    assert {*FORMATS, "custom"} == set(Webhook.Format.values)


@pytest.mark.parametrize("kind", NAMES)
def test_every_format_tells_every_event(repository, actor, kind):
    add_image(repository)
    event = occur(kind, repository, actor)
    event.address, event.credential = "203.0.113.77", "credential-of-mine"
    event.save()
    wanted = {str(event.uid), "alice"}
    wanted |= {"alice/app"} if event.repository_id else set()
    wanted |= {event.payload[key] for key in ("tag", "digest") if key in event.payload}
    hidden = (SECRET, SECRET[6:], HEADER, event.address, event.credential)
    for format in Webhook.Format.values:
        template = ALL if format == "custom" else ""
        rendered = render(owe(event, repository, format=format, template=template))
        text = rendered.body.decode()
        assert isinstance(json.loads(text), dict)
        assert len(rendered.body) <= MAX_BODY_BYTES
        assert "json" in rendered.content_type
        missing = {value for value in wanted if value not in text}
        if (format, kind) == ("dockerhub", "tag.moved"):
            missing.remove(str(event.uid))  # no place in exactly its fields: X-Hub-Delivery has it
        assert not missing, format
        assert not [value for value in hidden if value in text], format


def test_push_in_docker_hubs_shape_has_exactly_its_fields(repository, actor):
    update_repository(repository, actor=actor, readme="# Über uns", visibility="public")
    repository.refresh_from_db()
    delivery = owe(occur("tag.moved", repository, actor), repository)
    rendered = render(delivery)
    assert rendered.content_type == "application/json"
    assert "Über uns" in rendered.body.decode()
    assert json.loads(rendered.body) == {
        "callback_url": f"https://hub.example/api/webhook-callbacks/{delivery.uid}",
        "push_data": {
            "pushed_at": int(delivery.event.occurred_at.timestamp()),
            "pusher": "alice",
            "tag": "v1.2",
            "images": [],
            "media_type": INDEX,
            "digest": DIGEST,
        },
        "repository": {
            "comment_count": 0,
            "date_created": int(repository.created_at.timestamp()),
            "description": "An app",
            "full_description": "# Über uns",
            "is_official": False,
            "is_private": False,
            "is_trusted": False,
            "name": "app",
            "namespace": "alice",
            "owner": "alice",
            "repo_name": "alice/app",
            "repo_url": "https://hub.example/alice/app",
            "star_count": 0,
            "status": "Active",
        },
    }


def test_other_events_in_docker_hubs_shape_say_what_happened(repository, actor):
    event = occur("comment.added", repository, actor, comment_id=7, kind="forged")
    document = document_of(owe(event, repository))
    assert set(document) == {"event", "repository"}
    assert document["repository"]["repo_name"] == "alice/app"
    assert document["event"] == {
        "kind": "comment",
        "id": str(event.uid),
        "actor": "alice",
        "occurred_at": event.occurred_at.isoformat(),
        "comment_id": 7,
    }


def test_deleted_repository_keeps_its_name_in_the_news(repository, actor):
    pushed = owe(occur("tag.moved", repository, actor), repository, format="harbor")
    delivery = owe(occur("repository.deleted", repository, actor), repository)
    delete_repository(repository, actor=actor)
    found = document_of(loaded(delivery.pk))["repository"]
    assert (found["repo_name"], found["name"], found["status"]) == ("alice/app", "app", "Deleted")
    told = document_of(loaded(pushed.pk))["event_data"]
    assert told["repository"]["repo_full_name"] == "alice/app"


def test_repository_without_a_row_is_known_by_its_path(repository, actor):
    event = occur("repository.deleted", repository, actor)
    event.repository_id = 987654
    event.save()
    for format in FORMATS:
        assert "alice/app" in render(owe(event, None, format=format)).body.decode()


def test_names_with_more_than_two_parts(repository, actor):
    repository.path, repository.name = "alice/team/app", "team/app"
    repository.save()
    event = occur("tag.moved", repository, actor)
    for format in FORMATS:
        assert "alice/team/app" in render(owe(event, repository, format=format)).body.decode()
    told = document_of(owe(event, repository, format="harbor"))["event_data"]["repository"]
    assert (told["namespace"], told["name"]) == ("alice", "team/app")


def test_distribution_envelope(repository, actor):
    add_image(repository)
    delivery = owe(occur("tag.moved", repository, actor), repository, format="distribution")
    rendered = render(delivery)
    assert rendered.content_type == "application/vnd.docker.distribution.events.v1+json"
    (event,) = json.loads(rendered.body)["events"]
    hub = event.pop("hub")
    assert event == {
        "id": str(delivery.event.uid),
        "timestamp": event["timestamp"],
        "action": "push",
        "target": {
            "repository": "alice/app",
            "mediaType": INDEX,
            "digest": DIGEST,
            "size": 4096,
            "length": 4096,
            "tag": "v1.2",
            "url": f"https://hub.example/v2/alice/app/manifests/{DIGEST}",
        },
        "request": {"id": "", "host": "hub.example", "method": "PUT", "useragent": ""},
        "actor": {"name": "alice"},
        "source": {"addr": "hub.example", "instanceID": ""},
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["timestamp"])
    assert hub["platforms"] == ["linux/amd64", "linux/arm64"]
    assert hub["previous_digest"] == BEFORE
    assert hub["callback_url"].endswith(str(delivery.uid))


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("tag.deleted", "delete"),
        ("manifest.deleted", "delete"),
        ("repository.starred", "star"),
        ("token.expiring", "token.expiring"),
    ],
)
def test_distribution_actions(repository, actor, kind, action):
    delivery = owe(occur(kind, repository, actor), repository, format="distribution")
    (event,) = document_of(delivery)["events"]
    assert event["action"] == action


def test_harbor_push(repository, actor):
    delivery = owe(occur("tag.moved", repository, actor), repository, format="harbor")
    document = document_of(delivery)
    assert document["hub"]["id"] == str(delivery.event.uid)
    del document["hub"]
    assert document == {
        "type": "PUSH_ARTIFACT",
        "occur_at": int(delivery.event.occurred_at.timestamp()),
        "operator": "alice",
        "event_data": {
            "resources": [
                {
                    "digest": DIGEST,
                    "tag": "v1.2",
                    "resource_url": "hub.example/alice/app:v1.2",
                }
            ],
            "repository": {
                "date_created": int(repository.created_at.timestamp()),
                "name": "app",
                "namespace": "alice",
                "repo_full_name": "alice/app",
                "repo_type": "private",
            },
        },
    }


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("tag.deleted", "DELETE_ARTIFACT"),
        ("manifest.deleted", "DELETE_ARTIFACT"),
        ("quota.warning", "QUOTA_WARNING"),
        ("repository.visibility", "HUB_REPOSITORY_VISIBILITY"),
        ("comment.added", "HUB_COMMENT"),
    ],
)
def test_harbor_types(repository, actor, kind, name):
    assert document_of(owe(occur(kind, repository, actor), repository, format="harbor"))[
        "type"
    ] == (name)


def test_quay_push_and_another(repository, actor):
    document = document_of(owe(occur("tag.moved", repository, actor), repository, format="quay"))
    del document["hub"]
    assert document == {
        "repository": "alice/app",
        "namespace": "alice",
        "name": "app",
        "docker_url": "hub.example/alice/app",
        "homepage": "https://hub.example/alice/app",
        "updated_tags": ["v1.2"],
    }
    other = document_of(owe(occur("tag.deleted", repository, actor), repository, format="quay"))
    assert other["updated_tags"] == []
    assert other["hub"]["tag"] == "v1.2"


def test_cloudevent_has_the_eight_members_of_the_specification(repository, actor):
    add_image(repository)
    delivery = owe(occur("tag.moved", repository, actor), repository, format="cloudevents")
    rendered = render(delivery)
    assert rendered.content_type == "application/cloudevents+json"
    document = json.loads(rendered.body)
    data = document.pop("data")
    assert document == {
        "specversion": "1.0",
        "id": str(delivery.event.uid),
        "source": "https://hub.example/alice/app",
        "type": "hub.push",
        "subject": "alice/app:v1.2",
        "time": delivery.event.occurred_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "datacontenttype": "application/json",
    }
    assert (data["digest"], data["size"], data["visibility"]) == (DIGEST, 4096, "private")


@pytest.mark.parametrize("kind", NAMES)
def test_cloudevents_attributes_are_never_empty(repository, actor, kind):
    document = document_of(owe(occur(kind, repository, actor), repository, format="cloudevents"))
    for name in ("specversion", "id", "source", "type", "subject", "time"):
        assert document[name], name
        assert isinstance(document[name], str)


def test_github_package(repository, actor):
    rendered = render(owe(occur("tag.moved", repository, actor), repository, format="github"))
    assert rendered.headers["X-GitHub-Event"] == "registry_package"
    document = json.loads(rendered.body)
    assert document["action"] == "published"
    package = document["registry_package"]
    assert (package["name"], package["namespace"]) == ("app", "alice")
    assert package["package_type"] == "CONTAINER"
    assert package["owner"]["login"] == "alice"
    version = package["package_version"]
    assert version["version"] == DIGEST
    assert version["package_url"] == "hub.example/alice/app:v1.2"
    assert version["container_metadata"]["tag"] == {"name": "v1.2", "digest": DIGEST}
    assert document["repository"]["full_name"] == "alice/app"
    assert document["sender"]["login"] == "alice"


@pytest.mark.parametrize(
    ("kind", "format", "name", "action"),
    [
        ("repository.starred", "github", "star", "created"),
        ("repository.created", "github", "repository", "created"),
        ("repository.visibility", "github", "repository", "privatized"),
        ("collaborator.added", "github", "member", "added"),
        ("tag.deleted", "github", "hub", "tag.deleted"),
        ("tag.moved", "gitea", "package", "created"),
        ("tag.deleted", "gitea", "package", "deleted"),
        ("repository.deleted", "gitea", "repository", "deleted"),
        ("comment.added", "gitea", "hub", "comment"),
    ],
)
def test_what_forges_call_it(repository, actor, kind, format, name, action):
    rendered = render(owe(occur(kind, repository, actor), repository, format=format))
    header = "X-GitHub-Event" if format == "github" else "X-Gitea-Event"
    assert (rendered.headers[header], json.loads(rendered.body)["action"]) == (name, action)


def test_gitea_package(repository, actor):
    document = document_of(owe(occur("tag.moved", repository, actor), repository, format="gitea"))
    package = document["package"]
    assert (package["type"], package["name"], package["version"]) == ("container", "app", "v1.2")
    assert package["owner"]["login"] == package["creator"]["login"] == "alice"


def test_ping_tells_of_the_earlier_push_it_names(repository, actor):
    push = occur("tag.moved", repository, actor)
    told = owe(push, repository)
    ping = occur(PING_KIND, None, actor, webhook_id=told.webhook_id, of=push.pk)
    delivery = Delivery.objects.create(
        webhook=told.webhook, event=ping, next_attempt_at=told.next_attempt_at
    )
    expected = document_of(told)
    found = document_of(loaded(delivery.pk))
    assert found.pop("callback_url").endswith(str(delivery.uid))
    assert found == {key: value for key, value in expected.items() if key != "callback_url"}


def test_ping_before_any_push(repository, actor):
    ping = occur(PING_KIND, None, actor, webhook_id=1, of=None)
    document = document_of(owe(ping, repository))
    assert document["event"]["kind"] == "ping"
    assert document["repository"]["repo_name"] == "alice/app"


@pytest.mark.parametrize("text", ["x" * 200_000, "\x01" * 50_000, "\N{GRINNING FACE}" * 60_000])
def test_long_texts_are_cut_to_fit(repository, actor, text):
    repository.readme, repository.description = text, text[:300]
    repository.save()
    texts = ["${repository.description}"] * 96 + ["${event.detail}", "${event.platforms}"] * 2
    template = json.dumps({"texts": texts})
    check_template(template)
    event = occur(
        "tag.moved", repository, actor, said=text[:3500].encode()[:3500].decode("u8", "ignore")
    )
    for format in Webhook.Format.values:
        own = template if format == "custom" else ""
        body = render(owe(event, repository, format=format, template=own)).body
        assert len(body) <= MAX_BODY_BYTES
        json.loads(body)


def test_facts_of_an_image_cost_a_constant_number_of_queries(repository, actor):
    add_image(repository)
    event = occur("tag.moved", repository, actor)
    ping = occur(PING_KIND, None, actor, webhook_id=1, of=event.pk)
    numbers = {}
    for owner, of in [(repository, event), (None, event), (None, ping)]:
        delivery = owe(of, owner, format="cloudevents")
        render(delivery)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            render(delivery)
        numbers[bool(owner), of.kind] = len(queries)
    assert numbers == {
        (True, "tag.moved"): 2,
        (False, "tag.moved"): 3,
        (False, PING_KIND): 4,
    }


def test_preview_needs_no_saved_webhook(repository, actor):
    event = occur("tag.moved", repository, actor)
    hook = Webhook(repository=repository, url="https://ci.example/?t=${event.tag}", format="quay")
    rendered = preview(hook, event)
    assert json.loads(rendered.body)["updated_tags"] == ["v1.2"]
    assert rendered.url == "https://ci.example/?t=v1.2"
    assert not Delivery.objects.exists()
