"""Rules about uploads in pieces: any order, any interruption, two clients on one upload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from core.errors import Denied
from oci.digest import Digest
from oci.errors import DigestInvalid
from registry.errors import NameUnknown, UploadRangeWrong, UploadUnknown
from registry.models import UploadSession
from registry.services import uploads
from registry.services.locking import no_recheck
from tests.machine.contents import DATA, algorithms, picks, places, rarely
from tests.machine.store import Plan, breaks
from tests.machine.world import LIFETIME, Refusal, Upload, World, denied
from tests.unit.registry.pushing import ACTOR

# What another request does to an upload while one is at it.
OTHERS = (
    *("appends", "finishes", "breaks a finish off", "cancels", "expires"),
    *("deletes the repository", "collects"),
)
others = st.sampled_from(OTHERS)


class UploadRules(World):
    """A client keeps to the offset it was told, or does not."""

    @rule(place=places, algorithm=algorithms)
    def starts_an_upload(self, place: str, algorithm: str) -> None:
        home = self.homes[place]
        session = uploads.start(home.row, actor=ACTOR, algorithm=algorithm)
        self.uploads.append(Upload(home, session))

    @precondition(lambda self: self.uploads)
    @rule(pick=picks, cuts=st.lists(st.integers(0, 3), max_size=2), data=st.sampled_from(DATA))
    def appends_a_piece(self, pick: int, cuts: list[int], data: bytes) -> None:
        upload, body = self._pick(pick), []
        target = next((d for d in DATA if d.startswith(upload.bytes)), data)
        for cut in cuts:
            begin = len(upload.bytes) + sum(map(len, body))
            body.append(target[begin:][:cut])
        usable, start = self._is_usable(upload), len(upload.bytes)
        outcome = self.attempt(
            lambda: uploads.append(self._find(upload), iter(body), start_at=start),
            lambda: None if usable and (not any(body) or self._is_open(upload)) else UploadUnknown,
        )
        if outcome == "done":
            upload.bytes += b"".join(body)

    @precondition(lambda self: self.uploads)
    @rule(pick=picks, off=st.sampled_from((-1, 1)))
    def appends_at_the_wrong_place(self, pick: int, off: int) -> None:
        upload = self._pick(pick)
        wrong = len(upload.bytes) + off
        refusal = UploadRangeWrong if self._is_usable(upload) else UploadUnknown
        self.attempt(
            lambda: uploads.append(self._find(upload), [b"x"], start_at=wrong), lambda: refusal
        )

    @precondition(lambda self: self.uploads)
    @rule(pick=picks, data=st.sampled_from(DATA), other=others, at=st.integers(1, 5))
    def appends_while_another(self, pick: int, data: bytes, other: str, at: int) -> None:
        upload = self._pick(pick)
        usable, before = self._is_usable(upload), len(upload.bytes)

        def body() -> Iterator[bytes]:
            yield data[:1]
            self._another(upload, other, at)
            yield data[1:]

        def refusal() -> Refusal:
            if not usable or not self._is_open(upload):
                return UploadUnknown
            return UploadRangeWrong if len(upload.bytes) != before else None

        outcome = self.attempt(lambda: uploads.append(self._find(upload), body()), refusal)
        if outcome == "done":
            upload.bytes += data

    @precondition(lambda self: self.uploads)
    @rule(pick=picks, algorithm=algorithms, wrong=rarely)
    def finishes(self, pick: int, algorithm: str, wrong: bool) -> None:
        upload = self._pick(pick)
        self._finish(upload, Digest.of(upload.bytes, algorithm), wrong=wrong)

    @precondition(lambda self: self.uploads)
    @rule(
        pick=picks,
        algorithm=algorithms,
        other=others,
        at=st.integers(1, 5),
        then=st.integers(1, 5),
    )
    def finishes_while_another(
        self, pick: int, algorithm: str, other: str, at: int, then: int
    ) -> None:
        upload = self._pick(pick)
        self.store.plan = Plan(at, lambda: self._another(upload, other, then), after=False)
        self._finish(upload, Digest.of(upload.bytes, algorithm))
        self.store.plan = None

    @precondition(lambda self: self.uploads)
    @rule(pick=picks, algorithm=algorithms, data=st.sampled_from(DATA), wrong=rarely)
    def sends_everything_at_the_end(
        self, pick: int, algorithm: str, data: bytes, wrong: bool
    ) -> None:
        upload = self._pick(pick)
        if not upload.bytes:
            self._finish(upload, Digest.of(data, algorithm), [data], wrong=wrong)

    @precondition(lambda self: self.uploads)
    @rule(pick=picks, data=st.sampled_from(DATA), other=others, at=st.integers(1, 5))
    def sends_everything_while_another(self, pick: int, data: bytes, other: str, at: int) -> None:
        upload = self._pick(pick)

        def body() -> Iterator[bytes]:
            yield data[:1]
            self._another(upload, other, at)
            yield data[1:]

        if not upload.bytes:
            self._finish(upload, Digest.of(data), body())

    def _finish(
        self,
        upload: Upload,
        digest: Digest,
        body: Iterable[bytes] | None = None,
        *,
        wrong: bool = False,
    ) -> None:
        usable, recheck = self._is_usable(upload), denied if wrong else no_recheck
        upload.rival = False

        def finish() -> None:
            session = self._find(upload)
            if body is None:
                uploads.finish(session, digest, recheck=recheck)
            else:
                uploads.finish_with(session, body, digest, recheck=recheck)

        outcome = self.attempt(finish, lambda: self._finish_refusal(upload, usable, wrong))
        if outcome == "done":
            upload.home.model.links[str(digest)] = self.later()
        if outcome == "done" or (outcome == "refused" and not self._is_open(upload)):
            self._forget(upload)

    def _finish_refusal(
        self, upload: Upload, usable: bool, wrong: bool
    ) -> Refusal | tuple[Refusal, ...]:
        if not usable:
            return UploadUnknown
        if upload.home.gone:
            return NameUnknown, UploadUnknown
        if upload.ended:
            return (Denied, UploadUnknown) if wrong else UploadUnknown
        outcome: Refusal = Denied if wrong else None
        return (outcome, UploadUnknown) if upload.rival else outcome

    @precondition(lambda self: self.uploads)
    @rule(pick=picks, whole=st.booleans())
    def finishes_with_the_wrong_digest(self, pick: int, whole: bool) -> None:
        upload, wrong = self._pick(pick), Digest.of(b"something else")
        options: tuple[Refusal, ...] = (UploadUnknown,)
        if self._is_usable(upload):
            options = (DigestInvalid, UploadUnknown) if upload.home.gone else (DigestInvalid,)

        def finish() -> None:
            session = self._find(upload)
            if whole and not upload.bytes:
                uploads.finish_with(session, [b"something"], wrong)
            else:
                uploads.finish(session, wrong)

        if self.attempt(finish, lambda: options) == "refused":
            assert not self._is_usable(upload)
            self._forget(upload)

    @precondition(lambda self: self.uploads)
    @rule(pick=picks)
    def cancels(self, pick: int) -> None:
        self._cancel(self._pick(pick))

    def _cancel(self, upload: Upload) -> None:
        refusal = None if self._is_usable(upload) else UploadUnknown
        self.attempt(lambda: uploads.cancel(self._find(upload)), lambda: refusal)
        self._forget(upload)

    @rule()
    def uploads_expire(self) -> None:
        self.traveller.shift(LIFETIME * 1.01)
        uploads.expire()
        assert not UploadSession.objects.exists()

    def _another(self, upload: Upload, what: str, at: int) -> None:
        """A second request or job, from beginning to end, inside the first one."""
        if what == "appends":
            uploads.append(session := self._find(upload), [b"x"])
            upload.bytes += b"x"
            assert session.offset == len(upload.bytes)
        elif what == "finishes":
            self._finish(upload, Digest.of(upload.bytes))
        elif what == "breaks a finish off":
            self.store.plan = Plan(at, breaks, after=at % 2 == 0)
            self._finish(upload, Digest.of(upload.bytes, "sha512"))
            self.store.plan = None
            upload.rival = True
        elif what == "cancels":
            self._cancel(upload)
        elif what == "expires":
            past = timezone.now() - timedelta(seconds=1)
            UploadSession.objects.filter(pk=upload.session.pk).update(expires_at=past)
            uploads.expire()
            self._forget(upload)
        elif what == "deletes the repository":
            self.delete_home(upload.home)
        else:
            self.collect()

    def _find(self, upload: Upload) -> UploadSession:
        return uploads.find(upload.home.row, upload.session.uuid, actor=ACTOR)

    def _pick(self, pick: int) -> Upload:
        return self.uploads[pick % len(self.uploads)]

    def _forget(self, upload: Upload) -> None:
        upload.ended = True
        if upload in self.uploads:
            self.uploads.remove(upload)

    def _is_open(self, upload: Upload) -> bool:
        return UploadSession.objects.filter(pk=upload.session.pk).exists()

    def _is_usable(self, upload: Upload) -> bool:
        rows = UploadSession.objects.filter(pk=upload.session.pk)
        return rows.filter(expires_at__gte=timezone.now()).exists()
