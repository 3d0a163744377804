"""Pushers: every way there is to bring an image, with others at the same layers and tags."""

from __future__ import annotations

import itertools
import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from tests.concurrency.stress.party import (
    BUSY_TAGS,
    CROWD,
    QUIET_TAGS,
    Actor,
    Broken,
    Gone,
    Place,
    Referrer,
)
from tests.images import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Image,
    artifact,
    as_json,
    descriptor,
    digest_of,
    index,
)

TRIES = 40
POOL = 6  # layers and whole images that everybody pushes
_numbers = itertools.count(1)


class Pusher(Actor):
    """Pushes, and begins again as long as the collector is faster."""

    def act(self) -> None:
        """One deed of many kinds; whole pushes more often than the rest."""
        place = self.pick()
        deeds = [self._push_new] * 4 + [self._push_shared] * 3 + [self._push_index] * 2
        deeds += [self._push_mounted, self._push_about, self._push_about, self._race]
        deeds += [self._cancel, self._abandon, self._tear]
        try:
            self.dice.choice(deeds)(place)
        except Gone as reason:
            self.party.retry(f"given up: {reason}")

    def _push_new(self, place: Place) -> None:
        self._push(place, self._make(f"new {next(_numbers)}"), self._tags())

    def _push_shared(self, place: Place) -> None:
        self._push(place, self._make(f"shared {self.dice.randrange(POOL)}"), self._tags())

    def _push_index(self, place: Place) -> None:
        children = [self._make(f"child {self.dice.randrange(4 * POOL)}") for _ in range(2)]
        if children[0].digest != children[1].digest:
            self._push(place, index(children, ["amd64", "arm64"]), self._tags())

    def _push_mounted(self, place: Place) -> None:
        """An image of another repository: its blobs are mounted where that still works."""
        others = [p for p in self.party.places if p.owner is place.owner and p is not place]
        image = self._make(f"shared {self.dice.randrange(POOL)}")
        self._push(place, image, self._tags(), source=self.dice.choice(others))

    def _push_about(self, place: Place) -> None:
        """An image, then something about it, which lives as long as the image does."""
        tag = self.dice.choice(QUIET_TAGS)
        image = self._make(f"signed {next(_numbers)}")
        at = self._push(place, image, [tag])
        about = artifact(image, text=f"about {image.digest}")
        if self._push(place, about, []) is not None and at is not None:
            self.party.referrers.append(Referrer(place, tag, image.digest, about.digest, at))

    def _push(
        self, place: Place, image: Image, tags: list[str], *, source: Place | None = None
    ) -> float | None:
        """The moment after which it is there, or None if the collector was faster every time."""
        self.party.know(image)
        for _ in range(TRIES):
            if self.party.stop.is_set():
                return None
            try:
                for child in image.children:
                    self._push_blobs(place, child.blobs, source)
                    self._put(place, child, [])
                self._push_blobs(place, image.blobs, source)
                self._put(place, image, tags)
            except Gone as reason:
                self.party.retry(str(reason))
            except Broken:
                if not self.party.kills:
                    raise
                self.party.retry("connection broken")
                time.sleep(0.1)
            else:
                return time.monotonic()
        self.party.retry(f"given up after {TRIES} tries")
        return None

    def _put(self, place: Place, image: Image, tags: list[str]) -> None:
        """The manifest, by tag, by digest, or by digest with several tags at once."""
        reference = tags[0] if len(tags) == 1 else image.digest
        query = "&".join(f"tag={tag}" for tag in tags) if len(tags) > 1 else ""
        path = f"/v2/{place.path}/manifests/{reference}" + (f"?{query}" if query else "")
        change = self.party.ledger.begin(place.path, tags, image.digest) if tags else None
        happened: bool | None = None
        try:
            self.send(
                "manifest put",
                place,
                "PUT",
                path,
                expect=[201],
                body=image.manifest,
                headers={"Content-Type": image.media_type},
            )
            happened = True
        except Gone:
            happened = False
            raise
        finally:
            if change is not None:
                self.party.ledger.end(change, place.path, tags, happened)

    def _push_blobs(self, place: Place, blobs: list[bytes], source: Place | None) -> None:
        for data in blobs:
            digest = digest_of(data)
            path = f"/v2/{place.path}/blobs/{digest}"
            if self.dice.random() < 0.7:
                try:
                    self.send("blob head", place, "HEAD", path, expect=[200])
                    continue
                except Gone:
                    pass  # what a HEAD of nothing is for
            if source is None or not self._mount(place, digest, source):
                ways = [
                    self._whole,
                    self._streamed,
                    self._chunked if len(data) > 30 else self._whole,
                ]
                self.dice.choice(ways)(place, data, digest)

    def _mount(self, place: Place, digest: str, source: Place) -> bool:
        answer = self.send(
            "mount",
            place,
            "POST",
            f"/v2/{place.path}/blobs/uploads/?mount={digest}&from={source.path}",
            expect=[201, 202],
            other=f"repository:{source.path}:pull",
        )
        if answer.status == 202:
            self.send("cancel", place, "DELETE", answer.headers["Location"], expect=[204])
        return answer.status == 201

    def _whole(self, place: Place, data: bytes, digest: str) -> None:
        path = f"/v2/{place.path}/blobs/uploads/?digest={digest}"
        self.send("blob post", place, "POST", path, expect=[201], body=data)

    def _streamed(self, place: Place, data: bytes, digest: str) -> None:
        """As the docker engine does: no length."""
        location = self._open(place)
        answer = self.send(
            "patch", place, "PATCH", location, expect=[202], body=lambda: iter([data])
        )
        self._close(place, answer.headers["Location"], digest)

    def _chunked(self, place: Place, data: bytes, digest: str) -> None:
        """In three pieces, one of them first in the wrong place; the last may come with the end."""
        location = self._open(place)
        third = len(data) // 3
        wrong = {"Content-Range": f"{third + 7}-{third + 8}"}
        for start, stop in ((0, third), (third, 2 * third)):
            headers = {"Content-Range": f"{start}-{stop - 1}"}
            piece = data[start:stop]
            location = self.send(
                "patch", place, "PATCH", location, expect=[202], body=piece, headers=headers
            ).headers["Location"]
            if self.dice.random() < 0.7:
                continue
            answer = self.send(
                "patch wrong", place, "PATCH", location, expect=[416], body=b"no", headers=wrong
            )
            if answer.headers["Range"] != f"0-{stop - 1}":
                self.party.wrong(f"an upload of {stop} bytes told {answer.headers['Range']}")
        rest = data[2 * third :]
        if self.dice.random() < 0.5:
            self.send("patch", place, "PATCH", location, expect=[202], body=rest)
            rest = b""
        self._close(place, location, digest, rest)

    def _open(self, place: Place) -> str:
        path = f"/v2/{place.path}/blobs/uploads/"
        return str(self.send("open", place, "POST", path, expect=[202]).headers["Location"])

    def _close(self, place: Place, location: str, digest: str, rest: bytes = b"") -> None:
        path = f"{location}?digest={digest}"
        self.send("close", place, "PUT", path, expect=[201], body=rest or None)

    def _cancel(self, place: Place) -> None:
        location = self._open(place)
        self.send("patch", place, "PATCH", location, expect=[202], body=self.dice.randbytes(5000))
        self.send("cancel", place, "DELETE", location, expect=[204])
        self.send("status", place, "GET", location, expect=[404])

    def _abandon(self, place: Place) -> None:
        """Left to expire, at any stage; a wrong digest ends one at once."""
        location = self._open(place)
        for _ in range(self.dice.randrange(3)):
            piece = self.dice.randbytes(3000)
            self.send("patch", place, "PATCH", location, expect=[202], body=piece)
        if self.dice.random() < 0.3:
            path = f"{location}?digest={digest_of(b'something else')}"
            answer = self.send("close wrong", place, "PUT", path, expect=[400])
            if b"DIGEST_INVALID" not in answer.data:
                self.party.wrong(f"a wrong digest was answered {answer.data!r}")

    def _race(self, place: Place) -> None:
        """Two clients send the next piece of one upload at once: one of them is told so."""
        location = self._open(place)
        rivals = [Pusher(self.party, f"{self.name}, rival {n}") for n in range(2)]
        data = [self.dice.randbytes(2000), self.dice.randbytes(3000)]

        def send(n: int) -> bool:
            answer = rivals[n].send(
                "patch race",
                place,
                "PATCH",
                location,
                expect=[202, 416],
                body=data[n],
                headers={"Content-Range": f"0-{len(data[n]) - 1}"},
            )
            return answer.status == 202

        with ThreadPoolExecutor(2) as pool:
            won = list(pool.map(send, range(2)))
        if sum(won) != 1:
            self.party.wrong(f"{sum(won)} of two clients appended at one offset")
        digest = digest_of(data[won.index(True)])
        self._close(place, location, digest)

    def _tear(self, place: Place) -> None:
        """The connection ends in the middle of a body: nothing of it may count."""
        location = self._open(place)
        token = self._client(place.owner).token(f"repository:{place.path}:pull,push,delete")
        head = (
            f"PATCH {location} HTTP/1.1\r\nHost: {self.party.hub.host}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: 100000\r\n\r\n"
        )
        try:
            with socket.create_connection(("localhost", self.party.hub.port), timeout=30) as raw:
                raw.sendall(head.encode() + self.dice.randbytes(self.dice.randrange(60000)))
        except OSError as error:
            raise Broken(str(error)) from error
        self.party.note("patch torn", "sent")
        answer = self.send("status", place, "GET", location, expect=[204])
        if answer.headers["Range"] not in ("0-0", "0--1"):
            self.party.wrong(f"a torn body was counted: {answer.headers['Range']}")

    def _tags(self) -> list[str]:
        if self.dice.random() < CROWD:
            return BUSY_TAGS[:1]
        count = 1 if self.dice.random() < 0.9 else 3
        return self.dice.sample(BUSY_TAGS, count)

    def _make(self, name: str) -> Image:
        """An image of one layer that many have and one of its own."""
        number = sum(name.encode())
        shared = _bytes(f"{self.party.seed} layer {number % POOL}", 20_000)
        own = _bytes(f"{self.party.seed} {name}", 300 + number * 17 % 5000)
        config = as_json({"os": "linux", "architecture": "amd64", "config": {}, "name": name})
        manifest = as_json(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": descriptor(OCI_CONFIG, config),
                "layers": [descriptor(OCI_LAYER, shared), descriptor(OCI_LAYER, own)],
            }
        )
        return Image(manifest, OCI_MANIFEST, [config, shared, own])


def _bytes(seed: str, size: int) -> bytes:
    return random.Random(seed).randbytes(size)
