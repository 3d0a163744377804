"""Answers from a worker's memory: the same as the views', and never older than the last change."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.client import RegistryClient
from tests.hub import Person, RunningHub
from tests.images import Image, digest_of, image
from tests.protocol.conftest import outline, still
from tests.protocol.scene import signature_of
from tests.protocol.wire import Answer, Pairs, Wire

pytestmark = pytest.mark.e2e
TRIES = 25
SAME_WORKER_CHARS = 20  # of the ids of remembered answers; those of the views are random
_probes = itertools.count(1)


@dataclass
class Place:
    """A private repository with an image, a loose blob and a reader."""

    hub: RunningHub
    owner: Person
    reader: Person
    name: str
    image: Image
    loose: bytes
    wires: list[Wire] = field(default_factory=list)

    @property
    def work(self) -> RegistryClient:
        """The owner's client."""
        return RegistryClient(self.hub, self.owner)

    def fill(self, text: str) -> str:
        """A path with the place's words in it."""
        return text.format(
            name=self.name,
            host=self.hub.host,
            image=self.image.digest,
            layer=digest_of(self.image.blobs[1]),
            loose=digest_of(self.loose),
            scope=quote(f"repository:{self.name}:pull"),
        )

    def credential(self, by: str) -> Pairs:
        """The Authorization line of the owner, the reader, their registry tokens, or nobody."""
        person = {"owner": self.owner, "reader": self.reader}.get(by.partition(" ")[0])
        if by.endswith("basic"):
            assert person is not None
            return [*person.basic.items()]
        if by.endswith("token"):
            token = RegistryClient(self.hub, person).token(f"repository:{self.name}:pull")
            return [("Authorization", f"Bearer {token}")]
        return []

    def wire(self) -> Wire:
        """A connection that is closed at the end."""
        self.wires.append(Wire(self.hub))
        return self.wires[-1]

    def rest(self, method: str, path: str, body: object = None) -> None:
        """A REST call of the owner about the repository."""
        where = f"repositories/{self.name}{path}"
        status, _ = self.hub.api(method, where, body, token=self.owner.token)
        assert status in (200, 201, 202, 204)

    def delete(self, path: str) -> None:
        """A registry call of the owner."""
        answer = self.work.send(
            "DELETE", self.fill(path), scope=f"repository:{self.name}:pull,push,delete"
        )
        assert answer.status == 202, answer.data


def set_up(hub: RunningHub, owner: Person, reader: Person, name: str) -> Place:
    place = Place(hub, owner, reader, name, image(name, layers=1), b"loose " + name.encode())
    assert place.work.push(name, place.image, "1.0").status == 201
    assert place.work.push(name, signature_of(place.image), None).status == 201
    place.work.push_blob(name, place.loose)
    place.rest("PUT", f"/collaborators/{reader.name}", {"role": "read"})
    return place


@pytest.fixture
def place(live: RunningHub, owner: Person, fresh_name: str) -> Iterator[Place]:
    made = set_up(live, owner, live.person("reader"), fresh_name)
    yield made
    for wire in made.wires:
        wire.close()


@dataclass(frozen=True)
class Question:
    """One request, byte for byte the same each time."""

    method: str
    target: str
    headers: Pairs

    def ask(self, wire: Wire) -> Answer:
        """Once more."""
        return wire.send(self.method, self.target, self.headers)

    def until_from_memory(self, wire: Wire) -> list[Answer]:
        """Ask until two answers come from memory; the last view's, if there was one, and those."""
        answers = [self.ask(wire)]
        for _ in range(TRIES):
            answers.append(self.ask(wire))
            if follows(number_of(answers[-2]), number_of(answers[-1])):
                return answers[-3:]
        raise AssertionError(f"{self.target} was never answered from memory: {answers[-1]}")

    def from_memory(self, wire: Wire) -> Answer:
        """Ask until the answer comes from memory; fails if it never does."""
        return self.until_from_memory(wire)[-1]

    def known_to_both_workers(self, place: Place) -> list[Wire]:
        """Connections to either worker, each of which has the answer in memory."""
        found: dict[str, Wire] = {}
        for pid in workers(place.hub):
            wire = place.wire()
            with only(pid, place.hub):
                wire.send("GET", "/v2/")
            found[number_of(self.from_memory(wire))[:SAME_WORKER_CHARS]] = wire
        assert len(found) == 2
        return [*found.values()]


def workers(hub: RunningHub) -> list[int]:
    """The web processes that answer, without the one that started them."""
    pids = hub.pids("gunicorn")
    parents = {
        int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1]) for pid in pids
    }
    return [pid for pid in pids if pid not in parents]


@contextlib.contextmanager
def only(pid: int, hub: RunningHub) -> Iterator[None]:
    """Nobody but this worker takes new connections meanwhile."""
    others = [other for other in workers(hub) if other != pid]
    for other in others:
        os.kill(other, signal.SIGSTOP)
    try:
        yield
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)


def question(place: Place, method: str, path: str, by: str, *more: tuple[str, str]) -> Question:
    headers = [*place.credential(by), *more, ("X-Probe", str(next(_probes)))]
    return Question(method, place.fill(path), headers)


