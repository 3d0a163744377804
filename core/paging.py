"""Pages by position, not by number: `limit` and `cursor`, answered with the next cursor."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

from core.errors import Invalid

M = TypeVar("M", bound=Model)
DEFAULT_LIMIT = 50
MAX_LIMIT = 100
_MAX_DIGITS = 18  # what a 64-bit number holds, whatever the digits


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """Some rows, and the cursor of the rows after them or None."""

    rows: list[M]
    next_cursor: str | None


def parse_limit(text: str | None) -> int:
    """Rows on a page; raises Invalid unless a whole number from 1 on. Larger ones are capped."""
    if text is None or text == "":
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit()) or not text.strip("0"):
        raise Invalid("limit must be a whole number from 1 on.", code="LIMIT_INVALID")
    return min(int(text), MAX_LIMIT) if len(text) <= _MAX_DIGITS else MAX_LIMIT


def page_by_id(rows: QuerySet[M], *, limit: int, cursor: str | None) -> Page[M]:
    """Newest first: rows with ids below the cursor."""
    if cursor:
        rows = rows.filter(pk__lt=_number(cursor))
    return _cut(rows.order_by("-pk"), limit, lambda row: str(row.pk))


def page_by_name(rows: QuerySet[M], *, field: str, limit: int, cursor: str | None) -> Page[M]:
    """By a unique text field, ascending."""
    if cursor:
        rows = rows.filter(Q(**{f"{field}__gt": decode_cursor(cursor)}))
    return _cut(rows.order_by(field), limit, lambda row: str(getattr(row, field)))


def encode_cursor(text: str) -> str:
    """An opaque word for a position."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """The position; raises Invalid."""
    try:
        text = base64.b64decode(
            cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        ).decode()
    except (ValueError, binascii.Error) as error:
        raise _not_ours() from error
    if "\0" in text:  # PostgreSQL refuses it even in a comparison
        raise _not_ours()
    return text


def _number(cursor: str) -> int:
    text = decode_cursor(cursor)
    if not (text.isascii() and text.isdigit()) or len(text) > _MAX_DIGITS:
        raise _not_ours()
    return int(text)


def _not_ours() -> Invalid:
    return Invalid("This cursor is not one of ours.", code="CURSOR_INVALID")


def _cut(rows: QuerySet[M], limit: int, position: Callable[[M], str]) -> Page[Any]:
    found = list(rows[: limit + 1])
    more = encode_cursor(position(found[limit - 1])) if len(found) > limit else None
    return Page(found[:limit], more)
