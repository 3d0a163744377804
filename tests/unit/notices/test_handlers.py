"""From events to notices: who is told of what, and who is not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Invitation, Membership, User
from accounts.services.closing import close_account
from accounts.services.credentials import principal_of
from accounts.services.expiring import warn_expiring
from accounts.services.people import deactivate
from accounts.services.robots import create_robot
from accounts.services.tokens import create_token
from events import dispatch
from events.services import record
from events.types import SYSTEM
from notices.handlers import on_event, take_up_invitation
from notices.models import FeedKey, Kind, Notice, Preference, SearchWatch, Watch
from notices.selectors import shown_to
from notices.sentences import sentence_of, target_of
from notices.services.feed_keys import make_key
from notices.services.preferences import Choice, set_choices
from notices.services.searches import watch_search
from notices.services.watching import set_watch
from notices.tasks import find
from repos.models import Collaborator, Repository, RepositoryInvitation
from repos.services.access_requests import answer, ask
from repos.services.collaborators import grant_role
from repos.services.comments import delete_comment, edit_comment, hide_comment, unhide_comment
from repos.services.invitations import invite
from tests.images import image
from tests.unit.notices.conftest import Town
from tests.unit.registry.pushing import push
from tests.unit.repos import people

pytestmark = pytest.mark.django_db


def told(town: Town) -> dict[str, list[str]]:
    """Kinds by person."""
    found: dict[str, list[str]] = {}
    for name in town.users:
        kinds = [n.kind for n in shown_to(town.principal(name)).order_by("pk")]
        if kinds:
            found[name] = kinds
    return found


def test_a_comment_is_told_to_owners_and_watchers(town: Town) -> None:
    set_watch(town.id("rita"), town.closed, "everything")
    set_watch(town.id("adam"), town.closed, "tags")
    comment = town.says("adam", "Hello.")
    assert told(town) == {"olga": ["comment"], "rita": ["comment"]}
    notice = shown_to(town.principal("rita")).get()
    assert sentence_of(notice) == "adam commented on acme/closed"
    assert target_of(notice) == f"/acme/closed/-/comments?at={comment.pk}#comment-{comment.pk}"


def test_nobody_hears_of_their_own_words(town: Town) -> None:
    set_watch(town.id("olga"), town.closed, "everything")
    town.says("olga", "I, @olga, say so.")
    assert told(town) == {}


def test_an_owner_may_want_silence(town: Town) -> None:
    set_watch(town.id("olga"), town.closed, "none")
    town.says("rita", "Hello.")
    assert told(town) == {}
    town.says("rita", "Hello @olga.")
    assert told(town) == {"olga": ["mention"]}


def test_a_mention_reaches_only_who_may_see_the_repository(town: Town) -> None:
    town.says("olga", "@rita @sven @Adam @nobody-at-all look")
    assert told(town) == {"rita": ["mention"], "adam": ["mention"]}
    assert not Notice.objects.filter(user=town.users["sven"]).exists()
    town.says("olga", "@sven", town.open)
    assert told(town)["sven"] == ["mention"]


def test_of_one_comment_a_person_hears_once(town: Town) -> None:
    set_watch(town.id("rita"), town.closed, "everything")
    comment = town.says("adam", "@rita look")
    edit_comment(comment, principal=town.principal("adam"), body="@rita look here, @olga too")
    dispatch.drain()
    assert told(town) == {"rita": ["mention"], "olga": ["comment"]}


def test_an_edit_calls_whom_the_first_words_did_not(town: Town) -> None:
    set_watch(town.id("olga"), town.closed, "none")
    comment = town.says("adam", "look")
    edit_comment(comment, principal=town.principal("adam"), body="@rita look")
    dispatch.drain()
    assert told(town) == {"rita": ["mention"]}


@pytest.mark.parametrize("change", ["hide", "delete"])
def test_what_is_taken_away_is_not_told(town: Town, change: str) -> None:
    comment = town.says("rita", "Hello.")
    assert told(town) == {"olga": ["comment"]}
    if change == "hide":
        hide_comment(comment, actor=town.actor("olga"))
        assert told(town) == {}
        unhide_comment(comment, actor=town.actor("olga"))
        assert told(town) == {"olga": ["comment"]}
    else:
        delete_comment(comment, principal=town.principal("rita"))
        assert told(town) == {}


def test_who_loses_access_finds_nothing_of_it(town: Town) -> None:
    town.says("olga", "@rita look")
    assert told(town) == {"rita": ["mention"]}
    Collaborator.objects.filter(user=town.users["rita"]).delete()
    assert told(town) == {}


def test_pushes_are_folded_by_repository(town: Town) -> None:
    set_watch(town.id("rita"), town.closed, "everything")
    for n in range(7):
        push(town.closed, image(str(n)), f"1.{n}")
        dispatch.drain()
    notice = shown_to(town.principal("rita")).get()
    assert (notice.kind, notice.times) == ("tag", 7)
    text = sentence_of(notice)
    assert text == "7 pushes to acme/closed: 1.6, 1.5, 1.4, 1.3, 1.2, …"
    assert target_of(notice) == "/acme/closed/-/tags"
    Notice.objects.update(read_at=timezone.now())
    push(town.closed, image("x"), "2.0")
    dispatch.drain()
    first, second = shown_to(town.principal("rita")).order_by("-pk")
    assert sentence_of(first) == "alice pushed acme/closed:2.0"
    assert target_of(first) == "/acme/closed/-/tags/2.0"
    assert second.times == 7


def test_new_tags_only(town: Town) -> None:
    set_watch(town.id("rita"), town.closed, "tags")
    set_watch(town.id("adam"), town.closed, "everything")
    set_watch(town.id("olga"), town.closed, "none")
    push(town.closed, image("1"), "latest")
    push(town.closed, image("2"), "latest")
    dispatch.drain()
    times = {n.user.username: n.times for n in Notice.objects.select_related("user")}
    assert times == {"rita": 1, "adam": 2}


def test_a_push_to_what_nobody_watches_costs_one_look(
    town: Town, django_assert_num_queries: Any
) -> None:
    push(town.closed, image("1"), "1")
    dispatch.drain()
    event = record("tag.moved", actor=SYSTEM, repository_id=town.closed.pk, payload={"tag": "1"})
    with django_assert_num_queries(1):
        on_event(event)


def test_a_request_is_told_to_who_can_answer(town: Town) -> None:
    ask(town.principal("sven"), "acme/closed", role="read")
    ask(town.principal("sven"), "acme/absent", role="read")
    dispatch.drain()
    assert told(town) == {"olga": ["request"], "adam": ["request"]}
    notice = shown_to(town.principal("adam")).get()
    assert sentence_of(notice) == "sven asks for the role read on acme/closed"
    assert target_of(notice) == "/acme/closed/-/people"
    answer(town.closed.access_requests.get(), actor=town.actor("adam"), granted=True)
    dispatch.drain()
    given = shown_to(town.principal("sven")).get()
    assert sentence_of(given) == "adam gave you the role read on acme/closed"


def test_the_same_role_again_is_no_news(town: Town) -> None:
    grant_role(town.closed, town.users["rita"], "read", actor=town.actor("olga"))
    dispatch.drain()
    assert told(town) == {}
    grant_role(town.closed, town.users["rita"], "write", actor=town.actor("olga"))
    dispatch.drain()
    assert told(town) == {"rita": ["access"]}


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("webhook.failing", "A webhook of acme/closed fails"),
        ("webhook.paused", "A webhook of acme/closed was paused: its deliveries keep failing"),
    ],
)
def test_a_webhook_that_fails(town: Town, kind: str, says: str) -> None:
    record(kind, actor=SYSTEM, repository_id=town.closed.pk, payload={"webhook_id": 1})
    dispatch.drain()
    assert told(town) == {"olga": ["webhook"], "adam": ["webhook"]}
    assert sentence_of(shown_to(town.principal("adam")).get()) == says


def test_a_webhook_of_a_namespace_concerns_its_owners_as_long_as_they_are(town: Town) -> None:
    acme = town.closed.namespace
    record("webhook.paused", actor=SYSTEM, namespace_id=acme.pk, payload={"webhook_id": 7})
    dispatch.drain()
    assert told(town) == {"olga": ["webhook"]}
    notice = shown_to(town.principal("olga")).get()
    assert sentence_of(notice) == "A webhook of acme was paused: its deliveries keep failing"
    assert target_of(notice) == "/acme/-/webhooks/7"
    acme.organization.memberships.update(role="member")
    assert not shown_to(town.principal("olga")).exists()


def test_a_webhook_of_the_server_concerns_who_administers_it(town: Town) -> None:
    rita = town.users["rita"]
    type(rita).objects.filter(pk=rita.pk).update(is_superuser=True)
    record("webhook.failing", actor=SYSTEM, payload={"webhook_id": 8})
    dispatch.drain()
    assert told(town) == {"rita": ["webhook"]}
    rita.refresh_from_db()
    notice = shown_to(principal_of(rita)).get()
    assert sentence_of(notice) == "A webhook of the server fails"
    assert target_of(notice) == "/admin/webhooks/8"
    type(rita).objects.filter(pk=rita.pk).update(is_superuser=False)
    rita.refresh_from_db()
    assert not shown_to(principal_of(rita)).exists()


def test_a_token_that_ends(town: Town) -> None:
    create_token(town.users["rita"], name="ci", expires_at=timezone.now() + timedelta(days=20))
    robot = create_robot(town.closed.namespace, "bot", actor=town.actor("olga"))
    create_token(robot, name="bot", expires_at=timezone.now() + timedelta(days=20))
    type(robot).objects.get(pk=robot.pk).access_tokens.update(
        created_at=timezone.now() - timedelta(days=60)
    )
    town.users["rita"].access_tokens.update(created_at=timezone.now() - timedelta(days=60))
    for token in [*robot.access_tokens.all(), *town.users["rita"].access_tokens.all()]:
        token.expires_at = timezone.now() + timedelta(days=3)
        token.save()
    assert warn_expiring() == 2
    dispatch.drain()
    assert told(town) == {"rita": ["token"], "olga": ["token"]}
    mine, its = (shown_to(town.principal(name)).get() for name in ("rita", "olga"))
    assert sentence_of(mine).startswith("Your access token “ci” ends on ")
    assert target_of(mine) == "/settings/tokens"
    assert sentence_of(its).startswith("The access token “bot” of acme+bot ends on ")
    assert target_of(its) == "/acme/-/robots/bot"
    assert not Notice.objects.exclude(mail_due_at=None).exists()  # a mail of its own was sent


def test_an_invitation_is_told_after_the_answer(town: Town, rung: list[Any]) -> None:
    invite(town.closed, "sven@example.org", "read", inviter=town.actor("olga"))
    invite(town.closed, "nobody@example.org", "read", inviter=town.actor("olga"))
    assert not Notice.objects.exists()
    asked = [args for task, args in rung if task == "notices.tasks.take_up_invitation"]
    assert len(asked) == 2
    for args in asked:
        take_up_invitation(*args)
    assert told(town) == {"sven": ["invitation"]}
    notice = shown_to(town.principal("sven")).get()
    assert sentence_of(notice) == (
        "olga invites you to acme/closed; the link is in the mail you got"
    )
    assert target_of(notice) == "/notifications"


def test_an_invitation_to_an_address_that_is_not_confirmed(town: Town) -> None:
    User.objects.filter(username="sven").update(is_verified=False)
    row = Invitation.objects.create(
        organization=town.closed.namespace.organization,
        email="sven@example.org",
        role="member",
        secret_hash="x",
        invited_by=town.users["olga"],
        expires_at=timezone.now() + timedelta(days=1),
    )
    take_up_invitation(False, row.pk)
    assert told(town) == {}
    User.objects.filter(username="sven").update(is_verified=True)
    take_up_invitation(False, row.pk)
    assert told(town) == {"sven": ["invitation"]}
    row.delete()
    take_up_invitation(False, row.pk or 0)
    take_up_invitation(True, 0)
    assert RepositoryInvitation.objects.count() == 0
    assert Notice.objects.count() == 1


def everything_of(user: User) -> list[int]:
    models = (Watch, SearchWatch, Notice, Preference, FeedKey)
    return [model.objects.filter(user=user).count() for model in models]


def test_whoever_leaves_takes_it_all_along(town: Town) -> None:
    sven = town.users["sven"]
    set_watch(sven.pk, town.open, "everything")
    watch_search(town.principal("sven"), "box", find)
    set_choices(sven.pk, {Kind.TAG: Choice(False, "never")})  # type: ignore[arg-type]
    make_key(sven, actor=town.actor("sven"))
    town.says("olga", "@sven", town.open)
    assert everything_of(sven) == [1, 1, 1, 1, 1]
    deactivate(sven, actor=town.actor("olga"))
    assert everything_of(sven) == [1, 1, 1, 1, 1]  # they may come back
    sven.refresh_from_db()
    sven.is_active = True
    sven.save()
    close_account(sven)
    assert everything_of(sven) == [0, 0, 0, 0, 0]


def test_whoever_is_deleted_does_too(town: Town) -> None:
    user = people.person("brief")
    set_watch(user.pk, town.open, "everything")
    make_key(user, actor=town.actor("olga"))
    user.namespace.delete()
    user.delete()
    assert not Watch.objects.filter(repository=town.open).exists()
    assert not FeedKey.objects.exists()


def test_a_member_of_an_organization_that_asks_for_a_second_factor(town: Town) -> None:
    organization = town.closed.namespace.organization
    assert organization is not None
    Membership.objects.create(organization=organization, user=town.users["sven"])
    organization.base_role, organization.second_factor_required = "read", True
    organization.save()
    User.objects.filter(username="olga").update(second_factor=True)
    town.says("olga", "@sven @rita")
    assert told(town) == {}
    User.objects.filter(username="sven").update(second_factor=True)
    town.says("olga", "@sven @rita")
    assert told(town) == {"sven": ["mention"]}


def test_nothing_is_told_of_what_lies_in_the_trash(town: Town) -> None:
    town.says("olga", "@rita")
    Repository.objects.filter(pk=town.closed.pk).update(state=Repository.State.TRASHED)
    assert told(town) == {}
