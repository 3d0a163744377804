"""What a repository can be filtered by that its own row does not say."""

from __future__ import annotations

from django.db import models

from repos.models import Repository


class Fact(models.Model):
    """One word about a repository's content: `arch:arm64`, `platform:linux/arm64`, `kind:chart`.

    Derived from manifests, may be made again. It goes with its repository by a trigger, so no
    deletion has to know of it; what a word is worth is decided by the repository's own row.
    """

    repository = models.ForeignKey(
        Repository, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="facts"
    )
    word = models.CharField(max_length=140)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "word"], name="fact_once"),
        ]
        indexes = [models.Index(fields=["word", "repository"], name="fact_word")]

    def __str__(self) -> str:
        return f"{self.repository_id} {self.word}"
