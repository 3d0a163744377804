"""Rules about the trash: what was deleted waits for a day, and comes back as it was or goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings as hub
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from accounts.services.credentials import principal_of
from core.errors import NotFound
from oci.digest import Digest
from registry.errors import NameUnknown
from registry.services import uploads
from registry.services.tags import delete_tag
from registry.services.undo import undo_deletions
from repos.models import Repository
from repos.services.repositories import delete_repository
from repos.services.trash import purge_repository, restore_repository
from tests.machine.contents import picks, places
from tests.machine.world import World, unless_gone
from tests.unit.registry.pushing import ACTOR

DAY = timedelta(days=1)


class TrashRules(World):
    """Whole stories of one step each; the collector runs in the middle, or does not."""

    @precondition(lambda self: any(home.model.tags for home in self.homes.values()))
    @rule(pick=picks, hours=st.sampled_from((0, 2, 30)), collects=st.booleans())
    def deletes_a_tag_and_wants_it_back(self, pick: int, hours: int, collects: bool) -> None:
        tags = [(home, tag) for home in self.homes.values() for tag in sorted(home.model.tags)]
        home, tag = tags[pick % len(tags)]
        key = home.model.tags[tag]
        with a_trash():
            move = delete_tag(home.row, tag, actor=ACTOR)
        home.model.untag(tag, self.later())
        home.model.keep(key, timezone.now() + DAY)
        self.traveller.shift(timedelta(hours=hours))
        if collects:
            self.collect()
        outcome = self.attempt(
            lambda: undo_deletions(home.row, [move.pk], actor=ACTOR),
            unless_gone(home, lambda: NotFound if hours == 30 else None),
        )
        if outcome == "done":
            home.model.move(tag, key, self.later())

    @rule(
        place=places,
        collects=st.booleans(),
        ends=st.sampled_from(("restored", "restored", "purged", "forgotten")),
        pick=picks,
    )
    def puts_a_repository_into_the_trash(
        self, place: str, collects: bool, ends: str, pick: int
    ) -> None:
        home, person = self.homes[place], principal_of(self.person)
        self.store.plan = None  # what else happens counts on the repository
        name = home.row.name
        with a_trash():
            delete_repository(home.row, actor=ACTOR)
        data = b"%d" % (pick % 4)
        self.attempt(
            lambda: uploads.put_blob(home.row, [data], Digest.of(data)), lambda: NameUnknown
        )
        if collects:
            self.collect()
        row = Repository.objects.select_related("namespace__organization").get(pk=home.row.pk)
        if ends == "restored":
            assert restore_repository(row, principal=person).path == home.row.path
            return
        if ends == "purged":
            purge_repository(row, principal=person)
        else:
            self.traveller.shift(DAY)
        home.gone = True
        self.make_home(name)
        self.collect()


@contextmanager
def a_trash() -> Iterator[None]:
    """What is deleted meanwhile can come back for a day."""
    before = hub.HUB
    hub.HUB = before.model_copy(update={"trash_days": 1})
    yield
    hub.HUB = before
