"""The stress program's judge: what it must let pass and what it must not."""

from __future__ import annotations

import time

import pytest

from tests.concurrency.stress.ledger import Ledger, Reading

PLACE, TAG = "a/b", "t"


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def play(clock, text):
    """`2 8 push A ok`: asked for at 2, answered at 8. Kinds: push, untag, delete, drop."""
    ledger, moments = Ledger(), []
    for line in filter(None, map(str.strip, text.splitlines())):
        begin, end, kind, value, answer = line.split()
        tags = [TAG] if kind in ("push", "untag") else []
        new = value if kind == "push" else None
        only = value if kind == "delete" else None
        moments += [(float(begin), line, tags, new, only, None), (float(end), line, tags, answer)]
    changes = {}
    for moment in sorted(moments, key=lambda m: m[0]):
        clock[0] = 100 + moment[0]
        if len(moment) == 6:
            _, line, tags, new, only, _ = moment
            changes[line] = ledger.begin(PLACE, tags, new, only=only)
        else:
            happened = {"ok": True, "no": False, "lost": None, "never": "never"}[moment[3]]
            if happened != "never":
                ledger.end(changes[moment[1]], PLACE, moment[2], happened)
    return ledger


CASES = [
    ("", 1, 2, "-", ""),
    ("", 1, 2, "", "A"),
    ("1 2 push A ok", 3, 4, "A", "-"),
    ("1 2 push A ok", 3, 4, "", "B"),
    ("1 4 push A ok", 2, 3, "A-", "B"),  # while it is pushed either is right
    ("1 2 push A no", 3, 4, "-", "A"),
    ("1 2 push A ok \n 3 4 push B ok", 5, 6, "B", "A-"),
    ("1 2 push A ok \n 3 6 push B ok", 5, 7, "AB", "-"),
    ("1 4 push A ok \n 3 6 push B ok", 7, 8, "AB", "-"),  # they overlapped: any order
    ("1 2 push A ok \n 3 4 push B lost", 5, 6, "AB", "-"),
    ("1 2 push A ok \n 3 4 push B lost \n 50 51 push C ok", 52, 53, "C", "AB-"),
    ("1 2 push A ok \n 3 4 push B lost \n 10 11 push C ok", 12, 13, "BC", "A-"),
    ("1 2 push A ok \n 3 4 untag A ok", 5, 6, "-", "A"),
    ("1 2 push A ok \n 3 4 untag A ok \n 5 6 push A ok", 7, 8, "A", "-"),
    ("1 2 push A ok \n 3 4 delete A ok", 5, 6, "-", "A"),
    ("1 2 push A ok \n 3 9 delete A never", 5, 6, "A-", ""),
    ("1 2 push A ok \n 3 4 delete B ok", 5, 6, "A", "B"),
    ("1 2 push A ok \n 3 4 delete A ok \n 5 6 push A ok", 7, 8, "A", ""),
    ("1 2 push A ok \n 3 6 delete A ok \n 4 5 push A ok", 7, 8, "A-", "B"),
    ("1 2 push A ok \n 3 4 drop - ok", 5, 6, "-", "A"),
    ("1 2 push A ok \n 3 4 drop - ok \n 5 6 push B ok", 7, 8, "B", "A-"),
    ("1 2 push A ok \n 3 4 drop - lost", 5, 6, "A-", "B"),
]


@pytest.mark.parametrize(("history", "begin", "end", "right", "wrong"), CASES)
def test_a_reading_is_right_if_some_order_explains_it(clock, history, begin, end, right, wrong):
    ledger = play(clock, history)
    reading = Reading(100.0 + begin, 100.0 + end)
    for value in right:
        found = ledger.explain(PLACE, TAG, None if value == "-" else value, reading)
        assert found == "", value
        assert ledger.explain_presence(PLACE, TAG, value != "-", reading) == ""
    for value in wrong:
        assert ledger.explain(PLACE, TAG, None if value == "-" else value, reading), value
    if "-" in wrong:
        assert ledger.explain_presence(PLACE, TAG, False, reading)
    if right == "-":
        assert ledger.explain_presence(PLACE, TAG, True, reading)


@pytest.mark.parametrize(
    ("history", "untouched", "kept"),
    [
        ("1 2 push A ok", True, True),
        ("1 2 push A ok \n 6 7 push A ok", True, True),
        ("1 2 push A ok \n 6 7 push B ok", False, True),
        ("1 2 push A ok \n 6 9 push B never", False, True),
        ("1 2 push A ok \n 4 6 untag A ok", False, True),
        ("1 2 push A ok \n 3 4 push B ok \n 4 4.5 push A ok", True, True),
        ("1 2 push A ok \n 6 7 delete A ok", False, False),
        ("1 2 push A ok \n 6 7 delete B ok", True, True),
        ("1 2 push A ok \n 6 9 drop - never", False, False),
    ],
)
def test_content_may_be_missing_only_where_somebody_meddled(clock, history, untouched, kept):
    ledger = play(clock, history)
    assert ledger.is_untouched(PLACE, TAG, "A", since=105.0) is untouched
    assert ledger.is_kept(PLACE, "A", since=105.0) is kept


def test_histories_do_not_grow_with_the_length_of_a_run(clock):
    ledger = Ledger()
    for n in range(500):
        clock[0] += 1
        change = ledger.begin(PLACE, [TAG], str(n))
        ledger.end(change, PLACE, [TAG], True)
        change = ledger.begin(PLACE, [], None, only=str(n - 3))
        ledger.end(change, PLACE, [], True)
    assert len(ledger._of(PLACE, TAG)) < 200
    assert len(ledger._places[PLACE]) < 70
    reading = Reading(clock[0] + 1, clock[0] + 2)
    assert ledger.explain(PLACE, TAG, "499", reading) == ""
    assert ledger.explain(PLACE, TAG, "498", reading)
