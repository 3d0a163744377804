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


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """Some rows, and the cursor of the rows after them or None."""

    rows: list[M]
    next_cursor: str | None


def parse_limit(text: str | None) -> int:
    """Rows on a page; raises Invalid unless a whole number from 1 on. Larger ones are capped."""
    if text is None or text == "":
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise Invalid("limit must be a whole number from 1 on.", code="LIMIT_INVALID")
    return min(int(text), MAX_LIMIT)


def page_by_id(rows: QuerySet[M], *, limit: int, cursor: str | None) -> Page[M]:
    """Newest first: rows with ids below the cursor."""
    if cursor:
        text = decode_cursor(cursor)
        if not text.isdigit():
            raise Invalid("This cursor is not one of ours.", code="CURSOR_INVALID")
        rows = rows.filter(pk__lt=int(text))
    return _cut(rows.order_by("-pk"), limit, lambda row: str(row.pk))


def page_by_name(rows: QuerySet[M], *, field: str, limit: int, cursor: str | None) -> Page[M]:
    """By a unique text field, ascending."""
    if cursor:
        rows = rows.filter(Q(**{f"{field}__gt": decode_cursor(cursor)}))
    return _cut(rows.order_by(field), limit, lambda row: str(getattr(row, field)))


def page_by_offset(rows: QuerySet[M], *, limit: int, cursor: str | None) -> Page[M]:
    """For orders without a key, such as ranks; the depth is bounded."""
    start = 0
    if cursor:
        text = decode_cursor(cursor)
        if not text.isdigit() or int(text) > 10_000:
            raise Invalid("This cursor is not one of ours.", code="CURSOR_INVALID")
        start = int(text)
    found = list(rows[start : start + limit + 1])
    more = encode_cursor(str(start + limit)) if len(found) > limit else None
    return Page(found[:limit], more)


def encode_cursor(text: str) -> str:
    """An opaque word for a position."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """The position; raises Invalid."""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (ValueError, binascii.Error) as error:
        raise Invalid("This cursor is not one of ours.", code="CURSOR_INVALID") from error


def _cut(rows: QuerySet[M], limit: int, position: Callable[[M], str]) -> Page[Any]:
    found = list(rows[: limit + 1])
    more = encode_cursor(position(found[limit - 1])) if len(found) > limit else None
    return Page(found[:limit], more)
