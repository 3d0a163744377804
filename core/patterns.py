"""Patterns over short names: globs, and regular expressions whose cost cannot explode.

An expression is matched by following every possible state at once, so that a text costs its length
times the pattern's, whatever both are. There are no back-references and no look-around, which could
not be matched so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache

MAX_PATTERN_CHARS = 200
MAX_TEXT_CHARS = 300  # the rest of a longer text is not looked at
_MAX_STATES = 600  # every event waits for its match: some 20 ms for the longest tag
_MAX_DEPTH = 20
_CLASSES = "dDwWsS"


class PatternInvalid(ValueError):
    """A pattern that means nothing; the text is a sentence for whoever wrote it."""


def check(pattern: str) -> None:
    """Raises PatternInvalid for what `matches` could not use."""
    if len(pattern) > MAX_PATTERN_CHARS or not pattern.isprintable():
        raise PatternInvalid(f"A filter is one line of at most {MAX_PATTERN_CHARS} characters.")
    if is_expression(pattern):
        _compiled(pattern[1:-1])


def is_expression(pattern: str) -> bool:
    """Whether it stands between slashes."""
    return len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/")


def matches(pattern: str, text: str) -> bool:
    """Whether a glob fits all of the text, or the expression between slashes is found in it."""
    if is_expression(pattern):
        return _compiled(pattern[1:-1]).found_in(text[:MAX_TEXT_CHARS])
    return fnmatchcase(text[:MAX_TEXT_CHARS], pattern)


# --- what an expression is made of


@dataclass(frozen=True, slots=True)
class _Chars:
    """One character: of these, of these ranges, of `d`, `w`, `s` or their opposites; or not."""

    singles: str = ""
    ranges: tuple[tuple[str, str], ...] = ()
    classes: str = ""
    negated: bool = False

    def holds(self, char: str) -> bool:
        found = (
            char in self.singles
            or any(low <= char <= high for low, high in self.ranges)
            or any(_in_class(name, char) for name in self.classes)
        )
        return found != self.negated


@dataclass(frozen=True, slots=True)
class _Place:
    at: str  # start or end of the text


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    ways: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    part: _Node
    least: int
    most: int | None


_Node = _Chars | _Place | _Sequence | _Choice | _Repeat
_ANY = _Chars(negated=True)
_TIMES: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def _in_class(name: str, char: str) -> bool:
    kind = name.lower()
    if kind == "d":
        found = "0" <= char <= "9"
    elif kind == "w":
        found = char == "_" or (char.isascii() and char.isalnum())
    else:
        found = char.isspace()
    return found != name.isupper()


class _Reader:
    """Recursive descent over the text of an expression."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def expression(self) -> _Node:
        node = self._choice(0)
        if self._next() == ")":
            raise PatternInvalid("The expression has a ) without its (.")
        return node

    def _next(self) -> str:
        return self.source[self.at : self.at + 1]

    def _take(self) -> str:
        char = self._next()
        if not char:
            raise PatternInvalid("The expression ends too early.")
        self.at += 1
        return char

    def _skips(self, text: str) -> bool:
        found = self.source.startswith(text, self.at)
        self.at += len(text) if found else 0
        return found

    def _choice(self, depth: int) -> _Node:
        if depth > _MAX_DEPTH:
            raise PatternInvalid("The expression has too many ( inside one another.")
        ways = [self._sequence(depth)]
        while self._skips("|"):
            ways.append(self._sequence(depth))
        return ways[0] if len(ways) == 1 else _Choice(tuple(ways))

    def _sequence(self, depth: int) -> _Node:
        parts: list[_Node] = []
        while self._next() not in ("", "|", ")"):
            parts.append(self._repeated(self._atom(depth)))
        return _Sequence(tuple(parts))

    def _repeated(self, node: _Node) -> _Node:
        times = _TIMES.get(self._next())
        if times is not None:
            self._take()
        elif self._next() == "{":
            times = self._counted()
        if times is None:
            return node
        self._skips("?")  # as few as possible: what is found is found
        if self._next() in (*_TIMES, "{"):
            raise PatternInvalid("The expression repeats a repetition; use ( ) around it.")
        return _Repeat(node, *times)

    def _counted(self) -> tuple[int, int | None]:
        inside, closed, _ = self.source[self.at + 1 :].partition("}")
        low, comma, high = inside.partition(",")
        if not closed or not (low + high).isdecimal() or not low or len(inside) > 7:
            raise PatternInvalid("Write how often as {2}, {2,} or {2,5}.")
        self.at += len(inside) + 2
        least, most = int(low), int(high) if high else None if comma else int(low)
        if most is not None and most < least:
            raise PatternInvalid("Write the smaller number first, as in {2,5}.")
        return least, most

    def _atom(self, depth: int) -> _Node:
        char = self._take()
        if char == "(":
            if self._next() == "?" and not self._skips("?:"):
                raise PatternInvalid("Of groups that begin with (? only (?: is understood.")
            node = self._choice(depth + 1)
            if not self._skips(")"):
                raise PatternInvalid("The expression has a ( without its ).")
            return node
        if char in "*+?{":
            raise PatternInvalid(f"The expression has nothing before {char} to repeat.")
        if char == "[":
            return self._set()
        if char == "\\":
            return self._escaped()
        if char in "^$":
            return _Place("start" if char == "^" else "end")
        return _ANY if char == "." else _Chars(singles=char)

    def _escaped(self) -> _Chars:
        char = self._take()
        if char in _CLASSES:
            return _Chars(classes=char)
        if char.isascii() and char.isalnum():
            raise PatternInvalid(f"\\{char} is not understood; \\d, \\w, \\s and signs are.")
        return _Chars(singles=char)

    def _set(self) -> _Chars:
        negated = self._skips("^")
        singles, classes = "", ""
        ranges: list[tuple[str, str]] = []
        first = True
        while first or self._next() != "]":
            first = False
            piece = self._escaped() if self._skips("\\") else _Chars(singles=self._take())
            classes += piece.classes
            if piece.singles and self._next() == "-" and self.source[self.at + 1 :][:1] != "]":
                self._take()
                ranges.append((piece.singles, self._range_end(piece.singles)))
            else:
                singles += piece.singles
        self._take()
        return _Chars(singles, tuple(ranges), classes, negated)

    def _range_end(self, low: str) -> str:
        end = self._escaped() if self._skips("\\") else _Chars(singles=self._take())
        if not end.singles or end.singles < low:
            raise PatternInvalid(f"The range that begins with {low} in [ ] has no end after it.")
        return end.singles


