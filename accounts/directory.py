"""People of an LDAP directory; loaded only where `HUB_LDAP_URL` is set.

An account belongs to the directory if an identity says so, by the entry's name there. Nobody of
the directory takes over an account that merely has the same name.
"""

from __future__ import annotations

from typing import Any

import ldap
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import transaction
from django_auth_ldap.backend import LDAPBackend
from django_auth_ldap.config import LDAPSearch

from accounts.models import User
from accounts.names import check_name
from accounts.services.names import is_name_free
from accounts.services.signup import MAX_EMAIL_CHARS, give_namespace, note_created
from core.errors import HubError

PROVIDER = "ldap"
MAIL = "mail"


class DirectoryBackend(LDAPBackend):  # type: ignore[misc]
    """Asks the directory whether the password is right, then finds or makes the account."""

    def __init__(self) -> None:
        super().__init__()
        hub = settings.HUB
        self.settings.USER_SEARCH = LDAPSearch(
            hub.ldap_user_base, ldap.SCOPE_SUBTREE, hub.ldap_user_filter
        )

    def authenticate_ldap_user(self, ldap_user: Any, password: str) -> User | None:
        """The account of whoever the directory knows by this name and password."""
        try:
            found: User | None = super().authenticate_ldap_user(ldap_user, password)
        except NotTheirs:
            return None
        return found

    def get_or_build_user(self, username: str, ldap_user: Any) -> tuple[User, bool]:
        """The account linked to this entry, or a new one where the operator allows it."""
        linked = SocialAccount.objects.filter(provider=PROVIDER, uid=ldap_user.dn.lower())
        if (identity := linked.select_related("user").first()) is not None:
            return identity.user, False
        name = username.lower()
        if not settings.HUB.external_signup_open or not _may_have(name):
            raise NotTheirs(name)
        return _make(name, ldap_user), False

    def get_user(self, user_id: int) -> User | None:
        """Somebody who is signed in, unless the account was switched off."""
        return User.objects.filter(pk=user_id, is_active=True).first()


class NotTheirs(Exception):
    """The directory knows this person, but the name here is not theirs to have."""


def _may_have(name: str) -> bool:
    try:
        check_name(name)
    except HubError:
        return False
    return is_name_free(name)


def _make(name: str, ldap_user: Any) -> User:
    """An account without a password of ours; the directory vouches for the address."""
    email = (ldap_user.attrs.get(MAIL) or [""])[0].lower()
    if len(email) > MAX_EMAIL_CHARS or User.objects.filter(email=email).exists():
        email = ""  # somebody else's here; theirs to sort out
    with transaction.atomic():
        user = User(username=name, email=email)
        user.set_unusable_password()
        user.save()
        give_namespace(user)
        note_created(user)
        SocialAccount.objects.create(user=user, provider=PROVIDER, uid=ldap_user.dn.lower())
    return user
