"""Password files as `htpasswd -B` writes them: `name:hash`, one a line; bcrypt or Argon2.

bcrypt is checked by the machine's own crypt(3), which has to pass a known answer first.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hmac
import re
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from hubsite.config_file import ConfigError

NAME = "HUB_STANDALONE_PASSWORDS"
MAX_BYTES = 1024 * 1024
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}\Z")  # more takes many seconds
_ARGON2 = ("$argon2id$", "$argon2i$", "$argon2d$")
_DATA_BYTES = 256 * 1024  # struct crypt_data is half of this where it is largest
# The test vector of the first bcrypt in C (crypt_blowfish).
_KNOWN = ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")
_OTHERS = {
    "$apr1$": "apr1 (MD5)",
    "{SHA}": "SHA-1",
    "$1$": "MD5",
    "$5$": "SHA-256 crypt",
    "$6$": "SHA-512 crypt",
    "$y$": "yescrypt",
}


def read(path: Path) -> dict[str, str]:
    """Hashes by name; raises ConfigError: which line, what it is, what to do."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{NAME}: {path}: larger than {MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{NAME}: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{NAME}: {path}: not UTF-8 text") from error
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, separator, hashed = line.strip().partition(":")
        where = f"{NAME}: {path}:{number}"
        if not separator or not name:
            raise ConfigError(f"{where}: expected name:hash")
        if name in found:
            raise ConfigError(f"{where}: {name!r} is there twice")
        _check(hashed, where)
        found[name] = hashed
    if not found:
        raise ConfigError(f"{NAME}: {path}: has no names; add one with: htpasswd -B {path} NAME")
    return found


def is_right(password: str, hashed: str) -> bool:
    """Whether a hash that `read` took is that of this password. Takes some tenths of a second."""
    if hashed.startswith(_ARGON2):
        try:
            return PasswordHasher().verify(hashed, password)
        except (Argon2Error, InvalidHashError):
            return False
    made = _crypt(password, hashed)
    return made is not None and hmac.compare_digest(made.encode(), hashed.encode())


def _check(hashed: str, where: str) -> None:
    if hashed.startswith(_ARGON2):
        return
    if _BCRYPT.match(hashed):
        if not _has_bcrypt():
            raise ConfigError(f"{where}: this machine has no bcrypt; use an Argon2 hash")
        return
    kind = next((word for start, word in _OTHERS.items() if hashed.startswith(start)), "not known")
    raise ConfigError(
        f"{where}: the kind of this hash is {kind}; allowed are bcrypt (htpasswd -B) and Argon2"
    )


@cache
def _has_bcrypt() -> bool:
    return _crypt(*_KNOWN) == _KNOWN[1]


def _crypt(password: str, setting: str) -> str | None:
    """crypt_r(3): None where it is not there or does not know the kind."""
    library = _library()
    if library is None or "\0" in password:
        return None
    data = ctypes.create_string_buffer(_DATA_BYTES)
    made = library.crypt_r(password.encode(), setting.encode(), data)
    text: str = made.decode("ascii", "replace") if made else ""
    return text if text.startswith(setting[:4]) else None


@cache
def _library() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("crypt")
    if name is None:
        return None
    try:
        library = ctypes.CDLL(name)
        library.crypt_r.restype = ctypes.c_char_p
        library.crypt_r.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
    except (OSError, AttributeError):
        return None
    return library
