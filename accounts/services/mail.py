"""Mail that is owed: a row of the transaction that owes it, sent afterwards by a worker."""

from __future__ import annotations

import logging
from datetime import timedelta
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.models import OutgoingMail
from events.wake import wake

TRIES = 12
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=2)
_BATCH = 50
log = logging.getLogger(__name__)


def post(to: str, template: str, context: dict[str, Any]) -> None:
    """Owe somebody the mail `templates/email/<template>.txt`, whose first line is the subject.

    In the language active now; `external_url` and `host` are in the context. Nobody without an
    address is written to.
    """
    if not to:
        return
    known = {"external_url": settings.HUB.external_url, "host": settings.EXTERNAL_HOST}
    whole = render_to_string(f"email/{template}.txt", known | context).strip()
    subject, _line, text = whole.partition("\n")
    subject = f"[{settings.EXTERNAL_HOST}] {subject.strip()}"
    post_text(to, subject, f"{text.strip()}\n")


def post_text(to: str, subject: str, text: str) -> None:
    """Owe somebody a mail that is already written."""
    OutgoingMail.objects.create(to=to, subject=" ".join(subject.split())[:300], text=text)
    wake("accounts.tasks.send_mails")


def send_due() -> int:
    """Send what is due; returns how many were taken. What fails is tried again for half a day."""
    sent = 0
    due = OutgoingMail.objects.filter(next_try_at__lte=timezone.now()).order_by("id")[:_BATCH]
    for mail in due:
        if _claim(mail) and _send(mail):
            sent += 1
    return sent


def _claim(mail: OutgoingMail) -> bool:
    """Take the next try for this worker alone; a worker that dies leaves it for later."""
    pause = min(FIRST_PAUSE * 2**mail.tries, LONGEST_PAUSE)
    mine = OutgoingMail.objects.filter(pk=mail.pk, tries=mail.tries)
    return bool(mine.update(tries=mail.tries + 1, next_try_at=timezone.now() + pause))


def _send(mail: OutgoingMail) -> bool:
    try:
        send_mail(mail.subject, mail.text, None, [mail.to])
    except (SMTPException, OSError) as error:
        last = mail.tries + 1 >= TRIES
        log.warning("mail %s was not taken: %s%s", mail.pk, error, "; given up" if last else "")
        if last:
            mail.delete()
        return False
    mail.delete()
    return True
