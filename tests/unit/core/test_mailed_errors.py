"""Errors that are mailed: one in a while, with what the log has."""

from __future__ import annotations

import logging
import threading

import pytest

from core import logs
from core.logs import LineFormatter, MailHandler


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """A logger that mails, in the thread of the test."""

    class Now:
        def __init__(self, target, args, daemon):
            self.start = lambda: target(*args)

    monkeypatch.setattr(logs.threading, "Thread", Now)
    handler = MailHandler(["ops@example.org"])
    handler.setFormatter(LineFormatter())
    made = logging.Logger("hub.test")
    made.addHandler(handler)
    return made


def test_the_first_error_is_mailed_and_those_after_it_are_counted(log, mailoutbox, monkeypatch):
    log.error("disk %s is full", "/x")
    log.error("again")
    log.error("and again")
    assert [mail.to for mail in mailoutbox] == [["ops@example.org"]]
    assert "disk /x is full" in mailoutbox[0].body
    monkeypatch.setattr(MailHandler, "PAUSE_S", 0)
    log.handlers[0]._next_at = 0
    log.error("later")
    assert "2 more errors came since" in mailoutbox[1].body


def test_a_mail_server_that_is_away_harms_nobody(log, monkeypatch, capsys):
    def away(*args: object) -> None:
        raise ConnectionRefusedError("no mail today")

    monkeypatch.setattr(logs, "send_mail", away)
    log.error("something")
    assert "no mail today" in capsys.readouterr().err


def test_mail_is_sent_beside_the_request():
    handler, sent, seen = MailHandler(["ops@example.org"]), threading.Event(), []

    def send(record: logging.LogRecord, text: str) -> None:
        seen.append(threading.current_thread())
        sent.set()

    handler._send = send
    handler.emit(logging.makeLogRecord({"name": "x", "msg": "y"}))
    assert sent.wait(10)
    assert seen != [threading.current_thread()]
