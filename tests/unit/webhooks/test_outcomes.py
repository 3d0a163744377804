"""What is kept of an answer, and when the next try is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.http import (
    AddressInvalid,
    AddressRefused,
    Answer,
    AnswerBroken,
    CertificateRefused,
    ConnectFailed,
    NameUnresolved,
    TimedOut,
)
from webhooks import outcomes

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def answer(status=200, headers=None, excerpt=b"", private=False):
    return Answer(status, headers or {}, excerpt, len(excerpt), True, 12, private)


@pytest.mark.parametrize(
    ("status", "good"), [(199, 0), (200, 1), (204, 1), (299, 1), (300, 0), (500, 0)]
)
def test_any_2xx_is_success(hub, status, good):
    assert outcomes.of_answer(answer(status), now=NOW).succeeded == bool(good)


def test_redirect_is_explained(hub):
    outcome = outcomes.of_answer(answer(307), now=NOW)
    assert "redirect (307)" in outcome.error
    assert not outcome.succeeded


def test_public_answer_is_kept_without_secrets(hub):
    headers = {"Set-Cookie": "session=hush", "Server": "nginx", "X-Long": "y" * 900}
    outcome = outcomes.of_answer(answer(200, headers, b"a\x00b\xff\n" + b"x" * 5000), now=NOW)
    assert outcome.response_headers == {
        "Set-Cookie": "(not kept)",
        "Server": "nginx",
        "X-Long": "y" * 500,
    }
    assert outcome.response_excerpt.startswith(
        "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}\n"
    )
    assert len(outcome.response_excerpt) == 2048
    assert outcome.response_size == 5005


def test_private_answer_is_not_shown_unless_the_operator_says_so(hub):
    headers = {"Server": "internal-7", "Content-Type": "text/plain", "Set-Cookie": "a=b"}
    private = answer(200, headers, b"inside", private=True)
    outcome = outcomes.of_answer(private, now=NOW)
    assert outcome.response_excerpt == outcomes.NOT_SHOWN
    assert outcome.response_headers == {"Content-Type": "text/plain", "Set-Cookie": "(not kept)"}
    hub(webhook_show_private_responses=True)
    outcome = outcomes.of_answer(private, now=NOW)
    assert outcome.response_excerpt == "inside"
    assert outcome.response_headers["Server"] == "internal-7"


@pytest.mark.parametrize(
    ("status", "text", "seconds"),
    [
        (429, "120", 120),
        (503, "120", 120),
        (500, "120", 0),
        (200, "120", 0),
        (429, "0", 0),
        (429, "-5", 0),
        (429, "soon", 0),
        (429, "", 0),
        (429, "9" * 400, 24 * 3600),
        (503, "Thu, 01 Jan 2026 01:00:00 GMT", 3600),
        (503, "Wed, 31 Dec 2025 00:00:00 GMT", 0),
        (503, "Fri, 01 Jan 2027 00:00:00 GMT", 24 * 3600),
        (503, "Thu, 99 Foo 2026 01:00:00 GMT", 0),
    ],
)
def test_retry_after(hub, status, text, seconds):
    found = outcomes.of_answer(answer(status, {"retry-after": text}), now=NOW)
    assert found.retry_after_s == seconds


def test_delays_grow_with_jitter_and_end(hub):
    hub(webhook_retry_delays_s=[10, 100])
    firsts = {outcomes.next_delay_s(1) for _ in range(200)}
    assert 8 <= min(firsts) < 9.5
    assert 10.5 < max(firsts) <= 12
    assert 80 <= outcomes.next_delay_s(2) <= 120
    assert outcomes.next_delay_s(3) is None
    assert outcomes.next_delay_s(1, 500) == 500
    assert outcomes.next_delay_s(3, 500) is None


def test_errors_fit_the_column(hub):
    assert len(outcomes.of_error(TimedOut("x" * 999), duration_ms=1).error) == 300


def test_signatures_are_shortened(hub):
    kept = outcomes.kept_request_headers(
        {
            "X-Hub-Signature-256": "sha256=" + "a" * 64,
            "webhook-signature": "v1," + "b" * 44,
            "A": "b",
        }
    )
    assert kept == {
        "X-Hub-Signature-256": "sha256=aaaaaaaa…",
        "webhook-signature": "v1,bbbbbbbbbbbb…",
        "A": "b",
    }


@pytest.mark.parametrize(
    ("status", "host_failed", "gone"),
    [(200, 0, 0), (302, 0, 0), (404, 0, 0), (410, 0, 1), (429, 0, 0), (500, 1, 0), (503, 1, 0)],
)
def test_what_an_answer_says_of_the_host_and_the_hook(hub, status, host_failed, gone):
    outcome = outcomes.of_answer(answer(status), now=NOW)
    assert (outcome.host_failed, outcome.gone, outcome.final) == (host_failed, gone, gone)


@pytest.mark.parametrize(
    ("error", "host_failed"),
    [
        (TimedOut, 1),
        (ConnectFailed, 1),
        (AnswerBroken, 1),
        (NameUnresolved, 1),
        (CertificateRefused, 1),
        (AddressRefused, 0),
        (AddressInvalid, 0),
    ],
)
def test_no_answer_speaks_against_the_host_unless_the_hub_refused(hub, error, host_failed):
    outcome = outcomes.of_error(error("no"), duration_ms=1)
    assert (outcome.host_failed, outcome.final) == (host_failed, False)


def test_values_of_secret_headers_are_not_kept(hub):
    kept = outcomes.kept_request_headers({"X-Token": "hush", "A": "b"}, {"x-token"})
    assert kept == {"X-Token": "(not kept)", "A": "b"}


def test_an_echo_gives_no_values_of_headers_away():
    """Who points a webhook at a page that repeats the request must not read what it holds."""
    echo = b'{"Authorization": "Bearer hush-hush", "n": 1}'
    given = answer(200, {"X-Echo": "Bearer hush-hush", "Date": "now"}, echo)
    outcome = outcomes.of_answer(given, now=NOW, secrets=["Bearer hush-hush", "now"])
    assert outcome.response_excerpt == f'{{"Authorization": "{"*" * 16}", "n": 1}}'
    assert outcome.response_headers == {"X-Echo": "*" * 16, "Date": "now"}
    parts = answer(200, {}, b"x" * 2040 + b"Bearer hush-hush")
    kept = outcomes.of_answer(parts, now=NOW, secrets=["Bearer hush-hush"]).response_excerpt
    assert "Bearer" not in kept
    word = outcomes.of_answer(answer(200, {}, b"hush-hush"), now=NOW, secrets=["Bearer hush-hush"])
    assert word.response_excerpt == "*" * 9
