"""Asking for a role on a repository, and answering.

Whoever asks learns nothing about what exists: asking writes the same event whether there is such a
repository or not, and the rest happens when the event is dispatched.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Membership, User
from accounts.services.credentials import principal_of
from accounts.services.mail import post
from accounts.types import Principal
from core.errors import Conflict, Denied, Invalid, NotFound, RateLimited, Unauthenticated
from events.models import Event
from events.services import audit, record
from events.types import Actor
from repos.models import AccessRequest, Collaborator, Repository, Role
from repos.permissions import decide, had_path
from repos.permissions.roles import RANK
from repos.services.collaborators import grant_role

ASKED = "access.asked"
MAX_MESSAGE = 500
ASKS_A_DAY = 10
MAILS = 10
_NEEDS = {Role.READ: "pull", Role.WRITE: "push", Role.ADMIN: "administer"}


def ask(principal: Principal, path: str, *, role: str, message: str = "") -> None:
    """Ask for a role on whatever is at a path.

    Raises Unauthenticated, Denied for robots and for who has not confirmed their address, Invalid,
    RateLimited after ten a day.
    """
    if principal.is_anonymous:
        raise Unauthenticated("Sign in to ask for access.")
    if principal.is_robot or not principal.is_verified:
        raise Denied("Only people with a confirmed email address can ask for access.", code="ROBOT")
    if role not in Role.values:
        raise Invalid("A role is read, write or admin.", code="ROLE_INVALID")
    message = " ".join(message.replace("\0", "").split())
    if len(message) > MAX_MESSAGE:
        raise Invalid(f"Say it in at most {MAX_MESSAGE} characters.")
    with transaction.atomic():
        since = timezone.now() - timedelta(days=1)
        mine = Event.objects.filter(
            kind=ASKED, actor_id=principal.account_id, occurred_at__gt=since
        )
        if mine.count() >= ASKS_A_DAY:
            raise RateLimited(
                f"You asked {ASKS_A_DAY} times today; wait for answers, or ask tomorrow.",
                detail={"retry_after_s": 3600},
            )
        payload = {"path": path[:255], "role": role, "message": message}
        record(ASKED, actor=principal.actor, payload=payload)


def take_up(event: Event) -> None:
    """Handler: make the request if there is such a repository and the person has no such role."""
    if event.kind != ASKED:
        return
    asked = event.payload
    repository = _find(asked["path"])
    user = User.objects.filter(pk=event.actor_id or 0, is_active=True).first()
    if repository is None or user is None:
        return
    if decide(principal_of(user), _NEEDS[Role(asked["role"])], repository).allowed:  # type: ignore[arg-type]
        return
    values = {"role": asked["role"], "message": asked["message"]}
    try:
        with transaction.atomic():
            row, made = AccessRequest.objects.get_or_create(
                repository=repository, user=user, state=AccessRequest.State.OPEN, defaults=values
            )
    except IntegrityError:
        return  # somebody dispatched another one meanwhile; one open request is enough
    if not made:
        AccessRequest.objects.filter(pk=row.pk).update(**values)
        return
    _note("access.requested", row, Actor(user.pk, user.username), {"role": row.role})
    context = {"who": user.username, "path": repository.path, "role": row.role}
    for address in _administrators(repository):
        post(address, "access_requested", context | {"message": row.message})


def _find(path: str) -> Repository | None:
    """What has this path, or had it; nobody waits for the answer, so it tells nothing."""
    rows = Repository.objects.select_related("namespace__organization", "namespace__user")
    active = rows.filter(state=Repository.State.ACTIVE)
    return active.filter(path=path).first() or active.filter(had_path(path)).first()


def list_open(repository: Repository) -> list[AccessRequest]:
    """What waits for an answer, oldest first."""
    rows = AccessRequest.objects.filter(repository=repository, state=AccessRequest.State.OPEN)
    return list(rows.select_related("user").order_by("id"))


def get_request(repository: Repository, pk: int) -> AccessRequest:
    """A request about this repository; raises NotFound."""
    rows = AccessRequest.objects.filter(repository=repository, pk=pk)
    found = rows.select_related("user", "repository__namespace__organization").first()
    if found is None:
        raise NotFound("There is no such request.")
    return found


def answer(request: AccessRequest, *, actor: Actor, granted: bool, role: str = "") -> AccessRequest:
    """Give the role (another one than was asked for, if it is named) or refuse it, and tell them.

    Raises Conflict if it was answered already, Invalid for a role that is none.
    """
    states = AccessRequest.State
    with transaction.atomic():
        mine = AccessRequest.objects.filter(pk=request.pk, state=states.OPEN)
        changed = mine.update(
            state=states.GRANTED if granted else states.REFUSED,
            decided_at=timezone.now(),
            decided_by_id=actor.id,
        )
        if not changed:
            raise Conflict("This request has been answered already.")
        request.refresh_from_db(fields=["state", "decided_at", "decided_by"])
        if granted:
            request.role = role or request.role
            _raise_role(request, actor)
        kind = "access.granted" if granted else "access.refused"
        _note(kind, request, actor, {"user": request.user.username, "role": request.role})
        context = {"path": request.repository.path, "role": request.role, "granted": granted}
        post(request.user.email, "access_answered", context)
    return request


def _raise_role(request: AccessRequest, actor: Actor) -> None:
    """Never lower: somebody may have given more meanwhile."""
    rows = Collaborator.objects.filter(repository=request.repository, user=request.user)
    has = rows.values_list("role", flat=True).first() or ""
    if RANK[has] < RANK[request.role]:
        grant_role(request.repository, request.user, request.role, actor=actor)
    AccessRequest.objects.filter(pk=request.pk).update(role=request.role)


def _note(kind: str, row: AccessRequest, actor: Actor, payload: dict[str, str]) -> None:
    repository = row.repository
    audit(
        kind,
        actor=actor,
        repository_id=repository.pk,
        repository_path=repository.path,
        namespace_id=repository.namespace_id,
        payload=payload,
    )


def _administrators(repository: Repository) -> list[str]:
    """Addresses of who can answer: the namespace's owners first, then administrators."""
    namespace = repository.namespace
    owners = User.objects.filter(
        memberships__organization_id=namespace.organization_id or 0,
        memberships__role=Membership.Role.OWNER,
    )
    if namespace.organization_id is None:
        owners = User.objects.filter(pk=namespace.user_id or 0)
    direct = Collaborator.objects.filter(repository=repository, role=Role.ADMIN)
    admins = User.objects.filter(pk__in=direct.values("user"))
    found = [
        *owners.filter(is_active=True).values_list("email", flat=True)[:MAILS],
        *admins.filter(is_active=True).values_list("email", flat=True)[:MAILS],
    ]
    return list(dict.fromkeys(address for address in found if address))[:MAILS]
