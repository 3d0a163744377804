"""Every setting of the old registry: what it does here, or why it does nothing."""

from __future__ import annotations

import pytest
import yaml

from hubsite.config import ConfigError, load, notes
from hubsite.config_old import BY_KEY, FLAVOURS, GONE_STORES, OLD_NAMES, OldName
from hubsite.config_translate import translate

pytestmark = pytest.mark.usefixtures("bare_environment")
S3 = {"SETTINGS_FLAVOR": "s3"}
GCS = {"SETTINGS_FLAVOR": "gcs"}
OSS = {"SETTINGS_FLAVOR": "oss"}
REDIS = {"CACHE_REDIS_HOST": "r"}
SMTP = {"SMTP_HOST": "m"}
AES = {"object_parameters": {"ServerSideEncryption": "AES256"}}
GOOGLE = {"endpoint_url": "https://storage.googleapis.com"}

# variable or key: other variables, the value as text, the field, what it is then.
WORKS: dict[str, tuple[dict[str, str], str, str, object]] = {
    "LOGLEVEL": ({}, "WARN", "log_level", "warning"),
    "STANDALONE": ({}, "false", "role", "hub"),
    "INDEX_ENDPOINT": (
        {"STANDALONE": "false"},
        *("https://index.example/", "external_url", "https://index.example"),
    ),
    "SECRET_KEY": ({}, "0123", "secret_key", "0123"),
    "SQLALCHEMY_INDEX_DATABASE": (
        {},
        *("postgresql+psycopg2://u:p@h/n", "database_url", "postgres://u:p@h/n"),
    ),
    "STORAGE_PATH": ({}, "/registry", "storage_options", {"root": "/registry"}),
    "AWS_BUCKET": (S3, "b", "storage_options", {"bucket_name": "b", **AES}),
    "AWS_REGION": (S3, "r", "storage_options", {"region_name": "r", **AES}),
    "AWS_KEY": (S3, "12", "storage_options", {"access_key": "12", **AES}),
    "AWS_SECRET": (S3, "0x1", "storage_options", {"secret_key": "0x1", **AES}),
    "AWS_SECURE": (S3, "false", "storage_options", {"use_ssl": False, **AES}),
    "AWS_ENCRYPT": ({**S3, "AWS_KEY": "k"}, "false", "storage_options", {"access_key": "k"}),
    "AWS_HOST": (S3, "h", "storage_options", {"endpoint_url": "https://h", **AES}),
    "AWS_PORT": (
        {**S3, "AWS_HOST": "h", "AWS_SECURE": "false"},
        *("8080", "storage_options", {"endpoint_url": "http://h:8080", "use_ssl": False, **AES}),
    ),
    "AWS_CALLING_FORMAT": (
        S3,
        *("boto.s3.connection.OrdinaryCallingFormat", "storage_options"),
        {"addressing_style": "path", **AES},
    ),
    "GCS_BUCKET": (GCS, "b", "storage_options", {"bucket_name": "b", **GOOGLE}),
    "GCS_KEY": (GCS, "k", "storage_options", {"access_key": "k", **GOOGLE}),
    "GCS_SECRET": (GCS, "s", "storage_options", {"secret_key": "s", **GOOGLE}),
    "GCS_SECURE": (GCS, "true", "storage_options", {"use_ssl": True, **GOOGLE}),
    "OSS_BUCKET": (OSS, "b", "storage_options", {"bucket_name": "b"}),
    "OSS_HOST": (OSS, "h", "storage_options", {"endpoint_url": "https://h"}),
    "OSS_KEY": (OSS, "k", "storage_options", {"access_key": "k"}),
    "OSS_SECRET": (OSS, "s", "storage_options", {"secret_key": "s"}),
    "CACHE_REDIS_HOST": ({}, "r", "broker_url", "redis://r:6379/0"),
    "CACHE_REDIS_PORT": (REDIS, "7000", "broker_url", "redis://r:7000/0"),
    "CACHE_REDIS_DB": (REDIS, "3", "broker_url", "redis://r:6379/3"),
    "CACHE_REDIS_PASSWORD": (REDIS, "p@/1", "broker_url", "redis://:p%40%2F1@r:6379/0"),
    "SMTP_HOST": ({}, "m", "email_url", "smtp://m:25"),
    "SMTP_PORT": (SMTP, "587", "email_url", "smtp://m:587"),
    "SMTP_LOGIN": (SMTP, "a@b", "email_url", "smtp://a%40b:@m:25"),
    "SMTP_PASSWORD": ({**SMTP, "SMTP_LOGIN": "a"}, "007", "email_url", "smtp://a:007@m:25"),
    "SMTP_SECURE": (SMTP, "true", "email_url", "smtp+starttls://m:25"),
    "SMTP_FROM_ADDR": ({}, "a@b", "email_from", "a@b"),
    "SMTP_TO_ADDR": ({}, "a@b, c@d", "error_mail_to", ["a@b", "c@d"]),
    "REGISTRY_HOST": ({}, "::", "bind", "[::]:5000"),
    "REGISTRY_PORT": ({}, "5001", "bind", "127.0.0.1:5001"),
    "GUNICORN_WORKERS": ({}, "4", "web_workers", 4),
}
BAD = {
    "LOGLEVEL": "loud",
    "STANDALONE": "perhaps",
    "SQLALCHEMY_INDEX_DATABASE": "mysql://u:s3cret@h/n",
    "CACHE_REDIS_PORT": "99999",
    "CACHE_REDIS_DB": "-1",
    "SMTP_PORT": "smtp",
    "SMTP_SECURE": "/etc/key.pem",
    "REGISTRY_PORT": "0",
    "GUNICORN_WORKERS": "all",
}
OTHERS = {
    "SMTP_PORT": SMTP,
    "SMTP_SECURE": SMTP,
    "CACHE_REDIS_PORT": REDIS,
    "CACHE_REDIS_DB": REDIS,
}


