"""What happens when the sign-in machinery reports something; connected by `AccountsConfig.ready`.

Requests come as they are from signals; only their session and person are used.
"""

from __future__ import annotations

import time
from typing import Any

from allauth.account import signals as account
from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.socialaccount import signals as social
from django.contrib.auth import signals as auth
from django.db.models.signals import post_delete, post_save

from accounts.models import User
from accounts.services.sessions import SEEN_AT, SIGNED_IN_AT, end_other_sessions
from accounts.services.signins import confirm, keep_second_factor, note, note_failed_factor
from events.types import Actor


def connect() -> None:
    """Once, when the application is ready; weak references would lose nothing here."""
    auth.user_logged_in.connect(begin_session)
    account.user_logged_in.connect(signed_in)
    auth.user_logged_out.connect(signed_out)
    account.user_signed_up.connect(signed_up)
    account.email_confirmed.connect(address_confirmed)
    account.email_changed.connect(address_changed)
    for changed in (account.password_changed, account.password_set):
        changed.connect(password_changed)
    account.password_reset.connect(password_reset)
    mfa.authenticator_added.connect(factor_added)
    mfa.authenticator_removed.connect(factor_removed)
    mfa.authenticator_reset.connect(factor_added)
    mfa.authentication_failed.connect(factor_failed)
    social.social_account_added.connect(identity_linked)
    social.social_account_removed.connect(identity_unlinked)
    for stored in (post_save, post_delete):
        stored.connect(factor_stored, sender=Authenticator)


def begin_session(sender: Any, request: Any, user: User, **_: Any) -> None:
    """A session knows when it began: it does not live for ever."""
    request.session[SIGNED_IN_AT] = request.session[SEEN_AT] = int(time.time())


def signed_in(sender: Any, request: Any, user: User, **_: Any) -> None:
    """With what, in the order it was given."""
    records = get_authentication_records(request, user)
    steps = [str(r.get("type") or r.get("provider") or r.get("method")) for r in records]
    note("signin.ok", user, credential=" + ".join(dict.fromkeys(steps)) or "session")


def signed_out(sender: Any, request: Any, user: User | None, **_: Any) -> None:
    """Of their own accord; somebody whose session is over already is nobody."""
    if isinstance(user, User):
        note("signout", user)


def signed_up(sender: Any, request: Any, user: User, **kwargs: Any) -> None:
    """An account that was made out of an identity elsewhere is linked to it."""
    if login := kwargs.get("sociallogin"):
        note("identity.linked", user, provider=login.account.provider)


def address_confirmed(sender: Any, email_address: Any, **_: Any) -> None:
    """From now on this account may do more than read."""
    confirm(email_address.user_id)


def address_changed(
    sender: Any, user: User, from_email_address: Any, to_email_address: Any, **_: Any
) -> None:
    """Another address gets the mails."""
    before = {"email": from_email_address.email} if from_email_address else {}
    after = {"email": to_email_address.email} if to_email_address else {}
    note("email.changed", user, before=before, after=after)


def password_changed(sender: Any, request: Any, user: User, **_: Any) -> None:
    """Whoever had the old one is out."""
    note("password.changed", user)
    _end_others(request, user)


def password_reset(sender: Any, request: Any, user: User, **_: Any) -> None:
    """The same, with a link from a mail."""
    note("password.reset", user, credential="mail")
    _end_others(request, user)


def factor_added(sender: Any, request: Any, user: User, authenticator: Any, **_: Any) -> None:
    """What was signed in without it signs in again."""
    note("second_factor.added", user, factor=str(authenticator.type))
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        _end_others(request, user)


def factor_removed(sender: Any, request: Any, user: User, authenticator: Any, **_: Any) -> None:
    """Whoever did it, only they stay signed in."""
    note("second_factor.removed", user, factor=str(authenticator.type))
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        _end_others(request, user)


def factor_failed(sender: Any, user: User, authenticator: Any, **_: Any) -> None:
    """Somebody knows the password, which its owner may want to hear of."""
    note_failed_factor(user, str(authenticator.type))


def factor_stored(sender: Any, instance: Authenticator, **_: Any) -> None:
    """However it came or went, through the administration too."""
    keep_second_factor(instance.user_id)


def identity_linked(sender: Any, request: Any, sociallogin: Any, **_: Any) -> None:
    """Another way in."""
    note("identity.linked", request.user, provider=sociallogin.account.provider)


def identity_unlinked(sender: Any, request: Any, socialaccount: Any, **_: Any) -> None:
    """One way in less."""
    note("identity.unlinked", request.user, provider=socialaccount.provider)


def _end_others(request: Any, user: User) -> None:
    actor = Actor(user.pk, user.username, "session")
    end_other_sessions(user, request.session.session_key, actor=actor)
