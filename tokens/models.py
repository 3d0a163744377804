"""The keys that sign registry tokens, the authority that vouches for them, and refresh tokens."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.models import AccessToken, User
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


class CertificateAuthority(models.Model):
    """Signs a certificate for each signing key; other registries are told of its own. One row."""

    ONLY = 1  # its primary key

    certificate = models.TextField()
    private_key = EncryptedTextField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"made {self.created_at:%Y-%m-%d}"


class RefreshToken(models.Model):
    """A client that a person signed in and that may ask for registry tokens from then on.

    Only the hash of its secret is kept. `password_mark` is a fingerprint of the password hash at
    the sign-in, `access_token` what the person signed in with, or None for the password.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="refresh_tokens")
    access_token = models.ForeignKey(
        AccessToken, models.CASCADE, null=True, related_name="refresh_tokens"
    )
    service = models.CharField(max_length=300)
    client_id = models.CharField(max_length=100, blank=True)
    prefix = models.CharField(max_length=20, unique=True)
    secret_hash = models.CharField(max_length=64)
    password_mark = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.client_id or 'client'} of {self.user_id} ({self.prefix})"
