"""What the sign-in machinery reports, in the audit log; and the marks decisions read."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount

from accounts.models import Namespace, User
from events.services import audit
from events.types import Actor

# Recovery codes alone are no second factor: they only stand in for one.
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def keep_second_factor(user_id: int) -> None:
    """Set the mark that decisions read to what is there."""
    has = Authenticator.objects.filter(user_id=user_id, type__in=FACTORS).exists()
    User.objects.filter(pk=user_id).exclude(second_factor=has).update(second_factor=has)


def note(
    kind: str, user: User, *, credential: str = "session", outcome: str = "", **payload: Any
) -> None:
    """An entry about somebody's own account, by themselves."""
    actor = Actor(user.pk, user.username, credential)
    _write(kind, user, actor, outcome, payload)


def note_reset_asked(user: User) -> None:
    """Somebody, who need not be this person, asked for a mail that lets them set a password."""
    _write("password.reset_asked", user, Actor(None, user.username, "none"), "", {})


def note_failed_factor(user: User, factor: str) -> None:
    """The password was right and the second factor was not; nobody is proven to have done it."""
    _write("signin.failed", user, Actor(None, user.username, factor), "bad_credential", {})


def signs_in_elsewhere(user: User) -> bool:
    """Whether the account has no password here and an identity elsewhere."""
    return not user.has_usable_password() and SocialAccount.objects.filter(user=user).exists()


def confirm(user_id: int) -> None:
    """This account has a confirmed address."""
    User.objects.filter(pk=user_id, is_verified=False).update(is_verified=True)


def _write(kind: str, user: User, actor: Actor, outcome: str, payload: dict[str, Any]) -> None:
    namespace = Namespace.objects.filter(user_id=user.pk).values_list("pk", flat=True).first()
    audit(
        kind,
        actor=actor,
        namespace_id=namespace,
        payload={"user": user.username, **payload},
        outcome=outcome,
    )
