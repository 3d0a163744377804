"""Asking every cell and comparing with the rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hubsite.roles import HUB
from tests.matrix import routes_pages, routes_registry, routes_rest
from tests.matrix.rules import NEEDS, STATUS, UNSAFE, Caller, Surface, reason, verdict
from tests.matrix.table import FILL, METHODS, Row, cells, fill_pattern, rows_of
from tests.matrix.world import World, undone

ROWS: dict[Surface, list[Row]] = {
    "page": routes_pages.ROWS,
    "rest": routes_rest.ROWS,
    "registry": routes_registry.ROWS,
}
FILES: dict[Surface, str] = {
    "page": "routes_pages.py",
    "rest": "routes_rest.py",
    "registry": "routes_registry.py",
}
REASONED = (*NEEDS, "author", "moderate", "own")  # what a repository's roles decide
# allauth's views take any unsafe method for a POST; a row of that speaks for all.
FRAMEWORK = "accounts/"
# A method that all of these get another answer to than 405 is one that is offered.
ASKING: dict[Surface, tuple[Caller, ...]] = {
    "page": (Caller("olga", "session"), Caller("root", "session")),
    "rest": (Caller("olga", "token"), Caller("root", "token")),
    "registry": (Caller("olga", "token"), Caller("root", "token")),
}
NOTHING = "11111111-1111-4111-8111-111111111111"


def expected(row: Row, place: str, caller: Caller) -> tuple[int, str]:
    """The status, and for a refusal its code."""
    surface = row.surface
    who = caller.who(surface)
    how = verdict(caller, surface, row.method, row.need, place)
    if how != "csrf" and str(caller) in row.but:
        return row.but[str(caller)], ""
    if how == "ok":
        groups = (who, "signed in") if who else ("nobody",)
        return next((row.but[g] for g in groups if g in row.but), row.ok), ""
    if how == "hidden" and "v1/" in row.pattern:  # 404, but nobody is asked to sign in first
        return 401 if not who and (row.method in UNSAFE or "index" in row.note) else 404, ""
    code = (
        reason(caller, surface, row.need, place) if how == "denied" and row.need in REASONED else ""
    )
    return STATUS[surface][how], code


def ask(world: World, row: Row, place: str, caller: Caller) -> Any:
    """The answer; what it changed is undone."""
    address = world.fill(row.address(), place)
    data = row.data if callable(row.data) else json.loads(world.fill(json.dumps(row.data), place))
    method = "GET" if row.method == "*" else row.method
    with undone():
        if row.surface == "page":
            return world.page(caller, method, address, data)
        if row.surface == "rest":
            return world.rest(caller, method, address, data)
        return row.data(world, caller, place, method)


def status_of(answer: Any) -> int:
    """Of a page, a REST answer, or one of the lane."""
    return int(answer.status if hasattr(answer, "fixed") else answer.status_code)


def problems(world: World, surface: Surface, pattern: str) -> Iterator[str]:
    """A line for each cell of a pattern that is not as the rules say."""
    for row, place, caller in cells(ROWS[surface], pattern):
        found = judge(world, row, place, caller)
        if found:
            yield found


def judge(world: World, row: Row, place: str, caller: Caller) -> str:
    """What is wrong with one cell, or nothing."""
    status, code = expected(row, place, caller)
    answer = ask(world, row, place, caller)
    found = status_of(answer)
    where = f"{row} at {world.fill(row.address(), place)} by {caller}"
    if found != status and (status or found >= 500):
        return f"{where}: {found}, and should be {status}"
    if row.surface == "rest" and found >= 400 and row.method != "HEAD":
        return _of_problem(where, answer, code)
    if row.surface == "page" and found == 302 and not caller.who("page"):
        target = answer["Location"]
        if row.ok != 302 and "/accounts/login/" not in target and "nobody" not in row.but:
            return f"{where}: leads to {target}, and should lead to sign in"
    return ""


def _of_problem(where: str, answer: Any, code: str) -> str:
    """A problem document says what is missing; 401 and 403 say why."""
    body = answer.json()
    if answer["Content-Type"] != "application/problem+json":
        return f"{where}: no problem document"
    if body["status"] != answer.status_code or not {"type", "title", "code", "detail"} <= set(body):
        return f"{where}: an incomplete problem document"
    if (answer.status_code in (401, 403)) != bool(body.get("reasons")):
        return f"{where}: reasons come with 401 and 403, and with nothing else"
    if answer.status_code == 401 and "WWW-Authenticate" not in answer:
        return f"{where}: a 401 without WWW-Authenticate"
    if code and body["code"] != code:
        return f"{where}: refused with {body['code']}, and should be with {code}"
    return ""


def unlisted(world: World, surface: Surface, pattern: str) -> Iterator[str]:
    """A line for each method that a pattern answers and the table does not have."""
    rows = rows_of(ROWS[surface], pattern)
    listed = {row.method for row in rows}
    if "*" in listed:
        return
    place = "acme/open"
    sample = rows[0].address() if rows else f"/{fill_pattern(pattern)}"
    address = world.fill(sample, place).replace("{uid}", NOTHING)
    for method in METHODS:
        if method in listed or (method == "HEAD" and "GET" in listed):
            continue
        if method not in ("GET", "POST") and pattern.startswith(FRAMEWORK):
            continue
        found = [_plain_answer(world, caller, method, address) for caller in ASKING[surface]]
        if 405 not in found:
            yield (
                f"{method} {pattern} has no row ({address} answers {found}, and should answer 405 "
                f"or be in the table). Add to tests/matrix/{FILES[surface]} a line like\n    "
                f"{_line(surface, method, pattern)}"
            )


def _plain_answer(world: World, caller: Caller, method: str, address: str) -> int:
    surface = "page" if caller.how == "session" else "rest"
    ask_plain = {"page": world.page, "rest": world.rest, "registry": world.registry}
    if address.startswith(HUB.prefixes):
        surface = "registry"
    with undone():
        return status_of(ask_plain[surface](caller, method, address))


def _line(surface: Surface, method: str, pattern: str) -> str:
    if surface == "registry":
        return f'lane("{method}", r"{pattern}", "<need>", <status>, at="<address>")'
    below = "repositories/<namespace:namespace>/<name:name>"
    shown = pattern.removeprefix("api/").replace(below, "~") if surface == "rest" else pattern
    parts = [p for p in ("pk", "id") if f":{p}>" in pattern]
    fill = "".join(f', {p}="{{<word of World.ids>}}"' for p in parts)
    return f'{surface}("{method}", "{shown}", "<need>", <status>{fill})'


__all__ = ["FILL", "ROWS", "ask", "expected", "judge", "problems", "unlisted"]
