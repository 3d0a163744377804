"""Untrusted JSON: UTF-8, no key twice, no NaN, bounded in values and depth, storable text."""

from __future__ import annotations

import json
import re
from typing import Any

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # JSON may spell them, databases refuse them


class JsonInvalid(Exception):
    """Why a text is refused, as the end of a sentence that says what it is."""


def read_json(payload: bytes, *, most_values: int, most_depth: int) -> Any:
    """The document; raises JsonInvalid.

    `most_values` bounds memory: a small value takes twenty times its text there.
    """
    if sum(payload.count(sign) for sign in (b"{", b"[", b",")) > most_values:
        raise JsonInvalid(f"holds more than {most_values} values")
    try:
        document = json.loads(
            payload.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except UnicodeDecodeError as error:
        raise JsonInvalid("is not UTF-8 text") from error
    except (ValueError, RecursionError) as error:
        raise JsonInvalid(f"is not JSON: {error}") from error
    _check(document, most_depth, most_depth)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not allowed")


def _check(value: Any, left: int, most: int) -> None:
    """Bounded depth, and no text that a database or a client's UTF-8 could not hold."""
    if left == 0:
        raise JsonInvalid(f"is nested deeper than {most} levels")
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise JsonInvalid("holds NUL or half a surrogate pair")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check(key, left, most)
            _check(item, left - 1, most)
    elif isinstance(value, list):
        for item in value:
            _check(item, left - 1, most)
