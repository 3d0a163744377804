"""Password files: which hashes are taken, and that they are checked."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from hubsite import htpasswd
from hubsite.config_file import ConfigError

SALT = "CCCCCCCCCCCCCCCCCCCCC."
BCRYPT = f"$2y$05${SALT}E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"  # of U*U, by crypt_blowfish
ARGON2 = PasswordHasher(time_cost=1, memory_cost=64).hash("U*U")


@pytest.mark.parametrize(
    "hashed", [BCRYPT, BCRYPT.replace("$2y$", "$2b$"), ARGON2], ids=["2y", "2b", "argon2"]
)
def test_a_hash_is_of_its_password_and_of_no_other(hashed, tmp_path):
    file = tmp_path / "passwords"
    file.write_text(f"# ours\n\nann:{hashed}\n")
    assert htpasswd.read(file) == {"ann": hashed}
    assert htpasswd.is_right("U*U", hashed)
    for wrong in ("U*U*", "", "u*u", "U*U\0", "U*U\0more", "ü" * 40):
        assert not htpasswd.is_right(wrong, hashed)


WRONG = {
    "ann:$apr1$x$y": "apr1 (MD5)",
    "ann:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=": "SHA-1",
    "ann:$6$salt$hash": "SHA-512 crypt",
    "ann:plain": "not known",
    f"ann:{BCRYPT[:-1]}": "not known",
    f"ann:{BCRYPT.replace('$05$', '$31$')}": "not known",
    "ann": "expected name:hash",
    f":{BCRYPT}": "expected name:hash",
    f"ann:{BCRYPT}\nann:{BCRYPT}": "'ann' is there twice",
    "# nobody": "has no names",
}


@pytest.mark.parametrize(("text", "reason"), WRONG.items())
def test_anything_else_is_refused_with_one_line_that_shows_no_hash(text, reason, tmp_path):
    file = tmp_path / "passwords"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        htpasswd.read(file)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"HUB_STANDALONE_PASSWORDS: {file}:")
    assert reason in line
    assert SALT not in line


def test_where_bcrypt_cannot_be_checked_it_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "passwords"
    file.write_text(f"ann:{BCRYPT}")
    monkeypatch.setattr(htpasswd, "_has_bcrypt", lambda: False)
    with pytest.raises(ConfigError, match="this machine has no bcrypt; use an Argon2 hash"):
        htpasswd.read(file)
    monkeypatch.setattr(htpasswd, "_library", lambda: None)
    assert not htpasswd.is_right("U*U", BCRYPT)