def number_of(answer: Answer) -> str:
    return answer.header("X-Request-Id") or ""


def follows(before: str, after: str) -> bool:
    """Whether two numbers were given by the same worker's memory, one later than the other."""
    assert len(before) == len(after) == 32
    same = before[:SAME_WORKER_CHARS] == after[:SAME_WORKER_CHARS]
    return same and int(after[SAME_WORKER_CHARS:], 16) > int(before[SAME_WORKER_CHARS:], 16)


KNOWN = ("If-None-Match", '"{image}"')
QUESTIONS = {
    "ping": ("GET", "/v2/", "owner basic", 200),
    "challenge": ("GET", "/v2/", "", 401),
    "challenge of a repository": ("GET", "/v2/{name}/manifests/1.0", "", 401),
    "manifest by tag": ("GET", "/v2/{name}/manifests/1.0", "owner token", 200),
    "manifest by tag, head": ("HEAD", "/v2/{name}/manifests/1.0", "owner token", 200),
    "manifest by digest": ("GET", "/v2/{name}/manifests/{image}", "reader token", 200),
    "manifest by digest, head": ("HEAD", "/v2/{name}/manifests/{image}", "reader basic", 200),
    "known manifest": ("GET", "/v2/{name}/manifests/1.0", "reader token", 304, KNOWN),
    "blob": ("GET", "/v2/{name}/blobs/{layer}", "reader token", 200),
    "blob, head": ("HEAD", "/v2/{name}/blobs/{layer}", "reader token", 200),
    "tags": ("GET", "/v2/{name}/tags/list", "reader token", 200),
    "referrers": ("GET", "/v2/{name}/referrers/{image}", "reader token", 200),
    "catalog": ("GET", "/v2/_catalog", "owner basic", 200),
    "token": ("GET", "/token?service={host}&scope={scope}", "reader basic", 200),
    "anonymous token": ("GET", "/token?service={host}&scope={scope}", "", 200),
}


@pytest.mark.parametrize("row", QUESTIONS.values(), ids=QUESTIONS)
def test_a_remembered_answer_is_the_one_the_view_gave(place: Place, row) -> None:
    method, path, by, status, *more = row
    asked = question(place, method, path, by, *((k, place.fill(v)) for k, v in more))
    wire = place.wire()
    made, *remembered = asked.until_from_memory(wire)
    assert not follows(number_of(made), number_of(remembered[0]))
    assert made.status == status, made
    assert (made.body == b"") == (method == "HEAD" or status == 304)
    assert [still(answer) for answer in remembered] == [still(made)] * 2


def deactivate(place: Place) -> None:
    place.hub.manage(
        "shell",
        "-c",
        "from accounts.models import User\n"
        f"User.objects.filter(username={place.reader.name!r}).update(is_active=False)",
    )


def revoke(place: Place) -> None:
    hub, token = place.hub, place.reader.token
    _, found = hub.api("GET", "tokens", token=token)
    rows = found["results"] if isinstance(found, dict) else found
    assert hub.api("DELETE", f"tokens/{rows[0]['id']}", token=token)[0] == 204


def push(tag: str, seed: str = "new") -> Callable[[Place], None]:
    def act(place: Place) -> None:
        assert (
            place.work.push(place.name, image(f"{place.name}{seed}", layers=1), tag).status == 201
        )

    return act


def see(visibility: str) -> Callable[[Place], None]:
    return lambda place: place.rest("PATCH", "", {"visibility": visibility})


def drop(path: str) -> Callable[[Place], None]:
    return lambda place: place.delete(path)


def leave(place: Place) -> None:
    place.rest("DELETE", f"/collaborators/{place.reader.name}")


def moved(place: Place, answer: Answer) -> bool:
    return answer.header("Docker-Content-Digest") == image(f"{place.name}new", layers=1).digest


def lists_both(place: Place, answer: Answer) -> bool:
    return answer.json["tags"] == ["1.0", "2.0"]


def lists_none(place: Place, answer: Answer) -> bool:
    return answer.json["tags"] == []


def opens(place: Place, answer: Answer) -> bool:
    client = Question(
        "GET",
        place.fill("/v2/{name}/manifests/1.0"),
        [("Authorization", f"Bearer {answer.json['token']}")],
    )
    return client.ask(place.wire()).status == 200


