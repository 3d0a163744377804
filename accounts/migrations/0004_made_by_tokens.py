"""A token knows the token it was made with, and ends with it."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_rotated_tokens")]

    operations = [
        migrations.AddField(
            "accesstoken",
            "made_by",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="made",
                to="accounts.accesstoken",
            ),
        ),
    ]
