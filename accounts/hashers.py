"""Password hashing with a cost that a small machine can bear (OWASP's Argon2id figures)."""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2idHasher(Argon2PasswordHasher):
    """19 MiB, two passes, one lane: about 30 ms and no more than 19 MiB a hash."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