# --- matching it


@dataclass(slots=True)
class _State:
    """Goes on by a character of `chars`, or at once, if the place is right."""

    chars: _Chars | None = None
    at: str = ""
    then: list[int] = field(default_factory=list)


class _Machine:
    """The states of an expression."""

    def __init__(self, node: _Node) -> None:
        self.states: list[_State] = []
        self.start = self._new()
        self.goal = self._add(node, self.start)

    def found_in(self, text: str) -> bool:
        """Whether any part of the text matches."""
        here: set[int] = set()
        for place in range(len(text) + 1):
            here = self._closed({*here, self.start}, place, len(text))
            if self.goal in here:
                return True
            if place < len(text):
                here = {
                    then
                    for state in map(self.states.__getitem__, here)
                    if state.chars is not None and state.chars.holds(text[place])
                    for then in state.then
                }
        return False

    def _closed(self, states: Iterable[int], place: int, end: int) -> set[int]:
        """With all that is reached from there without a character."""
        reached: set[int] = set()
        waiting = list(states)
        while waiting:
            number = waiting.pop()
            if number in reached:
                continue
            reached.add(number)
            state = self.states[number]
            fits = not state.at or place == (0 if state.at == "start" else end)
            if state.chars is None and fits:
                waiting.extend(state.then)
        return reached

    def _new(self, chars: _Chars | None = None, at: str = "") -> int:
        if len(self.states) >= _MAX_STATES:
            raise PatternInvalid("This expression is too large; repeat less.")
        self.states.append(_State(chars, at))
        return len(self.states) - 1

    def _link(self, source: int, target: int) -> int:
        self.states[source].then.append(target)
        return target

    def _add(self, node: _Node, start: int) -> int:
        """Put a part behind a state; the state it ends in."""
        if isinstance(node, _Sequence):
            for part in node.parts:
                start = self._add(part, start)
            return start
        if isinstance(node, _Choice):
            goal = self._new()
            for way in node.ways:
                self._link(self._add(way, self._link(start, self._new())), goal)
            return goal
        if isinstance(node, _Repeat):
            return self._repeat(node, start)
        state = self._new(node) if isinstance(node, _Chars) else self._new(at=node.at)
        return self._link(self._link(start, state), self._new())

    def _repeat(self, node: _Repeat, start: int) -> int:
        for _ in range(node.least):
            start = self._add(node.part, start)
        if node.most is None:
            loop = self._link(start, self._new())
            self._link(self._add(node.part, self._link(loop, self._new())), loop)
            return self._link(loop, self._new())
        goal = self._new()
        self._link(start, goal)
        for _ in range(node.most - node.least):
            start = self._add(node.part, self._link(start, self._new()))
            self._link(start, goal)
        return goal


@lru_cache(maxsize=500)
def _compiled(source: str) -> _Machine:
    return _Machine(_Reader(source).expression())
