"""Django's settings, read top to bottom; every value that can differ comes from config.py."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import unquote, urlsplit

from hubsite import config, roles, signin
from hubsite.config_signin import MAIL_SCHEMES

HUB = config.load()
HUB_ORIGINS = config.origins()
ROLE = roles.choose(HUB)
BASE_DIR = config.BASE_DIR
VERSION = "0.1.0"


def _kept_secret(name: str, make: Any) -> str:
    """A secret of this installation, made on first start and readable by its owner only."""
    path = HUB.data_dir / name
    if not path.exists():
        temporary = path.with_name(f".{name}.{secrets.token_hex(8)}")
        temporary.touch(mode=0o600)
        temporary.write_text(make())
        try:
            path.hardlink_to(temporary)  # the first of several starting processes wins
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text().strip()


def _database(url: str) -> dict[str, Any]:
    if not url:
        url = f"sqlite:///{HUB.data_dir / 'hub.sqlite3'}"
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        return {
            "ENGINE": "core.sqlite",
            "NAME": unquote(url.partition(":///")[2]),
            "CONN_MAX_AGE": None,  # one connection a thread; opening one costs three pragmas
            # A browser suite and its server share one file, hence no in-memory test database.
            "TEST": {"NAME": str(HUB.data_dir / "test.sqlite3")},
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                ),
            },
        }
    if parts.scheme in ("postgres", "postgresql"):
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(parts.hostname or ""),
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
        }
    raise config.ConfigError(
        f"HUB_DATABASE_URL: found {parts.scheme}://…; allowed are sqlite:///… and postgres://…"
    )


HUB.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)

DEBUG = HUB.debug
SECRET_KEY = (
    HUB.secret_key.get_secret_value()
    if HUB.secret_key
    else _kept_secret("secret_key", lambda: secrets.token_urlsafe(50))
)
ENCRYPTION_KEYS = [key.get_secret_value() for key in HUB.encryption_keys] or [
    _kept_secret("encryption_key", lambda: secrets.token_urlsafe(32))
]
_outer = urlsplit(HUB.external_url)
EXTERNAL_HOST = _outer.netloc
HTTPS = _outer.scheme == "https"
ALLOWED_HOSTS = HUB.allowed_hosts or list(
    dict.fromkeys([_outer.hostname or "localhost", "localhost", "127.0.0.1", "[::1]"])
)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    *signin.provider_apps(HUB),
    "allauth.usersessions",
    "django_htmx",
    "drf_spectacular",
    "rest_framework",
    "core",
    "events",
    "accounts",
    "repos",
    "tokens",
    "registry",
    "search",
    "webhooks",
    "notices",
    "hubsite",
]
# The registry lane answers /v1, /v2 and /token before any of the portal's middleware runs.
MIDDLEWARE = [
    "hubsite.middleware.RequestIdMiddleware",
    "hubsite.middleware.RegistryLane",
    "hubsite.middleware.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "hubsite.signin_life.SessionLifeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "hubsite.middleware.HubErrorMiddleware",
]
MIDDLEWARE = list(ROLE.middleware) or MIDDLEWARE
ROOT_URLCONF = ROLE.rest
WSGI_APPLICATION = "hubsite.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "hubsite.context.site",
            ],
            "builtins": ["django.templatetags.i18n", "django.templatetags.static"],
        },
    }
]

DATABASES = {"default": _database(HUB.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache_entry",
        # Rate limits live here; Django's own limit of 300 rows would drop them early.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    *signin.directory_backends(HUB),
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = ["accounts.hashers.Argon2idHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 3600  # of the link in the mail, in seconds
LOGIN_REDIRECT_URL = "home"
LOGIN_URL = "account_login"
LOGOUT_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if HUB.verifies_email else "none"
ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = 1
ACCOUNT_EMAIL_NOTIFICATIONS = HUB.verifies_email  # only confirmed addresses are told of changes
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = HUB.reauthenticate_after_s
ACCOUNT_FORMS = {"add_email": "accounts.forms.AddEmailForm"}
# The key is a name together with an address: nobody is locked out by somebody elsewhere.
ACCOUNT_RATE_LIMITS = {
    "login_failed": "20/m/ip,5/300s/key",
    "signup": f"{HUB.signups_per_hour}/h/ip",
    "reset_password": "10/h/ip,3/h/key",
}
ALLAUTH_TRUSTED_PROXY_COUNT = HUB.trusted_proxies
MFA_ADAPTER = "accounts.adapter.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "add_webauthn": "accounts.forms.AddKeyForm",
    "authenticate_webauthn": "accounts.forms.KeyForm",
    "login_webauthn": "accounts.forms.PasskeyLoginForm",
    "reauthenticate_webauthn": "accounts.forms.ConfirmWithKeyForm",
}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # where it matters nobody signs in without a confirmed one
MFA_TOTP_TOLERANCE = 1  # clocks differ by up to half a minute
SOCIALACCOUNT_ADAPTER = "accounts.adapter.SocialAccountAdapter"
SOCIALACCOUNT_AUTO_SIGNUP = False  # a name is an address here, so that people choose it
SOCIALACCOUNT_PROVIDERS = signin.provider_settings(HUB)
SOCIALACCOUNT_FORMS = {"signup": "accounts.forms.SocialSignupForm"}
globals().update(signin.directory_settings(HUB))

SESSION_COOKIE_AGE = HUB.session_life_s
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "hub_session"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "hub_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_TRUSTED_ORIGINS = [HUB.external_url]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS and HUB.trusted_proxies else None
)
X_FRAME_OPTIONS = "DENY"

EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = HUB.email_from
if HUB.email_url.startswith(MAIL_SCHEMES):
    _mail = urlsplit(HUB.email_url)
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = _mail.hostname or "localhost"
    EMAIL_PORT = _mail.port or (465 if _mail.scheme == "smtps" else 25)
    EMAIL_HOST_USER = unquote(_mail.username or "")
    EMAIL_HOST_PASSWORD = unquote(_mail.password or "")
    EMAIL_USE_SSL = _mail.scheme == "smtps"
    EMAIL_USE_TLS = _mail.scheme == "smtp+starttls"
    EMAIL_TIMEOUT = 20

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.TokenAuthentication",
        "accounts.authentication.BrowserAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [],  # each view asks repos.permissions; hubsite.api says how
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "hubsite.problems.exception_handler",
    "NUM_PROXIES": HUB.trusted_proxies,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Hub",
    "DESCRIPTION": "REST API of a private registry hub.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api",
    "SCHEMA_COERCE_PATH_PK": False,
    # Several fields called `role` hold different words; a set shared by two fields has one name.
    "ENUM_NAME_OVERRIDES": {
        "RoleEnum": "repos.models.Role",
        "RobotRoleEnum": "accounts.models.RobotRole",
        "MemberRoleEnum": "accounts.models.Membership.Role",
        "ResultStateEnum": "webhooks.models.Result.State",
    },
}

CELERY_BROKER_URL = "hubdb://" if HUB.broker_url == "embedded" else HUB.broker_url

_handlers: dict[str, Any] = {
    "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
}
if HUB.error_mail_to:
    _handlers["mail"] = {
        "class": "core.logs.MailHandler",
        "level": "ERROR",
        "formatter": "line",
        "to": HUB.error_mail_to,
    }
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "core.logs.LineFormatter"}},
    "handlers": _handlers,
    "root": {"handlers": list(_handlers), "level": HUB.log_level.upper()},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.server": {"level": "WARNING"},
    },
}
SILENCED_SYSTEM_CHECKS = list(ROLE.silenced)
