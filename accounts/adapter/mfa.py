"""Second factors: secrets encrypted at rest, names from the settings."""

from __future__ import annotations

from urllib.parse import urlsplit

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from core.crypto import decrypt, encrypt


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """What apps and keys are told of this hub, and how it keeps what they share."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("This code is not right, too old, or used already."),
    }

    def encrypt(self, text: str) -> str:
        """As everything secret is kept."""
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """The other way; raises InvalidToken under a wrong key."""
        return decrypt(encrypted_text)

    def get_totp_label(self, user: User) -> str:
        """The user name, which does not change with the address."""
        return user.username

    def get_totp_issuer(self) -> str:
        """The hub's host, so that several hubs can be told apart."""
        return str(settings.EXTERNAL_HOST)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Keys are bound to the outer host, never to what a request names."""
        host = urlsplit(settings.HUB.external_url).hostname or "localhost"
        return {"id": host, "name": f"Hub {settings.EXTERNAL_HOST}"}

    def _get_user_identifier(self, user: User) -> str:
        return user.username

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        """A suggestion."""
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return gettext("Key %(number)d") % {"number": count + 1}
