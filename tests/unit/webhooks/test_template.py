"""Templates of one's own: what is taken, what is refused, what comes out."""

from __future__ import annotations

import json

import pytest

from tests.unit.webhooks.told import BEFORE, DIGEST, add_image, occur, owe
from webhooks.errors import WebhookInvalid
from webhooks.formats import PATHS, check_address, check_template, render
from webhooks.formats.templates import MAX_DEPTH, MAX_PLACEHOLDERS, fill_address
from webhooks.news import News


def filled(template, event, repository):
    text = json.dumps(template)
    check_template(text)
    return json.loads(render(owe(event, repository, format="custom", template=text)).body)


@pytest.mark.django_db
def test_every_path_has_a_value(repository, actor):
    add_image(repository)
    event = occur("tag.moved", repository, actor)
    delivery = owe(event, repository)
    found = filled({path: f"${{{path}}}" for path in PATHS}, event, repository)
    assert found == {
        "event.id": str(event.uid),
        "event.name": "push",
        "event.actor": "alice",
        "event.occurred_at": event.occurred_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "event.timestamp": int(event.occurred_at.timestamp()),
        "event.tag": "v1.2",
        "event.digest": DIGEST,
        "event.previous_digest": BEFORE,
        "event.media_type": "application/vnd.oci.image.index.v1+json",
        "event.size": 4096,
        "event.platforms": ["linux/amd64", "linux/arm64"],
        "event.url": "https://hub.example/alice/app:v1.2",
        "event.detail": {},
        "repository.path": "alice/app",
        "repository.namespace": "alice",
        "repository.name": "app",
        "repository.url": "https://hub.example/alice/app",
        "repository.description": "An app",
        "repository.visibility": "private",
        "repository.star_count": 0,
        "image": "hub.example/alice/app",
        "image.reference": "hub.example/alice/app:v1.2",
        "image.pinned": f"hub.example/alice/app@{DIGEST}",
        "hub.url": "https://hub.example",
        "hub.host": "hub.example",
        "callback_url": found["callback_url"],
    }
    assert found["callback_url"].startswith("https://hub.example/api/webhook-callbacks/")
    assert str(delivery.uid) not in found["callback_url"]


@pytest.mark.django_db
def test_an_event_without_repository_leaves_texts_empty(repository, actor):
    event = occur("token.expiring", repository, actor)
    found = filled({path: f"<${{{path}}}>" for path in PATHS}, event, None)
    assert found["image.pinned"] == found["repository.name"] == found["callback_url"] == "<>"
    assert found["event.name"] == "<token.expiring>"
    assert json.loads(found["event.detail"][1:-1])["owner"] == "alice"


@pytest.mark.django_db
def test_values_cannot_change_the_shape(repository, actor):
    tag = '","admin":true,"x":"${repository.path}\\u0000'
    event = occur("tag.moved", repository, actor, tag=tag)
    found = filled({"a": "${event.tag}", "b": "<${event.tag}>"}, event, repository)
    assert found == {"a": tag, "b": f"<{tag}>"}


@pytest.mark.django_db
def test_inside_a_text_everything_is_text(repository, actor):
    add_image(repository)
    event = occur("tag.moved", repository, actor)
    found = filled(
        {
            "size": "${event.size} bytes",
            "platforms": "on ${event.platforms}",
            "literal": "$${event.tag} costs $5 {x}",
            "whole literal": "$${event.tag}",
            "kept": [1, 2.5, None, True, {"deep": ["${event.tag}-${event.actor}"]}],
        },
        event,
        repository,
    )
    assert found == {
        "size": "4096 bytes",
        "platforms": "on linux/amd64,linux/arm64",
        "literal": "${event.tag} costs $5 {x}",
        "whole literal": "${event.tag}",
        "kept": [1, 2.5, None, True, {"deep": ["v1.2-alice"]}],
    }


def holding(value):
    return f'{{"a": {value}}}'


def nested(depth):
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "JSON object"),
        ("nonsense", "line 1"),
        ('{"a":\n "b",}', "line 2"),
        ('["a"]', "begins with {"),
        ('"a"', "begins with {"),
        ("null", "begins with {"),
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "Infinity"),
        ('{"a": 1e999}', "number"),
        (holding("9" * 5000), "number"),
        (holding(nested(7000)), "nesting"),
        (holding(nested(MAX_DEPTH)), "deep"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": "${event.tga}"}', "event.tga"),
        ('{"a": "${}"}', "no value ''"),
        ('{"a": "${ event.tag }"}', "no value"),
        ('{"a": "${event.__class__}"}', "no value"),
        ('{"a": "${event.tag"}', "no end"),
        ('{"a": "${event.${event.tag}}"}', "no end"),
        ('{"${event.tag}": 1}', "names before the colon"),
        (holding('"' + "x" * 17000 + '"'), "16 KiB"),
        (json.dumps({"a": ["${event.tag}"] * (MAX_PLACEHOLDERS + 1)}), "placeholders"),
        (json.dumps({"a": ["${event.detail}"] * 3}), "times each"),
    ],
)
def test_refused_templates_say_why(text, says):
    with pytest.raises(WebhookInvalid) as caught:
        check_template(text)
    assert says in caught.value.message
    assert caught.value.detail == {"field": "template"}
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize(
    "text", ["{}", ' {"a": "x"} ', json.dumps({"a": ["${event.tag}"] * MAX_PLACEHOLDERS})]
)
def test_templates_that_are_taken(text):
    assert check_template(text) == json.loads(text)


@pytest.mark.django_db
def test_a_path_that_a_later_release_dropped_reads_as_empty(repository, actor):
    template = '{"a": "${event.bygone}", "b": "x${event.bygone}"}'
    event = occur("tag.moved", repository, actor)
    delivery = owe(event, repository, format="custom", template=template)
    assert json.loads(render(delivery).body) == {"a": "", "b": "x"}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://ci.example/${event.tag}", "query"),
        ("https://${event.tag}.example/?a=b", "query"),
        ("https://ci.example/?a=${event.tga}", "event.tga"),
        ("https://ci.example/?a=${event.tag", "no end"),
    ],
)
def test_refused_addresses(url, says):
    with pytest.raises(WebhookInvalid, match=says) as caught:
        check_address(url)
    assert caught.value.detail == {"field": "url"}


@pytest.mark.django_db
def test_address_is_filled_and_encoded(repository, actor):
    tag = "v1&admin=1#x/../\u00e4"
    news = News.of(owe(occur("tag.moved", repository, actor, tag=tag), repository))
    url = "https://ci.example/a?tag=${event.tag}&by=${event.actor}&x=$${y}#"
    check_address(url)
    assert fill_address(url, news) == (
        "https://ci.example/a?tag=v1%26admin%3D1%23x%2F..%2F%C3%A4&by=alice&x=%24%7By%7D#"
    )
    assert fill_address("https://ci.example/${x}", news) == "https://ci.example/${x}"
