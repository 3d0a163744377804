"""What is given again is what would be made now, whoever changed what it was made of."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
import time_machine
from django.db import connection, connections, transaction

from accounts.models import User
from core import memo
from core.memo import LONGEST_S, Recall, notes
from core.stamp import ask, read_stamp

pytestmark = pytest.mark.django_db(transaction=True)


class Look:
    """A look-up of a person's bio that counts how often it was made."""

    def __init__(self, person, *also):
        self.person, self.also, self.made = person, also, 0

    def __call__(self):
        self.made += 1
        bio = User.objects.values_list("bio", flat=True).get(pk=self.person.pk)
        for act in self.also:
            act()
        return bio


@pytest.fixture
def other(transactional_db):
    """Somebody else's connection: `other(person, bio)` commits at once."""
    wrapper = connections.create_connection("default")

    def change(person, bio):
        table = User._meta.db_table
        with wrapper.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET bio = %s WHERE id = %s", [bio, person.pk])

    yield change
    wrapper.close()


@pytest.fixture
def alice(transactional_db):
    return User.objects.create(username="alice", bio="first", password="!")


@pytest.fixture
def bob(transactional_db):
    return User.objects.create(username="bob", bio="bob's", password="!")


def learn(recall, look, key="k"):
    """Get until it is remembered, and count that as once: a commit anywhere on the server, other
    people's databases included, may come in between."""
    for _ in range(100):
        value, made = recall.get(key, look), look.made
        if recall.get(key, look) == value and look.made == made:
            look.made = 1
            return value
    raise AssertionError("it is never remembered")


def test_a_value_is_made_once_while_its_rows_are_the_same(alice):
    recall, look = Recall(10), Look(alice)
    learn(recall, look)
    assert [recall.get("k", look) for _ in range(3)] == ["first"] * 3
    assert look.made == 1


def test_another_connection_that_changes_a_row_in_question_is_heeded_at_once(alice, other):
    recall, look = Recall(10), Look(alice)
    for bio in ("second", "third", "second"):
        learn(recall, look)
        other(alice, bio)
        assert recall.get("k", look) == bio
        assert look.made == 2


def test_a_change_by_the_same_connection_is_heeded_too(alice):
    recall, look = Recall(10), Look(alice)
    learn(recall, look)
    User.objects.update(bio="mine")
    assert recall.get("k", look) == "mine"


def test_a_row_that_appears_or_goes_counts_as_a_change(alice):
    recall = Recall(10)
    assert recall.get("k", User.objects.count) == 1
    extra = User.objects.create(username="carol", password="!")
    assert recall.get("k", User.objects.count) == 2
    extra.delete()
    assert recall.get("k", User.objects.count) == 1


def test_a_commit_that_touches_nothing_in_question_changes_nothing(alice, bob, other):
    recall, look = Recall(10), Look(alice)
    learn(recall, look)
    other(bob, "changed")
    User.objects.filter(pk=bob.pk).update(bio="again")
    assert recall.get("k", look) == "first"
    assert look.made == 1


def locked(person):
    def act():
        with transaction.atomic():
            User.objects.select_for_update().get(pk=person.pk)

    return act


@pytest.mark.parametrize("what", ["write", "same write", "lock", "never", "effect", "many"])
def test_what_did_more_than_look_is_made_each_time(alice, what):
    table = User._meta.db_table

    def many():
        with connection.cursor() as cursor:
            cursor.executemany(f"UPDATE {table} SET bio = %s WHERE id = %s", [["x", alice.pk]])

    act = {
        "write": lambda: User.objects.filter(pk=alice.pk).update(bio="x"),
        "same write": lambda: User.objects.filter(pk=-1).update(bio="x"),
        "lock": locked(alice),
        "never": memo.never,
        "effect": lambda: memo.each_time(lambda: None),
        "many": many,
    }[what]
    recall, look = Recall(10), Look(alice, act)
    for _ in range(3):
        recall.get("k", look)
    assert look.made == 3


@pytest.mark.parametrize("in_question", [True, False])
def test_a_commit_between_value_and_rows_keeps_the_value_from_being_remembered(
    alice, bob, other, in_question
):
    changes = iter(["second"])

    def commit():
        for bio in changes:
            other(alice if in_question else bob, bio)

    recall, look = Recall(10), Look(alice, commit)
    assert recall.get("k", look) == "first"
    assert recall.get("k", look) == ("second" if in_question else "first")
    assert look.made == 2
    learn(recall, look)


def test_until_is_a_moment_after_which_it_is_made_again(alice):
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        moment = time.time() + 5
        recall, look = Recall(10), Look(alice, lambda: memo.until(moment), lambda: memo.until(9e9))
        learn(recall, look)
        clock.shift(4.9)
        recall.get("k", look)
        assert look.made == 1
        clock.shift(0.1)
        recall.get("k", look)
        recall.get("k", look)
        assert look.made == 3  # the moment lies in the past by now


