"""Where the machine lives: repositories with their models, a clock, a store, and who is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar, Literal

import time_machine
from django.conf import settings as hub
from django.db import connection, transaction
from django.utils import timezone
from hypothesis.stateful import RuleBasedStateMachine, invariant

from core.errors import Denied, HubError
from oci.digest import Digest
from registry import selectors
from registry.errors import NameUnknown
from registry.models import Blob, BlobLink, DiscardedObject, Manifest, Tag, UploadPart
from registry.models import UploadSession as Session
from registry.services import collect
from registry.services.check import check, list_strays
from repos.models import Repository
from repos.services.repositories import delete_repository
from storage import factory
from storage.base import BlobStore, StoreUnavailable
from tests.images import digest_of
from tests.machine.model import Model
from tests.machine.store import EventfulStore
from tests.unit.registry.pushing import ACTOR, make_person, make_repository

LIFETIME = timedelta(seconds=300)
LONG = timedelta(hours=3)  # all that waits is due by then
KEY = "storage_key"
# Findings that are true while the collector and the sweep have not been let run for long.
WAITING = ("more than a day", "more than a day ago", "no row names it")
Refusal = type[HubError] | None
Outcome = Literal["done", "refused", "broken"]


@dataclass
class Home:
    """A repository and what it should hold; `gone` once it is deleted."""

    row: Repository
    model: Model
    gone: bool = False


@dataclass
class Upload:
    """An upload as its client sees it; `rival` if another client tried to end it meanwhile."""

    home: Home
    session: Session
    bytes: bytes = b""
    ended: bool = False
    rival: bool = False


class World(RuleBasedStateMachine):
    """Set up before and judged after every step; `make_store` says on which store."""

    make_store: ClassVar[Callable[[], BlobStore]]
    grace = timedelta(0)

    def __init__(self) -> None:
        super().__init__()
        self.point = transaction.savepoint()
        self.clock = time_machine.travel(timezone.now(), tick=False)
        self.traveller = self.clock.start()
        self.store = EventfulStore(type(self).make_store())
        factory.get_store.cache_clear()
        factory.LocalStore = lambda root: self.store  # type: ignore[assignment,misc]
        assert factory.get_store() is self.store
        self.set_grace(timedelta(0))
        self.person = make_person("alice")
        self.homes: dict[str, Home] = {}
        for name in ("keeps", "drops"):
            self.make_home(name)
        self.uploads: list[Upload] = []
        self.named: set[str] = set()

    def set_grace(self, grace: timedelta) -> None:
        """How long everything unreferenced stays."""
        self.grace = grace
        names = ("push_grace_s", "untag_grace_s", "discard_grace_s")
        values: dict[str, Any] = dict.fromkeys(names, int(grace.total_seconds()))
        values["trash_days"] = 0
        values["upload_lifetime_s"] = int(LIFETIME.total_seconds())
        hub.HUB = hub.HUB.model_copy(update=values)

    def make_home(self, name: str) -> None:
        """An empty repository; one keeps untagged manifests, the other lets them go."""
        days = None if name == "keeps" else 0
        row = make_repository(self.person.namespace, name, untagged_days=days)
        self.homes[name] = Home(row, Model(keeps_untagged=name == "keeps"))

    def delete_home(self, home: Home) -> None:
        """Delete a repository and make another one of the same name, unless that was done."""
        if home.gone:
            return
        name = home.row.name
        delete_repository(home.row, actor=ACTOR)
        home.gone = True
        self.make_home(name)

    def later(self) -> datetime:
        """When the collector may look at what loses its last reason now."""
        return timezone.now() + self.grace

    def attempt(
        self,
        act: Callable[[], object],
        expected: Callable[[], Refusal | tuple[Refusal, ...]] = lambda: None,
    ) -> Outcome:
        """Do it and hold that it is answered as it must be; `broken` is the store's own failure.

        `expected` refusals, None for success, are asked for afterwards: what happened in between
        counts.
        """
        refused: HubError | None = None
        try:
            act()
        except StoreUnavailable:
            return "broken"
        except HubError as error:
            refused = error
        options = expected()
        options = options if isinstance(options, tuple) else (options,)
        assert (refused and type(refused)) in options, f"{refused!r} where {options} was expected"
        return "refused" if refused else "done"

    def collect(self) -> None:
        """Rounds until nothing is left to do at this moment."""
        while True:
            try:
                if not any(collect.collect().values()):
                    break
            except StoreUnavailable:
                continue
        for home in self.homes.values():
            home.model.collect(timezone.now(), self.grace)

    @invariant()
    def readers_see_what_the_model_says(self) -> None:
        plan, self.store.plan = self.store.plan, None
        for home in self.homes.values():
            self._compare_manifests(home.row, home.model)
            self._compare_blobs(home.row, home.model)
        for upload in self.uploads:
            if row := Session.objects.filter(pk=upload.session.pk).first():
                assert row.offset == len(upload.bytes)
        for model, name in ((Session, "final_key"), (UploadPart, KEY), (Blob, KEY)):
            self.named |= {*model.objects.values_list(name, flat=True)}
        self.store.plan = plan

    def _compare_manifests(self, row: Repository, model: Model) -> None:
        names = selectors.list_tag_names(row, last="", limit=100)
        assert names == sorted(model.tags)
        for name in names:
            assert selectors.get_manifest(row, name).digest == model.tags[name]
            for after, before in pairwise(selectors.tag_history(row, name)):
                assert after.previous_digest == before.digest
        kept = {*Manifest.objects.filter(repository=row).values_list("digest", flat=True)}
        assert kept == set(model.manifests)
        for key, document in model.manifests.items():
            assert bytes(selectors.get_manifest(row, Digest.parse(key)).payload) == document.payload
            found, more = selectors.list_referrers(row, Digest.parse(key))
            assert {m.digest for m in found} == model.referrers(key)
            assert not more

    def _compare_blobs(self, row: Repository, model: Model) -> None:
        linked = BlobLink.objects.filter(repository=row).values_list("blob__digest", flat=True)
        assert {*linked} == set(model.links)
        for key in model.links:
            blob = selectors.get_link(row, Digest.parse(key)).blob
            data = b"".join(self.store.open(blob.storage_key))
            assert digest_of(data, key.partition(":")[0]) == key
            assert len(data) == blob.size

    def teardown(self) -> None:
        """However it went, what is dead goes and what lives stays."""
        try:
            self.store.plan = None
            connection.check_constraints()
            found = [f for f in check(rehash=True) if not f.endswith(WAITING)]
            assert found == [], found
            self._let_everything_dead_go()
            self.readers_see_what_the_model_says()
            self._nothing_else_is_left()
        finally:
            self.clock.stop()
            transaction.savepoint_rollback(self.point)

    def _let_everything_dead_go(self) -> None:
        before: list[set[str]] = []
        while before != (before := self._keys()):
            self.traveller.shift(LONG)
            self.collect()
        self.traveller.shift(LONG)
        self.collect()
        forgotten = self.named & {*list_strays(timezone.now())}
        assert not forgotten, "rows named these keys, and let them go without discarding them"
        collect.sweep()

    def _keys(self) -> list[set[str]]:
        models = [home.model for home in self.homes.values()]
        return [{*model.links, *model.manifests} for model in models]

    def _nothing_else_is_left(self) -> None:
        assert check(rehash=True) == []
        for model in (Session, UploadPart, DiscardedObject):
            assert not model.objects.exists(), model
        rows = [home.row for home in self.homes.values()]
        for content in (Tag, Manifest, BlobLink):
            assert not content.objects.exclude(repository__in=rows).exists(), content
        linked = {digest for home in self.homes.values() for digest in home.model.links}
        assert {*Blob.objects.values_list("digest", flat=True)} == linked
        stored = [o.key for prefix in factory.CONTENT_PREFIXES for o in self.store.walk(prefix)]
        assert sorted(stored) == sorted(Blob.objects.values_list("storage_key", flat=True))
        assert not list(list_strays(timezone.now() + timedelta(days=1)))


def denied(row: Repository) -> None:
    """A right that is taken away between the question and the commit."""
    raise Denied("your right to do this was taken away meanwhile")


def unless_gone(home: Home, otherwise: Callable[[], Refusal]) -> Callable[[], Refusal]:
    """A repository on its way out refuses everything alike."""
    return lambda: NameUnknown if home.gone else otherwise()
