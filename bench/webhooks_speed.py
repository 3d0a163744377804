#!/usr/bin/env python3
"""Webhooks of a hub in processes of its own, as `make run` starts it: kills, times, rates.

    .venv/bin/python bench/webhooks_speed.py kills|latency|rate|hang [--pushes 1000]
        [--broker embedded|redis] [--hooks 5] [--seed 7]

`kills`: pushes to ten tags while the worker, the whole hub and the queue are killed or emptied at
random; counts what is missed, what comes twice, and what is out of order. `latency`: time of a push
to a repository with hooks and to one without, in turn. `rate`: pushes as fast as they go;
deliveries per second and the delay from the answer to the push until each arrives. `hang`: the
delay at a receiver that works, beside three that never answer, and alone.

A push is a PUT of a new manifest whose blobs are there. Receivers run in a process of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import urllib3

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.client import RegistryClient  # noqa: E402
from tests.hub import Person, RunningHub, free_port  # noqa: E402
from tests.images import OCI_MANIFEST, digest_of, image  # noqa: E402

TAGS = 10
SETTLE_S = 180.0


def main() -> int:
    """Exit code 1 if a delivery was missed or out of order."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("kills", "latency", "rate", "hang"))
    parser.add_argument("--pushes", type=int, default=1000)
    parser.add_argument("--hooks", type=int, default=5)
    parser.add_argument("--broker", choices=("embedded", "redis"), default="embedded")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as name, broker(options.broker) as url:
        hub = PatientHub(Path(name) / "hub", HUB_BROKER_URL=url, HUB_WEBHOOK_TIMEOUT_S="5")
        hub.start()
        try:
            return {"kills": kills, "latency": latency, "rate": rate, "hang": hang}[options.what](
                hub, options
            )
        finally:
            hub.stop()


@contextmanager
def broker(kind: str) -> Iterator[str]:
    """Its URL; Redis is one of our own that keeps nothing."""
    if kind == "embedded":
        yield "embedded"
        return
    port = free_port()
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is not installed")
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - fixed
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        server.wait()


class PatientHub(RunningHub):
    """Starts on a machine that has much else to do."""

    def wait_until_ready(self, seconds: float = 300) -> None:
        """Until `/readyz` says so."""
        super().wait_until_ready(seconds)


# Receivers


@dataclass(frozen=True)
class Arrival:
    """One request; `at` is seconds of the clock that all processes share."""

    at: float
    port: int
    uid: str
    tag: str
    digest: str


class Receivers:
    """So many addresses in one process; the last `hanging` of them never answer."""

    def __init__(self, count: int, hanging: int = 0) -> None:
        here, there = multiprocessing.Pipe()
        self._log = tempfile.NamedTemporaryFile(prefix="hub-bench-", suffix=".lines")  # noqa: SIM115
        self._process = multiprocessing.Process(
            target=receive, args=(count, hanging, there, self._log.name), daemon=True
        )
        self._process.start()
        self.ports: list[int] = here.recv()

    def arrivals(self) -> list[Arrival]:
        """All that came so far."""
        with Path(self._log.name).open() as lines:
            return [Arrival(**json.loads(line)) for line in lines if line.endswith("\n")]

    def wait_for(self, done: Any, seconds: float = SETTLE_S) -> list[Arrival]:
        """Until `done(arrivals)`, or the time is over."""
        end = time.monotonic() + seconds
        while True:
            found = self.arrivals()
            if done(found) or time.monotonic() > end:
                return found
            time.sleep(0.5)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._log.close()


def receive(count: int, hanging: int, pipe: Any, path: str) -> None:
    """The process of the receivers."""
    lock = threading.Lock()
    log = Path(path).open("a")  # noqa: SIM115 - until the process is killed
    servers: list[ThreadingHTTPServer] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            at = time.monotonic()
            body = self.rfile.read(int(self.headers["Content-Length"]))
            data = json.loads(body)["push_data"]
            port = int(self.server.server_address[1])  # type: ignore[index]
            line = {
                "at": at,
                "port": port,
                "uid": self.headers["X-Hub-Delivery"],
                "tag": data["tag"],
                "digest": data["digest"],
            }
            with lock:
                log.write(json.dumps(line) + "\n")
                log.flush()
            if port in hung:
                threading.Event().wait()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 100
        daemon_threads = True

    servers = [Server(("127.0.0.1", 0), Handler) for _ in range(count + hanging)]
    ports = [server.server_address[1] for server in servers]
    hung = set(ports[count:])
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    pipe.send(ports)
    threading.Event().wait()


# Pushes


