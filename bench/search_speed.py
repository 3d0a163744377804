#!/usr/bin/env python3
"""Server time of searching and browsing a large hub, on both databases.

    .venv/bin/python bench/search_speed.py [--repositories 100000] [--rounds 30] [--database sqlite]

Makes repositories, accounts, stars and facts in a throw-away database, asks for each kind of page
and prints the median and the 95th percentile in milliseconds, with the number of queries. A time
is that of the whole answer inside the process: middleware, sign-in, queries, template; `processor`
is what of it this process worked, which a busy machine does not lengthen much.
"""

from __future__ import annotations

import argparse
import os
import random
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
SEED = 7
COMMON = ("app", "api", "service", "web", "image", "base", "tool", "server", "data", "proxy")
PUBLIC_SHARE = 0.6
# Share of repositories that run on a platform.
PLATFORMS = {"linux/amd64": 0.9, "linux/arm64": 0.5, "linux/s390x": 0.003, "windows/amd64": 0.03}


def main() -> int:
    """Measure each database in a process of its own: settings are read once."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repositories", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--database", choices=("sqlite", "postgresql"))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        measure(options.repositories, options.rounds)
        return 0
    on_each_database(options.database, partial(run, options))
    return 0


def on_each_database(only: str | None, run: Callable[[dict[str, str]], None]) -> None:
    """Call `run` with the environment of a hub on SQLite, then on a private PostgreSQL server."""
    tools = runpy.run_path(str(ROOT / "scripts" / "test"))
    initdb = tools["find"](next(c for c in tools["COMPONENTS"] if c.name == "PostgreSQL"))
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    kept |= {"HUB_ALLOWED_HOSTS": '["testserver"]', "PYTHONHASHSEED": "0"}
    kept["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as name:
        if only != "postgresql":
            run(kept | {"HUB_DATA_DIR": f"{name}/sqlite", "HUB_DATABASE_URL": ""})
        if only != "sqlite" and initdb:
            with tools["postgres"](initdb, Path(name)) as url:
                server = url.rpartition("/")[0] + "/postgres"
                run(kept | {"HUB_DATA_DIR": f"{name}/postgresql", "HUB_DATABASE_URL": server})


def run(options: argparse.Namespace, environment: dict[str, str]) -> None:
    """This program once more, with a database of its own."""
    sizes = ["--repositories", str(options.repositories), "--rounds", str(options.rounds)]
    command = [sys.executable, str(Path(__file__).resolve()), "--inside", *sizes]
    subprocess.run(command, env=environment, cwd=ROOT, check=True)  # noqa: S603 - this file


def set_up() -> Any:
    """Django and an empty database; returns the connection."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hubsite.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.STATIC_ROOT = os.environ["HUB_DATA_DIR"]
    call_command("migrate", verbosity=0)
    return connection


def measure(repositories: int, rounds: int) -> None:
    """Make the data, then ask."""
    connection = set_up()
    from django.test import Client

    started = time.perf_counter()
    make(repositories)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(
        f"\n{connection.vendor}, {repositories:,} repositories"
        f" (made in {time.perf_counter() - started:.0f} s), milliseconds\n"
    )
    print("| what | address | p50 | p95 | processor | queries |\n|---|---|---|---|---|---|")
    for what, who, address in questions():
        client = Client()
        if who:
            client.force_login(_user(who))
        asked: list[str] = []
        with connection.execute_wrapper(partial(note, asked)):
            answer = client.get(address)
        assert answer.status_code == 200, (address, answer.status_code)
        times = [timed(client, address) for _ in range(rounds)]
        walls = sorted(wall for wall, _ in times)
        p95 = walls[min(len(walls) - 1, int(len(walls) * 0.95))]
        print(
            f"| {what} | `{address}` | {statistics.median(walls):.1f} | {p95:.1f}"
            f" | {statistics.median(cpu for _, cpu in times):.1f} | {len(asked)} |",
            flush=True,
        )


def note(asked: list[str], execute: Any, sql: str, *rest: Any) -> Any:
    """Keep a statement that is run."""
    asked.append(sql)
    return execute(sql, *rest)


def timed(client: Any, address: str) -> tuple[float, float]:
    """Milliseconds of one answer: by the clock, and of processor time in this process."""
    start, cpu = time.perf_counter(), time.process_time()
    client.get(address)
    return (time.perf_counter() - start) * 1000, (time.process_time() - cpu) * 1000


