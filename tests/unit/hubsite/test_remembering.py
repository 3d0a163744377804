"""A worker's memory of answers: which requests, how long, how much, and what ends it."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import pytest
import time_machine
from django.db import OperationalError, connections

from accounts.models import User
from core import memo as depends
from core.memo import LONGEST_S, notes
from hubsite.server.database import Watch
from hubsite.server.memo import ENTRY_OVERHEAD_BYTES, MAX_BODY_BYTES, Memo, Taken

pytestmark = pytest.mark.django_db(transaction=True)
HERE, THERE = b"\x7f\0\0\1", b"\x0a\0\0\1"
TOP = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
HEAD = b"GET /v2/a/manifests/1 HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def remembering(transactional_db):
    """Makes memories, each with a connection of its own, and closes them."""
    made = []

    def make(max_bytes=1_000_000):
        made.append(Memo(Watch(), max_bytes))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def memory(remembering):
    return remembering()


@pytest.fixture
def alice(transactional_db):
    return User.objects.create(username="alice", bio="first", password="!")


@pytest.fixture
def bob(transactional_db):
    return User.objects.create(username="bob", bio="bob's", password="!")


def head(path="/v2/", *lines, method="GET", version="1.1"):
    return "".join(
        [f"{method} {path} HTTP/{version}\r\n", *(f"{line}\r\n" for line in lines), "\r\n"]
    ).encode()


def begin(memory, sent=HEAD, client=HERE):
    key, stamp = memory.key(client, sent), memory.stamp()
    return None if key is None or stamp is None else Taken(key, stamp)


def answer(memory, person, *also, sent=HEAD, client=HERE, status=200, body=None):
    """One answer, made from a person's bio, as a thread makes it; kept if it may be."""
    taken = begin(memory, sent, client)
    with notes() as noted:
        bio = User.objects.values_list("bio", flat=True).get(pk=person.pk)
        for act in also:
            act()
    if taken is not None:
        taken.notes, taken.status, taken.top = noted, status, TOP
        taken.body = bio.encode() if body is None else body
        memory.keep(taken)
    return bio


def keep(memory, person, *also, sent=HEAD, **more):
    """Make an answer until it is kept: a commit anywhere on the server may come in between."""
    for _ in range(100):
        answer(memory, person, *also, sent=sent, **more)
        if memory.key(more.get("client", HERE), sent) in memory._entries:
            return
    raise AssertionError("it is never kept")


def found(memory, sent=HEAD, client=HERE):
    """The body from memory, or None."""
    key, stamp = memory.key(client, sent), memory.stamp()
    said = None if key is None or stamp is None else memory.find(key, stamp)
    return None if said is None else said.partition(b"\r\n\r\n")[2]


ACCEPTED = {
    "plain": head("/v2/", "Host: x"),
    "head": head("/v2/a/blobs/b", "Host: x", method="HEAD"),
    "token": head("/token?service=x&scope=repository:a:pull", "Host: x"),
    "credential": head("/v2/a/manifests/1", "Host: x", "Authorization: Basic abc=="),
    "many accepts": head("/v2/a/manifests/1", "Host: x", "Accept: a", "Accept: b"),
    "known": head("/v2/a/manifests/1", "Host: x", 'If-None-Match: "sha256:0"'),
    "tight": head("/v2/", "Host:x"),
    "keep-alive": head("/v2/", "Host: x", "Connection: keep-alive"),
    "keep-alive, tight": head("/v2/", "Host: x", "connection:Keep-Alive"),
    "other bytes": "GET /v2/ HTTP/1.1\r\nUser-Agent: Größe\r\n\r\n".encode("latin-1"),
}
REFUSED = {
    "nothing": b"",
    "half": HEAD[:-2],
    "body": head("/v2/", "Host: x", "Content-Length: 3"),
    "empty body": head("/v2/", "Host: x", "content-length: 0"),
    "chunked": head("/v2/", "Host: x", "Transfer-Encoding: chunked"),
    "expect": head("/v2/", "Host: x", "Expect: 100-continue"),
    "close": head("/v2/", "Host: x", "Connection: close"),
    "close, tabbed": head("/v2/", "Host: x", "Connection:\tclose"),
    "close among others": head("/v2/", "Host: x", "Connection: keep-alive, close"),
    "upgrade": head("/v2/", "Host: x", "Upgrade: h2c"),
    "settings": head("/v2/", "Host: x", "HTTP2-Settings: AAMAAABk"),
    "range": head("/v2/", "Host: x", "Range: bytes=0-1"),
    "numbered": head("/v2/", "Host: x", "X-Request-Id: 0123456789abcdef"),
    "old": head("/v2/", "Host: x", version="1.0"),
    "absolute": head("http://x/v2/", "Host: x"),
    "two": HEAD + HEAD,
    "more bytes": HEAD + b"x",
    "post": head("/v2/", "Host: x", method="POST"),
    "options": head("/v2/", "Host: x", method="OPTIONS"),
    "page": head("/", "Host: x"),
    "v20": head("/v20/", "Host: x"),
    "token without question": head("/token", "Host: x"),
    "folded": b"GET /v2/ HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
    "no header": b"GET /v2/ HTTP/1.1\r\n\r\n",
    "no colon": b"GET /v2/ HTTP/1.1\r\nHost\r\n\r\n",
    "space before colon": head("/v2/", "Host : x"),
    "bare newline": b"GET /v2/ HTTP/1.1\nHost: x\n\n",
    "hidden newline": b"GET /v2/ HTTP/1.1\r\nHost: x\nContent-Length: 3\r\n\r\n",
    "nul": b"GET /v2/ HTTP/1.1\r\nHost: x\0\r\n\r\n",
    "space in target": head("/v2/ a", "Host: x"),
    "huge": head("/v2/", "Host: x", "X: " + "x" * 17_000),
}


