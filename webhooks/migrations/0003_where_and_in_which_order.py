"""What was owed before has a host and a place in the order too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import migrations, models
from django.db.models import F

from webhooks.claims import host_of, order_key

BATCH = 1000
FILL = "UPDATE webhooks_delivery SET host = %s, order_key = %s WHERE id = %s"


def fill(apps: Any, schema_editor: Any) -> None:
    """Of each delivery without a host.

    What is still due was given one `owed_at` by 0002: then the events say which comes first.
    """
    deliveries = apps.get_model("webhooks", "Delivery").objects
    deliveries.filter(host="").exclude(state="due").update(owed_at=F("created_at"))
    rows = deliveries.filter(host="").select_related("event", "webhook").order_by("pk")
    rows = rows.only("webhook__url", "event__repository_id", "event__payload")
    with schema_editor.connection.cursor() as cursor:
        for batch in _batches(rows):
            cursor.executemany(
                FILL,
                [(host_of(row.webhook.url), order_key(row.event), row.pk) for row in batch],
            )


def _batches(rows: Any) -> Iterator[list[Any]]:
    last = 0
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        last = batch[-1].pk
        yield batch


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0002_owners_results")]
    operations = [
        migrations.RemoveIndex(model_name="delivery", name="delivery_host"),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                fields=["host", "next_attempt_at", "id"],
                name="delivery_host",
                condition=models.Q(("state", "due")),
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
