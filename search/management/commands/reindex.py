"""`manage.py reindex`: make the index of search anew, from what is there."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from search import services
from search.index import index


class Command(BaseCommand):
    """Safe at any time; searching goes on meanwhile."""

    help = "Make the index of search anew from the repositories and their content."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was done, and whether words have an index."""
        changed = services.rebuild()
        self.stdout.write(f"The index was made anew; {changed} facts were not as they are now.")
        if not index().has_words():
            self.stdout.write(
                "Words have no index, so searching a large hub is slow: PostgreSQL needs the"
                " extension pg_trgm (CREATE EXTENSION pg_trgm), SQLite must be 3.34 or newer."
            )
