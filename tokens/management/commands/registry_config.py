"""`manage.py registry_config`: put an unmodified CNCF distribution behind this hub."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.db import DatabaseError, connection

from tokens.distribution import write_files
from tokens.models import SigningKey

EXAMPLE = "registry.example.org"


class Command(BaseCommand):
    """Writes root.pem, jwks.json and config.yml; see docs/distribution.md."""

    help = "Write what an unmodified CNCF distribution needs to accept this hub's tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Folder and options."""
        parser.add_argument(
            "folder",
            nargs="?",
            type=Path,
            help="where to write; default: distribution in the data folder",
        )
        parser.add_argument(
            "--service",
            help=f"the registry's name; default: the first of HUB_TOKEN_SERVICES, or {EXAMPLE}",
        )
        parser.add_argument(
            "--installed-in",
            help="the folder on the registry's machine that will hold the files; "
            "default: where they are written",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the files, and what is still to be done."""
        listed = settings.HUB.token_services
        service = options["service"] or next(iter(listed), EXAMPLE)
        if service == settings.EXTERNAL_HOST:
            raise CommandError(f"{service} is this hub; give the other registry another name.")
        folder = (options["folder"] or settings.HUB.data_dir / "distribution").resolve()
        installed_in = (options["installed_in"] or str(folder)).rstrip("/")
        try:
            if SigningKey._meta.db_table not in connection.introspection.table_names():
                call_command("migrate", verbosity=0, interactive=False)  # no hub ran here yet
            written = write_files(folder, service=service, installed_in=installed_in)
        except DatabaseError as error:
            reason = " ".join(str(error).split())
            raise CommandError(f"The database does not answer: {reason}") from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        for path in written:
            self.stdout.write(str(path))
        if service not in listed:
            names = json.dumps([*listed, service])
            self.stdout.write(f"Now restart the hub with HUB_TOKEN_SERVICES='{names}'.")
