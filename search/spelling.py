"""“Did you mean …?”: names one letter away from a word that nothing matches.

What is compared is made from the word, never from the names: a letter too many, one too few, a
wrong one, or two that changed places. Each of these texts is one look into the index of public
names, so the cost depends on the word, not on the hub; private names are those of the caller's own
roles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from string import ascii_lowercase, digits

from django.db import connection

from accounts.types import Principal
from repos.models import Visibility
from repos.permissions import held_by
from search.index import index
from search.query import Query
from search.selectors import find

SHORTEST, LONGEST = 3, 24  # letters of a word that is corrected
MOST = 3  # told for one word
OWN_NAMES = 2_000  # private ones that are compared
_LETTERS = ascii_lowercase + digits + "-._"


def did_you_mean(principal: Principal, query: Query) -> list[Query]:
    """Queries that find something where this one, without a filter, found nothing; best first.

    Three for one word. Of several words those that begin no name are corrected, if that helps.
    """
    words = query.words
    if not words or replace(query, words=()).is_filtered:
        return []
    edits = {word: list(_edits(word)) for word in words if SHORTEST <= len(word) <= LONGEST}
    begun = _begun(principal, {text for texts in edits.values() for text in texts})
    nearest = {word: _best(texts, begun) for word, texts in edits.items()}
    if len(words) == 1:
        return [replace(query, words=(text,), notes=()) for text in nearest.get(words[0], [])]
    better = tuple(next(iter(nearest.get(word, [])), word) for word in words)
    corrected = replace(query, words=tuple(dict.fromkeys(better)), notes=())
    is_new = better != words and bool(find(principal, corrected, limit=1).rows)
    return [corrected] if is_new else []


def _edits(word: str) -> Iterator[str]:
    """The word and all texts one letter away, likeliest first."""
    cuts = [(word[:n], word[n:]) for n in range(len(word) + 1)]
    yield word
    yield from (a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1)
    yield from (a + letter + b for a, b in cuts for letter in _LETTERS)
    yield from (a + letter + b[1:] for a, b in cuts if b for letter in _LETTERS)
    yield from (a + b[1:] for a, b in cuts if b)


def _best(texts: Iterable[str], begun: dict[str, bool]) -> list[str]:
    """Those that begin a name, as long as can be: whole names first, then likeliest first."""
    found = [text for text in dict.fromkeys(texts) if text in begun]
    found = [t for t in found if not any(o != t and o.startswith(t) for o in found)]
    return sorted(found, key=lambda text: not begun[text])[:MOST]


def _begun(principal: Principal, texts: set[str]) -> dict[str, bool]:
    """The texts that begin a name the caller may see, and whether one is the whole name."""
    if not texts:
        return {}
    sql, params = index().beginning(sorted(texts))
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found = {str(text): bool(whole) for text, whole in cursor.fetchall()}
    lengths = {*map(len, texts)}
    for name in _own_names(principal):
        for length in lengths:
            begin = name[:length]
            if begin in texts:
                found[begin] = found.get(begin, False) or begin == name
    return found


def _own_names(principal: Principal) -> list[str]:
    """Private names, got from the caller's roles: what is hidden is not even looked at."""
    if principal.is_anonymous:
        return []
    rows = held_by(principal).filter(visibility=Visibility.PRIVATE)
    return list(rows.values_list("name", flat=True)[:OWN_NAMES])
