"""`manage.py rotate_keys`: sign registry tokens with a new key from now on."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from tokens.authority import replace_authority
from tokens.services import rotate_keys


class Command(BaseCommand):
    """May run at any time beside the hub, which takes the new key up within seconds."""

    help = "Sign registry tokens with a new key; the old one stays good while its tokens live."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        parser.add_argument(
            "--authority",
            action="store_true",
            help="also make a new certificate authority; other registries then need its root.pem",
        )

    def handle(self, *args: Any, authority: bool, **options: Any) -> None:
        """Prints the name of the new key."""
        if authority:
            replace_authority()
        self.stdout.write(f"New key {rotate_keys().kid}.")
        if authority:
            self.stdout.write(
                "Restart the hub, run registry_config, copy root.pem to the other registries and "
                "restart them."
            )
