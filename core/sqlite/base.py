"""SQLite where many write: a writer that waits looks again soon, not ever later.

SQLite's own waiting sleeps 1, 2, 5 … up to 100 ms between two looks; the transactions of the hub
take one or two milliseconds, so most of that is slept away. Only the waiting is changed. Of the
threads of a process one at a time looks, the others wait for their turn: twenty that look take the
time of the one that works.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

LOOK_AGAIN_S = 0.0005
_turn = threading.Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    """Waits as long as OPTIONS["timeout"] says, in short steps, for the right to write."""

    def _start_transaction_under_autocommit(self) -> None:
        timeout_s = float(self.settings_dict["OPTIONS"].get("timeout", 5))
        end = time.monotonic() + timeout_s
        with _in_turn(timeout_s), self.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout=0")
            try:
                while True:
                    try:
                        cursor.execute("BEGIN IMMEDIATE")
                        return
                    except OperationalError as error:
                        if "locked" not in str(error) or time.monotonic() > end:
                            raise
                        time.sleep(LOOK_AGAIN_S * (1 + random.random()))  # noqa: S311
            finally:
                cursor.execute(f"PRAGMA busy_timeout={int(timeout_s * 1000)}")


@contextmanager
def _in_turn(timeout_s: float) -> Iterator[None]:
    """Held while looking, not while writing. Whoever waited in vain looks once all the same."""
    turn = _turn  # a fork may put another in its place
    taken = turn.acquire(timeout=timeout_s)
    try:
        yield
    finally:
        if taken:
            turn.release()


def _forget_turn() -> None:
    global _turn
    _turn = threading.Lock()


os.register_at_fork(after_in_child=_forget_turn)
