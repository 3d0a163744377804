#!/usr/bin/env python3
"""Server time of every kind of page on a large hub, on both databases.

    .venv/bin/python bench/pages_speed.py [--repositories 100000] [--tags 1000000] [--rounds 30]

The data is that of search_speed.py with tags spread over the repositories, and one repository with
real images, 5,000 tags, comments and collaborators. Printed are the median and the 95th percentile
in milliseconds of whole answers inside the process, its processor time, the number of queries, and
the bytes of the answer as they are sent, compressed.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import search_speed as large

ROOT = Path(__file__).resolve().parent.parent
TAGS_OF_ONE = 5_000
IN_ONE_STATEMENT = 5_000


def main() -> int:
    """Measure each database in a process of its own: settings are read once."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repositories", type=int, default=100_000)
    parser.add_argument("--tags", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--database", choices=("sqlite", "postgresql"))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        measure(options.repositories, options.tags, options.rounds)
        return 0
    again = partial(run, options)
    large.on_each_database(options.database, again)
    return 0


def run(options: argparse.Namespace, environment: dict[str, str]) -> None:
    """This program once more, with a database of its own."""
    sizes = [f"--{name}={getattr(options, name)}" for name in ("repositories", "tags", "rounds")]
    command = [sys.executable, str(Path(__file__).resolve()), "--inside", *sizes]
    subprocess.run(command, env=environment, cwd=ROOT, check=True)  # noqa: S603 - this file


def measure(repositories: int, tags: int, rounds: int) -> None:
    """Make the data, then ask."""
    connection = large.set_up()
    from django.test import Client

    from accounts.models import User

    started = time.perf_counter()
    large.make(repositories)
    spread_tags(tags)
    furnish()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    took = time.perf_counter() - started
    print(f"\n{connection.vendor}: {repositories:,} repositories, {tags:,} tags ({took:.0f} s)\n")
    print("| page | who | p50 | p95 | processor | queries | bytes |\n|---|---|---|---|---|---|---|")
    for address in PAGES:
        for who in ("", "member"):
            client = Client()
            if who:
                client.force_login(User.objects.get(username=who))
            asked: list[str] = []
            with connection.execute_wrapper(partial(large.note, asked)):
                answer = client.get(address)
            if answer.status_code in (302, 403, 404):
                continue
            assert answer.status_code == 200, (address, answer.status_code)
            times = [large.timed(client, address) for _ in range(rounds)]
            walls = sorted(wall for wall, _ in times)
            p95 = walls[min(len(walls) - 1, int(len(walls) * 0.95))]
            work = statistics.median(cpu for _, cpu in times)
            sent = len(gzip.compress(answer.content))
            print(
                f"| `{address}` | {who or 'visitor'} | {statistics.median(walls):.0f} | {p95:.0f}"
                f" | {work:.0f} | {len(asked)} | {sent:,} |",
                flush=True,
            )


BIG = "/member/big"
PAGES = (
    *("/", "/explore", "/search?q=app", "/help", "/member", "/giant"),
    *(BIG, f"{BIG}/-/tags", f"{BIG}/-/tags?sort=version", f"{BIG}/-/tags?q=1.2*"),
    *(f"{BIG}/-/tags/1.0", f"{BIG}/-/tags/1.0/history", f"{BIG}/-/compare/1.0...2.0"),
    *(f"{BIG}/-/comments", f"{BIG}/-/people", f"{BIG}/-/settings", f"{BIG}/-/settings/delete"),
    *(f"{BIG}/-/webhooks", f"{BIG}/-/why", f"{BIG}/-/audit", "/member/-/trash"),
    *("/notifications", "/settings/tokens", "/settings/access", "/settings/audit"),
)


def spread_tags(tags: int) -> None:
    """One small manifest for each repository, and tags on it."""
    from django.utils import timezone

    from registry.models import Manifest, Tag
    from repos.models import Repository

    now = timezone.now()
    keys = list(Repository.objects.values_list("pk", flat=True))
    media = "application/vnd.oci.image.manifest.v1+json"
    Manifest.objects.bulk_create(
        (
            Manifest(
                repository_id=key, digest=f"sha256:{key:064x}", media_type=media, payload=b"{}"
            )
            for key in keys
        ),
        batch_size=IN_ONE_STATEMENT,
    )
    manifests = dict(Manifest.objects.values_list("repository_id", "pk"))
    each = max(1, tags // len(keys))
    Tag.objects.bulk_create(
        (
            Tag(repository_id=key, name=f"1.{n}", manifest_id=manifests[key], moved_at=now)
            for key in keys
            for n in range(each)
        ),
        batch_size=IN_ONE_STATEMENT,
    )


def furnish() -> None:
    """`member/big`: public, two real images, many tags, comments, people and a README."""
    from django.utils import timezone

    from accounts.models import User
    from accounts.services.credentials import principal_of
    from core.markdown import to_html
    from registry.models import Tag
    from repos.models import Collaborator, Comment, Repository
    from repos.services.repositories import create_repository
    from tests.images import multi
    from tests.unit.registry.pushing import push

    member = User.objects.get(username="member")
    actor = principal_of(member).actor
    made = create_repository(member.namespace, "big", actor=actor, visibility="public")
    push(made, multi("one"), "1.0")
    newest = push(made, multi("two"), "2.0")
    readme = "# Big\n\n" + "\n\n".join(f"Paragraph {n} with `code`." for n in range(40))
    Repository.objects.filter(pk=made.pk).update(
        readme=readme, readme_html=to_html(readme), last_pushed_at=timezone.now()
    )
    now = timezone.now()
    Tag.objects.bulk_create(
        Tag(repository=made, name=f"1.{n // 50}.{n % 50}", manifest=newest, moved_at=now)
        for n in range(TAGS_OF_ONE)
    )
    people = list(User.objects.filter(username__startswith="person")[:200])
    Collaborator.objects.bulk_create(
        Collaborator(repository=made, user=person, role="read") for person in people[:50]
    )
    Comment.objects.bulk_create(
        Comment(repository=made, author=person, body="Works.", body_html="<p>Works.</p>")
        for person in people
    )


if __name__ == "__main__":
    sys.exit(main())
