"""An index of what is in a namespace, which replaces one that search made on PostgreSQL."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("repos", "0004_trash_and_comments"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="repository",
            index=models.Index(fields=["namespace", "state", "visibility"], name="repository_space"),
        ),
        migrations.RunSQL("DROP INDEX IF EXISTS search_by_space", migrations.RunSQL.noop),
    ]
