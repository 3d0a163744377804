"""Results that come back, and tags that move because of them."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from core.errors import NotFound
from events import dispatch
from events.models import Event
from registry.models import Manifest, Tag
from registry.services.retag import retag
from repos.models import Repository
from webhooks import promotions, results, services
from webhooks.errors import PromotionInvalid, ResultGiven, ResultInvalid, TooManyPromotions
from webhooks.models import Delivery, Promotion, Result
from webhooks.owners import Owner

pytestmark = pytest.mark.django_db
URL = "http://127.0.0.1:8080/hook"
OTHER = "sha256:" + "b" * 64


@pytest.fixture
def hooks(repository, actor):
    return [
        services.create_webhook(Owner(repository), actor=actor, url=URL, name=name)
        for name in ("tests", "scan")
    ]


@pytest.fixture
def image(repository):
    """Two images that are there."""
    return [
        Manifest.objects.create(
            repository=repository, digest="sha256:" + letter * 64, media_type="x", payload=b"{}"
        )
        for letter in "ab"
    ]


def owed(hook, event):
    return Delivery.objects.get(webhook=hook, event=event)


def answer(hook, event, state="success", **more):
    found = results.report(owed(hook, event).uid, state=state, **more)
    dispatch.drain()
    return found


def tags(repository):
    rows = Tag.objects.filter(repository=repository)
    return dict(rows.values_list("name", "manifest__digest"))


class TestReporting:
    def test_it_is_kept_and_told_to_the_others(self, hooks, repository, actor, happen):
        tests, scan = hooks
        for hook in hooks:
            services.update_webhook(hook, actor=actor, events=["push", "result"])
        event = happen(tag="v1")
        found = answer(
            tests, event, context="ci", description="Fine.", target_url="https://ci.example/1"
        )
        assert (found.tag, found.digest, found.webhook) == ("v1", event.payload["digest"], tests)
        told = Event.objects.get(kind="webhook.result")
        assert told.payload["state"] == "success"
        assert told.payload["push_id"] == str(event.uid)
        assert (told.repository_id, told.namespace_id) == (repository.pk, repository.namespace_id)
        assert [d.webhook for d in Delivery.objects.filter(event=told)] == [scan]

    def test_once(self, hooks, happen):
        event = happen()
        answer(hooks[0], event, state="error")
        with pytest.raises(ResultGiven):
            answer(hooks[0], event)
        assert Result.objects.get().state == "error"

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"state": "great"}, "state"),
            ({"state": ""}, "state"),
            ({"description": "x" * 256}, "description"),
            ({"context": "x" * 101}, "context"),
            ({"context": "a\0"}, "context"),
            ({"target_url": "javascript:alert(1)"}, "target_url"),
            ({"target_url": "ftp://example.com/"}, "target_url"),
            ({"target_url": "https://user@example.com/"}, "target_url"),
            ({"target_url": "https://"}, "target_url"),
            ({"target_url": "http://[::1"}, "target_url"),
            ({"target_url": "https://example.com/a b"}, "target_url"),
            ({"target_url": "https://example.com/" + "x" * 2000}, "target_url"),
        ],
    )
    def test_refused(self, hooks, happen, values, field):
        event = happen()
        with pytest.raises(ResultInvalid) as caught:
            answer(hooks[0], event, **values)
        assert caught.value.detail == {"field": field}
        assert not Result.objects.exists()

    def test_words_stay_on_their_line_and_turn_nothing_about(self, hooks, happen):
        said = "a\r\nb \u202egnp.exe\u2066 \x1b[31m c"
        found = answer(hooks[0], happen(), description=said, context="x\ty\u200f")
        found.refresh_from_db()
        assert (found.description, found.context) == ("a b gnp.exe [31m c", "x y")

    def test_unknown_late_or_about_nothing(self, hooks, repository, actor, happen):
        event = happen()
        with pytest.raises(NotFound):
            results.report(uuid.uuid4(), state="success")
        Delivery.objects.update(owed_at=timezone.now() - timedelta(days=7, seconds=1))
        with pytest.raises(NotFound):
            answer(hooks[0], event)
        services.redeliver(owed(hooks[0], event))  # asked for again
        answer(hooks[0], event)
        services.update_webhook(hooks[0], actor=actor, events=["star"])
        star = happen("repository.starred")
        with pytest.raises(NotFound):
            answer(hooks[0], star)
        Repository.objects.update(state="trashed")
        Delivery.objects.update(owed_at=timezone.now())
        with pytest.raises(NotFound):
            answer(hooks[1], event)

    def test_a_tests_answer_says_nothing_about_an_image(self, hooks, repository, actor, happen):
        with pytest.raises(NotFound):
            results.report(services.ping(hooks[0], actor=actor).uid, state="success")
        event = happen()
        sent = services.ping(hooks[0], actor=actor)
        found = results.report(sent.uid, state="success")
        assert (found.delivery, found.digest, found.tag) == (sent, "", "")
        assert results.results_of(repository, [event.payload["digest"], ""]) == {}
        assert not Event.objects.filter(kind="webhook.result").exists()

    def test_newest_of_each_context(self, hooks, repository, happen, django_assert_num_queries):
        first, second, other = happen(tag="v1"), happen(tag="v2"), happen(digest=OTHER)
        answer(hooks[0], first, context="ci", description="1")
        answer(hooks[1], first, description="2")
        answer(hooks[0], second, context="ci", description="3", state="failure")
        answer(hooks[1], second, context="scan", description="4")
        answer(hooks[0], other, description="5")
        digest = first.payload["digest"]
        with django_assert_num_queries(1):
            found = results.results_of(repository, [digest, OTHER, "sha256:none"])
            said = {d: [(r.description, r.webhook.name) for r in f] for d, f in found.items()}
        assert said == {
            digest: [("4", "scan"), ("3", "tests"), ("2", "scan")],
            OTHER: [("5", "tests")],
        }
        with django_assert_num_queries(0):
            assert results.results_of(repository, []) == {}


class TestPromoting:
    @pytest.fixture
    def rule(self, repository, actor, hooks):
        return promotions.create_promotion(
            repository, actor=actor, source="v*", target="stable", requires=hooks
        )

    def test_all_must_have_succeeded_for_one_push(self, rule, repository, actor, hooks, image):
        def pushed(name, digest):
            retag(repository, name, digest, actor=actor, replace=True)
            dispatch.drain()
            return Event.objects.filter(kind="tag.moved").latest("pk")

        one, two = (row.digest for row in image)
        first = pushed("v1", one)
        answer(hooks[0], first)
        assert "stable" not in tags(repository)
        again = pushed("v2", one)  # the same image, another push
        answer(hooks[1], again)
        assert "stable" not in tags(repository)
        answer(hooks[1], first, state="failure")
        assert "stable" not in tags(repository)
        answer(hooks[0], again)
        assert tags(repository)["stable"] == one
        told = Event.objects.filter(kind="tag.moved").latest("pk")
        assert (told.payload["tag"], told.actor_name) == ("stable", "alice")
        third = pushed("latest", two)  # no tag of the rule's
        for hook in hooks:
            answer(hook, third)
        assert tags(repository)["stable"] == one

    def test_an_older_push_comes_too_late(self, rule, repository, actor, hooks, image):
        events = []
        for name, row in zip(("v1", "v2"), image, strict=True):
            retag(repository, name, row.digest, actor=actor)
            dispatch.drain()
            events.append(Event.objects.filter(kind="tag.moved").latest("pk"))
        for event in reversed(events):
            for hook in hooks:
                answer(hook, event)
        assert tags(repository)["stable"] == image[1].digest

    def test_what_a_rule_pushed_promotes_nothing(self, rule, repository, actor, hooks, image):
        promotions.create_promotion(
            repository, actor=actor, source="stable", target="v1", requires=hooks
        )
        retag(repository, "v1", image[0].digest, actor=actor)
        dispatch.drain()
        push = Event.objects.filter(kind="tag.moved").latest("pk")
        for hook in hooks:
            answer(hook, push)
        made = Event.objects.filter(kind="tag.moved").latest("pk")
        assert made.payload["tag"] == "stable"
        assert made.credential == promotions.CREDENTIAL
        retag(repository, "v1", image[1].digest, actor=actor, replace=True)
        dispatch.drain()
        for hook in hooks:
            answer(hook, made)
        assert tags(repository)["v1"] == image[1].digest

    @pytest.mark.parametrize(
        ("spoil", "code"),
        [
            (lambda: User.objects.update(is_active=False), "maker_gone"),
            (lambda: User.objects.update(is_verified=False), "unverified"),
            (lambda: Repository.objects.update(immutable_tags=["stable"]), "DENIED"),
            (lambda: Manifest.objects.filter(tags__name="v1").update(digest="x"), ""),
        ],
    )
    def test_refusals_are_written_down_once(
        self, rule, repository, actor, hooks, image, spoil, code
    ):
        retag(repository, "stable", image[1].digest, actor=actor)
        retag(repository, "v1", image[0].digest, actor=actor)
        dispatch.drain()
        push = Event.objects.filter(kind="tag.moved").latest("pk")
        answer(hooks[0], push)
        last = results.report(owed(hooks[1], push).uid, state="success")
        spoil()
        dispatch.drain()
        promotions.on_result(last)  # told twice
        assert tags(repository)["stable"] == image[1].digest
        failed = Event.objects.get(kind="promotion.failed")
        assert failed.outcome
        assert not code or failed.outcome.lower() == code.lower()
        assert failed.payload["rule_id"] == rule.pk
        assert failed.repository_id == repository.pk

    def test_a_rule_goes_with_a_webhook_it_needs(self, rule, hooks, actor):
        services.delete_webhook(hooks[0], actor=actor)
        assert not Promotion.objects.exists()
        assert Event.objects.filter(kind="promotion.deleted").count() == 1

    @pytest.mark.parametrize(
        ("values", "error"),
        [
            ({"target": "v1", "source": "v1"}, PromotionInvalid),
            ({"source": "/(/"}, PromotionInvalid),
            ({"requires": []}, PromotionInvalid),
        ],
    )
    def test_refused_rules(self, repository, actor, hooks, values, error):
        given = {"source": "", "target": "stable", "requires": hooks, **values}
        with pytest.raises(error):
            promotions.create_promotion(repository, actor=actor, **given)
        assert not Promotion.objects.exists()

    def test_only_the_repositorys_own_webhooks_that_hear_of_pushes(
        self, repository, alice, actor, hooks
    ):
        wide = services.create_webhook(Owner(namespace=alice.namespace), actor=actor, url=URL)
        deaf = services.create_webhook(Owner(repository), actor=actor, url=URL, events=["star"])
        for hook in (wide, deaf):
            with pytest.raises(PromotionInvalid) as caught:
                promotions.create_promotion(
                    repository, actor=actor, source="", target="x", requires=[hook]
                )
            assert caught.value.detail == {"field": "requires"}

    def test_twenty_rules(self, repository, actor, hooks):
        for number in range(20):
            promotions.create_promotion(
                repository, actor=actor, source="", target=f"t{number}", requires=hooks
            )
        with pytest.raises(TooManyPromotions):
            promotions.create_promotion(
                repository, actor=actor, source="", target="one-more", requires=hooks
            )
