"""The keys that sign registry tokens."""

from __future__ import annotations

from django.db import models

from core.crypto import EncryptedTextField


class SigningKey(models.Model):
    """A private key, encrypted at rest; `kid` is its RFC 7638 thumbprint."""

    kid = models.CharField(max_length=100, unique=True)
    private_key = EncryptedTextField()
    algorithm = models.CharField(max_length=10, default="ES256")
    active_from = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.kid