TAG, DIGEST = "/v2/{name}/manifests/1.0", "/v2/{name}/manifests/{image}"
TOKEN = "/token?service={host}&scope={scope}"
CHANGES = {
    "tag moved": ("GET", TAG, "reader token", push("1.0"), 200, moved),
    "tag moved, head": ("HEAD", TAG, "reader token", push("1.0"), 200, moved),
    "tag deleted": ("GET", TAG, "reader token", drop(TAG), 404),
    "tag deleted, list": ("GET", "/v2/{name}/tags/list", "reader token", drop(TAG), 200, lists_none),
    "tag added, list": ("GET", "/v2/{name}/tags/list", "owner token", push("2.0"), 200, lists_both),
    "manifest deleted": ("GET", DIGEST, "reader token", drop(DIGEST), 404),
    "blob deleted": ("GET", "/v2/{name}/blobs/{loose}", "reader token", drop("/v2/{name}/blobs/{loose}"), 404),
    "collaborator removed": ("GET", TAG, "reader token", leave, 401),
    "collaborator removed, blob": ("HEAD", "/v2/{name}/blobs/{layer}", "reader token", leave, 401),
    "collaborator removed, basic": ("GET", TAG, "reader basic", leave, 401),
    "access token revoked": ("GET", TAG, "reader basic", revoke, 401),
    "access token revoked, registry token": ("GET", TAG, "reader token", revoke, 401),
    "access token revoked, token service": ("GET", TOKEN, "reader basic", revoke, 401),
    "account deactivated": ("GET", TAG, "reader token", deactivate, 401),
    "account deactivated, basic": ("GET", "/v2/", "reader basic", deactivate, 401),
    "repository deleted": ("GET", TAG, "reader token", lambda p: p.rest("DELETE", ""), 401),
    "repository deleted, owner": ("GET", TAG, "owner token", lambda p: p.rest("DELETE", ""), 404),
    "opened to everybody": ("GET", TOKEN, "", see("public"), 200, opens),
}  # fmt: skip


@pytest.mark.parametrize("row", CHANGES.values(), ids=CHANGES)
def test_the_next_request_gets_the_new_truth_from_either_worker(place: Place, row) -> None:
    method, path, by, change, status, *says = row
    asked = question(place, method, path, by)
    wires = asked.known_to_both_workers(place)
    change(place)
    for wire in wires * 2:
        answer = asked.ask(wire)
        assert answer.status == status, answer
        for true in says:
            assert true(place, answer), answer


@pytest.mark.parametrize("by", ["anonymous token", ""])
def test_a_repository_made_private_is_hidden_from_everybody_at_once(place: Place, by: str) -> None:
    see("public")(place)
    asked = question(place, "GET", TAG, by)
    if asked.ask(place.wire()).status == 401:  # clients without any token are sent for one
        assert by == ""
        asked = question(place, "GET", TAG, "anonymous token")
    wires = asked.known_to_both_workers(place)
    see("private")(place)
    assert [asked.ask(wire).status for wire in wires] == [401, 401]
    see("public")(place)
    assert [asked.ask(wire).status for wire in wires] == [200, 200]


def test_pulls_are_counted_whoever_answers_them(place: Place) -> None:
    asked = question(place, "GET", TAG, "reader token")
    wire = place.wire()
    asked.from_memory(wire)
    before = count_when(place, lambda count: count > 0)
    for _ in range(30):
        asked.ask(wire)
    asked.from_memory(wire)
    assert count_when(place, lambda count: count >= before + 31) >= before + 31


def count_when(place: Place, enough: Callable[[int], bool]) -> int:
    """The pull count once it is enough, or as it is in the end."""
    end = time.monotonic() + 15
    while True:
        _, found = place.hub.api("GET", f"repositories/{place.name}", token=place.owner.token)
        count: int = found["pull_count"]
        if enough(count) or time.monotonic() > end:
            return count
        time.sleep(0.2)


def test_a_blob_whose_file_was_cut_is_not_promised_from_memory(place: Place) -> None:
    asked = question(place, "HEAD", "/v2/{name}/blobs/{loose}", "reader token")
    wires = asked.known_to_both_workers(place)
    assert [asked.ask(wire).status for wire in wires] == [200, 200]
    (file,) = (
        path
        for path in (place.hub.data_dir / "store").rglob("*")
        if path.is_file() and path.read_bytes() == place.loose
    )
    file.write_bytes(place.loose[:-1])
    assert [asked.ask(wire).status for wire in wires] == [404, 404]
    file.write_bytes(place.loose)
    assert [asked.ask(wire).status for wire in wires] == [200, 200]


def test_a_hub_without_memory_gives_the_same_answers_itself(own_hub: RunningHub) -> None:
    own_hub.environment["HUB_WEB_MEMORY_MIB"] = "0"
    own_hub.start()
    owner, reader = own_hub.person("owner"), own_hub.person("reader")
    place = set_up(own_hub, owner, reader, f"{owner.name}/app")
    wire = place.wire()
    for method, path, by, status, *more in QUESTIONS.values():
        asked = question(place, method, path, by, *((k, place.fill(v)) for k, v in more))
        answers = [asked.ask(wire) for _ in range(3)]
        assert [answer.status for answer in answers] == [status] * 3, path
        judged = outline if path.startswith("/token") else still
        assert judged(answers[0]) == judged(answers[1]) == judged(answers[2])
        prefixes = {number_of(answer)[:SAME_WORKER_CHARS] for answer in answers}
        assert len(prefixes) == 3, path
    push("1.0")(place)
    asked = question(place, "GET", TAG, "reader token")
    assert moved(place, asked.ask(wire))
    leave(place)
    assert asked.ask(wire).status == 401
    assert json.loads(place.work.send("GET", f"/v2/{place.name}/tags/list").data)["tags"] == ["1.0"]
    wire.close()
