"""What security.md 4.2 to 4.6 says, as tables of its own: nothing here asks the product.

A caller is a person with a credential; a place is a repository. What somebody may do is what their
role there includes, as far as their kind of account and their credential go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Surface = Literal["page", "rest", "registry"]
Verdict = Literal["ok", "sign in", "denied", "hidden", "bad", "csrf"]

NEEDS = ("see", "star", "comment", "push", "delete", "administer")
INCLUDES: dict[str, frozenset[str]] = {
    "": frozenset(),
    "read": frozenset(NEEDS[:3]),
    "write": frozenset(NEEDS[:5]),
    "admin": frozenset(NEEDS),
}
# Roles by place; who is not named has none. Rows of world.py make them true.
_ACME = {
    "reader": "read",
    "writer": "write",
    "admin": "admin",
    "unverified": "admin",
    "tess": "write",  # through a team
    "tina": "write",  # reads as a collaborator, writes through a team
    "everywhere": "read",  # through a team with a role on all repositories
    "olga": "admin",  # owns the organization
    "acme+ci": "write",  # a robot with the role on all of its namespace
    "acme+puller": "read",  # a robot with the role here
}
_ALICE = {"alice": "admin", "writer": "write", "alice+ci": "read"}
_BASE = {"bert": "admin", "bea": "write"}  # members have a base role
_VAULT = {"viktor": "admin", "vault+ci": "write"}  # a second factor is required
_LIBRARY = {"root": "admin", "opener": "admin"}
PLACES: dict[str, dict[str, str]] = {
    "acme/open": _ACME,
    "acme/closed": {**_ACME, "opener": "read"},
    "alice/open": _ALICE,
    "alice/closed": _ALICE,
    "base/open": _BASE,
    "base/closed": _BASE,
    "vault/open": _VAULT,
    "vault/closed": {**_VAULT, "opener": "read"},
    "library/open": _LIBRARY,
    "library/closed": _LIBRARY,
}
MAIN = ("acme/open", "acme/closed")
ROBOTS = frozenset({"acme+ci", "acme+puller", "acme+idle", "alice+ci", "vault+ci"})
SUPERUSERS = frozenset({"root", "opener"})
MEMBERS = frozenset({"member", "tess", "tina", "everywhere", "olga"})  # of acme
OWNERS = frozenset({"olga"})  # of acme
SUSPENDED = frozenset({"vera", "reader"})  # in vault, for want of a second factor
AUTHOR = "reader"  # of the comment in every repository

# Who may make repositories in a namespace; a robot there by a push or by REST.
CREATORS: dict[str, frozenset[str]] = {
    "acme": frozenset({"olga", "acme+puller"}),
    "alice": frozenset({"alice"}),
    "base": frozenset({"bert", "bea"}),  # members may
    "vault": frozenset({"viktor"}),  # members with a second factor may
    "library": SUPERUSERS,
    "unverified": frozenset(),  # of somebody whose address is not confirmed
}

# Scopes of limited tokens by credential: where they reach, and what they may do there.
LIMITS: dict[str, tuple[str, str]] = {
    "pull token": ("acme/*", "pull"),
    "push token": ("acme/*", "pull,push"),
    "full token": ("acme/*", "pull,push,delete"),
    "blind token": ("acme/*", "push"),
    "other token": ("elsewhere/*", "pull,push,delete"),
}
SCOPED = {"pull": "see", "push": "push", "delete": "delete"}
BAD = ("expired token", "revoked token", "wrong token", "wrong password")
SESSIONS = ("session", "no csrf")
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True)
class Caller:
    """One column: a person with a credential."""

    person: str
    how: str = "nothing"

    def __str__(self) -> str:
        return self.person if self.how == "nothing" else f"{self.person}, {self.how}"

    def who(self, surface: Surface) -> str:
        """The person this surface takes the caller for; "" for nobody."""
        if self.person == "nobody" or (self.person == "gone" and self.how in SESSIONS):
            return ""
        if surface == "page":
            return self.person if self.how in SESSIONS else ""
        if surface == "registry" and self.how in SESSIONS:
            return ""
        return self.person

    def is_bad(self, surface: Surface) -> bool:
        """Whether the credential itself is refused."""
        if surface == "page" or self.how in SESSIONS:
            return False
        return self.how in BAD or self.person == "gone"


NOBODY = Caller("nobody")


def may(caller: Caller, surface: Surface, place: str) -> frozenset[str]:
    """All this caller may do at a place; without `see` it does not exist for them."""
    who = caller.who(surface)
    public = frozenset({"see"} if place.endswith("/open") else ())
    role = PLACES[place].get(who, "")
    if not who:
        return public
    granted = INCLUDES[role] | (INCLUDES["read"] if public else frozenset())
    if who == "unverified":
        granted &= {"see"}
    if who in ROBOTS:
        granted -= {"star", "comment", "administer"}
    if caller.how in LIMITS:
        glob, actions = LIMITS[caller.how]
        reaches = place.startswith(glob.removesuffix("*"))
        scoped = {SCOPED[action] for action in actions.split(",")} if reaches else set()
        seen = {"see"} if scoped and surface != "registry" else set()
        granted &= scoped | seen
    return granted | public


def reason(caller: Caller, surface: Surface, need: str, place: str) -> str:
    """The code of a refusal: the first that applies of role, address, robot and token."""
    if need in ("author", "moderate"):
        if _on_repository(caller, surface, "comment", place) == "ok":
            return "not_author" if need == "author" else ""
        need = "comment"
    if need == "own":
        if _on_repository(caller, surface, "administer", place) == "ok":
            return "not_owner"
        need = "administer"
    role = PLACES[place].get(caller.who(surface), "")
    held = INCLUDES[role] | (INCLUDES["read"] if place.endswith("/open") else frozenset())
    if need not in held:
        suspended = place.startswith("vault/") and caller.person in SUSPENDED
        return "second_factor" if suspended else "role_missing"
    if caller.person == "unverified":
        return "unverified"
    return "robot" if caller.person in ROBOTS else "token_scope"


def verdict(caller: Caller, surface: Surface, method: str, need: str, place: str) -> Verdict:
    """How a request ends."""
    if need == "open":  # nobody's credential is looked at, a bad one neither
        return "ok"
    if caller.is_bad(surface):
        return "bad"
    # A session of REST counts for somebody; an anonymous one has nothing to forge.
    forged = caller.how == "no csrf" and surface != "registry"
    if forged and method in UNSAFE and (surface == "page" or caller.who(surface)):
        return "csrf"
    if need in NEEDS:
        return _on_repository(caller, surface, need, place)
    if need in ("author", "moderate"):
        return _on_comment(caller, surface, need, place)
    if need == "own":  # administers it, and owns the namespace it is in
        able = _on_repository(caller, surface, "administer", place)
        return "denied" if able == "ok" and caller.who(surface) not in OWNERS else able
    return _elsewhere(caller, caller.who(surface), need)


def _on_repository(caller: Caller, surface: Surface, need: str, place: str) -> Verdict:
    able = may(caller, surface, place)
    if need in able:
        return "ok"
    if not able & {"see", *SCOPED.values()}:
        return "hidden"
    return "denied" if caller.who(surface) else "sign in"


def _on_comment(caller: Caller, surface: Surface, need: str, place: str) -> Verdict:
    """On a comment of `reader`: theirs alone to change; administrators may delete it too."""
    commenting = _on_repository(caller, surface, "comment", place)
    moderates = need == "moderate" and "administer" in may(caller, surface, place)
    if commenting != "ok" or caller.who(surface) == AUTHOR or moderates:
        return commenting
    return "denied"


def _elsewhere(caller: Caller, who: str, need: str) -> Verdict:
    """Needs that no repository decides."""
    if need.startswith("create:"):
        return _creating(caller, who, need.partition(":")[2])
    limited = caller.how in LIMITS
    person = bool(who) and who not in ROBOTS and not limited
    refused: Verdict = "denied" if who else "sign in"
    inside = limited or who in ROBOTS or who in MEMBERS
    endings: dict[str, tuple[bool, Verdict]] = {
        "anyone": (True, "ok"),
        "login": (bool(who), "sign in"),  # whatever the credential
        "identity": (bool(who) and not limited, refused),  # robots have one too
        "account": (person, refused),
        "member": (who in MEMBERS and not limited, "denied" if limited else "hidden"),
        # The same on a page, where nobody is asked to sign in.
        "inside": (who in MEMBERS, "hidden" if who else "sign in"),
        "owner": (person and who in OWNERS, refused),
        # Of what only owners may know: members are refused, people from outside find nothing.
        "manager": (person and who in OWNERS, refused if inside or not who else "hidden"),
        "superuser": (person and who in SUPERUSERS, "hidden"),
    }
    may_go_on, otherwise = endings[need]
    return "ok" if may_go_on else otherwise


def _creating(caller: Caller, who: str, namespace: str) -> Verdict:
    if not who:
        return "sign in"
    glob, actions = LIMITS.get(caller.how, (f"{namespace}/*", "push"))
    reaches = glob == f"{namespace}/*" and "push" in actions.split(",")
    return "ok" if who in CREATORS[namespace] and reaches else "denied"


STATUS: dict[Surface, dict[Verdict, int]] = {
    "page": {"sign in": 302, "denied": 403, "hidden": 404, "csrf": 403},
    "rest": {"sign in": 401, "denied": 403, "hidden": 404, "bad": 401, "csrf": 403},
    "registry": {"sign in": 401, "denied": 403, "hidden": 401, "bad": 401},
}


def _with(how: str, *people: str) -> tuple[Caller, ...]:
    return tuple(Caller(person, how) for person in people)


_EVERYBODY = ("stranger", "reader", "writer", "admin", "member", "tess", "olga", "root", "gone")
_FARTHER = (
    *("tina", "everywhere", "opener", "unverified"),
    *("alice", "bert", "bea", "vera", "viktor", "retired"),
)
_ROBOTS = ("acme+puller", "acme+idle", "alice+ci", "vault+ci")
COLUMNS: dict[Surface, tuple[Caller, ...]] = {
    "page": (
        NOBODY,
        *_with("session", *_EVERYBODY),
        *_with("no csrf", "olga"),
    ),
    "rest": (
        NOBODY,
        *_with("token", *_EVERYBODY, "acme+ci"),
        *_with("password", "writer"),
        *_with("session", "olga"),
        *_with("no csrf", "olga"),
        *(Caller("olga", how) for how in ("pull token", "other token", "expired token")),
    ),
    "registry": (
        NOBODY,
        *_with("token", *_EVERYBODY, "acme+ci"),
        *_with("bearer", "stranger", "writer"),
        *_with("session", "olga"),
        *(Caller("olga", how) for how in ("pull token", "other token", "expired token")),
    ),
}
# Besides, where a row is asked at every place.
FARTHER: dict[Surface, tuple[Caller, ...]] = {
    "page": (
        *_with("session", *_FARTHER),
        *_with("no csrf", "nobody", "admin"),
        *_with("token", "admin"),
    ),
    "rest": (
        *_with("token", *_FARTHER, *_ROBOTS),
        *_with("basic token", "writer", "acme+ci"),
        *_with("session", "gone"),
        *(Caller("olga", how) for how in ("full token", "push token", "blind token")),
        *(Caller("olga", how) for how in ("revoked token", "wrong token", "wrong password")),
    ),
    "registry": (
        *_with("token", *_FARTHER, *_ROBOTS),
        *_with("password", "writer"),
        *_with("basic token", "writer"),
        *_with("bearer", "reader", "acme+ci"),
        *(Caller("olga", how) for how in ("full token", "push token", "blind token")),
        *(Caller("olga", how) for how in ("revoked token", "wrong token", "wrong password")),
    ),
}
_OUTSIDE = ("nobody", "stranger", "reader", "writer", "root", "opener", "retired", "vera")


def matters(caller: Caller, place: str) -> bool:
    """Whether a place may tell more of a caller than the two that everybody is asked about."""
    if place in ("", *MAIN):
        return True
    people = {*PLACES[place], *_OUTSIDE, *ROBOTS}
    return caller.person in people and caller.how in ("nothing", "token", "session")
