"""`manage.py import_registry`: everything another registry has, by address or from its disk."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from accounts.types import Principal
from core.errors import HubError
from core.netguard import networks
from registry.models import Tag
from registry.services.entrance import act_as, enter
from registry.services.importing import Target, put_described
from registry.services.sources import Live, Source, Tree

USERNAME, PASSWORD = "IMPORT_USERNAME", "IMPORT_PASSWORD"  # in the environment


class Command(BaseCommand):
    """What is here already is skipped, so that a second run goes on where the first one ended."""

    help = (
        "Copy all tags of another registry. SOURCE is its address or the folder of its storage "
        f"(registry:2); credentials come from {USERNAME} and {PASSWORD}. Exit code 1 if anything "
        "is missing at the end."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        parser.add_argument("source", metavar="URL|PATH")
        parser.add_argument("--as", required=True, dest="person", metavar="USER", help="by whom")
        parser.add_argument("--into", default="", metavar="NAMESPACE", help="put before each name")
        parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these alone")
        parser.add_argument(
            "--allow-network",
            action="append",
            default=[],
            metavar="CIDR",
            help="a private network the source may be in, as 10.1.0.0/16",
        )

    def handle(self, *args: Any, source: str, person: str, into: str, **options: Any) -> None:
        """One line a tag, then the comparison."""
        try:
            principal = act_as(person)
            where = _source(source, options["allow_network"])
            names = options["only"] or where.repositories()
        except (HubError, ValueError) as error:
            raise CommandError(getattr(error, "message", str(error))) from error
        outcomes: Counter[str] = Counter()
        for name in names:
            outcomes += self._repository(where, name, f"{into}/{name}" if into else name, principal)
        self.stdout.write(
            f"\n{len(names)} repositories: {outcomes['copied']} tags copied, "
            f"{outcomes['same']} were here, {outcomes['missing']} missing."
        )
        if outcomes["missing"]:
            sys.exit(1)

    def _repository(
        self, source: Source, name: str, path: str, principal: Principal
    ) -> Counter[str]:
        """Copy one, then compare it once more."""
        copied: set[str] = set()
        wrong: dict[str, str] = {}
        try:
            tags = source.tags(name)
            repository, recheck = enter(principal, path)
        except HubError as error:
            self.stdout.write(f"{path}  MISSING: {error.message}")
            return Counter(missing=1)
        target = Target(repository, principal.actor, recheck)
        archive = source.archive(name)
        for tag in tags:
            try:
                entry = source.resolve(name, tag)
                if self._here(target, tag) != str(entry.digest):
                    put_described(archive, entry, target, [tag])
                    copied.add(tag)
                if self._here(target, tag) != str(entry.digest):
                    wrong[tag] = "the hub has another image under this tag"
            except HubError as error:
                wrong[tag] = error.message
            state = f"MISSING: {wrong[tag]}" if tag in wrong else "copied" if tag in copied else ""
            self.stdout.write(f"{repository.path}:{tag}  {state or 'was here'}")
        done = copied - {*wrong}
        same = len(tags) - len(done) - len(wrong)
        return Counter(copied=len(done), same=same, missing=len(wrong))

    def _here(self, target: Target, tag: str) -> str:
        rows = Tag.objects.filter(repository=target.repository, name=tag)
        return str(rows.values_list("manifest__digest", flat=True).first() or "")


def _source(text: str, allow: list[str]) -> Source:
    if not text.startswith(("http://", "https://")):
        return Tree(Path(text))
    return Live(
        text.rstrip("/"),
        username=os.environ.get(USERNAME, ""),
        password=os.environ.get(PASSWORD, ""),
        allow=networks(allow),
    )
