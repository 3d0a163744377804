"""Facts by Django; texts, triggers and orders as each database has them."""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

from search.index import index


def make(apps: Any, schema_editor: Any) -> None:
    index().ensure()


def take_away(apps: Any, schema_editor: Any) -> None:
    index().remove()


class Migration(migrations.Migration):
    initial = True

    dependencies = [("repos", "0004_trash_and_comments")]

    operations = [
        migrations.CreateModel(
            name="Fact",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("word", models.CharField(max_length=140)),
                ("repository", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name="facts", to="repos.repository")),
            ],
            options={
                "indexes": [models.Index(fields=["word", "repository"], name="fact_word")],
                "constraints": [models.UniqueConstraint(fields=("repository", "word"), name="fact_once")],
            },
        ),
        migrations.RunPython(make, take_away),
    ]
