"""Which of some people may see a repository: `lists.visible_each` turned round, in one query."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from accounts.models import Membership, Namespace, TeamMembership, User
from repos.models import Collaborator, Opening, Repository, TeamGrant


def who_may_see(repository: Repository, user_ids: Iterable[int]) -> set[int]:
    """Those of these people, in use and no robots, whom `decide(…, "see", …)` allows it."""
    people = User.objects.filter(pk__in=list(user_ids), is_active=True, robot_namespace=None)
    if not repository.is_active:
        return set()
    if not repository.is_public:
        people = people.filter(_held(repository))
    return set(people.values_list("pk", flat=True))


def _held(repository: Repository) -> Q:
    who, owner = OuterRef("pk"), repository.namespace
    held = Q(Exists(Collaborator.objects.filter(repository=repository, user_id=who)))
    held |= Q(
        Exists(TeamGrant.objects.filter(repository=repository, team__memberships__user_id=who))
    )
    if owner.organization is not None:
        counts = Q(role=Membership.Role.OWNER) | ~Q(organization__base_role="")
        members = Membership.objects.filter(counts, organization=owner.organization, user_id=who)
        teams = TeamMembership.objects.filter(
            ~Q(team__base_role=""), team__organization=owner.organization, user_id=who
        )
        held |= Q(Exists(members)) | Q(Exists(teams))
        if owner.organization.second_factor_required:
            held &= Q(second_factor=True)
    held |= Q(pk=owner.user_id or 0)
    opened = Opening.objects.filter(repository=repository, user_id=who, until__gt=Now())
    keeps = Q(is_superuser=True)
    return held | (keeps if owner.kind == Namespace.Kind.LIBRARY else keeps & Q(Exists(opened)))
