"""Answers kept with the questions they came from, and given again while nothing has changed.

The views stay the only ones that decide. What is kept is a view's finished answer under all bytes
of the request's head, credential included, together with the database questions the view
asked (core.memo). A commit by anybody changes the database's stamp; then the questions are asked
again, and only if every row is the same is the answer good under the new stamp. So a right taken
away works on the next request, and no rule about rights exists twice.
"""

from __future__ import annotations

import hashlib
import logging
import math
import re
import secrets
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, InterfaceError

from core.memo import LONGEST_S, Notes
from hubsite.server.database import Watch

MAX_BODY_BYTES = 256 * 1024
MAX_HEAD_BYTES = 16 * 1024
ENTRY_OVERHEAD_BYTES = 6 * 1024
LONGEST_PAUSE_S = 5.0
REMEMBERED = (200, 304, 401)
_BEGINNINGS = (b"GET /v2/", b"HEAD /v2/", b"GET /token?")
# Anything that asks more of the connection than one plain answer goes the long way.
_PLAIN = re.compile(
    rb"(?:GET|HEAD) /(?:v2/|token\?)[!-~]* HTTP/1\.1\r\n"
    rb"(?:(?!content-length|transfer-|connection: *+(?!keep-alive\r)|expect|upgrade|http2-|range|"
    rb"x-request-id)"
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)+\r\n",
    re.IGNORECASE,
)
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Taken:
    """An answer on its way to the client, as the memo may keep it."""

    key: bytes
    stamp: Any
    notes: Notes | None = None
    status: int = 0
    top: bytes = b""
    body: bytes | None = None


@dataclass(slots=True)
class _Entry:
    stamp: Any
    until: float
    notes: Notes
    rows: list[Any]
    top: bytes
    rest: bytes
    size: int = field(default=0)


class Memo:
    """For the one thread that runs a worker's event loop."""

    def __init__(self, watch: Watch, max_bytes: int) -> None:
        self._watch = watch
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._size = 0
        self._date = (0, b"")
        self._secret = secrets.token_bytes(32)
        self._ids = uuid.uuid4().hex[:20]
        self._count = 0
        self._resume_at = 0.0

    def key(self, client: bytes, head: bytes) -> bytes | None:
        """What the answer to a request may be kept under; None if it may not be kept.

        `head` is everything the client has sent up to now. Heads hold secrets, so only a keyed
        digest stays in memory. Who asks is part of it: failed sign-ins are counted by address.
        """
        if not head.startswith(_BEGINNINGS) or len(head) > MAX_HEAD_BYTES:
            return None
        digest = hashlib.blake2b(head, digest_size=16, key=self._secret, salt=client[-16:]).digest()
        return digest if digest in self._entries or _PLAIN.fullmatch(head) else None

    def stamp(self) -> Any:
        """The database's stamp now, or None while it does not answer or nothing may be kept."""
        if not self._max_bytes:
            return None
        if self._resume_at and time.monotonic() < self._resume_at:
            return None
        try:
            return self._watch.stamp()
        except (DatabaseError, InterfaceError) as error:
            self._give_up(error)
            return None

    def find(self, key: bytes, stamp: Any) -> bytes | None:
        """The answer to a request; `stamp` was read after the request came."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = time.time()
        if (
            now >= entry.until
            or (entry.stamp != stamp and not self._renew(entry, stamp))
            or not all(holds() for holds in entry.notes.holds)
        ):
            self._drop(key)
            return None
        for effect in entry.notes.effects:
            effect()
        self._entries.move_to_end(key)
        return b"".join((entry.top, self._moving(now), entry.rest))

    def keep(self, taken: Taken) -> None:
        """Keep an answer if what it came from is still so and was noted in full."""
        notes, body = taken.notes, taken.body
        if notes is None or body is None or not notes.repeatable:
            return
        if taken.status not in REMEMBERED or len(body) > MAX_BODY_BYTES:
            return
        if self.stamp() != taken.stamp:
            return
        rows = self._ask(notes)
        if rows is None or self.stamp() != taken.stamp:
            return
        entry = _Entry(
            taken.stamp,
            min(notes.until, time.time() + LONGEST_S),
            notes,
            rows,
            taken.top,
            b"\r\n\r\n" + body,
            len(taken.top) + len(body) + ENTRY_OVERHEAD_BYTES,
        )
        self._drop(taken.key)
        self._entries[taken.key] = entry
        self._size += entry.size
        while self._size > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def close(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._size = 0
        self._watch.close()

    def _renew(self, entry: _Entry, stamp: Any) -> bool:
        """Whether the questions get the same rows under the new stamp."""
        rows = self._ask(entry.notes)
        if rows != entry.rows:
            return False
        entry.stamp = stamp
        return True

    def _ask(self, notes: Notes) -> list[Any] | None:
        try:
            return self._watch.ask(notes.questions)
        except (DatabaseError, InterfaceError) as error:
            self._give_up(error)
            return None

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= entry.size

    def _give_up(self, error: Exception) -> None:
        """Let the views answer, and try the database again a little later."""
        log.warning("answers are not remembered for a while: %s", error)
        self._resume_at = time.monotonic() + LONGEST_PAUSE_S
        self.close()

    def _moving(self, now: float) -> bytes:
        """The headers that differ from answer to answer."""
        second = math.floor(now)
        if self._date[0] != second:
            text = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second))
            self._date = (second, text.encode())
        self._count += 1
        return b"Date: %b\r\nX-Request-Id: %b%012x" % (
            self._date[1],
            self._ids.encode(),
            self._count,
        )