@dataclass
class Pusher:
    """Pushes to one repository, one after another."""

    hub: RunningHub
    person: Person
    name: str
    client: RegistryClient = field(init=False)
    acknowledged: dict[str, tuple[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        made = {"namespace": self.person.name, "name": self.name}
        assert self.hub.api("POST", "repositories", made, token=self.person.token)[0] == 201
        self.path = f"{self.person.name}/{self.name}"
        self.client = RegistryClient(self.hub, self.person)
        self.base = image(self.path)
        assert self.client.push(self.path, self.base, "base").status == 201

    def hook(self, port: int) -> None:
        """A webhook to that port."""
        body = {"url": f"http://127.0.0.1:{port}/hook", "secret": "s3cret", "events": ["push"]}
        address = f"repositories/{self.path}/webhooks"
        assert self.hub.api("POST", address, body, token=self.person.token)[0] == 201

    def push(self, number: int) -> float:
        """The seconds that it took; raises what a hub that is down makes of it."""
        document = json.loads(self.base.manifest)
        document["annotations"] = {"number": str(number)}
        manifest = json.dumps(document).encode()
        tag = f"t{number % TAGS}"
        began = time.monotonic()
        answer = self.client.send(
            "PUT",
            f"/v2/{self.path}/manifests/{tag}",
            body=manifest,
            headers={"Content-Type": OCI_MANIFEST},
            scope=f"repository:{self.path}:pull,push",
        )
        ended = time.monotonic()
        if answer.status != 201:
            raise OSError(f"status {answer.status}")
        self.acknowledged[digest_of(manifest)] = (tag, ended)
        return ended - began


def pusher(hub: RunningHub, name: str) -> Pusher:
    """With a person of its own."""
    return Pusher(hub, hub.person(), name)


def missing(arrivals: list[Arrival], source: Pusher, ports: list[int]) -> set[tuple[int, str]]:
    """Acknowledged pushes that have not arrived everywhere."""
    came = {(arrival.port, arrival.digest) for arrival in arrivals}
    return {(port, digest) for port in ports for digest in source.acknowledged} - came


def delays_ms(arrivals: list[Arrival], source: Pusher, ports: list[int]) -> list[float]:
    """From the answer to the push until its first arrival at each of the ports."""
    first: dict[tuple[int, str], float] = {}
    for arrival in arrivals:
        if arrival.port in ports and arrival.digest in source.acknowledged:
            first.setdefault((arrival.port, arrival.digest), arrival.at)
    return sorted(1000 * (at - source.acknowledged[digest][1]) for (_, digest), at in first.items())


def quantile(values: list[float], share: float) -> float:
    """Of sorted values."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


# Measurements


def kills(hub: RunningHub, options: argparse.Namespace) -> int:
    """Kill and empty at random while pushing."""
    chance = random.Random(options.seed)  # noqa: S311 - to be repeated
    receivers = Receivers(1)
    source = pusher(hub, "kills")
    source.hook(receivers.ports[0])
    done = Counter[str]()
    next_kill = time.monotonic() + 2
    began = time.monotonic()
    number = 0
    while number < options.pushes:
        if time.monotonic() > next_kill:
            what = chance.choice(("worker", "worker", "hub", "queue"))
            strike(hub, what, options)
            done[what] += 1
            next_kill = time.monotonic() + chance.uniform(2, 8)
        try:
            source.push(number)
        except (OSError, urllib3.exceptions.HTTPError, AssertionError):
            time.sleep(0.1)
            continue
        number += 1
    pushed_s = time.monotonic() - began
    arrivals = receivers.wait_for(lambda found: not missing(found, source, receivers.ports))
    arrivals = [a for a in arrivals if a.digest in source.acknowledged]
    lost = missing(arrivals, source, receivers.ports)
    order = list(source.acknowledged)
    place = {digest: index for index, digest in enumerate(order)}
    wrong = 0
    for tag in {tag for tag, _ in source.acknowledged.values()}:
        firsts = list(dict.fromkeys(a.digest for a in arrivals if a.tag == tag))
        places = [place[digest] for digest in firsts]
        wrong += sum(b < a for a, b in pairwise(places))
    twice = len(arrivals) - len({(a.port, a.digest) for a in arrivals})
    receivers.close()
    print(
        f"{options.broker}: {len(order)} pushes in {pushed_s:.0f} s, killed {dict(done)}: "
        f"missed {len(lost)}, duplicates {twice} ({100 * twice / max(len(order), 1):.1f} %), "
        f"out of order {wrong}"
    )
    return int(bool(lost) or bool(wrong))


def strike(hub: RunningHub, what: str, options: argparse.Namespace) -> None:
    """Kill the worker or the whole hub, or empty the queue."""
    if what == "worker":
        for pid in hub.pids("--pool=threads"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    elif what == "hub":
        hub.stop(signal.SIGKILL)
        with contextlib.suppress(AssertionError):  # it answers, and says so late
            hub.start()
    elif options.broker == "redis":
        port = int(hub.environment["HUB_BROKER_URL"].rpartition(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"FLUSHALL\r\n")
            client.recv(100)
    else:
        hub.manage(
            "shell", "-c", "from events.models import QueueMessage as Q; Q.objects.all().delete()"
        )


def latency(hub: RunningHub, options: argparse.Namespace) -> int:
    """Pushes with hooks and without, in turn, in random order within each pair."""
    chance = random.Random(options.seed)  # noqa: S311 - to be repeated
    receivers = Receivers(options.hooks)
    hooked, plain = pusher(hub, "hooked"), pusher(hub, "plain")
    for port in receivers.ports:
        hooked.hook(port)
    for number in range(-20, 0):
        hooked.push(number)
        plain.push(number)
    took: dict[str, list[float]] = {"hooked": [], "plain": []}
    began = time.monotonic()
    for number in range(options.pushes):
        for source in chance.sample((hooked, plain), 2):
            took[source.name].append(1000 * source.push(number))
    pushed_s = time.monotonic() - began
    arrivals = receivers.wait_for(lambda found: not missing(found, hooked, receivers.ports))
    late = delays_ms(arrivals, hooked, receivers.ports)
    lost = missing(arrivals, hooked, receivers.ports)
    receivers.close()
    with_hooks, without = (statistics.median(took[name]) for name in ("hooked", "plain"))
    print(
        f"{options.broker}, {options.hooks} hooks, {options.pushes} pushes each ({pushed_s:.0f} s):"
        f" p50 {with_hooks:.2f} ms with hooks, {without:.2f} ms without, ratio"
        f" {with_hooks / without:.3f}; p95 {quantile(sorted(took['hooked']), 0.95):.1f} and"
        f" {quantile(sorted(took['plain']), 0.95):.1f}; delay p50 {quantile(late, 0.5):.0f} ms,"
        f" p99 {quantile(late, 0.99):.0f} ms; missed {len(lost)}"
    )
    return int(bool(lost))


def rate(hub: RunningHub, options: argparse.Namespace) -> int:
    """As many deliveries as there are pushes times hooks, as fast as they come."""
    receivers = Receivers(options.hooks)
    source = pusher(hub, "rate")
    for port in receivers.ports:
        source.hook(port)
    began, worked_s = time.monotonic(), worker_s(hub)
    for number in range(options.pushes):
        source.push(number)
    pushed_s = time.monotonic() - began
    arrivals = receivers.wait_for(lambda found: not missing(found, source, receivers.ports))
    worked_s = worker_s(hub) - worked_s
    late = delays_ms(arrivals, source, receivers.ports)
    lost = missing(arrivals, source, receivers.ports)
    took = max(arrival.at for arrival in arrivals) - min(arrival.at for arrival in arrivals)
    receivers.close()
    print(
        f"{options.broker}, {options.hooks} hooks: {options.pushes / pushed_s:.0f} pushes/s,"
        f" {len(late) / took:.0f} deliveries/s, {1000 * worked_s / len(late):.1f} ms of the"
        f" worker's processor time each, delay p50 {quantile(late, 0.5):.0f} ms,"
        f" p99 {quantile(late, 0.99):.0f} ms; missed {len(lost)}"
    )
    return int(bool(lost))


def worker_s(hub: RunningHub) -> float:
    """Processor time of the worker so far, in seconds."""
    ticks = 0
    for pid in hub.pids("--pool=threads"):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def hang(hub: RunningHub, options: argparse.Namespace) -> int:
    """Delay at a good receiver, alone and beside ones that never answer, in turn."""
    receivers = Receivers(2, hanging=3)
    alone, beside = pusher(hub, "alone"), pusher(hub, "beside")
    alone.hook(receivers.ports[0])
    for port in receivers.ports[1:]:
        beside.hook(port)
    for number in range(options.pushes):
        alone.push(number)
        beside.push(number)
        time.sleep(0.1)
    good = {alone.name: (alone, receivers.ports[:1]), beside.name: (beside, receivers.ports[1:2])}
    arrivals = receivers.wait_for(
        lambda found: not any(missing(found, source, ports) for source, ports in good.values())
    )
    receivers.close()
    for name, (source, ports) in good.items():
        late = delays_ms(arrivals, source, ports)
        print(
            f"{options.broker}, {name} hanging receivers: delay p50 {quantile(late, 0.5):.0f} ms,"
            f" p99 {quantile(late, 0.99):.0f} ms, missed {len(missing(arrivals, source, ports))}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