@pytest.mark.parametrize("sent", ACCEPTED.values(), ids=ACCEPTED)
def test_a_plain_question_is_remembered_under_its_own_bytes_only(memory, alice, sent):
    keep(memory, alice, sent=sent)
    assert found(memory, sent) == b"first"
    assert found(memory, sent.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nX: y\r\n", 1)) is None


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
def test_what_asks_more_of_the_connection_is_left_to_the_server(memory, alice, sent):
    assert begin(memory, sent) is None
    answer(memory, alice, sent=sent)
    assert found(memory, sent) is None


def test_an_answer_is_for_the_address_it_was_made_for(memory, alice):
    keep(memory, alice, client=HERE)
    assert found(memory, client=THERE) is None
    assert found(memory, client=HERE) == b"first"
    assert found(memory, client=b"") is None


def test_a_changed_row_ends_it_and_it_stays_ended(memory, alice):
    keep(memory, alice)
    User.objects.update(bio="second")
    assert found(memory) is None
    User.objects.update(bio="first")
    assert found(memory) is None
    keep(memory, alice)
    assert found(memory) == b"first"


def test_a_row_that_is_gone_ends_it(memory, alice):
    keep(memory, alice)
    alice.delete()
    assert found(memory) is None


def test_a_commit_about_something_else_costs_one_look_and_no_more(memory, alice, bob, monkeypatch):
    stamps = ["one"]
    monkeypatch.setattr(Watch, "stamp", lambda self: stamps[-1])
    answer(memory, alice)
    asked = []
    ask = Watch.ask
    monkeypatch.setattr(Watch, "ask", lambda self, q: asked.append(len(q)) or ask(self, q))
    assert found(memory) == b"first"
    assert asked == []
    User.objects.filter(pk=bob.pk).update(bio="x")
    stamps.append("two")
    assert [found(memory) for _ in range(3)] == [b"first"] * 3
    assert asked == [1]


@pytest.mark.parametrize("in_question", [True, False])
def test_a_commit_while_the_answer_is_made_keeps_it_from_being_kept(
    memory, alice, bob, in_question
):
    other = connections.create_connection("default")
    person = alice if in_question else bob

    def commit():
        with other.cursor() as cursor:
            table = User._meta.db_table
            cursor.execute(f"UPDATE {table} SET bio = 'x' WHERE id = %s", [person.pk])

    answer(memory, alice, commit)
    other.close()
    assert found(memory) is None


def test_a_commit_while_the_rows_are_read_keeps_it_from_being_kept(memory, alice, monkeypatch):
    ask = Watch.ask

    def late(self, questions):
        User.objects.update(bio="second")
        return ask(self, questions)

    monkeypatch.setattr(Watch, "ask", late)
    assert answer(memory, alice) == "first"
    monkeypatch.undo()
    assert found(memory) is None


@pytest.mark.parametrize(
    "act", [depends.never, lambda: User.objects.update(bio="first")], ids=["never", "write"]
)
def test_what_cannot_be_repeated_is_not_kept(memory, alice, act):
    answer(memory, alice, act)
    assert found(memory) is None


@pytest.mark.parametrize("status", [200, 304, 401])
def test_answers_that_are_kept(memory, alice, status):
    keep(memory, alice, status=status)
    assert found(memory) == b"first"


@pytest.mark.parametrize("status", [202, 206, 301, 307, 403, 404, 429, 500, 503])
def test_answers_that_are_not(memory, alice, status):
    answer(memory, alice, status=status)
    assert found(memory) is None


def test_until_and_the_longest_end_it(memory, alice):
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        moment = time.time() + 5
        keep(memory, alice, lambda: depends.until(moment))
        keep(memory, alice, sent=ACCEPTED["head"])
        clock.shift(4)
        assert found(memory) == b"first"
        clock.shift(1)
        assert found(memory) is None
        clock.shift(LONGEST_S - 6)
        assert found(memory, ACCEPTED["head"]) == b"first"
        clock.shift(1)
        assert found(memory, ACCEPTED["head"]) is None


def test_a_condition_is_asked_and_an_effect_happens_at_every_answer(memory, alice):
    holds, done = [True], []
    keep(
        memory,
        alice,
        lambda: depends.while_holds(lambda: holds[0]),
        lambda: depends.each_time(lambda: done.append(1)),
    )
    assert len(done) >= 1
    done[1:] = []
    found(memory)
    found(memory)
    assert len(done) == 3
    holds[0] = False
    assert found(memory) is None
    assert len(done) == 3


def path(number):
    return head(f"/v2/{number}", "Host: x")


def test_the_one_not_used_for_longest_goes_when_there_is_no_room(remembering, alice):
    size = len(TOP) + 1000 + ENTRY_OVERHEAD_BYTES
    memory = remembering(3 * size)
    for number in range(3):
        keep(memory, alice, sent=path(number), body=b"x" * 1000)
    assert found(memory, path(0)) is not None
    keep(memory, alice, sent=path(3), body=b"x" * 1000)
    assert [found(memory, path(n)) is not None for n in range(4)] == [True, False, True, True]
    keep(memory, alice, sent=path(3), body=b"y" * 1000)  # takes its own place
    assert [found(memory, path(n)) is not None for n in range(4)] == [True, False, True, True]
    answer(memory, alice, sent=path(4), body=b"x" * (3 * size))  # larger than everything
    assert found(memory, path(4)) is None


def test_a_body_up_to_the_limit_is_kept(memory, alice):
    keep(memory, alice, body=b"x" * MAX_BODY_BYTES)
    assert len(found(memory)) == MAX_BODY_BYTES
    answer(memory, alice, body=b"x" * (MAX_BODY_BYTES + 1), sent=path(1))
    assert found(memory, path(1)) is None


def test_no_room_at_all_keeps_nothing_and_asks_nothing(remembering, alice, monkeypatch):
    monkeypatch.setattr(Watch, "_open", lambda self: pytest.fail("the database was asked"))
    memory = remembering(0)
    assert begin(memory) is None
    answer(memory, alice)
    assert found(memory) is None


def broken(self, *_):
    raise OperationalError("the database went away")


@pytest.mark.parametrize("what", ["stamp", "ask"])
def test_a_database_that_does_not_answer_is_left_alone_for_a_while(
    memory, alice, monkeypatch, what
):
    keep(memory, alice)
    User.objects.create(username="carol", password="!")
    monkeypatch.setattr(Watch, what, broken)
    assert found(memory) is None
    monkeypatch.setattr(Watch, "stamp", lambda self: pytest.fail("asked too soon"))
    assert begin(memory) is None
    assert found(memory) is None
    monkeypatch.undo()
    now = time.monotonic()
    monkeypatch.setattr("hubsite.server.memo.time.monotonic", lambda: now + 6)
    assert found(memory) is None  # what was kept before is forgotten
    keep(memory, alice)
    assert found(memory) == b"first"


def test_an_answer_begun_before_a_break_is_not_kept_after_it(memory, alice, monkeypatch):
    taken = begin(memory)
    with notes() as noted:
        User.objects.get(pk=alice.pk)
    monkeypatch.setattr("hubsite.server.memo.LONGEST_PAUSE_S", 0.0)
    stamp = Watch.stamp
    monkeypatch.setattr(Watch, "stamp", broken)
    assert memory.stamp() is None
    monkeypatch.setattr(Watch, "stamp", stamp)
    User.objects.update(bio="second")
    taken.notes, taken.status, taken.top, taken.body = noted, 200, TOP, b"first"
    memory.keep(taken)
    assert found(memory) is None


def test_each_answer_has_its_own_date_and_number(memory, alice):
    said = []
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        keep(memory, alice)
        for _ in range(3):
            whole = memory.find(memory.key(HERE, HEAD), memory.stamp())
            top, _, body = whole.partition(b"\r\n\r\n")
            assert body == b"first"
            assert whole.startswith(TOP)
            lines = dict(line.split(": ", 1) for line in top.decode().split("\r\n")[1:])
            said.append((parsedate_to_datetime(lines["Date"]).timestamp(), lines["X-Request-Id"]))
            clock.shift(1)
    assert [at for at, _ in said] == [1_800_000_000, 1_800_000_001, 1_800_000_002]
    assert {len(number) for _, number in said} == {32}
    assert {number[:20] for _, number in said} == {said[0][1][:20]}
    assert [int(number[20:], 16) for _, number in said] == [1, 2, 3]


def test_heads_hold_secrets_and_are_not_kept(memory, alice):
    keep(memory, alice, sent=head("/v2/", "Host: x", "Authorization: Basic c2VjcmV0"))
    kept = repr([(key, entry) for key, entry in memory._entries.items()])
    assert "c2VjcmV0" not in kept
    assert len(memory._entries) == 1
