"""decide(): the only authority on who may do what with a repository, and why.

`lists.visible_to` is its set form; a test proves that the two agree. Rules: contract.md, *Words in
answers*; security.md, 4.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from accounts.models import Membership, Namespace
from accounts.types import Principal
from core.errors import Denied, NotFound, Unauthenticated
from repos.models import Repository, Role
from repos.permissions.roles import RANK, Held, held_roles, is_suspended

Action = Literal["see", "pull", "push", "delete", "administer", "star", "comment"]
_ACTIONS: tuple[Action, ...] = get_args(Action)
Outcome = Literal["allow", "deny", "invisible"]

_NEEDS: dict[str, str] = {
    "see": Role.READ,
    "pull": Role.READ,
    "star": Role.READ,
    "comment": Role.READ,
    "push": Role.WRITE,
    "delete": Role.WRITE,
    "administer": Role.ADMIN,
}
_PERSONAL = ("star", "comment", "administer")  # never done by a robot
_UNVERIFIED = (
    "Confirm your email address first; the link is in the mail you got, and the email page sends "
    "another."
)
# What a limited token must hold for an action; None: no limited token reaches it.
_TOKEN_NEEDS: dict[str, str | None] = {
    "see": "pull",
    "pull": "pull",
    "push": "push",
    "delete": "delete",
    "star": None,
    "comment": None,
    "administer": None,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided; `code` is a stable word, `reasons` plain sentences, first the main one."""

    outcome: Outcome
    code: str
    role: str = ""
    reasons: tuple[str, ...] = field(default_factory=tuple)

    @property
    def allowed(self) -> bool:
        """Whether the act may go ahead."""
        return self.outcome == "allow"


def decide(principal: Principal, action: Action, repository: Repository) -> Decision:
    """Whether `principal` may do `action` now: the smaller of role and credential.

    `invisible` means: answer as if the repository did not exist.
    """
    return _decide(principal, action, repository, held_roles(principal, repository))


def allowed_actions(principal: Principal, repository: Repository) -> set[Action]:
    """Every action `decide` would allow, for the price of one decision."""
    held = held_roles(principal, repository)
    return {a for a in _ACTIONS if _decide(principal, a, repository, held).allowed}


def _decide(
    principal: Principal, action: Action, repository: Repository, held: list[Held]
) -> Decision:
    role = max((h.role for h in held), key=RANK.__getitem__, default="")
    token = principal.token_actions(repository.path)
    if not repository.is_public and (not role or (principal.is_limited and not token)):
        return Decision("invisible", "not_found", reasons=("There is no such repository.",))
    needed = _NEEDS[action]
    effective = max(role, Role.READ.value if repository.is_public else "", key=RANK.__getitem__)
    anonymous_needs_account = principal.is_anonymous and action not in ("see", "pull")
    if anonymous_needs_account or RANK[effective] < RANK[needed]:
        return _role_missing(principal, action, repository, effective, held)
    if not principal.is_verified and (needed != Role.READ or action in _PERSONAL):
        return Decision("deny", "unverified", effective, (_UNVERIFIED,))
    if principal.is_robot and action in _PERSONAL:
        return Decision("deny", "robot", effective, ("Robots cannot do this; people can.",))
    if principal.is_limited and not _token_allows(token, action, repository):
        return Decision(
            "deny",
            "token_scope",
            effective,
            (
                f"Your access token does not allow {_TOKEN_NEEDS[action] or 'this'} on "
                f"{repository.path}; make a token with that scope on the tokens page.",
            ),
        )
    return Decision("allow", "ok", effective, tuple(h.source for h in held))


def require(principal: Principal, action: Action, repository: Repository) -> Decision:
    """`decide`, raising NotFound, Unauthenticated or Denied unless allowed."""
    decision = decide(principal, action, repository)
    if decision.allowed:
        return decision
    sentence = decision.reasons[0]
    if decision.outcome == "invisible":
        raise NotFound(sentence)
    if principal.is_anonymous:
        raise Unauthenticated("Sign in to do this.", reasons=decision.reasons)
    raise Denied(sentence, code=decision.code, reasons=decision.reasons)


def may_create(principal: Principal, namespace: Namespace) -> bool:
    """Whether a repository may be made in this namespace, by hand or by a first push."""
    if principal.is_anonymous or not principal.is_verified:
        return False
    if principal.is_robot:
        return principal.robot_of == namespace.pk and principal.robot_creates
    if namespace.kind == Namespace.Kind.LIBRARY:
        return principal.is_superuser
    organization = namespace.organization
    if organization is None:
        return namespace.user_id == principal.user_id
    if organization.second_factor_required and not principal.second_factor:
        return False
    memberships = Membership.objects.filter(organization=organization, user_id=principal.account_id)
    if not organization.members_create:
        memberships = memberships.filter(role=Membership.Role.OWNER)
    return memberships.exists()


def _token_allows(token: frozenset[str], action: Action, repository: Repository) -> bool:
    needed = _TOKEN_NEEDS[action]
    if action in ("see", "pull") and repository.is_public:
        return True
    return needed is not None and (needed in token or (action == "see" and bool(token)))


def _role_missing(
    principal: Principal, action: Action, repository: Repository, role: str, held: list[Held]
) -> Decision:
    needed = _NEEDS[action]
    if principal.is_anonymous:
        return Decision("deny", "sign_in", role, ("Sign in to do this.",))
    path, owner = repository.path, repository.namespace.name
    if is_suspended(principal, repository):
        trusted = held_roles(replace(principal, second_factor=True), repository)
        if any(RANK[h.role] >= RANK[needed] for h in trusted):
            sentence = (
                f"{owner} demands a second factor, and your account has none; turn it on on your "
                "security page."
            )
            return Decision("deny", "second_factor", role, (sentence,))
    sentence = (
        f"This needs the role {needed} on {path}; yours is {role}. "
        f"An administrator of {owner} can give it to you."
    )
    through = tuple(h.source for h in held) or ("everybody may read a public repository",)
    return Decision("deny", "role_missing", role, (sentence, *through))
