"""`manage.py config`: the settings in force, and where each comes from."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandParser

from hubsite import config
from hubsite.masking import mask, masked


class Command(BaseCommand):
    """A bad value never gets here: it stops the start of every command with one line."""

    help = "Print every setting with its value and where that comes from; secrets are masked."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """`--json`, and `--set` for those alone that are not at their default."""
        parser.add_argument("--json", action="store_true", help="for programs")
        parser.add_argument("--set", action="store_true", help="only what is not the default")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line a setting; what is odd about the configuration goes to standard error."""
        rows = {
            name: origin
            for name, origin in settings.HUB_ORIGINS.items()
            if not options["set"] or origin.kind != "default"
        }
        if options["json"]:
            self.stdout.write(json.dumps(_document(rows), indent=2, ensure_ascii=False))
            return
        for name, origin in rows.items():
            value = masked(getattr(settings.HUB, name), name)
            where = f"{origin.kind}: {origin.detail}" if origin.detail else origin.kind
            self.stdout.write(f"HUB_{name.upper()} = {value}  # {where}")
        for note in config.notes():
            self.stderr.write(note)


def _document(rows: dict[str, config.Origin]) -> dict[str, Any]:
    """`{"settings": {name: {value, source, where}}, "notes": […]}`."""
    found = {
        f"HUB_{name.upper()}": {
            "value": mask(getattr(settings.HUB, name), name),
            "source": origin.kind,
            "where": origin.detail,
        }
        for name, origin in rows.items()
    }
    return {"settings": found, "notes": config.notes()}
