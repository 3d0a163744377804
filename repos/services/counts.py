"""Pull counts, by repository and day; approximate by design."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from repos.models import PullCount, Repository


def add_pulls(counts: Mapping[int, int]) -> None:
    """Add pulls by repository id; repositories deleted meanwhile are passed over."""
    today = timezone.now().date()
    with transaction.atomic():
        for pk in Repository.objects.filter(pk__in=counts).values_list("pk", flat=True):
            Repository.objects.filter(pk=pk).update(pull_count=F("pull_count") + counts[pk])
            row, _ = PullCount.objects.get_or_create(repository_id=pk, day=today)
            PullCount.objects.filter(pk=row.pk).update(pulls=F("pulls") + counts[pk])
