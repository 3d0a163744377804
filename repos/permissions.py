"""decide(): the only authority on who may do what with a repository, and why.

`visible_to` is its set form; a test proves that the two agree. Rules: contract.md, *Words in
answers*; security.md, 4.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from django.db.models import Q, QuerySet

from accounts.models import Membership, Namespace
from accounts.types import ANONYMOUS, Principal
from core.errors import Denied, NotFound, Unauthenticated
from repos.models import Collaborator, Repository, Role, TeamGrant

Action = Literal["see", "pull", "push", "delete", "administer", "star", "comment"]
_ACTIONS: tuple[Action, ...] = get_args(Action)
Outcome = Literal["allow", "deny", "invisible"]

_RANK = {"": 0, Role.READ.value: 1, Role.WRITE.value: 2, Role.ADMIN.value: 3}
_NEEDS: dict[str, str] = {
    "see": Role.READ,
    "pull": Role.READ,
    "star": Role.READ,
    "comment": Role.READ,
    "push": Role.WRITE,
    "delete": Role.WRITE,
    "administer": Role.ADMIN,
}
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


@dataclass(frozen=True, slots=True)
class Held:
    """A role and where it comes from."""

    role: str
    source: str


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
    role = max((h.role for h in held), key=_RANK.__getitem__, default="")
    token = principal.token_actions(repository.path)
    if not repository.is_public and (not role or (principal.is_limited and not token)):
        return Decision("invisible", "not_found", reasons=("There is no such repository.",))
    needed = _NEEDS[action]
    effective = max(role, Role.READ.value if repository.is_public else "", key=_RANK.__getitem__)
    anonymous_needs_account = principal.is_anonymous and action not in ("see", "pull")
    if anonymous_needs_account or _RANK[effective] < _RANK[needed]:
        return _role_missing(principal, action, repository, effective)
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


def held_roles(principal: Principal, repository: Repository) -> list[Held]:
    """Every role this person holds here, without visibility and without the token's limits."""
    if principal.is_anonymous:
        return []
    namespace = repository.namespace
    if namespace.user_id == principal.user_id:
        return [Held(Role.ADMIN, f"you own the namespace {namespace.name}")]
    if namespace.kind == Namespace.Kind.LIBRARY and principal.is_superuser:
        return [Held(Role.ADMIN, "administrators keep the library")]
    held = [
        Held(role, f"collaborator with the role {role}")
        for role in Collaborator.objects.filter(
            repository=repository, user_id=principal.account_id
        ).values_list("role", flat=True)
    ]
    if namespace.organization_id is None:
        return held
    if Membership.objects.filter(
        organization_id=namespace.organization_id,
        user_id=principal.account_id,
        role=Membership.Role.OWNER,
    ).exists():
        held.append(Held(Role.ADMIN, f"owner of the organization {namespace.name}"))
    held += [
        Held(role, f"team {team} with the role {role}")
        for role, team in TeamGrant.objects.filter(
            repository=repository, team__memberships__user_id=principal.account_id
        ).values_list("role", "team__name")
    ]
    return held


def may_create(principal: Principal, namespace: Namespace) -> bool:
    """Whether a repository may be made in this namespace, by hand or by a first push."""
    if principal.is_anonymous:
        return False
    if namespace.kind == Namespace.Kind.LIBRARY:
        return principal.is_superuser
    if namespace.user_id is not None:
        return namespace.user_id == principal.user_id
    return Membership.objects.filter(
        organization__namespace=namespace,
        user_id=principal.account_id,
        role=Membership.Role.OWNER,
    ).exists()


def visible_to(principal: Principal) -> QuerySet[Repository]:
    """Every active repository `decide(…, "see", …)` allows; the base of every list."""
    repositories = Repository.objects.filter(state=Repository.State.ACTIVE)
    if principal.is_anonymous:
        return repositories.filter(visibility="public")
    if principal.scopes is not None:
        return repositories.filter(Q(visibility="public") | Q(pk__in=_in_scope(principal)))
    return repositories.filter(Q(visibility="public") | Q(pk__in=member_ids(principal)))


def find_visible(principal: Principal, path: str) -> Repository | None:
    """The repository at a path if `decide(…, "see", …)` allows it.

    Absent and invisible take the same one query, and so the same time.
    """
    reach = principal
    if principal.is_limited:
        reach = replace(principal, scopes=None) if principal.token_actions(path) else ANONYMOUS
    return visible_to(reach).select_related("namespace").filter(path=path).first()


def member_ids(principal: Principal) -> QuerySet[Repository, int]:
    """Ids of the repositories this person holds a role on."""
    user = principal.account_id
    owned = Q(namespace__user_id=user) | Q(
        namespace__organization__in=Membership.objects.filter(
            user_id=user, role=Membership.Role.OWNER
        ).values("organization")
    )
    if principal.is_superuser:
        owned |= Q(namespace__kind=Namespace.Kind.LIBRARY)
    shared = Q(pk__in=Collaborator.objects.filter(user_id=user).values("repository")) | Q(
        pk__in=TeamGrant.objects.filter(team__memberships__user_id=user).values("repository")
    )
    return Repository.objects.filter(owned | shared).values_list("pk", flat=True)


def _in_scope(principal: Principal) -> list[int]:
    """Globs do not translate to SQL on both engines; a person's own list is short."""
    mine = Repository.objects.filter(pk__in=member_ids(principal)).values_list("pk", "path")
    return [pk for pk, path in mine if principal.token_actions(path)]


def _token_allows(token: frozenset[str], action: Action, repository: Repository) -> bool:
    needed = _TOKEN_NEEDS[action]
    if action in ("see", "pull") and repository.is_public:
        return True
    return needed is not None and (needed in token or (action == "see" and bool(token)))


def _role_missing(
    principal: Principal, action: Action, repository: Repository, role: str
) -> Decision:
    needed = _NEEDS[action]
    if principal.is_anonymous:
        return Decision("deny", "sign_in", role, ("Sign in to do this.",))
    return Decision(
        "deny",
        "role_missing",
        role,
        (
            f"This needs the role {needed} on {repository.path}; yours is {role}. "
            f"An administrator of {repository.namespace.name} can give it to you.",
        ),
    )
