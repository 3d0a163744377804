"""Secrets: comparing, hashing, encrypting at rest."""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import cache
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import models


def same(left: str, right: str) -> bool:
    """Whether two secrets are equal, in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def token_hash(secret: str) -> str:
    """What is kept of a high-entropy secret: its SHA-256, 64 hex characters."""
    return hashlib.sha256(secret.encode()).hexdigest()


@cache
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet(
        [Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys]
    )


def encrypt(text: str) -> str:
    """Cipher text under the first of the installation's keys."""
    return _box(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def decrypt(text: str) -> str:
    """The plain text; raises cryptography.fernet.InvalidToken under a wrong key."""
    return _box(tuple(settings.ENCRYPTION_KEYS)).decrypt(text.encode()).decode()


_IN_A_DUMP = "encrypted:"


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text that the database sees only encrypted, and a dump too. A wrong key fails loudly."""

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt on the way in; empty text stays empty."""
        return encrypt(value) if value else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Decrypt on the way out."""
        return decrypt(value) if value else value

    def value_to_string(self, obj: models.Model) -> str:
        """For `dumpdata`: as the database has it, and marked as such."""
        value = self.value_from_object(obj)
        return f"{_IN_A_DUMP}{encrypt(value)}" if value else ""

    def to_python(self, value: Any) -> Any:
        """For `loaddata`: what a dump has becomes plain; everything else is."""
        if isinstance(value, str) and value.startswith(_IN_A_DUMP):
            return decrypt(value.removeprefix(_IN_A_DUMP))
        return super().to_python(value)
