"""`manage.py fsck`: is every tag whole, every blob there, and nothing forgotten?"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from registry.services.check import check


class Command(BaseCommand):
    """Prints findings; exit code 1 if there is one. Changes nothing and may run at any time."""

    help = "Compare rows and stored bytes; exit code 1 if anything is wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        parser.add_argument("--rehash", action="store_true", help="read every stored byte")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, rehash: bool, json: bool, **options: Any) -> None:
        """One line a finding, or an object with all of them."""
        findings = check(rehash=rehash)
        self.stdout.write(_as_json(findings, rehash) if json else _as_text(findings))
        if findings:
            sys.exit(1)


def _as_json(findings: list[str], rehash: bool) -> str:
    return json.dumps({"findings": findings, "rehash": rehash})


def _as_text(findings: list[str]) -> str:
    lines = [*findings, f"{len(findings)} findings." if findings else "Nothing is wrong."]
    return "\n".join(lines)
