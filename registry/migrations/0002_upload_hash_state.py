"""Open uploads of version 0.1 kept the digest of each piece alone; it is forgotten."""

from django.db import migrations, models


def forget_digests_of_pieces(apps, schema_editor):
    apps.get_model("registry", "UploadPart").objects.filter(start__gt=0).update(digest="")


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='uploadpart',
            name='hash_state',
            field=models.BinaryField(default=bytes),
        ),
        migrations.AlterField(
            model_name='uploadpart',
            name='digest',
            field=models.CharField(blank=True, max_length=140),
        ),
        migrations.RunPython(forget_digests_of_pieces, migrations.RunPython.noop),
    ]
