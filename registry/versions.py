"""The order of tags as people read them: 1.9 before 1.10, pre-releases before their release.

Pure text, no rows. Tags keep to no standard, so this reads what the usual ones have in common:

* `v1.4.2`, `release-1.4`, `1.4`: numbers, compared as numbers; `1.4` and `1.4.0` are one version.
* `1.4-rc.1`, `1.4b2`, `1.4-SNAPSHOT`: known words of pre-releases come before the release, nothing
  else behind a dash does: `1.4-2` and `1.4-r1` are later builds of 1.4, `1.4-alpine` a variant.
* `20260131`, `2026-01-31`: dates, after all versions, since they say nothing of those.
* `latest`, `edge`, commit hashes: plain words, last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

# Before a release, lowest first, and after it. Single letters count only where a number follows.
_BEFORE = (
    {"dev", "snapshot", "nightly", "canary", "edge", "unstable"},
    {"alpha", "a"},
    {"beta", "b"},
    {"m", "milestone", "ea"},
    {"pre", "preview", "prerelease"},
    {"rc", "cr", "c"},
)
_AFTER = {"post", "patch", "hotfix", "p", "r", "u", "build", "ga", "final", "sp"}
_STAGES = {word: rank for rank, words in enumerate(_BEFORE, -len(_BEFORE)) for word in words}
_STAGES |= dict.fromkeys(_AFTER, 1)
# These also name variants of an image, so they are stages only right behind the numbers.
_ONLY_FIRST = {"dev", "edge", "build", "patch", "final"}
_STAGE_NUMBERS = 4

_VERSION = re.compile(r"(?:v|version-?|release-?|rel-?)?([0-9]+(?:\.[0-9]+)*)(.*)", re.I | re.S)
_MONTH, _DAY = r"(0[1-9]|1[0-2])", r"(0[1-9]|[12][0-9]|3[01])"
_DATE = re.compile(
    rf"((?:19|20)[0-9]{{2}})(?:{_MONTH}{_DAY}|([-_]){_MONTH}(?:\4{_DAY})?)(?![0-9a-z])(.*)",
    re.I | re.S,
)
_HASH = re.compile(r"(?=.*[a-f])(?=.*[0-9])[0-9a-f]{7,64}")
_TOKEN = re.compile(r"([-._+]?)([^-._+]+|\Z)", re.S)
_WORD = re.compile(r"([a-z]+)([0-9]*)", re.I)
_NUMBER = re.compile(r"[0-9]+")


class Kind(IntEnum):
    """What a tag looks like, in the order of lists."""

    VERSION = 0
    DATE = 1
    WORD = 2


@dataclass(frozen=True, slots=True)
class Version:
    """A tag as read.

    `numbers` are those of the version or date, `stage` is (rank, numbers) with a rank below 0 for
    pre-releases and above 0 for later builds, `variant` is the rest (`alpine3.20`), all of a word.
    """

    name: str
    kind: Kind
    numbers: tuple[int, ...] = ()
    stage: tuple[int, tuple[int, ...]] = (0, ())
    variant: str = ""

    @property
    def is_release(self) -> bool:
        """A version, and not one of those before a release."""
        return self.kind is Kind.VERSION and self.stage[0] >= 0

    @property
    def release(self) -> tuple[tuple[int, ...], tuple[int, tuple[int, ...]]]:
        """What decides which of two is newer; equal for variants of one version."""
        kept = len(self.numbers)
        while kept and self.numbers[kept - 1] == 0:
            kept -= 1
        return self.numbers[:kept], self.stage

    @property
    def shape(self) -> str:
        """The variant without its numbers: `alpine3.9` and `alpine3.20` share one."""
        return _NUMBER.sub("0", self.variant.lower())

    @property
    def variant_numbers(self) -> tuple[int, ...]:
        """The numbers of the variant."""
        return tuple(int(number) for number in _NUMBER.findall(self.variant))

    @property
    def exactness(self) -> tuple[int, str]:
        """Tells apart names of one version: `1.4` before `1.4.0`; last resort is the text."""
        return len(self.numbers), self.name


@lru_cache(maxsize=16_384)  # lists of thousands are put in order again and again
def parse(name: str) -> Version:
    """Read a tag. Every text is something; what is no version or date is a word."""
    if _HASH.fullmatch(name):
        return Version(name, Kind.WORD, variant=name)
    date = _DATE.fullmatch(name)
    if date is not None:
        year, month, day, _separator, long_month, long_day, rest = date.groups()
        parts = (int(year), int(month or long_month), int(day or long_day or 0))
        return _with_rest(name, Kind.DATE, parts, rest)
    version = _VERSION.fullmatch(name)
    if version is not None and _goes_on(version[2]):
        numbers = tuple(int(number) for number in version[1].split("."))
        return _with_rest(name, Kind.VERSION, numbers, version[2])
    return Version(name, Kind.WORD, variant=name)


def version_key(name: str) -> tuple[object, ...]:
    """A sort key, oldest first; different names have different keys."""
    found = parse(name)
    return (found.kind, found.release, found.shape, found.variant_numbers, found.exactness)


def oldest_first(names: Iterable[str]) -> list[str]:
    """Tags from the lowest version to the highest, then dates, then words."""
    return sorted(names, key=version_key)


def newest_first(names: Iterable[str]) -> list[str]:
    """Tags from the highest version to the lowest, then dates, then words.

    Variants follow their version in the order of the alphabet, with their highest number first.
    """
    found = [parse(name) for name in names]
    found.sort(key=lambda v: (v.variant_numbers, v.exactness), reverse=True)
    found.sort(key=lambda v: v.shape)
    found.sort(key=lambda v: v.release, reverse=True)
    found.sort(key=lambda v: v.kind)
    return [version.name for version in found]


def _goes_on(rest: str) -> bool:
    """Whether what follows the numbers leaves them a version: `1.0.2a` and `8u302`, not `2fast`."""
    attached = _TOKEN.match(rest)
    if attached is None or attached[1] or not attached[2]:
        return True
    word = _WORD.fullmatch(attached[2])
    return word is not None and (len(word[1]) == 1 or word[1].lower() in _STAGES)


def _with_rest(name: str, kind: Kind, numbers: tuple[int, ...], rest: str) -> Version:
    """Tell a stage from a variant in what follows the numbers."""
    tokens = [(m[1], m[2]) for m in _TOKEN.finditer(rest) if m[0]]
    for index, (separator, token) in enumerate(tokens):
        stage = _stage(separator, token, first=index == 0)
        if stage is None:
            continue
        end = index + 1
        while end < len(tokens) and _is_number(tokens[end][1]) and len(stage[1]) < _STAGE_NUMBERS:
            stage = (stage[0], (*stage[1], int(tokens[end][1])))
            end += 1
        return Version(name, kind, numbers, stage, _joined(tokens[:index] + tokens[end:]))
    return Version(name, kind, numbers, variant=_joined(tokens))


def _stage(separator: str, token: str, *, first: bool) -> tuple[int, tuple[int, ...]] | None:
    """(rank, numbers) of a token, or None if it belongs to the variant."""
    if _is_number(token):
        return (1, (int(token),)) if first else None
    word = _WORD.fullmatch(token)
    if word is None:
        return None
    letters, number = word[1].lower(), word[2]
    if first and not separator and len(letters) == 1 and not number:
        return 1, (ord(letters),)  # 1.0.2a is newer than 1.0.2
    certain = first or (len(letters) > 1 and letters not in _ONLY_FIRST)
    if letters not in _STAGES or not certain or (len(letters) == 1 and not number):
        return None
    return _STAGES[letters], (int(number),) if number else ()


def _is_number(token: str) -> bool:
    return _NUMBER.fullmatch(token) is not None


def _joined(tokens: list[tuple[str, str]]) -> str:
    return "".join(separator + token for separator, token in tokens).lstrip("-._+")
