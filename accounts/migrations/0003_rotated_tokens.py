"""A token that was rotated may keep its old secret for a while."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_organizations_robots_invitations")]

    operations = [
        migrations.AddField(
            "accesstoken",
            "previous_hash",
            models.CharField(blank=True, default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField("accesstoken", "previous_until", models.DateTimeField(null=True)),
    ]
