"""Mails: when they are due, what is in them, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail

from accounts.models import User
from core.errors import Invalid, NotFound
from notices.models import Kind, Mail, Notice
from notices.services.mailing import send_due
from notices.services.preferences import (
    MAILED_ANYWAY,
    Choice,
    choices_of,
    default_of,
    holder_of,
    set_choices,
    stop_mails,
    ticket_of,
)
from notices.services.retention import forget_old
from notices.services.telling import due_at, mark_read
from repos.models import Collaborator, Comment
from tests.unit.notices.conftest import Town

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOON, tick=False) as moving:
        yield moving


@pytest.mark.parametrize(
    ("how", "hour", "due"),
    [
        (Mail.NEVER, 6, None),
        (Mail.AT_ONCE, 6, NOON),
        (Mail.DAILY, 6, NOON + timedelta(hours=18)),
        (Mail.DAILY, 13, NOON + HOUR),
        (Mail.DAILY, 12, NOON + DAY),
    ],
)
def test_when_a_mail_is_due(hub_settings: Any, how: Mail, hour: int, due: datetime | None) -> None:
    hub_settings(digest_hour=hour)
    assert due_at(how, NOON) == due


def test_a_mention_is_mailed_at_once(town: Town, clock: Any) -> None:
    comment = town.says("olga", "@rita look at <b>this</b>")
    assert send_due() == 1
    (sent,) = mail.outbox
    assert sent.to == ["rita@example.org"]
    assert sent.subject == "[localhost:5000] olga mentions you in a comment on acme/closed"
    link = f"http://localhost:5000/acme/closed/-/comments?at={comment.pk}#comment-{comment.pk}"
    assert link in sent.body
    stop = f"http://localhost:5000/notifications/stop/{ticket_of(town.id('rita'))}"
    assert stop in sent.body
    assert sent.extra_headers["List-Unsubscribe"] == f"<{stop}>"
    assert send_due() == 0
    assert len(mail.outbox) == 1


def test_one_mail_a_day_for_all_of_it(town: Town, clock: Any) -> None:
    for words in ("One.", "Two.", "Three."):
        town.says("rita", words)
    assert send_due() == 0
    clock.shift(18 * HOUR - timedelta(seconds=1))
    assert send_due() == 0
    clock.shift(timedelta(seconds=1))
    assert send_due() == 1
    (sent,) = mail.outbox
    assert sent.to == ["olga@example.org"]
    assert sent.subject == "[localhost:5000] 3 things happened"
    assert sent.body.count("rita commented on acme/closed") == 3
    clock.shift(DAY)
    assert send_due() == 0


def test_a_long_mail_is_cut(town: Town, clock: Any) -> None:
    for n in range(53):
        town.says("rita", f"{n}.")
    clock.shift(DAY)
    send_due()
    assert mail.outbox[0].body.count("rita commented") == 50
    assert "… and 3 more things." in mail.outbox[0].body


def _leave(town: Town) -> None:
    Collaborator.objects.filter(user=town.users["rita"]).delete()


def _hide(town: Town) -> None:
    Comment.objects.update(hidden_at=NOON)


def _delete(town: Town) -> None:
    Comment.objects.update(deleted_at=NOON)


def _read(town: Town) -> None:
    mark_read(Notice.objects.filter(user=town.users["rita"]))


def _stop(town: Town) -> None:
    stop_mails(town.id("rita"))


def _no_address(town: Town) -> None:
    User.objects.filter(username="rita").update(email="")


def _unconfirmed(town: Town) -> None:
    User.objects.filter(username="rita").update(is_verified=False)


def _inactive(town: Town) -> None:
    User.objects.filter(username="rita").update(is_active=False)


@pytest.mark.parametrize(
    "change", [_leave, _hide, _delete, _read, _stop, _no_address, _unconfirmed, _inactive]
)
def test_what_changes_before_a_mail_is_sent_counts(town: Town, clock: Any, change: Any) -> None:
    town.says("olga", "@rita look")
    change(town)
    assert send_due() == 0
    assert mail.outbox == []
    assert not Notice.objects.filter(user=town.users["rita"]).exclude(mail_due_at=None).exists()


def test_only_what_may_still_be_seen_is_in_a_mail(town: Town, clock: Any) -> None:
    town.says("olga", "@rita one")
    town.says("olga", "@rita two", town.open)
    _leave(town)
    assert send_due() == 1
    assert "acme/open" in mail.outbox[0].body
    assert "closed" not in mail.outbox[0].body + mail.outbox[0].subject


def test_a_mail_that_is_not_taken_is_tried_again(
    town: Town, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.says("olga", "@rita look")
    with monkeypatch.context() as patch:
        patch.setattr("notices.services.mailing.EmailMessage.send", _broken)
        assert send_due() == 0
        assert send_due() == 0
    clock.shift(timedelta(minutes=9))
    assert send_due() == 0
    clock.shift(timedelta(minutes=1))
    assert send_due() == 1
    assert len(mail.outbox) == 1


def test_not_for_ever(town: Town, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    town.says("olga", "@rita look")
    monkeypatch.setattr("notices.services.mailing.EmailMessage.send", _broken)
    for _ in range(80):
        send_due()
        clock.shift(timedelta(minutes=10))
    assert not Notice.objects.exclude(mail_due_at=None).exists()


def _broken(*_: Any) -> None:
    raise OSError("no route")


def test_bell_and_mail_are_chosen_apart(town: Town, clock: Any) -> None:
    rita = town.id("rita")
    set_choices(rita, {Kind.MENTION: Choice(False, Mail.AT_ONCE)})
    town.says("olga", "@rita one")
    assert not Notice.objects.get(user=rita).shown
    assert send_due() == 1
    set_choices(rita, {Kind.MENTION: Choice(True, Mail.NEVER)})
    town.says("olga", "@rita two")
    assert Notice.objects.filter(user=rita, shown=True).count() == 1
    assert send_due() == 0
    set_choices(rita, {Kind.MENTION: Choice(False, Mail.NEVER)})
    town.says("olga", "@rita three")
    assert Notice.objects.filter(user=rita).count() == 2


def test_defaults_hold_until_something_is_chosen(town: Town) -> None:
    rita = town.id("rita")
    assert choices_of(rita) == {kind: default_of(kind) for kind in Kind}
    for kind in MAILED_ANYWAY:
        assert default_of(kind).mail == Mail.NEVER
        with pytest.raises(Invalid):
            set_choices(rita, {kind: Choice(True, Mail.DAILY)})
    stop_mails(rita)
    assert {choice.mail for choice in choices_of(rita).values()} == {Mail.NEVER}
    assert {choice.web for choice in choices_of(rita).values()} == {True}


@pytest.mark.parametrize("ticket", ["", "1", "1:", "x:y", "1:nothing"])
def test_a_ticket_of_somebody_elses_making(ticket: str) -> None:
    with pytest.raises(NotFound):
        holder_of(ticket)
    mine = ticket_of(7)
    assert holder_of(mine) == 7
    with pytest.raises(NotFound):
        holder_of(mine.replace("7:", "8:", 1))


def test_old_notices_go(town: Town, clock: Any, hub_settings: Any) -> None:
    hub_settings(notice_days=2)
    town.says("olga", "@rita one")
    clock.shift(2 * DAY - HOUR)
    town.says("olga", "@rita two")
    assert forget_old() == 0
    clock.shift(2 * HOUR)
    assert forget_old() == 1
    assert Notice.objects.count() == 1