def as_plain(value: object) -> object:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def written(rows: dict[str, str], storage: str) -> str:
    """Keys with dots as an old file has them, in its flavour `dev`."""
    section: dict[str, object] = {"storage": storage}
    for key, value in rows.items():
        group, _, name = key.rpartition(".")
        inside = section.setdefault(group, {}) if group else section
        assert isinstance(inside, dict)
        inside[name] = value
    return yaml.safe_dump({"common": {"issue": "x"}, "dev": section})


@pytest.mark.parametrize(
    "row", [row for row in OLD_NAMES if row.variable], ids=lambda row: row.variable
)
def test_every_old_variable_is_understood_or_says_why_not(row: OldName, env):
    if not row.new:
        env(**{row.variable: "x"})
        if not row.stores:
            (line,) = notes()
            assert line == f"{row.variable} has no effect: {row.note}"
            assert load().model_fields_set == set()
        else:  # other programs use such names
            assert notes() == []
        return
    others, value, name, expected = WORKS[row.variable]
    env(**others, **{row.variable: value})
    found = translate({})
    assert found.errors == []
    assert found.values[name] == expected
    if not row.stores:  # object stores are refused below
        assert as_plain(getattr(load(), name)) == expected
        text = f"{row.variable} is understood; its name today is {row.new}"
        assert [line for line in notes() if line.startswith(text)]


@pytest.mark.parametrize("row", BY_KEY.values(), ids=lambda row: row.key)
def test_every_old_key_of_the_file_is_understood_or_says_why_not(row: OldName, env, tmp_path):
    others, value, name, expected = WORKS.get(row.variable, ({}, "x", "", None))
    if row.key == "storage":
        value, name, expected = "file", "storage", "local"
    flavour = others.get("SETTINGS_FLAVOR", row.stores[0] if row.stores else "local")
    others = {key: other for key, other in others.items() if key != "SETTINGS_FLAVOR"}
    rows = {next(r.key for r in OLD_NAMES if r.variable == k): v for k, v in others.items()}
    file = tmp_path / "config.yml"
    file.write_text(written({**rows, row.key: value}, flavour if row.key != "storage" else "file"))
    env(DOCKER_REGISTRY_CONFIG=str(file))
    if flavour != "local":
        with pytest.raises(ConfigError) as refused:
            load()
        assert f"found '{'s3' if flavour not in GONE_STORES else flavour}'" in str(refused.value)
        assert str(refused.value).count("\n") == 0
        return
    found = load()
    if row.new:
        assert as_plain(getattr(found, name)) == expected
        assert any(line.startswith(f"{row.key} (config.yml:") for line in notes())
    else:
        lines = [line for line in notes() if line.startswith(f"{row.key} (config.yml:")]
        assert len(lines) == 1
        assert lines[0].endswith(f"has no effect: {row.note}")


@pytest.mark.parametrize(("name", "value"), BAD.items())
def test_nonsense_under_an_old_name_is_one_line(name, value, env):
    env(**OTHERS.get(name, {}), **{name: value})
    with pytest.raises(ConfigError) as refused:
        load()
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{name}: found ")
    assert ": must be " in line
    assert "s3cret" not in line


def test_todays_name_wins_and_the_note_says_so(env):
    env(STORAGE_PATH="/old", HUB_STORAGE_OPTIONS='{"root": "/new"}')
    assert load().storage_options == {"root": "/new"}
    assert notes() == [
        "STORAGE_PATH has no effect: HUB_STORAGE_OPTIONS is set (HUB_STORAGE_OPTIONS)"
    ]


@pytest.mark.parametrize("endpoint", ["https://index.docker.io/", "https://index.docker.io/v1/"])
def test_the_public_index_is_not_ours(env, endpoint):
    env(INDEX_ENDPOINT=endpoint, STANDALONE="false")
    assert load().external_url == "http://localhost:5000"
    assert any(line.startswith("INDEX_ENDPOINT has no effect") for line in notes())


def test_a_standalone_registry_asks_no_index(env):
    env(INDEX_ENDPOINT="https://index.example", STANDALONE="true")
    assert translate({}).values == {"role": "standalone"}


