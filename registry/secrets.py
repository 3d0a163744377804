"""Names of variables whose values look like something that does not belong into an image."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SECRET = re.compile(
    r"(?:\A|_)(?:PASS|PASSWD|PASSWORD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|API_?KEY|ACCESS_?KEY"
    r"|PRIVATE_?KEY|ENCRYPTION_?KEY|AUTH_?KEY|SECRET_?KEY)(?:\Z|_)",
    re.I,
)
# What says where a secret is, how long it lives or that there is none, and is none itself.
_HARMLESS = re.compile(r"(?:_FILE|_PATH|_DIR|_URL|_TTL|_ID|_NAME|_LENGTH|_EXPIRY)\Z", re.I)
_EMPTY = {"", "0", "1", "true", "false", "none", "null", "yes", "no", "changeme"}


def secret_names(env: Iterable[str]) -> list[str]:
    """Names of `NAME=value` entries that look like secrets with a value; a guess, for a warning."""
    found = []
    for entry in env:
        name, _, value = entry.partition("=")
        if value.strip().lower() in _EMPTY or value.startswith(("/", "${")):
            continue
        if _SECRET.search(name) and not _HARMLESS.search(name):
            found.append(name)
    return found
