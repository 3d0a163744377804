"""`manage.py rebuild`: repositories, manifests and tags from the store."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, call_command

from accounts.services.signup import ensure_library
from registry.services import rebuild


class Command(BaseCommand):
    """For a database that was lost; exit code 1 if something could not be made."""

    help = "Make repositories, manifests, tags and links from the journal in the store."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--quiet` leaves out the paths."""
        parser.add_argument("--quiet", action="store_true", help="print the result only")

    def handle(self, *args: Any, quiet: bool, **options: Any) -> None:
        """One line a repository, one a problem, and the result."""
        call_command("migrate", verbosity=0, interactive=False)
        call_command("createcachetable", verbosity=0)
        ensure_library()
        report = rebuild.rebuild((lambda line: None) if quiet else self.stdout.write)
        for problem in report.problems:
            self.stderr.write(problem)
        self.stdout.write(
            f"Made {report.repositories} repositories, {report.manifests} manifests and "
            f"{report.tags} tags; {len(report.problems)} problems."
        )
        if report.problems:
            sys.exit(1)