def test_a_service_called_registry_in_kubernetes_is_no_setting(env):
    env(REGISTRY_PORT="tcp://10.0.0.1:5000")
    assert load().bind == "127.0.0.1:5000"
    assert notes() == []


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_flavours_without_a_file_choose_the_store_of_the_sample_file(flavour, env):
    env(SETTINGS_FLAVOR=flavour)
    if FLAVOURS[flavour] == "local":
        assert load().storage == "local"
        (line,) = notes()
        assert line.startswith("SETTINGS_FLAVOR has no effect")
        return
    with pytest.raises(ConfigError) as refused:
        load()
    assert "SETTINGS_FLAVOR" in str(refused.value)


def test_debug_of_an_old_file_shows_nobody_any_details(env, tmp_path):
    file = tmp_path / "config.yml"
    file.write_text("debug: true\nloglevel: debug")
    env(HUB_CONFIG=str(file))
    assert not load().debug
    file.write_text("debug: true\nlog_level: debug")
    assert load().debug


SAMPLE = """\
common: &common
    issue: '"docker-registry server"'
    loglevel: _env:LOGLEVEL:info
    debug: _env:DEBUG:false
    standalone: _env:STANDALONE:false
    index_endpoint: _env:INDEX_ENDPOINT:https://index.docker.io
    storage_redirect: _env:STORAGE_REDIRECT
    disable_token_auth: _env:DISABLE_TOKEN_AUTH
    privileged_key: _env:PRIVILEGED_KEY
    search_backend: _env:SEARCH_BACKEND
    sqlalchemy_index_database: _env:SQLALCHEMY_INDEX_DATABASE:sqlite:////srv/docker-registry.db
    mirroring:
        source: _env:MIRROR_SOURCE
        source_index: _env:MIRROR_SOURCE_INDEX
        tags_cache_ttl: _env:MIRROR_TAGS_CACHE_TTL:172800
    cache:
        host: _env:CACHE_REDIS_HOST
        port: _env:CACHE_REDIS_PORT
        db: _env:CACHE_REDIS_DB:0
        password: _env:CACHE_REDIS_PASSWORD
    email_exceptions:
        smtp_host: _env:SMTP_HOST
        smtp_port: _env:SMTP_PORT:25
        smtp_secure: _env:SMTP_SECURE:false
        from_addr: _env:SMTP_FROM_ADDR:registry@localdomain.local
        to_addr: _env:SMTP_TO_ADDR:noise+dockerregistry@localdomain.local
    bugsnag: _env:BUGSNAG
    cors:
        origins: _env:CORS_ORIGINS
        headers: _env:CORS_HEADERS:['Content-Type']
local: &local
    <<: *common
    storage: local
    storage_path: _env:STORAGE_PATH:/srv/registry
s3: &s3
    <<: *common
    storage: s3
    s3_region: _env:AWS_REGION
    s3_bucket: _env:AWS_BUCKET
    boto_bucket: _env:AWS_BUCKET
    storage_path: _env:STORAGE_PATH:/registry
    s3_encrypt: _env:AWS_ENCRYPT:true
    s3_secure: _env:AWS_SECURE:true
    s3_access_key: _env:AWS_KEY
    s3_secret_key: _env:AWS_SECRET
dev: &dev
    <<: *local
    loglevel: _env:LOGLEVEL:debug
    debug: _env:DEBUG:true
    search_backend: _env:SEARCH_BACKEND:sqlalchemy
prod:
    <<: *s3
    storage_path: _env:STORAGE_PATH:/prod
"""


def test_a_file_like_the_old_sample_loads(env, tmp_path):
    file = tmp_path / "config.yml"
    file.write_text(SAMPLE)
    env(DOCKER_REGISTRY_CONFIG=str(file), STORAGE_PATH="/bytes", CACHE_REDIS_HOST="redis.example")
    found = load()
    assert found.storage_options == {"root": "/bytes"}
    assert (found.role, found.log_level, found.debug) == ("hub", "debug", False)
    assert found.database_url == "sqlite:////srv/docker-registry.db"
    assert found.broker_url == "redis://redis.example:6379/0"
    assert found.error_mail_to == ["noise+dockerregistry@localdomain.local"]
    lines = notes()
    assert len(lines) == len(set(lines))
    assert any(
        line.startswith("storage_path (config.yml:34, flavour dev, from STORAGE_PATH) is under")
        for line in lines
    )
    env(SETTINGS_FLAVOR="prod")
    with pytest.raises(ConfigError) as refused:
        load()
    assert str(refused.value).startswith("HUB_STORAGE: found 's3' (storage (config.yml:37, ")


def test_every_row_has_a_reason_or_a_name_of_today():
    assert all(row.new or row.note for row in OLD_NAMES)
    assert all(row.key or row.variable for row in OLD_NAMES)
    assert len(BY_KEY) == len([row for row in OLD_NAMES if row.key])
    assert {row.variable for row in OLD_NAMES if row.new and row.variable} == set(WORKS)