def test_nothing_is_kept_longer_than_the_longest(alice):
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        recall, look = Recall(10), Look(alice, lambda: memo.until(9e9))
        learn(recall, look)
        clock.shift(LONGEST_S - 1)
        recall.get("k", look)
        assert look.made == 1
        clock.shift(1)
        recall.get("k", look)
        assert look.made == 2


def test_a_condition_is_asked_each_time(alice):
    holds = [True]
    recall, look = Recall(10), Look(alice, lambda: memo.while_holds(lambda: holds[0]))
    learn(recall, look)
    recall.get("k", look)
    assert look.made == 1
    holds[0] = False
    recall.get("k", look)
    assert look.made == 2


def test_an_exception_is_not_remembered_and_forgets_nothing_of_other_keys(alice):
    class Refused(Exception):
        pass

    def refuse():
        raise Refused

    recall, look = Recall(10), Look(alice)
    learn(recall, look)
    failing = Look(alice, refuse)
    for _ in range(2):
        with pytest.raises(Refused):
            recall.get("other", failing)
    assert failing.made == 2
    assert recall.get("other", look) == "first"
    recall.get("k", look)
    assert look.made == 2
    with notes() as noted:
        pass
    assert noted.questions == []


def test_the_eldest_goes_when_there_is_no_room(alice):
    recall, looks = Recall(2), {key: Look(alice) for key in "abc"}
    for key in "abc":
        learn(recall, looks[key], key)
    recall.get("c", looks["c"])
    recall.get("b", looks["b"])
    assert {key: look.made for key, look in looks.items()} == {"a": 1, "b": 1, "c": 1}
    recall.get("a", looks["a"])
    assert looks["a"].made == 2
    recall.clear()
    recall.get("c", looks["c"])
    assert looks["c"].made == 2


def test_notes_within_notes_are_part_of_them_and_questions_are_asked_once(alice):
    def yes():
        return True

    def effect():
        effects.append(1)

    effects: list[int] = []
    with notes() as outer:
        memo.until(200)
        with notes() as inner:
            User.objects.get(pk=alice.pk)
            memo.until(100)
            memo.while_holds(yes)
            memo.each_time(effect)
        User.objects.count()
    assert (len(inner.questions), len(outer.questions)) == (1, 2)
    assert (inner.until, outer.until) == (100, 100)
    assert inner.holds == outer.holds == [yes]
    assert inner.effects == outer.effects == [effect]
    assert effects == [1]
    assert inner.repeatable
    assert outer.repeatable
    with notes() as outer:
        with contextlib.suppress(ZeroDivisionError), notes():
            memo.never()
            raise ZeroDivisionError
        with notes() as later:
            pass
    assert not outer.repeatable
    assert later.repeatable


def test_what_is_recalled_is_noted_as_if_it_were_made(alice, other):
    recall = Recall(10)
    look = Look(alice, lambda: memo.until(9e9), lambda: memo.while_holds(lambda: True))
    with notes() as made:
        recall.get("k", look)
    learn(recall, look)
    with notes() as recalled:
        recall.get("k", look)
    assert look.made == 1
    assert recalled.questions == made.questions
    assert len(recalled.questions) == 1
    assert (recalled.until, len(recalled.holds)) == (made.until, len(made.holds)) == (9e9, 1)
    with connection.cursor() as cursor:
        before = ask(cursor.cursor, recalled.questions)
        other(alice, "second")
        assert ask(cursor.cursor, recalled.questions) != before


def test_outside_of_notes_everything_may_be_said_and_effects_happen():
    done = []
    memo.never()
    memo.until(1)
    memo.while_holds(lambda: False)
    memo.each_time(lambda: done.append(1))
    assert done == [1]


def test_the_stamp_is_the_same_until_somebody_commits(alice, other):
    with connection.cursor() as cursor:

        def stamp():
            return read_stamp(cursor.cursor, connection.vendor)

        def is_steady():
            first = stamp()
            User.objects.count()
            return stamp() == first

        assert any(is_steady() for _ in range(100))  # others may use the same server
        first = stamp()
        other(alice, "second")
        assert stamp() != first
        assert any(is_steady() for _ in range(100))


def test_threads_never_get_less_than_what_was_committed_before_they_asked(alice, other):
    other(alice, "0")
    recall, look, errors = Recall(10), Look(alice), []
    floor, ended = [0], threading.Event()

    def read():
        try:
            while not ended.is_set():
                least = floor[0]
                got = int(recall.get("k", look))
                if got < least:
                    errors.append((got, least))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 60):
        other(alice, str(number))
        floor[0] = number
    ended.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert recall.get("k", look) == "59"
