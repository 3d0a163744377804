"""A reading connection for the event loop, which may not share one with the threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from core.stamp import Question, ask, read_stamp

STATEMENT_TIMEOUT_MS = 2000


class Watch:
    """For one thread; opened at the first use."""

    def __init__(self) -> None:
        self._wrapper: BaseDatabaseWrapper | None = None
        self._cursor: Any = None
        self._vendor = ""
        self._opened = 0

    def stamp(self) -> Any:
        """See core.stamp.read_stamp; those of two connections are never equal."""
        if self._cursor is None:
            self._open()
        return self._opened, read_stamp(self._cursor, self._vendor)

    def ask(self, questions: Sequence[Question]) -> list[Any]:
        """See core.stamp.ask."""
        if self._cursor is None:
            self._open()
        return ask(self._cursor, questions)

    def close(self) -> None:
        """Give the connection back; the next use opens another."""
        wrapper, self._wrapper, self._cursor = self._wrapper, None, None
        if wrapper is not None:
            wrapper.close()

    def _open(self) -> None:
        wrapper = connections.create_connection("default")
        wrapper.ensure_connection()
        self._wrapper, self._vendor = wrapper, wrapper.vendor
        self._opened += 1
        self._cursor = wrapper.create_cursor()  # the driver's: no wrapper of Django's around it
        if self._vendor == "postgresql":
            self._cursor.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")
