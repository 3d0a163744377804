"""Starts a hub, lets everybody at it at once, and looks at what is left.

Exit code 1 with a line for each violation. `--seed` brings back the same dice, not the same races.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.concurrency.stress.party import TAGS, Actor, Party, Place
from tests.concurrency.stress.pushers import Pusher
from tests.concurrency.stress.readers import Deleter, Puller
from tests.hub import ROOT, RunningHub

NO_GRACE = {
    "HUB_PUSH_GRACE_S": "0",
    "HUB_UNTAG_GRACE_S": "0",
    "HUB_DISCARD_GRACE_S": "0",
    "HUB_TRASH_DAYS": "0",
    "HUB_UPLOAD_LIFETIME_S": "5",
    "HUB_COLLECT_INTERVAL_S": "1",
}
JANITOR = "import django; django.setup(); from tests.concurrency.stress.janitor import main; main()"
Janitor = subprocess.Popen[str]
KILLED = re.compile(r"was sent SIGKILL|Perhaps out of memory")
ALARM = re.compile(r" (ERROR|CRITICAL) |\[ERROR\]|^Traceback|^\w+(\.\w+)*(Error|Exception)\b")


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    seconds: float = 20
    pushers: int = 4
    pullers: int = 3
    deleters: int = 2
    collectors: int = 1
    kill_every: float = 0
    seed: str = ""


@dataclass
class Report:
    """What a run did and found; good without violations."""

    seed: str
    lines: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ending = [f"VIOLATION {v}" for v in self.violations] or ["No invariant was violated."]
        return "\n".join([f"seed {self.seed}", *self.lines, *ending])


def stress(hub: RunningHub, size: Size) -> Report:
    """Run everybody against a hub that is started here and stopped by the caller."""
    hub.environment.update(NO_GRACE)
    hub.start()
    party = invite(hub, size)
    janitors = [_begin_work(party, n) for n in range(size.collectors)]
    began = time.monotonic()
    kills = _let_them(party, size, janitors)
    seconds = time.monotonic() - began
    work = [_answer(janitor) for janitor in janitors]
    hub.wait_until_ready()
    left = _answer(_janitor(hub, "walk"))
    whole = _pull_everything(party)
    return _report(party, seconds, kills, work, left, whole)


def invite(hub: RunningHub, size: Size) -> Party:
    """Two people with three repositories each; one of the three is deleted now and then."""
    owners = [hub.person("ada"), hub.person("bob")]
    names = (("keeps", False), ("drops", False), ("passing", True))
    places = [
        Place(owner, f"{owner.name}/{name}", may_go) for owner in owners for name, may_go in names
    ]
    for place in places:
        namespace, _, name = place.path.partition("/")
        body = {"namespace": namespace, "name": name}
        status, answer = hub.api("POST", "repositories", body, token=place.owner.token)
        assert status == 201, answer
    return Party(hub, size.seed or secrets.token_hex(4), places, kills=size.kill_every > 0)


def _actors(party: Party, size: Size) -> list[Actor]:
    return [
        *(Pusher(party, f"pusher {n}") for n in range(size.pushers)),
        *(Puller(party, f"puller {n}") for n in range(size.pullers)),
        *(Deleter(party, f"deleter {n}") for n in range(size.deleters)),
    ]


def _let_them(party: Party, size: Size, janitors: list[Janitor]) -> Counter[str]:
    """All at once, for so many seconds or until too much is wrong; returns what was killed."""
    kills, dice = Counter[str](), random.Random(f"{party.seed}/kills")
    actors = _actors(party, size)
    with ThreadPoolExecutor(len(actors)) as pool:
        running = {pool.submit(actor.run): actor for actor in actors}
        end = time.monotonic() + size.seconds
        while (left := end - time.monotonic()) > 0 and not party.stop.is_set():
            if not size.kill_every:
                party.stop.wait(left)
            elif not party.stop.wait(min(left, size.kill_every * (0.5 + dice.random()))):
                kills[_kill_one(party, janitors, dice)] += 1
        party.stop.set()
    for future, actor in running.items():
        if error := future.exception():
            trace = "".join(traceback.format_exception(error))
            party.wrong(f"{actor.name} gave up: {trace}")
    return kills


def _kill_one(party: Party, janitors: list[Janitor], dice: random.Random) -> str:
    """A web server process, never the arbiter that starts new ones; or a collector at work."""
    if janitors and dice.random() < 0.3:
        number = dice.randrange(len(janitors))
        janitors[number].kill()
        janitors[number].communicate()
        janitors[number] = _begin_work(party, number)
        return "collectors"
    workers = party.hub.pids("gunicorn")[1:]
    if not workers:
        return "nothing"
    with contextlib.suppress(ProcessLookupError):
        os.kill(dice.choice(workers), signal.SIGKILL)
    return "web server processes"


def _pull_everything(party: Party) -> int:
    """Every tag, once more, now that nobody else is there; returns how many are whole."""
    party.stop.clear()
    reader = Puller(party, "last reader")
    return sum(reader.pull(place, tag) for place in party.places for tag in TAGS)


def _begin_work(party: Party, number: int) -> Janitor:
    """One more collector; all but the repositories called `keeps` let untagged manifests go."""
    drops = [place.path for place in party.places if not place.path.endswith("/keeps")]
    return _janitor(party.hub, "work", f"{party.seed}/{number}", *drops)


def _janitor(hub: RunningHub, *arguments: str) -> Janitor:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    own = {"HUB_DATA_DIR": str(hub.data_dir), "HUB_EXTERNAL_URL": hub.url, **hub.environment}
    return subprocess.Popen(
        [sys.executable, "-c", JANITOR, *arguments],
        env={**inherited, **own, "DJANGO_SETTINGS_MODULE": "hubsite.settings"},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _answer(janitor: Janitor) -> dict[str, Any]:
    """Closing its input tells it to end."""
    out, _ = janitor.communicate(timeout=300)
    if janitor.returncode:
        return {"errors": [f"the janitor ended with {janitor.returncode}"]}
    found: dict[str, Any] = json.loads(out)
    return found


def _report(
    party: Party,
    seconds: float,
    kills: Counter[str],
    work: list[dict[str, Any]],
    left: dict[str, Any],
    whole: int,
) -> Report:
    total = sum(party.counts.values())
    lines = [
        f"{total} requests in {seconds:.0f} s, killed: {dict(kills) or 'nobody'}",
        *(f"  {count:7} {what}" for what, count in sorted(party.counts.items())),
        f"pushes begun again: {sum(party.retries.values())}",
        *(f"  {count:7} {why}" for why, count in party.retries.most_common()),
        *(f"a second collector dropped {w.get('totals')}" for w in work),
        f"objects discarded in all: {left.get('discarded')}, deadlocks: {left.get('deadlocks')}",
        f"swept afterwards: {left.get('swept')}; left: {left.get('left')}",
        f"tags that pull whole at the end: {whole}",
    ]
    violations = [*party.violations, *_alarms(party)]
    for found in (*work, left):
        violations += [f"collector: {e}" for e in found.get("errors", [])]
    for found in work:
        violations += [f"fsck while everybody was at work: {f}" for f in found.get("findings", [])]
    violations += [f"at the end: {f}" for f in left.get("findings", [])]
    if left.get("swept") and not party.kills:
        violations.append(f"{left['swept']} stored objects were forgotten though nobody died")
    if left.get("deadlocks"):
        violations.append(f"{left['deadlocks']} transactions waited for one another")
    if not any(what.startswith("pull whole") for what in party.counts):
        violations.append("nothing was ever pulled whole: this run has proven nothing")
    return Report(party.seed, lines, violations)


def _alarms(party: Party) -> list[str]:
    """Errors the hub itself has written down."""
    lines = party.hub.log.read_text(errors="replace").splitlines()
    return [
        f"the hub's log: {line[:500]}"
        for line in lines
        if ALARM.search(line) and not (party.kills and KILLED.search(line))
    ]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/stress", description=__doc__)
    for name, value in vars(Size()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--database-url", help="postgres://…; a new database is made there")
    options = vars(parser.parse_args())
    if url := options.pop("database_url"):
        os.environ["HUB_DATABASE_URL"] = url
    with tempfile.TemporaryDirectory(prefix="hub-stress-") as folder:
        hub = RunningHub(Path(folder) / "hub")
        try:
            report = stress(hub, Size(**options))
        finally:
            hub.stop()
    print(report)
    return int(bool(report.violations))
