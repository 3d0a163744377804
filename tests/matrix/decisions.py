"""The same table asked of `decide` and `may_create` themselves: no view stands in between."""

from __future__ import annotations

from collections.abc import Iterator

from accounts.models import Namespace
from repos.models import Repository
from repos.permissions import Decision, allowed_actions, decide, may_create
from tests.matrix.rules import (
    COLUMNS,
    CREATORS,
    FARTHER,
    LIMITS,
    NEEDS,
    PLACES,
    Caller,
    Surface,
    matters,
    reason,
    verdict,
)
from tests.matrix.world import World

_OUTCOMES = {"ok": "allow", "denied": "deny", "sign in": "deny", "hidden": "invisible"}
_LEAST = {"see": "read", "star": "read", "comment": "read", "push": "write", "delete": "write"}
_EVERYBODY = "everybody may read a public repository"


def callers() -> list[Caller]:
    """Those whose credential is good."""
    hows = ("nothing", "token", *LIMITS)
    return [c for c in (*COLUMNS["rest"], *FARTHER["rest"]) if c.how in hows and c.person != "gone"]


def wrong_decisions(world: World) -> Iterator[str]:
    """A line for each decision that is not as the rules say."""
    rows = Repository.objects.select_related("namespace__organization").in_bulk(field_name="path")
    for caller in callers():
        principal = world.principal(caller)
        for place in PLACES:
            if not matters(caller, place) and caller.how not in LIMITS:
                continue
            allowed = allowed_actions(principal, rows[place])
            for action in (*NEEDS, "pull"):
                decision = decide(principal, action, rows[place])
                found = _judge(caller, action, place, decision)
                if not found and decision.allowed != (action in allowed):
                    found = "allowed_actions says otherwise"
                if found:
                    yield f"{action} {place} by {caller}: {found} in {decision}"
        for name in CREATORS:
            may = may_create(principal, Namespace.objects.get(name=name))
            if may != (caller.person in CREATORS[name]):  # scopes are looked at by who asks
                yield f"create in {name} by {caller}: {may}"


def _judge(caller: Caller, action: str, place: str, decision: Decision) -> str:
    surface: Surface = "registry" if action == "pull" else "rest"
    need = "see" if action == "pull" else action
    how = verdict(caller, surface, "GET", need, place)
    if decision.outcome != _OUTCOMES[how]:
        return f"should be {_OUTCOMES[how]}"
    role = PLACES[place].get(caller.who(surface), "")
    if how == "ok":
        best = role or "read"
        return "" if (decision.code, decision.role) == ("ok", best) else f"should be as {best}"
    if how == "hidden":
        return "" if decision.code == "not_found" else "should be not_found"
    code = "sign_in" if how == "sign in" else reason(caller, surface, need, place)
    if decision.code != code:
        return f"should be {code}"
    return _judge_reasons(caller, action, place, decision)


def _judge_reasons(caller: Caller, action: str, place: str, decision: Decision) -> str:
    first, *through = decision.reasons
    if decision.code == "role_missing":
        least = _LEAST.get(action, "admin")
        if not first.startswith(f"This needs the role {least} on {place}; yours is "):
            return "another sentence"
        holds = caller.person in PLACES[place]
        if (through == [_EVERYBODY]) == holds or not through:
            return "should say where the role comes from"
    if decision.code == "token_scope":
        word = {"see": "pull", "pull": "pull", "push": "push", "delete": "delete"}
        if f"does not allow {word.get(action, 'this')} on {place};" not in first:
            return "should name what the token lacks"
    return ""
