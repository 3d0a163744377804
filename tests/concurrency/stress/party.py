"""What all actors share: the hub, the ledger, what was found, and how a request is judged."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any
from urllib.parse import urlencode

import urllib3

from tests.client import RegistryClient
from tests.concurrency.stress.ledger import Ledger, Reading
from tests.hub import Person, RunningHub
from tests.images import Image

BUSY_TAGS = [f"t{n}" for n in range(6)]  # everybody is at them
QUIET_TAGS = [f"q{n}" for n in range(6)]  # nobody deletes them by name
TAGS = BUSY_TAGS + QUIET_TAGS
MAX_REPORTED = 50
CROWD = 0.3  # of all deeds are done at one place
Body = bytes | Callable[[], Iterable[bytes]] | None


class Gone(Exception):
    """Content that a push counts on was collected or deleted: it begins again. Holds the reason."""


class Broken(Exception):
    """The connection ended without an answer, as it may when a server process is killed."""


@dataclass(frozen=True)
class Place:
    """A repository; `may_go` if the whole of it is deleted now and then."""

    owner: Person
    path: str
    may_go: bool


@dataclass(frozen=True)
class Referrer:
    """Something pushed about the image a tag held at `at`."""

    place: Place
    tag: str
    subject: str
    digest: str
    at: float


@dataclass
class Party:
    """One run. `violations` are sentences; a run without one is good."""

    hub: RunningHub
    seed: str
    places: list[Place]
    kills: bool
    ledger: Ledger = field(default_factory=Ledger)
    stop: Event = field(default_factory=Event)
    counts: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    images: dict[str, Image] = field(default_factory=dict)
    referrers: list[Referrer] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def note(self, what: str, status: int | str) -> None:
        """Count an answer."""
        with self._lock:
            self.counts[f"{what} {status}"] += 1

    def retry(self, why: str) -> None:
        """Count a push that has to begin again."""
        with self._lock:
            self.retries[why] += 1

    def wrong(self, sentence: str) -> None:
        """Something that must never happen; nothing for an empty sentence."""
        if sentence:
            with self._lock:
                self.violations.append(sentence)
            if len(self.violations) >= MAX_REPORTED:
                self.stop.set()

    def know(self, image: Image) -> None:
        """Remember an image, so that whoever pulls it knows what must come."""
        with self._lock:
            for known in (image, *image.children):
                self.images[known.digest] = known


class Actor:
    """One thread's client: connections, tokens and dice of its own."""

    def __init__(self, party: Party, name: str) -> None:
        self.party = party
        self.name = name
        self.dice = random.Random(f"{party.seed}/{name}")
        self._clients: dict[str, _Client] = {}

    def run(self) -> None:
        """Act until the party is over."""
        while not self.party.stop.is_set():
            try:
                self.act()
            except Broken as error:
                if not self.party.kills:
                    self.party.wrong(f"{self.name}: no answer: {error}")

    def act(self) -> None:
        """One deed."""
        raise NotImplementedError

    def send(
        self,
        what: str,
        place: Place,
        method: str,
        path: str,
        *,
        expect: Iterable[int],
        body: Body = None,
        headers: dict[str, str] | None = None,
        scope: str = "pull,push,delete",
        other: str = "",
    ) -> urllib3.BaseHTTPResponse:
        """One request to the registry; raises Gone if content or place are not there and may be
        so. A place that is not there is answered as one that may not be seen."""
        scopes = f"repository:{place.path}:{scope}" + (f" {other}" if other else "")
        client = self._client(place.owner)
        answer = client.ask(method, path, body, headers or {}, scopes)
        self.party.note(what, answer.status)
        if answer.status in expect:
            return answer
        codes = codes_of(answer)
        absent = answer.status == 401 or codes == {"NAME_UNKNOWN"}
        if answer.status in (401, 404) and (place.may_go or not absent):
            raise Gone(" ".join(sorted(codes)) or str(answer.status))
        if answer.status == 400 and codes == {"MANIFEST_BLOB_UNKNOWN"}:
            raise Gone("MANIFEST_BLOB_UNKNOWN")
        text = f"{what}: {method} {path} was answered {answer.status} {answer.data[:300]!r}"
        self.party.wrong(text)
        raise Gone(f"answer {answer.status}")

    def rest(self, what: str, place: Place, path: str) -> int:
        """One DELETE through the REST API: its status, which is 204 or 404."""
        address = f"{self.party.hub.url}/api/repositories/{place.path}{path}"
        headers = {"Authorization": f"Bearer {place.owner.token}"}
        answer = self._client(place.owner).plain("DELETE", address, None, headers)
        self.party.note(what, answer.status)
        if answer.status not in (204, 404):
            self.party.wrong(f"{what}: {path} was answered {answer.status} {answer.data[:300]!r}")
        return answer.status

    def pick(self) -> Place:
        """Any place, but often the one where all meet."""
        crowded = self.dice.random() < CROWD
        return self.party.places[1] if crowded else self.dice.choice(self.party.places)

    def judge(self, place: Place, tag: str, value: str | None, start: float) -> None:
        """Hold that a tag may have held this at some moment since `start`."""
        reading = Reading(start, time.monotonic())
        self.party.wrong(self.party.ledger.explain(place.path, tag, value, reading))

    def _client(self, person: Person) -> _Client:
        if person.name not in self._clients:
            self._clients[person.name] = _Client(self.party.hub, person)
        return self._clients[person.name]


class _Client(RegistryClient):
    """Connections of one thread; a token that is refused is asked for once more."""

    def __init__(self, hub: RunningHub, person: Person) -> None:
        super().__init__(hub, person)
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(30))

    def ask(
        self,
        method: str,
        path: str,
        body: Body,
        headers: dict[str, str],
        scopes: str,
    ) -> urllib3.BaseHTTPResponse:
        """One request, and a second one with a fresh token if the first is refused."""
        for again in (False, True):
            if again:
                self.forget()
            sent = {**headers, "Authorization": f"Bearer {self.token(scopes)}"}
            pieces = body() if callable(body) else body
            answer = self._request(method, path, pieces, sent)
            if answer.status != 401:
                break
        return answer

    def plain(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str]
    ) -> urllib3.BaseHTTPResponse:
        """One request as it is; raises Broken if no answer comes."""
        try:
            return self._pool.request(method, url, body=body, headers=headers, redirect=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Broken(f"{method} {url}: {error!r}") from error

    def token(self, scope: str) -> str:
        """See RegistryClient; over this thread's connections."""
        if scope not in self._tokens:
            query = [("service", self.hub.host), *(("scope", s) for s in scope.split(" "))]
            url = f"{self.hub.url}/token?{urlencode(query)}"
            answer = self.plain("GET", url, None, self.person.basic if self.person else {})
            if answer.status != 200:
                raise AssertionError(f"no token: {answer.status} {answer.data[:300]!r}")
            self._tokens[scope] = json.loads(answer.data)["token"]
        return self._tokens[scope]

    def _request(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        url = path if path.startswith("http") else f"{self.hub.url}{path}"
        return self.plain(method, url, body, headers)


def codes_of(answer: urllib3.BaseHTTPResponse) -> set[str]:
    """The codes of a registry's error answer, none if it is something else."""
    try:
        return {error["code"] for error in json.loads(answer.data)["errors"]}
    except (ValueError, KeyError, TypeError):
        return set()
