"""Rules about blobs, manifests, tags, repositories, and what the collector does with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from core.errors import Denied
from oci.digest import Digest
from oci.errors import ManifestInvalid
from registry.errors import BlobUnknown, InUse, ManifestBlobUnknown, ManifestUnknown
from registry.models import BlobLink
from registry.selectors import get_link
from registry.services import collect, links, uploads
from registry.services.locking import no_recheck
from registry.services.manifests import MAX_INDEX_DEPTH, delete_manifest, put_manifest
from registry.services.tags import delete_tag
from storage.base import StoreUnavailable
from tests.images import DOCKER_LAYER, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, as_json, digest_of
from tests.machine.store import Plan, breaks
from tests.machine.world import Home, Refusal, World, denied, unless_gone
from tests.unit.registry.pushing import ACTOR

EMPTY = b"{}"  # the config of every image
DATA = (EMPTY, b"one", b"two", b"three")
TAGS = ("a", "b", "c")
FOREIGN = DOCKER_LAYER.replace("rootfs.diff", "rootfs.foreign.diff")
places = st.sampled_from(("keeps", "drops"))
algorithms = st.sampled_from(("sha256", "sha256", "sha512"))
picks = st.integers(0, 99)
rarely = st.sampled_from((False, False, False, True))


def entry(data: bytes, algorithm: str = "sha256", media_type: str = "text/plain") -> dict[str, Any]:
    """What a manifest says about `data`."""
    return {"mediaType": media_type, "digest": digest_of(data, algorithm), "size": len(data)}


class ContentRules(World):
    """What people and the collector do, one request each."""

    @initialize(hours=st.sampled_from((0, 0, 1)))
    def has_a_grace(self, hours: int) -> None:
        self.set_grace(timedelta(hours=hours))

    @rule(place=places, data=st.sampled_from(DATA), algorithm=algorithms, wrong=rarely)
    def pushes_a_blob(self, place: str, data: bytes, algorithm: str, wrong: bool) -> None:
        home, digest = self.homes[place], Digest.of(data, algorithm)
        recheck = denied if wrong else no_recheck
        outcome = self.attempt(
            lambda: uploads.put_blob(home.row, [data], digest, recheck=recheck),
            unless_gone(home, lambda: Denied if wrong else None),
        )
        if outcome == "done":
            home.model.links[str(digest)] = self.later()

    @precondition(lambda self: any(home.model.manifests for home in self.homes.values()))
    @rule(source=places, place=places, pick=picks)
    def pushes_a_manifest_as_a_blob(self, source: str, place: str, pick: int) -> None:
        known = [m.payload for m in self.homes[source].model.manifests.values()]
        if known:
            self.pushes_a_blob(place, known[pick % len(known)], "sha256", False)

    @rule(place=places, data=st.sampled_from(DATA), algorithm=algorithms, wrong=rarely)
    def mounts(self, place: str, data: bytes, algorithm: str, wrong: bool) -> None:
        source = self.homes["drops" if place == "keeps" else "keeps"]
        home, wanted = self.homes[place], digest_of(data, algorithm)
        link = BlobLink.objects.filter(repository=source.row, blob__digest=wanted).first()
        done: list[bool] = []
        recheck = denied if wrong else no_recheck
        outcome = self.attempt(
            lambda: done.append(links.mount(home.row, source.row, wanted, recheck=recheck)),
            unless_gone(home, lambda: Denied if wrong and link else None),
        )
        if outcome == "done":
            mounted = link is not None and BlobLink.objects.filter(pk=link.pk).exists()
            assert done == [mounted]
            if mounted:
                home.model.links[wanted] = self.later()

    @rule(place=places, data=st.sampled_from(DATA), algorithm=algorithms)
    def asks_whether_a_blob_is_here(self, place: str, data: bytes, algorithm: str) -> None:
        home, digest = self.homes[place], Digest.of(data, algorithm)
        refusal: Refusal = None if str(digest) in home.model.links else BlobUnknown
        outcome = self.attempt(lambda: links.keep(get_link(home.row, digest)), lambda: refusal)
        if outcome == "done":
            due = home.model.links[str(digest)]
            if due is not None and due <= timezone.now() + 0.9 * self.grace:
                home.model.links[str(digest)] = self.later()

    @rule(place=places, data=st.sampled_from(DATA), algorithm=algorithms)
    def deletes_a_blob(self, place: str, data: bytes, algorithm: str) -> None:
        home, key = self.homes[place], digest_of(data, algorithm)
        absent: Refusal = None if key in home.model.links else BlobUnknown
        refusal = InUse if key in home.model.links and home.model.is_used(key) else absent
        outcome = self.attempt(lambda: links.unlink(home.row, key), lambda: refusal)
        if outcome == "done":
            del home.model.links[key]

    @rule(
        place=places,
        layers=st.lists(st.sampled_from(DATA[1:]), max_size=2),
        algorithm=algorithms,
        foreign=st.none() | st.sampled_from(DATA[1:]),
        about=st.none() | picks,
        reference=st.sampled_from((*TAGS, "sha256", "sha512")),
    )
    def puts_an_image(
        self,
        place: str,
        layers: list[bytes],
        algorithm: str,
        foreign: bytes | None,
        about: int | None,
        reference: str,
    ) -> None:
        entries = [entry(data, algorithm) for data in layers]
        if foreign:
            entries.append(entry(foreign, media_type=FOREIGN))
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": entry(EMPTY, media_type=OCI_CONFIG),
            "layers": entries,
        }
        if about is not None:
            document["subject"] = self._subject(place, about)
        self._put(self.homes[place], document, reference)

    @rule(
        place=places,
        layer=st.sampled_from(DATA[1:]),
        about=st.none() | picks,
        reference=st.sampled_from((*TAGS, "sha256")),
    )
    def pushes_an_image(self, place: str, layer: bytes, about: int | None, reference: str) -> None:
        """As clients do: what it names, then the manifest."""
        for data in (EMPTY, layer):
            self.pushes_a_blob(place, data, "sha256", False)
        self.puts_an_image(place, [layer], "sha256", None, about, reference)

    @rule(place=places, layer=st.sampled_from(DATA[1:]), tag=st.sampled_from(TAGS))
    def pushes_an_index(self, place: str, layer: bytes, tag: str) -> None:
        """As clients do: children by digest, then the index by tag."""
        self.pushes_an_image(place, layer, None, "sha256")
        newest = len(self.homes[place].model.manifests) - 1
        self.puts_an_index(place, [max(newest, 0)], [], "sha256", tag)

    def _subject(self, place: str, about: int) -> dict[str, Any]:
        """Something that is here, here no more, or was never."""
        known = [m.payload for m in self.homes[place].model.manifests.values()]
        data = known[about % len(known)] if known and about % 3 else b"absent %d" % (about % 3)
        return entry(data, media_type=OCI_MANIFEST)

    @rule(
        place=places,
        children=st.lists(picks, max_size=3),
        blobs=st.lists(st.sampled_from(DATA), max_size=1),
        algorithm=algorithms,
        reference=st.sampled_from((*TAGS, "sha256")),
    )
    def puts_an_index(
        self, place: str, children: list[int], blobs: list[bytes], algorithm: str, reference: str
    ) -> None:
        known = [
            (m.payload, key.partition(":")[0])
            for key, m in self.homes[place].model.manifests.items()
        ]
        entries = [entry(*known[pick % len(known)], OCI_MANIFEST) for pick in children if known]
        entries += [entry(data, algorithm) for data in blobs]
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        self._put(self.homes[place], document, reference)

    @precondition(lambda self: any(home.model.manifests for home in self.homes.values()))
    @rule(place=places, pick=picks, to=places, reference=st.sampled_from((*TAGS, "sha256")))
    def puts_a_known_manifest_again(self, place: str, pick: int, to: str, reference: str) -> None:
        known = [m.payload for m in self.homes[place].model.manifests.values()]
        if known:
            self._put(self.homes[to], json.loads(known[pick % len(known)]), reference)

    def _put(self, home: Home, document: dict[str, Any], reference: str) -> None:
        payload = as_json(document)
        by_digest = reference in ("sha256", "sha512")
        wanted = Digest.of(payload, reference) if by_digest else reference
        key = str(wanted) if by_digest else digest_of(payload)
        outcome = self.attempt(
            lambda: put_manifest(home.row, payload, content_type="", reference=wanted, actor=ACTOR),
            unless_gone(home, lambda: self._put_refusal(home, key, document)),
        )
        if outcome == "done":
            home.model.put(key, document, payload, self.later() if by_digest else None)
            if not by_digest:
                home.model.move(reference, key, self.later())

    def _put_refusal(self, home: Home, key: str, document: dict[str, Any]) -> Refusal:
        if key in home.model.manifests:
            return None
        if home.model.missing(document):
            return ManifestBlobUnknown
        return ManifestInvalid if home.model.depth(document) > MAX_INDEX_DEPTH else None

    @rule(place=places, tag=st.sampled_from(TAGS), wrong=rarely)
    def deletes_a_tag(self, place: str, tag: str, wrong: bool) -> None:
        home = self.homes[place]
        absent: Refusal = None if tag in home.model.tags else ManifestUnknown
        recheck = denied if wrong else no_recheck
        outcome = self.attempt(
            lambda: delete_tag(home.row, tag, actor=ACTOR, recheck=recheck),
            lambda: Denied if wrong else absent,
        )
        if outcome == "done":
            home.model.untag(tag, self.later())

    @precondition(lambda self: any(home.model.manifests for home in self.homes.values()))
    @rule(place=places, pick=picks)
    def deletes_a_manifest(self, place: str, pick: int) -> None:
        home = self.homes[place]
        if not home.model.manifests:
            return
        key = sorted(home.model.manifests)[pick % len(home.model.manifests)]
        refusal: Refusal = InUse if home.model.is_child(key) else None
        digest = Digest.parse(key)
        outcome = self.attempt(
            lambda: delete_manifest(home.row, digest, actor=ACTOR), lambda: refusal
        )
        if outcome == "done":
            home.model.drop(key, self.later())

    @rule(place=places)
    def deletes_a_repository_and_makes_it_anew(self, place: str) -> None:
        self.delete_home(self.homes[place])

    @rule()
    def collects(self) -> None:
        self.collect()

    @rule()
    def sweeps(self) -> None:
        try:
            collect.sweep()
        except StoreUnavailable:
            collect.sweep()

    @rule(minutes=st.sampled_from((1, 6, 50, 60, 61, 600)))
    def time_passes(self, minutes: int) -> None:
        self.traveller.shift(timedelta(minutes=minutes))

    @rule(at=st.integers(1, 4), after=st.booleans())
    def the_store_is_about_to_break(self, at: int, after: bool) -> None:
        self.store.plan = Plan(at, breaks, after)

    @rule(
        at=st.integers(1, 4),
        after=st.booleans(),
        what=st.sampled_from(("collect", "push", "unlink", "delete", "tag")),
        place=places,
        data=st.sampled_from(DATA),
    )
    def something_is_about_to_happen_in_between(
        self, at: int, after: bool, what: str, place: str, data: bytes
    ) -> None:
        acts: dict[str, Callable[[], None]] = {
            "collect": self.collect,
            "push": lambda: self.pushes_a_blob(place, data, "sha256", False),
            "unlink": lambda: self.deletes_a_blob(place, data, "sha256"),
            "delete": lambda: self.deletes_a_repository_and_makes_it_anew(place),
            "tag": lambda: self.deletes_a_tag(place, TAGS[0], False),
        }
        self.store.plan = Plan(at, acts[what], after)
