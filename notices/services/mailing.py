"""Mails about what people are told. A notice that owes one says when; a mail is written only when
it is sent, so that nothing is in it that its reader may no longer see by then."""

from __future__ import annotations

import logging
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import ngettext

from accounts.models import User
from accounts.services.credentials import principal_of
from notices.models import Mail, Notice
from notices.selectors import told
from notices.sentences import sentence_of, target_of
from notices.services.preferences import choices_of, ticket_of

PAUSE = timedelta(minutes=10)  # until a mail that was not taken is tried again
TRIED_FOR = timedelta(hours=12)
LINES = 50
_PEOPLE = 100
log = logging.getLogger(__name__)


def send_due() -> int:
    """Send what is due, one mail for each person; returns how many were taken."""
    due = Notice.objects.filter(mail_due_at__lte=timezone.now()).order_by()
    people = User.objects.filter(pk__in=due.values("user")).order_by("pk")[:_PEOPLE]
    return sum(_write(person) for person in people)


def _write(person: User) -> bool:
    now = timezone.now()
    due = Notice.objects.filter(user=person, mail_due_at__lte=now)
    taken = list(due.values_list("pk", flat=True))
    again = now + PAUSE
    # One worker takes them all; if it dies, they are due again.
    if due.filter(pk__in=taken).update(mail_due_at=again) != len(taken) or not taken:
        return False
    mine = Notice.objects.filter(pk__in=taken, mail_due_at=again)
    rows = _rows(person, taken)
    sent = bool(rows) and _send(person, rows)
    if rows and not sent:
        mine.filter(created_at__lt=now - TRIED_FOR).update(mail_due_at=None)
        return False
    mine.update(mail_due_at=None)
    return sent


def _rows(person: User, taken: list[int]) -> list[Notice]:
    """What may be said now, and is still wanted and unread, oldest first."""
    if not person.is_active or not person.is_verified or not person.email:
        return []
    wanted = [k for k, choice in choices_of(person.pk).items() if choice.mail != Mail.NEVER]
    rows = told(principal_of(person)).filter(pk__in=taken, kind__in=wanted, read_at=None)
    return list(rows.order_by("pk"))


def _send(person: User, rows: list[Notice]) -> bool:
    outer = settings.HUB.external_url
    stop = f"{outer}/notifications/stop/{ticket_of(person.pk)}"
    lines = [
        {"sentence": _plain(sentence_of(row)), "url": outer + target_of(row)}
        for row in rows[:LINES]
    ]
    context = {
        "name": person.username,
        "lines": lines,
        "more": len(rows) - len(lines),
        "external_url": outer,
        "stop_url": stop,
    }
    mail = EmailMessage(
        f"[{settings.EXTERNAL_HOST}] {_subject(rows)}",
        render_to_string("notices/mail.txt", context).strip() + "\n",
        None,
        [person.email],
        headers={
            "List-Unsubscribe": f"<{stop}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )
    try:
        mail.send()
    except (SMTPException, OSError) as error:
        log.warning("a mail to %s was not taken: %s", person.username, error)
        return False
    return True


def _subject(rows: list[Notice]) -> str:
    if len(rows) == 1:
        return _plain(sentence_of(rows[0]))[:200]
    total = len(rows)
    return ngettext("%(total)d thing happened", "%(total)d things happened", total) % {
        "total": total
    }


def _plain(text: str) -> str:
    """One line, whatever names hold."""
    return " ".join(text.split())
