"""Random pushes, mounts, deletes and collections without grace, against a model of dictionaries."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings as hub
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from oci.digest import Digest
from oci.errors import DigestInvalid
from registry.errors import (
    BlobUnknown,
    InUse,
    ManifestBlobUnknown,
    ManifestUnknown,
    UploadRangeWrong,
)
from registry.models import Blob, BlobLink, DiscardedObject, Manifest, Tag, TagMove, UploadSession
from registry.services import collect, links, uploads
from registry.services.check import check
from registry.services.manifests import delete_manifest
from registry.services.tags import delete_tag
from repos.models import Repository
from storage.factory import get_store
from tests.images import OCI_INDEX, as_json, descriptor, digest_of
from tests.unit.registry.pushing import (
    ACTOR,
    digest,
    make_person,
    make_repository,
    manifest,
    put,
)

DATA = (b"{}", b"one", b"two", b"three")  # the first is the config of every image
TAGS = ("a", "b", "c")
places = st.sampled_from(("keeps", "drops"))  # what becomes of untagged manifests


@dataclass
class Model:
    """One repository: which blobs are linked, what each manifest names, where tags point."""

    links: set[str] = field(default_factory=set)
    manifests: dict[str, tuple[bytes, set[str]]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def used(self) -> set[str]:
        return {d for _, named in self.manifests.values() for d in named}

    def collect(self, keep_untagged: bool) -> None:
        while not keep_untagged:
            loose = set(self.manifests) - set(self.tags.values()) - self.used()
            if not loose:
                break
            for gone in loose:
                del self.manifests[gone]
        self.links &= self.used()


class Registry(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.point = transaction.savepoint()
        self._take_a_fresh_store()
        alice = make_person("alice")
        self.repositories = {
            "keeps": make_repository(alice.namespace, "keeps"),
            "drops": make_repository(alice.namespace, "drops", untagged_days=0),
        }
        self.models = {"keeps": Model(), "drops": Model()}
        self.uploads: list[tuple[str, UploadSession, bytes]] = []

    def teardown(self) -> None:
        try:
            assert check(rehash=True) == []
            self.everything_dead_goes()
        finally:
            transaction.savepoint_rollback(self.point)

    def _take_a_fresh_store(self) -> None:
        root = Path(hub.HUB.storage_options["root"]).with_name(uuid4().hex)
        hub.HUB = hub.HUB.model_copy(update={"storage_options": {"root": root}})
        get_store.cache_clear()

    def everything_dead_goes(self) -> None:
        for _, session, _ in self.uploads:
            uploads.cancel(session)
        self.collects()
        names = {*BlobLink.objects.values_list("blob__digest", flat=True)}
        assert {*Blob.objects.values_list("digest", flat=True)} == names
        stored = [o.key for prefix in ("staging", "blobs") for o in get_store().walk(prefix)]
        assert sorted(stored) == sorted(Blob.objects.values_list("storage_key", flat=True))

    @rule(place=places, data=st.sampled_from(DATA))
    def pushes_a_blob(self, place, data):
        uploads.put_blob(self.repositories[place], [data], digest(data), actor=ACTOR)
        self.models[place].links.add(digest_of(data))

    @rule(place=places)
    def starts_an_upload(self, place):
        session = uploads.start(self.repositories[place], actor=ACTOR)
        self.uploads.append((place, session, b""))

    @precondition(lambda self: self.uploads)
    @rule(pick=st.integers(0, 99), cut=st.integers(0, 5), data=st.sampled_from(DATA))
    def appends_a_piece(self, pick, cut, data):
        place, session, so_far = self.uploads.pop(pick % len(self.uploads))
        target = next((d for d in DATA if d.startswith(so_far)), data)
        piece = target[len(so_far) :][:cut]
        session = uploads.append(session, [piece], start_at=len(so_far))
        assert session.offset == len(so_far) + len(piece)
        self.uploads.append((place, session, so_far + piece))

    @precondition(lambda self: self.uploads)
    @rule(pick=st.integers(0, 99), off=st.sampled_from((-1, 1)))
    def appends_at_the_wrong_place(self, pick, off):
        _, session, so_far = self.uploads[pick % len(self.uploads)]
        with pytest.raises(UploadRangeWrong):
            uploads.append(session, [b"x"], start_at=len(so_far) + off)

    @precondition(lambda self: self.uploads)
    @rule(pick=st.integers(0, 99))
    def finishes_an_upload(self, pick):
        place, session, so_far = self.uploads.pop(pick % len(self.uploads))
        uploads.finish(session, digest(so_far))
        self.models[place].links.add(digest_of(so_far))

    @precondition(lambda self: self.uploads)
    @rule(pick=st.integers(0, 99))
    def finishes_with_the_wrong_digest(self, pick):
        _, session, _ = self.uploads.pop(pick % len(self.uploads))
        with pytest.raises(DigestInvalid):
            uploads.finish(session, digest(b"something else"))

    @rule(place=places, data=st.sampled_from(DATA))
    def mounts(self, place, data):
        source = "drops" if place == "keeps" else "keeps"
        wanted = digest_of(data)
        done = links.mount(self.repositories[place], self.repositories[source], wanted)
        assert done is (wanted in self.models[source].links)
        if done:
            self.models[place].links.add(wanted)

    @rule(
        place=places,
        layers=st.lists(st.sampled_from(DATA[1:]), max_size=2),
        tag=st.none() | st.sampled_from(TAGS),
    )
    def puts_an_image(self, place, layers, tag):
        payload = manifest(layers=[descriptor("text/plain", data) for data in layers])
        named = {digest_of(data) for data in (b"{}", *layers)}
        self._put(place, payload, named, self.models[place].links, tag)

    @rule(place=places, picks=st.lists(st.integers(0, 9), max_size=2), tag=st.sampled_from(TAGS))
    def puts_an_index(self, place, picks, tag):
        known = [payload for payload, _ in self.models[place].manifests.values()]
        children = [known[pick % len(known)] for pick in picks if known]
        entries = [descriptor("application/x", child) for child in children]
        payload = as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
        named = {digest_of(child) for child in children}
        self._put(place, payload, named, set(self.models[place].manifests), tag)

    def _put(self, place, payload, named, present, tag):
        model, key = self.models[place], digest_of(payload)
        missing = set() if key in model.manifests else named - present
        if missing:
            with pytest.raises(ManifestBlobUnknown) as caught:
                put(self.repositories[place], payload, tag)
            assert set(caught.value.missing) == missing
            return
        put(self.repositories[place], payload, tag)
        model.manifests[key] = (payload, named)
        if tag:
            model.tags[tag] = key

    @rule(place=places, tag=st.sampled_from(TAGS))
    def deletes_a_tag(self, place, tag):
        if self.models[place].tags.pop(tag, None):
            delete_tag(self.repositories[place], tag, actor=ACTOR)
        else:
            with pytest.raises(ManifestUnknown):
                delete_tag(self.repositories[place], tag, actor=ACTOR)

    @precondition(lambda self: any(m.manifests for m in self.models.values()))
    @rule(place=places, pick=st.integers(0, 99))
    def deletes_a_manifest(self, place, pick):
        model = self.models[place]
        if not model.manifests:
            return
        key = sorted(model.manifests)[pick % len(model.manifests)]
        if key in model.used():
            with pytest.raises(InUse):
                delete_manifest(self.repositories[place], Digest.parse(key), actor=ACTOR)
            return
        delete_manifest(self.repositories[place], Digest.parse(key), actor=ACTOR)
        del model.manifests[key]
        model.tags = {tag: at for tag, at in model.tags.items() if at != key}

    @rule(place=places, data=st.sampled_from(DATA))
    def unlinks_a_blob(self, place, data):
        model, key = self.models[place], digest_of(data)
        error = InUse if key in model.used() else None if key in model.links else BlobUnknown
        if error:
            with pytest.raises(error):
                links.unlink(self.repositories[place], key)
        else:
            links.unlink(self.repositories[place], key)
            model.links.remove(key)

    @rule()
    def collects(self):
        while any(collect.collect().values()):
            pass
        for place, model in self.models.items():
            model.collect(keep_untagged=place == "keeps")
        assert not DiscardedObject.objects.exists()

    @invariant()
    def rows_say_what_the_model_says(self):
        for place, model in self.models.items():
            here = {"repository": self.repositories[place]}
            tags = Tag.objects.filter(**here).values_list("name", "manifest__digest")
            assert dict(tags) == model.tags
            manifests = Manifest.objects.filter(**here).values_list("digest", flat=True)
            assert {*manifests} == set(model.manifests)
            linked = BlobLink.objects.filter(**here).values_list("blob__digest", flat=True)
            assert {*linked} == model.links
        self._history_is_a_chain()

    def _history_is_a_chain(self):
        for repository in Repository.objects.all():
            for tag in TAGS:
                moves = TagMove.objects.filter(repository=repository, name=tag).order_by("pk")
                for before, after in pairwise(moves):
                    assert after.previous_digest == before.digest


@pytest.mark.django_db
def test_random_histories_agree_with_a_model_and_keep_every_invariant(no_grace, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # no power cut here, only time
    run_state_machine_as_test(
        Registry,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
