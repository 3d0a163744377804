"""A registry of dictionaries: what the services must agree with, whatever happens to them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any


@dataclass
class Document:
    """A kept manifest. `present` are the blobs and children it needed; `waits` may be absent."""

    payload: bytes
    blobs: set[str]
    waits: set[str]
    children: set[str]
    subject: str
    due: datetime | None = None


@dataclass
class Model:
    """One repository. A `due` is when the collector may look; None: it has no reason to."""

    keeps_untagged: bool
    links: dict[str, datetime | None] = field(default_factory=dict)
    manifests: dict[str, Document] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    kept: dict[str, datetime] = field(default_factory=dict)  # for a deleted tag to come back

    def is_used(self, digest: str) -> bool:
        """Whether a manifest names this blob."""
        return any(digest in m.blobs | m.waits for m in self.manifests.values())

    def is_child(self, digest: str) -> bool:
        """Whether an image index lists this manifest."""
        return any(digest in m.children for m in self.manifests.values())

    def referrers(self, digest: str) -> set[str]:
        """Manifests about this one."""
        return {key for key, m in self.manifests.items() if m.subject == digest}

    def missing(self, document: dict[str, Any]) -> set[str]:
        """Digests that a manifest cannot be pushed without and that are not here."""
        blobs, _, children = named(document)
        return (blobs | (children - set(self.manifests))) - set(self.links)

    def depth(self, document: dict[str, Any]) -> int:
        """How many image indexes lie one in another."""
        if "manifests" not in document:
            return 0
        _, _, children = named(document)
        inner = [json.loads(self.manifests[c].payload) for c in children if c in self.manifests]
        return 1 + max((self.depth(child) for child in inner), default=0)

    def put(self, key: str, document: dict[str, Any], payload: bytes, due: datetime | None) -> None:
        """Keep a manifest under its digest; `due` unless a tag comes with it."""
        known = self.manifests.get(key)
        if known is not None:
            if known.due is not None and due is not None:
                known.due = due
            return
        blobs, waits, children = named(document)
        manifests = children & set(self.manifests)
        subject = document.get("subject", {}).get("digest", "")
        self.manifests[key] = Document(
            payload, blobs | (children - manifests), waits, manifests, subject, due
        )

    def move(self, tag: str, key: str, due: datetime) -> None:
        """Point a tag at a manifest; the one it leaves may be looked at."""
        previous = self.tags.get(tag)
        if previous not in (None, key):
            self.manifests[str(previous)].due = due
        self.tags[tag] = key

    def untag(self, tag: str, due: datetime) -> None:
        """Take a tag away."""
        self.manifests[self.tags.pop(tag)].due = due

    def keep(self, key: str, until: datetime) -> None:
        """A tag on this manifest was deleted and can come back."""
        self.kept[key] = max(until, self.kept.get(key, until))

    def drop(self, key: str, due: datetime) -> None:
        """Take a manifest away; what it kept alive may be looked at."""
        gone = self.manifests.pop(key)
        self.kept.pop(key, None)
        self.tags = {tag: at for tag, at in self.tags.items() if at != key}
        for digest in (gone.blobs | gone.waits) & set(self.links):
            self.links[digest] = due
        for other in gone.children | self.referrers(key):
            self.manifests[other].due = due

    def collect(self, now: datetime, grace: timedelta) -> None:
        """What is left after the collector has had all the rounds it wants at this moment."""
        while self._round(now, now + grace):
            pass

    def _round(self, now: datetime, later: datetime) -> bool:
        dropped = False
        for key, manifest in list(self.manifests.items()):
            if manifest.due is None or manifest.due > now:
                continue  # perhaps moved in this very round
            if self.keeps_untagged or key in self.tags.values() or self.is_child(key):
                manifest.due = None
            elif manifest.subject in self.manifests or self.kept.get(key, now) > now:
                manifest.due = later
            else:
                self.drop(key, later)
                dropped = True
        for digest in [d for d, due in self.links.items() if due is not None and due <= now]:
            if self.is_used(digest):
                self.links[digest] = None
            else:
                del self.links[digest]
                dropped = True
        return dropped


def named(document: dict[str, Any]) -> tuple[set[str], set[str], set[str]]:
    """Digests of a document: blobs that must be here, layers that may be elsewhere, children."""
    layers = [*document.get("layers", []), *([document["config"]] if "config" in document else [])]
    here = {d["digest"] for d in layers if "foreign" not in d["mediaType"]}
    foreign = {d["digest"] for d in layers} - here
    return here, foreign, {d["digest"] for d in document.get("manifests", [])}