def questions() -> Iterator[tuple[str, str, str]]:
    """What is asked, by whom (nobody is empty), and where."""
    yield "front of explore, visitor", "", "/explore"
    yield "front of explore, member", "member", "/explore"
    for sort in ("pulls", "stars", "name"):
        yield f"explore by {sort}, member", "member", f"/explore?sort={sort}"
    yield "own ones", "member", "/explore?show=mine"
    yield "shared ones", "member", "/explore?show=shared"
    yield "starred ones", "member", "/explore?show=starred"
    yield "owner of 20,000 private ones", "giant", "/explore"
    yield "the same, a frequent word", "giant", "/search?q=app"
    yield "the same, own ones", "giant", "/explore?show=mine"
    yield "common platform", "member", "/explore?platform=linux/arm64"
    yield "rare platform", "member", "/explore?platform=linux/s390x"
    yield "kind, updated", "member", "/explore?kind=chart&updated=30d"
    yield "large namespace", "member", "/explore?namespace=giant"
    yield "frequent word, visitor", "", "/search?q=app"
    yield "frequent word, member", "member", "/search?q=app"
    yield "frequent word, by pulls", "member", "/search?q=app+sort:pulls"
    yield "two frequent words", "member", "/search?q=app+api"
    yield "rare word", "member", "/search?q=qx00042"
    yield "no match", "member", "/search?q=zzzqqqzzz"
    yield "two letters", "member", "/search?q=ap"
    yield "two letters that match nothing", "member", "/search?q=%7E%7E"
    yield "frequent word in a large namespace", "member", "/search?q=api+org:giant"
    yield "frequent word, rare platform", "member", "/search?q=app+arch:s390x"
    yield "frequent word that the namespace has not", "member", "/search?q=onlyhere+org:giant"
    yield "suggestions for a frequent word", "member", "/search/suggest?q=app"
    yield "suggestions for a rare word", "member", "/search/suggest?q=qx00042"
    yield "REST", "member", "/api/search?q=app&limit=50"
    yield "docker search", "", "/v1/search?q=app&n=25"
    yield "docker search, rare word", "", "/v1/search?q=qx00042&n=25"


def _user(name: str) -> Any:
    from accounts.models import User

    return User.objects.get(username=name)


def make(repositories: int) -> None:
    """One namespace of a fifth of everything, many of few, names with frequent and rare words."""
    from accounts.models import Membership, Namespace, Organization, User
    from repos.models import Collaborator, Repository, Star
    from search.models import Fact

    chance = random.Random(SEED)  # noqa: S311 - data for a measurement
    people = max(20, repositories // 100)
    User.objects.bulk_create(
        User(username=n, email=f"{n}@example.org", password="!")  # noqa: S106 - none
        for n in ("member", "giant", *(f"person{i}" for i in range(people)))
    )
    users = {user.username: user for user in User.objects.all()}
    Namespace.objects.bulk_create(
        Namespace(name=name, kind=Namespace.Kind.USER, user=user) for name, user in users.items()
    )
    house = Organization.objects.create(name="house", base_role="read")
    Namespace.objects.create(name="house", kind=Namespace.Kind.ORGANIZATION, organization=house)
    Membership.objects.create(organization=house, user=users["member"], role="member")
    spaces = {space.name: space for space in Namespace.objects.all()}
    rows = [_row(chance, number, spaces, people) for number in range(repositories)]
    Repository.objects.bulk_create(rows, batch_size=1000)
    rows = list(Repository.objects.only("pk", "path"))
    facts = []
    for row in rows:
        for platform, share in PLATFORMS.items():
            if chance.random() < share:
                os_name, arch = platform.split("/")
                words = {f"os:{os_name}", f"arch:{arch}", f"platform:{platform}"}
                facts += [(row.pk, word) for word in words]
        facts.append((row.pk, "kind:chart" if chance.random() < 0.05 else "kind:image"))
    Fact.objects.bulk_create(
        [Fact(repository_id=pk, word=word) for pk, word in dict.fromkeys(facts)], batch_size=5000
    )
    some = chance.sample(rows, min(len(rows), 400))
    member = users["member"]
    Star.objects.bulk_create(Star(user=member, repository=row) for row in some[:200])
    Collaborator.objects.bulk_create(
        Collaborator(user=member, repository=row, role="read") for row in some[200:]
    )


def _row(chance: random.Random, number: int, spaces: dict[str, Any], people: int) -> Any:
    from repos.models import Repository

    draw = chance.random()
    where = (
        "giant"
        if draw < 0.2
        else "house"
        if draw < 0.25
        else "member"
        if draw < 0.252
        else f"person{chance.randrange(people)}"
    )
    private = where in ("giant", "house") or chance.random() > PUBLIC_SHARE
    name = f"{'-'.join(chance.sample(COMMON, 2))}-{number}"
    rare = f"qx{number % 5000:05}"
    also = "" if where == "giant" else " onlyhere"
    now = datetime.now(UTC)
    return Repository(
        namespace=spaces[where],
        name=name,
        path=f"{where}/{name}",
        visibility="private" if private else "public",
        description=f"The {chance.choice(COMMON)} of {rare}, with {chance.choice(COMMON)}{also}.",
        star_count=int(chance.paretovariate(1.2)) - 1,
        pull_count=int(chance.paretovariate(0.6)) - 1,
        created_at=now,
        last_pushed_at=now - timedelta(minutes=chance.expovariate(1 / 200_000)),
    )


if __name__ == "__main__":
    sys.exit(main())
