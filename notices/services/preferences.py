"""How people want to be told of what. Defaults are few mails, and none that comes twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.core.signing import BadSignature, Signer
from django.db import transaction

from core.errors import Invalid, NotFound
from notices.models import Kind, Mail, Preference

# Of these a mail of its own is sent anyway, by whoever makes the thing they are about.
MAILED_ANYWAY = frozenset({Kind.REQUEST, Kind.INVITATION, Kind.TOKEN})
_MAIL = {
    Kind.MENTION: Mail.AT_ONCE,
    Kind.WEBHOOK: Mail.AT_ONCE,
    Kind.COMMENT: Mail.DAILY,
    Kind.TAG: Mail.DAILY,
    Kind.SEARCH: Mail.DAILY,
}
_STOP = Signer(salt="notices.stop")


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether the bell tells of a kind, and when a mail does."""

    web: bool
    mail: Mail


def default_of(kind: Kind) -> Choice:
    """What holds for who chose nothing."""
    return Choice(True, _MAIL.get(kind, Mail.NEVER))


def choices_of(user_id: int) -> dict[Kind, Choice]:
    """What a person gets of every kind."""
    rows = Preference.objects.filter(user_id=user_id)
    chosen = {Kind(row.kind): Choice(row.web, Mail(row.mail)) for row in rows}
    return {kind: chosen.get(kind, default_of(kind)) for kind in Kind}


def choices_about(kind: Kind, user_ids: Iterable[int]) -> dict[int, Choice]:
    """What each of these people chose for one kind, in one query."""
    rows = Preference.objects.filter(kind=kind, user_id__in=user_ids)
    chosen = {row.user_id: Choice(row.web, Mail(row.mail)) for row in rows}
    return {user_id: chosen.get(user_id, default_of(kind)) for user_id in user_ids}


def set_choices(user_id: int, choices: Mapping[Kind, Choice]) -> None:
    """Keep what a person chose; raises Invalid for a mail that is sent anyway."""
    for kind, choice in choices.items():
        if kind in MAILED_ANYWAY and choice.mail != Mail.NEVER:
            raise Invalid("Of this a mail is sent anyway.")
    Preference.objects.bulk_create(
        [
            Preference(user_id=user_id, kind=kind, web=choice.web, mail=choice.mail)
            for kind, choice in choices.items()
        ],
        update_conflicts=True,
        unique_fields=["user", "kind"],
        update_fields=["web", "mail"],
    )


def ticket_of(user_id: int) -> str:
    """What the link at the end of a mail carries: it stops mails to one person, and that is all."""
    return _STOP.sign(str(user_id))


def holder_of(ticket: str) -> int:
    """Whose mails a ticket stops; raises NotFound."""
    try:
        return int(_STOP.unsign(ticket))
    except (BadSignature, ValueError) as error:
        raise NotFound("This link is not one of ours.") from error


def stop_mails(user_id: int) -> None:
    """No mail about any kind from now on; the bell stays as it is."""
    with transaction.atomic():
        present = choices_of(user_id)
        set_choices(user_id, {k: Choice(c.web, Mail.NEVER) for k, c in present.items()})
