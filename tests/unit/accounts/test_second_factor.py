"""The marks decisions read, and what the operator sets up."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from pydantic import SecretStr

from accounts.models import User
from hubsite import signin
from hubsite.config import Config, ConfigError, load

pytestmark = pytest.mark.django_db


def factor(user: User, kind: str) -> Authenticator:
    return Authenticator.objects.create(user=user, type=kind, data={})


class TestMark:
    @pytest.mark.parametrize(
        ("kinds", "expected"),
        [
            ([], False),
            (["recovery_codes"], False),
            (["totp"], True),
            (["webauthn"], True),
            (["totp", "webauthn", "recovery_codes"], True),
        ],
    )
    def test_follows_what_is_there(self, alice: User, kinds: list[str], expected: bool) -> None:
        for kind in kinds:
            factor(alice, kind)
        alice.refresh_from_db()
        assert alice.second_factor is expected

    def test_falls_with_the_last(self, alice: User) -> None:
        factor(alice, "totp")
        factor(alice, "webauthn")
        Authenticator.objects.filter(type="totp").delete()
        alice.refresh_from_db()
        assert alice.second_factor
        Authenticator.objects.all().delete()
        alice.refresh_from_db()
        assert not alice.second_factor


def config(**values: Any) -> Config:
    return Config(**values)


class TestConfig:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ({}, False),
            ({"email_url": "smtp://mail.example.com"}, True),
            ({"email_url": "smtps://mail.example.com"}, True),
            ({"email_url": "smtp://mail.example.com", "email_verification": "none"}, False),
            ({"email_verification": "mandatory"}, True),
        ],
    )
    def test_who_confirms_addresses(self, values: dict[str, str], expected: bool) -> None:
        assert config(**values).verifies_email is expected

    @pytest.mark.parametrize(
        ("signup", "external", "expected"),
        [
            ("open", "follow", True),
            ("closed", "follow", False),
            ("closed", "open", True),
            ("open", "closed", False),
        ],
    )
    def test_who_gets_an_account(self, signup: str, external: str, expected: bool) -> None:
        found = config(signup=signup, external_signup=external)
        assert found.external_signup_open is expected

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("HUB_GITHUB_CLIENT_ID", "x", "HUB_GITHUB_CLIENT_SECRET are needed together"),
            ("HUB_OIDC", "{}", "HUB_OIDC"),
            ("HUB_OIDC", "no json", "must be JSON"),
            (
                "HUB_OIDC",
                '[{"id": "a", "name": "A", "client_id": "c", "client_secret": "hushhush"}]',
                "HUB_OIDC__0__SERVER_URL",
            ),
            (
                "HUB_OIDC",
                '[{"id": "github", "name": "A", "server_url": "https://a", "client_id": "c", '
                '"client_secret": "hushhush"}]',
                "id of its own",
            ),
            ("HUB_LDAP_URL", "http://x", "must be ldap://"),
            ("HUB_LDAP_URL", "ldap://x", "HUB_LDAP_USER_BASE"),
            ("HUB_LDAP_USER_FILTER", "uid=x", "filter in brackets"),
            ("HUB_EMAIL_VERIFICATION", "perhaps", "HUB_EMAIL_VERIFICATION"),
        ],
    )
    def test_bad_values_stop_the_start(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
    ) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(ConfigError) as error:
            load()
        assert said in str(error.value)
        assert "hushhush" not in str(error.value)

    def test_lists_may_come_from_a_file(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        file = tmp_path / "oidc.json"
        file.write_text(
            '[{"id": "work", "name": "Work", "server_url": "https://id.example.com", '
            '"client_id": "hub", "client_secret": "hushhush"}]'
        )
        monkeypatch.setenv("HUB_OIDC_FILE", str(file))
        found = load()
        assert found.oidc[0].client_secret.get_secret_value() == "hushhush"
        assert "hushhush" not in repr(found)
        file.write_text("nothing of the kind")
        with pytest.raises(ConfigError, match="HUB_OIDC_FILE"):
            load()


class TestProviders:
    def test_only_what_is_set_up(self) -> None:
        assert signin.provider_apps(config()) == ["allauth.socialaccount.providers.openid_connect"]
        found = config(
            **{f"{n}_client_id": "id" for n in ("github", "gitlab", "google", "bitbucket")},
            **{
                f"{n}_client_secret": SecretStr("s")
                for n in ("github", "gitlab", "google", "bitbucket")
            },
            github_url="https://git.example.com/",
        )
        assert [app.rpartition(".")[2] for app in signin.provider_apps(found)] == [
            *("openid_connect", "github", "gitlab", "google", "bitbucket_oauth2"),
        ]
        made = signin.provider_settings(found)
        assert made["github"]["GITHUB_URL"] == "https://git.example.com"
        assert made["bitbucket_oauth2"]["APPS"] == [{"client_id": "id", "secret": "s"}]

    def test_a_whole_hub_starts_with_them(self, tmp_path: Any) -> None:
        """Settings, addresses and the sign-in page, in a process of its own."""
        environment = {
            **{n: v for n, v in os.environ.items() if not n.startswith("HUB_")},
            "HUB_DATA_DIR": str(tmp_path),
            **{f"HUB_{n}_CLIENT_ID": "id" for n in ("GITHUB", "GITLAB", "GOOGLE", "BITBUCKET")},
            **{f"HUB_{n}_CLIENT_SECRET": "s" for n in ("GITHUB", "GITLAB", "GOOGLE", "BITBUCKET")},
        }
        program = (
            "from django.urls import reverse;"
            "print(*(reverse(n + '_login') for n in "
            "('github', 'gitlab', 'google', 'bitbucket_oauth2')))"
        )
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert "/accounts/github/login/" in done.stdout


class TestDirectory:
    def test_off(self) -> None:
        assert signin.directory_backends(config()) == []
        assert signin.directory_settings(config()) == {}

    def test_missing_packages_are_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(signin, "find_spec", lambda name: None)
        found = config(ldap_url="ldap://d.example.com", ldap_user_base="dc=example")
        with pytest.raises(ConfigError, match=r"pip install -r requirements-ldap\.txt"):
            signin.directory_backends(found)

    def test_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(signin, "find_spec", lambda name: object())
        found = config(
            ldap_url="ldap://d.example.com",
            ldap_user_base="dc=example",
            ldap_bind_dn="cn=hub",
            ldap_bind_password=SecretStr("s"),
            ldap_start_tls=True,
        )
        assert signin.directory_backends(found) == ["accounts.directory.DirectoryBackend"]
        made = signin.directory_settings(found)
        assert made["AUTH_LDAP_SERVER_URI"] == "ldap://d.example.com"
        assert made["AUTH_LDAP_BIND_PASSWORD"] == "s"
        assert made["AUTH_LDAP_START_TLS"] is True
