"""The same model over a socket: one client, a real hub, and its answers to the letter."""

from __future__ import annotations

import itertools
import json
import os
from datetime import UTC, datetime
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.client import RegistryClient
from tests.hub import Person, RunningHub
from tests.images import OCI_INDEX, OCI_MANIFEST, as_json, digest_of
from tests.machine.contents import DATA, EMPTY, TAGS, entry, picks, places
from tests.machine.model import Model

IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
NEVER = datetime.max.replace(tzinfo=UTC)  # a whole day's grace: nothing is collected meanwhile
SECRET = b"what only mallory has"
_numbers = itertools.count(1)


class Conversation(RuleBasedStateMachine):
    """Alice speaks; her two repositories are new for each conversation."""

    hub: ClassVar[RunningHub]
    alice: ClassVar[Person]
    secret: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.client = RegistryClient(self.hub, self.alice)
        number = next(_numbers)
        self.names = {p: f"{self.alice.name}/{p}{number}" for p in ("keeps", "drops")}
        self.models = {place: self._make(place) for place in self.names}
        self.uploads: list[tuple[str, str, bytes]] = []

    def _make(self, place: str) -> Model:
        namespace, _, name = self.names[place].partition("/")
        body = {"namespace": namespace, "name": name}
        assert self.hub.api("POST", "repositories", body, token=self.alice.token)[0] == 201
        self.client.forget()
        return Model(keeps_untagged=True)

    def ask(self, place: str, method: str, rest: str, expected: int | str, **more: Any) -> Any:
        """One request, answered with this status, or with this code of an error."""
        scope = f"repository:{self.names[place]}:pull,push,delete"
        path = rest if rest.startswith("/v2/") else f"/v2/{self.names[place]}/{rest}"
        answer = self.client.send(method, path, scope=scope, **more)
        if isinstance(expected, int):
            assert answer.status == expected, (answer.status, answer.data)
        else:
            codes = [error["code"] for error in json.loads(answer.data)["errors"]]
            assert set(codes) == {expected}, (answer.status, answer.data)
        return answer

    @rule(place=places, data=st.sampled_from(DATA), algorithm=st.sampled_from(("sha256", "sha512")))
    def pushes_a_blob(self, place: str, data: bytes, algorithm: str) -> None:
        digest = digest_of(data, algorithm)
        self.ask(place, "POST", f"blobs/uploads/?digest={digest}", 201, body=data)
        self.models[place].links[digest] = NEVER

    @rule(place=places, data=st.sampled_from(DATA))
    def mounts_from_her_other_repository(self, place: str, data: bytes) -> None:
        other = "drops" if place == "keeps" else "keeps"
        self._mount(place, digest_of(data), self.names[other], self.models[other].links)

    @rule(place=places)
    def mounts_what_she_may_not_read(self, place: str) -> None:
        self._mount(place, digest_of(SECRET), self.secret, {})

    def _mount(self, place: str, digest: str, source: str, there: Any) -> None:
        present = digest in there or digest in self.models[place].links
        path = f"/v2/{self.names[place]}/blobs/uploads/?mount={digest}&from={source}"
        scope = f"repository:{self.names[place]}:pull,push repository:{source}:pull"
        answer = self.client.send("POST", path, scope=scope)
        assert answer.status == (201 if present else 202), answer.data
        if present:
            self.models[place].links[digest] = NEVER
        else:
            self.uploads.append((place, answer.headers["Location"], b""))

    @rule(place=places, data=st.sampled_from(DATA))
    def deletes_a_blob(self, place: str, data: bytes) -> None:
        model, digest = self.models[place], digest_of(data)
        if digest not in model.links:
            self.ask(place, "DELETE", f"blobs/{digest}", "BLOB_UNKNOWN")
        elif model.is_used(digest):
            self.ask(place, "DELETE", f"blobs/{digest}", "UNSUPPORTED")
        else:
            self.ask(place, "DELETE", f"blobs/{digest}", 202)
            del model.links[digest]

    @rule(place=places)
    def opens_an_upload(self, place: str) -> None:
        location = self.ask(place, "POST", "blobs/uploads/", 202).headers["Location"]
        self.uploads.append((place, location, b""))

    @precondition(lambda self: self.uploads)
    @rule(pick=picks, data=st.sampled_from(DATA), cut=st.integers(1, 5), off=st.integers(0, 3))
    def sends_a_piece(self, pick: int, data: bytes, cut: int, off: int) -> None:
        place, location, so_far = self.uploads.pop(pick % len(self.uploads))
        target = next((d for d in DATA if d.startswith(so_far) and d != so_far), so_far + data)
        piece = target[len(so_far) :][:cut]
        start = len(so_far) + (off if off > 1 else 0)  # half of them where they do not belong
        headers = {"Content-Range": f"{start}-{start + len(piece) - 1}"}
        wanted = 202 if start == len(so_far) else 416
        answer = self.ask(place, "PATCH", location, wanted, body=piece, headers=headers)
        so_far += piece if wanted == 202 else b""
        told = self.ask(place, "GET", location, 204)
        for said in (answer, told):
            assert said.headers["Range"] == f"0-{max(len(so_far) - 1, 0)}"
        self.uploads.append((place, location, so_far))

    @precondition(lambda self: self.uploads)
    @rule(pick=picks, rest=st.sampled_from((b"", b"", b"more")), wrong=st.booleans())
    def closes_an_upload(self, pick: int, rest: bytes, wrong: bool) -> None:
        place, location, so_far = self.uploads.pop(pick % len(self.uploads))
        whole = so_far + rest
        digest = digest_of(b"something else" if wrong else whole)
        body = {"body": rest} if rest else {}
        expected: int | str = "DIGEST_INVALID" if wrong else 201
        self.ask(place, "PUT", f"{location}?digest={digest}", expected, **body)
        if wrong and (so_far or not rest):
            self.ask(place, "GET", location, "BLOB_UPLOAD_UNKNOWN")
        if not wrong:
            self.models[place].links[digest] = NEVER
            self.ask(place, "PUT", f"{location}?digest={digest}", 201)  # its answer was lost

    @precondition(lambda self: self.uploads)
    @rule(pick=picks)
    def cancels_an_upload(self, pick: int) -> None:
        place, location, _ = self.uploads.pop(pick % len(self.uploads))
        self.ask(place, "DELETE", location, 204)
        self.ask(place, "DELETE", location, "BLOB_UPLOAD_UNKNOWN")

    @rule(
        place=places,
        layers=st.lists(st.sampled_from(DATA[1:]), max_size=2),
        about=st.none() | picks,
        tags=st.lists(st.sampled_from(TAGS), max_size=2, unique=True),
    )
    def puts_an_image(
        self, place: str, layers: list[bytes], about: int | None, tags: list[str]
    ) -> None:
        document: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": entry(EMPTY),
            "layers": [entry(data) for data in layers],
        }
        if about is not None:
            known = [m.payload for m in self.models[place].manifests.values()] or [b"absent"]
            document["subject"] = entry(known[about % len(known)], media_type=OCI_MANIFEST)
        self._put(place, document, tags)

    @rule(
        place=places,
        children=st.lists(picks, max_size=3),
        blobs=st.lists(st.sampled_from(DATA), max_size=1),
        tags=st.lists(st.sampled_from(TAGS), max_size=2, unique=True),
    )
    def puts_an_index(
        self, place: str, children: list[int], blobs: list[bytes], tags: list[str]
    ) -> None:
        known = [m.payload for m in self.models[place].manifests.values()]
        entries = [entry(known[p % len(known)], media_type=OCI_MANIFEST) for p in children if known]
        entries += [entry(data) for data in blobs]
        self._put(place, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}, tags)

    def _put(self, place: str, document: dict[str, Any], tags: list[str]) -> None:
        model, payload = self.models[place], as_json(document)
        key = digest_of(payload)
        rest = f"manifests/{tags[0] if len(tags) == 1 else key}"
        if len(tags) > 1:
            rest += "?" + "&".join(f"tag={tag}" for tag in tags)
        missing = key not in model.manifests and model.missing(document)
        sent = {"body": payload, "headers": {"Content-Type": document["mediaType"]}}
        if missing:
            answer = self.ask(place, "PUT", rest, "MANIFEST_BLOB_UNKNOWN", **sent)
            named = {error["detail"]["digest"] for error in json.loads(answer.data)["errors"]}
            assert named == missing
            return
        answer = self.ask(place, "PUT", rest, 201, **sent)
        assert answer.headers["Docker-Content-Digest"] == key
        subject = document.get("subject", {}).get("digest")
        assert answer.headers.get("OCI-Subject") == subject
        model.put(key, document, payload, None)
        for tag in tags:
            model.move(tag, key, NEVER)

    @rule(place=places, tag=st.sampled_from(TAGS), rest=st.booleans())
    def deletes_a_tag(self, place: str, tag: str, rest: bool) -> None:
        is_there = tag in self.models[place].tags
        if rest:
            path = f"repositories/{self.names[place]}/tags/{tag}"
            status, _ = self.hub.api("DELETE", path, token=self.alice.token)
            assert status == (204 if is_there else 404)
        else:
            self.ask(place, "DELETE", f"manifests/{tag}", 202 if is_there else "MANIFEST_UNKNOWN")
        if is_there:
            self.models[place].untag(tag, NEVER)

    @precondition(lambda self: any(model.manifests for model in self.models.values()))
    @rule(place=places, pick=picks)
    def deletes_a_manifest(self, place: str, pick: int) -> None:
        model = self.models[place]
        key = sorted([*model.manifests, digest_of(b"absent")])[pick % (len(model.manifests) + 1)]
        if key not in model.manifests:
            self.ask(place, "DELETE", f"manifests/{key}", "MANIFEST_UNKNOWN")
        elif model.is_child(key):
            self.ask(place, "DELETE", f"manifests/{key}", "UNSUPPORTED")
        else:
            self.ask(place, "DELETE", f"manifests/{key}", 202)
            model.drop(key, NEVER)

    @rule(place=places)
    def deletes_a_repository_and_makes_it_anew(self, place: str) -> None:
        path = f"repositories/{self.names[place]}"
        assert self.hub.api("DELETE", path, token=self.alice.token)[0] == 204
        self.models[place] = self._make(place)
        for upload in [u for u in self.uploads if u[0] == place]:
            self.uploads.remove(upload)
            self.ask(place, "GET", upload[1], "BLOB_UPLOAD_UNKNOWN")

    @invariant()
    def every_answer_is_the_models(self) -> None:
        for place, model in self.models.items():
            listed = json.loads(self.ask(place, "GET", "tags/list", 200).data)["tags"]
            assert listed == sorted(model.tags)
            for tag in TAGS:
                expected: int | str = 200 if tag in model.tags else "MANIFEST_UNKNOWN"
                answer = self.ask(place, "GET", f"manifests/{tag}", expected)
                if tag in model.tags:
                    assert answer.data == model.manifests[model.tags[tag]].payload
            for data in (*DATA, SECRET):
                digest = digest_of(data)
                is_there = digest in model.links
                answer = self.ask(place, "GET", f"blobs/{digest}", 200 if is_there else 404)
                assert (answer.data == data) is is_there

    def teardown(self) -> None:
        for place, model in self.models.items():
            for key, kept in model.manifests.items():
                assert self.ask(place, "GET", f"manifests/{key}", 200).data == kept.payload
                answer = self.ask(place, "GET", f"referrers/{key}", 200)
                listed = {found["digest"] for found in json.loads(answer.data)["manifests"]}
                assert listed == model.referrers(key)


def test_every_conversation_agrees_with_the_model(live: RunningHub) -> None:
    mallory = live.person("mallory")
    Conversation.hub, Conversation.alice = live, live.person("alice")
    Conversation.secret = f"{mallory.name}/secret"
    RegistryClient(live, mallory).push_blob(Conversation.secret, SECRET)
    run_state_machine_as_test(
        Conversation,
        settings=settings(
            max_examples=100 if IS_LONG else 4,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=(Phase.generate, Phase.shrink) if IS_LONG else (Phase.generate,),
        ),
    )
