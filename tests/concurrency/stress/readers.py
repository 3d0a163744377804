"""Pullers and deleters: what was acknowledged must come back, and what was deleted must not."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.concurrency.stress.ledger import Reading
from tests.concurrency.stress.party import BUSY_TAGS, TAGS, Actor, Gone, Place
from tests.images import digest_of

FRESH_S = 30.0


class Puller(Actor):
    """Pulls what a tag holds, to the last byte, and looks at lists."""

    def act(self) -> None:
        """One pull or one list."""
        place = self.pick()
        deed = self.dice.choice(
            [self._pull] * 6 + [self._list_tags] + [self._look_for_referrers] * 2
        )
        deed(place)

    def _pull(self, place: Place) -> None:
        if not self.pull(place, self.dice.choice(TAGS)):
            self.party.stop.wait(0.02)

    def pull(self, place: Place, tag: str) -> bool:
        """Everything under a tag; False if there is nothing, or it was taken away meanwhile."""
        start = time.monotonic()
        try:
            answer = self._get(place, f"manifests/{tag}")
        except Gone:
            self.judge(place, tag, None, start)
            return False
        digest = digest_of(answer.data)
        self.judge(place, tag, digest, start)
        try:
            self._check_manifest(digest, answer)
            self._pull_content(place, json.loads(answer.data))
        except Gone as reason:
            if self.party.ledger.is_untouched(place.path, tag, digest, start):
                self.party.wrong(f"{place.path}:{tag} ({digest}) is not whole: {reason}")
            self.party.note("pull", "overtaken")
            return False
        self.party.note("pull", "whole")
        return True

    def _pull_content(self, place: Place, document: dict[str, Any]) -> None:
        for child in document.get("manifests", []):
            answer = self._get(place, f"manifests/{child['digest']}")
            self._check_manifest(child["digest"], answer)
            self._pull_content(place, json.loads(answer.data))
        named = [document["config"]] if "config" in document else []
        for entry in [*named, *document.get("layers", [])]:
            self._pull_blob(place, entry["digest"], entry["size"])

    def _pull_blob(self, place: Place, digest: str, size: int) -> None:
        """Whole, or cut and resumed."""
        middle = self.dice.randrange(size)
        if self.dice.random() < 0.7:
            data = self._get(place, f"blobs/{digest}").data
        else:
            ranges = (f"bytes=0-{middle}", f"bytes={middle + 1}-") if middle + 1 < size else ()
            parts = [self._get(place, f"blobs/{digest}", part).data for part in ranges]
            data = b"".join(parts) if parts else self._get(place, f"blobs/{digest}").data
        if digest_of(data) != digest:
            self.party.wrong(f"{place.path}: blob {digest} came as {len(data)} other bytes")

    def _check_manifest(self, digest: str, answer: Any) -> None:
        image = self.party.images[digest]
        if answer.data != image.manifest:
            self.party.wrong(f"manifest {digest} came as {answer.data[:300]!r}")
        if answer.headers["Content-Type"] != image.media_type:
            self.party.wrong(f"manifest {digest} came as {answer.headers['Content-Type']}")
        if answer.headers["Docker-Content-Digest"] != digest:
            self.party.wrong(f"manifest {digest} came under another digest")

    def _list_tags(self, place: Place) -> None:
        start = time.monotonic()
        try:
            listed = json.loads(self._get(place, "tags/list").data)["tags"]
        except Gone:
            listed = []
        reading = Reading(start, time.monotonic())
        for tag in TAGS:
            is_there = tag in listed
            found = self.party.ledger.explain_presence(place.path, tag, is_there, reading)
            self.party.wrong(found and f"tags/list {listed}: {found}")

    def _look_for_referrers(self, place: Place) -> None:
        """What was pushed about an image is listed as long as the image was left alone."""
        now, ledger = time.monotonic(), self.party.ledger
        fresh = [r for r in self.party.referrers[-50:] if r.at > now - FRESH_S]
        if not fresh:
            return
        found = self.dice.choice(fresh)
        try:
            answer = self._get(found.place, f"referrers/{found.subject}")
        except Gone:
            return
        listed = [entry["digest"] for entry in json.loads(answer.data)["manifests"]]
        if found.digest in listed:
            return
        path = found.place.path
        if ledger.is_untouched(path, found.tag, found.subject, found.at) and ledger.is_kept(
            path, found.digest, found.at
        ):
            self.party.wrong(f"{path}: {found.subject} has lost its referrer {found.digest}")

    def _get(self, place: Place, rest: str, part: str = "") -> Any:
        headers = {"Range": part} if part else {}
        return self.send(
            f"get {rest.partition('/')[0]}",
            place,
            "GET",
            f"/v2/{place.path}/{rest}",
            expect=[206] if part else [200],
            headers=headers,
        )


class Deleter(Actor):
    """Deletes tags, manifests, blobs and whole repositories, by both interfaces."""

    def act(self) -> None:
        """One deletion, and a moment's rest: what is pushed must live sometimes."""
        place = self.pick()
        deeds = [self._delete_tag] * 4 + [self._delete_manifest] * 3 + [self._delete_blob] * 3
        self.dice.choice([*deeds, self._delete_place])(place)
        self.party.stop.wait(self.dice.random() * 0.3)

    def _delete_tag(self, place: Place) -> None:
        tag = self.dice.choice(BUSY_TAGS)
        start = time.monotonic()
        change = self.party.ledger.begin(place.path, [tag], None)
        happened: bool | None = None
        try:
            happened = self._ask_to_delete_tag(place, tag)
        finally:
            self.party.ledger.end(change, place.path, [tag], happened)
        if happened is False:
            self.judge(place, tag, None, start)

    def _ask_to_delete_tag(self, place: Place, tag: str) -> bool:
        if self.dice.random() < 0.5:
            return self.rest("rest tag delete", place, f"/tags/{tag}") == 204
        return self._ask_to_delete("tag delete", place, f"manifests/{tag}")

    def _delete_manifest(self, place: Place) -> None:
        """By digest, which takes every tag on it along; a child of an index is refused."""
        digest = self.dice.choice(list(self.party.images) or [digest_of(b"")])
        change = self.party.ledger.begin(place.path, [], None, only=digest)
        happened: bool | None = None
        try:
            happened = self._ask_to_delete("manifest delete", place, f"manifests/{digest}")
        finally:
            self.party.ledger.end(change, place.path, [], happened)

    def _delete_blob(self, place: Place) -> None:
        """Refused while a manifest names it."""
        images = list(self.party.images.values())
        blobs = self.dice.choice(images).blobs if images else []
        if blobs:
            digest = digest_of(self.dice.choice(blobs))
            self._ask_to_delete("blob delete", place, f"blobs/{digest}")

    def _delete_place(self, place: Place) -> None:
        if not place.may_go:
            return
        change = self.party.ledger.begin(place.path, [], None)
        happened: bool | None = None
        try:
            happened = self.rest("repository delete", place, "") == 204
        finally:
            self.party.ledger.end(change, place.path, [], happened)

    def _ask_to_delete(self, what: str, place: Place, rest: str) -> bool:
        """False for what is not there or still in use."""
        path = f"/v2/{place.path}/{rest}"
        try:
            return self.send(what, place, "DELETE", path, expect=[202, 405]).status == 202
        except Gone:
            return False
