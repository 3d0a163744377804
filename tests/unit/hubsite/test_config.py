"""Settings: where values come from, which source wins, and one line for each bad one."""

from __future__ import annotations

import pytest

from hubsite.config import Config, ConfigError, load, notes

pytestmark = pytest.mark.usefixtures("bare_environment")


def refused() -> list[str]:
    """The lines that stop the start."""
    with pytest.raises(ConfigError) as caught:
        load()
    return str(caught.value).splitlines()


def test_without_any_setting_there_is_a_hub():
    found = load()
    assert (found.role, found.signup, found.broker_url) == ("hub", "open", "embedded")
    assert not found.debug
    assert notes() == []


def test_every_setting_says_what_it_does_and_has_its_unit_in_its_name():
    for name, field in Config.model_fields.items():
        assert field.description, name
        assert not name.endswith(("_seconds", "_mb", "_timeout", "_lifetime", "_interval")), name


def test_values_come_from_the_environment_lists_and_maps_as_json(env):
    env(
        HUB_DEBUG="true",
        HUB_WEB_WORKERS="3",
        HUB_ALLOWED_HOSTS='["a.example","b.example"]',
        HUB_STORAGE_OPTIONS='{"root":"/x"}',
        HUB_EXTERNAL_URL="https://hub.example/",
        HUB_SECRET_KEY="s3cret",
    )
    found = load()
    assert (found.debug, found.web_workers) == (True, 3)
    assert found.allowed_hosts == ["a.example", "b.example"]
    assert found.storage_options == {"root": "/x"}
    assert found.external_url == "https://hub.example"
    assert found.secret_key.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(found)


def test_an_empty_variable_is_as_good_as_none(env):
    env(HUB_WEB_WORKERS="", HUB_SIGNUP="")
    assert load().web_workers == 2


BAD = {
    "HUB_ROLE": "index",
    "HUB_EXTERNAL_URL": "hub.example",
    "HUB_DEBUG": "perhaps",
    "HUB_LOG_LEVEL": "loud",
    "HUB_TRUSTED_PROXIES": "-1",
    "HUB_SIGNUP": "sometimes",
    "HUB_EMAIL_URL": "mailto:x",
    "HUB_BROKER_URL": "ftp://x",
    "HUB_STORAGE": "tape",
    "HUB_WEB_WORKERS": "0",
    "HUB_WEB_THREADS": "1.5",
    "HUB_TASK_SLOTS": "many",
    "HUB_TASK_LEASE_S": "0.5",
    "HUB_TOKEN_LIFETIME_S": "59",
    "HUB_MAX_BLOB_BYTES": "20GiB",
    "HUB_UPLOAD_LIFETIME_S": "0",
    "HUB_PUSH_GRACE_S": "-1",
    "HUB_COLLECT_INTERVAL_S": "1h",
    "HUB_WEBHOOK_ALLOW_NETWORKS": '["10.0.0.1/8"]',
    "HUB_WEBHOOK_RETRY_DELAYS_S": '["soon"]',
    "HUB_WEBHOOK_TIMEOUT_S": "61",
}


@pytest.mark.parametrize(("name", "value"), BAD.items())
def test_a_bad_value_stops_the_start_with_one_line_that_names_it(env, name, value):
    env(**{name: value})
    (line,) = refused()
    assert line.startswith(name)
    assert ": found " in line


def test_every_bad_value_has_its_line(env):
    env(**BAD)
    assert {line.split(":")[0].partition("__")[0] for line in refused()} == set(BAD)


@pytest.mark.parametrize("value", ["a.example", "[", "{'a': 1}"])
def test_what_is_not_json_is_one_line_too(env, value):
    env(HUB_ALLOWED_HOSTS=value)
    (line,) = refused()
    assert line.startswith("HUB_ALLOWED_HOSTS")
    assert "JSON" in line


def test_a_bad_secret_is_not_shown(tmp_path, env):
    file = tmp_path / "hub.yaml"
    file.write_text("secret_key: [s3cret]\nadmin_password: {a: s3cret}\nencryption_keys: s3cret")
    env(HUB_CONFIG=str(file))
    lines = refused()
    assert len(lines) == 3
    assert "s3cret" not in "".join(lines)


# --- files


def test_the_environment_wins_over_secret_files_over_yaml_over_old_names(tmp_path, env):
    yaml, secret = tmp_path / "hub.yaml", tmp_path / "url"
    env(SQLALCHEMY_INDEX_DATABASE="sqlite:///old")
    assert load().database_url == "sqlite:///old"
    yaml.write_text("database_url: sqlite:///yaml\nweb_workers: 4\n")
    env(HUB_CONFIG=str(yaml))
    assert load().database_url == "sqlite:///yaml"
    secret.write_text("sqlite:///file\n")
    env(HUB_DATABASE_URL_FILE=str(secret))
    assert load().database_url == "sqlite:///file"
    env(HUB_DATABASE_URL="sqlite:///env")
    assert load().database_url == "sqlite:///env"
    assert load().web_workers == 4


def test_secrets_come_from_files_without_the_line_break_and_keys_line_by_line(tmp_path, env):
    for name, text in (("a", "one\n"), ("b", "new\nold\n"), ("c", "pass word\n")):
        (tmp_path / name).write_text(text)
    env(
        HUB_SECRET_KEY_FILE=str(tmp_path / "a"),
        HUB_ENCRYPTION_KEYS_FILE=str(tmp_path / "b"),
        HUB_ADMIN_PASSWORD_FILE=str(tmp_path / "c"),
    )
    found = load()
    assert found.secret_key.get_secret_value() == "one"
    assert [key.get_secret_value() for key in found.encryption_keys] == ["new", "old"]
    assert found.admin_password.get_secret_value() == "pass word"
    assert notes() == []


@pytest.mark.parametrize("name", ["HUB_CONFIG", "HUB_SECRET_KEY_FILE"])
def test_a_file_that_is_not_there_is_one_line(env, tmp_path, name):
    env(**{name: str(tmp_path / "none")})
    assert refused() == [f"{name}: {tmp_path / 'none'}: No such file or directory"]


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text", "5"])
def test_yaml_that_is_no_map_is_refused(env, tmp_path, text):
    file = tmp_path / "hub.yaml"
    file.write_text(text)
    env(HUB_CONFIG=str(file))
    assert refused() == [f"HUB_CONFIG: {file}: expected a map of settings"]


def test_broken_yaml_is_refused_and_an_empty_file_is_fine(env, tmp_path):
    file = tmp_path / "hub.yaml"
    env(HUB_CONFIG=str(file))
    file.write_text("a: [")
    assert refused()[0].startswith(f"HUB_CONFIG: {file} is not YAML")
    file.write_text("# nothing yet\n")
    assert load().web_workers == 2


def test_yaml_makes_no_objects(env, tmp_path):
    file = tmp_path / "hub.yaml"
    file.write_text("bind: !!python/object/apply:os.getcwd []\n")
    env(HUB_CONFIG=str(file))
    assert "is not YAML" in refused()[0]


def test_an_unknown_key_of_the_file_stops_the_start(env, tmp_path):
    file = tmp_path / "hub.yaml"
    file.write_text("web_wrokers: 3\n")
    env(HUB_CONFIG=str(file))
    (line,) = refused()
    assert line.startswith("HUB_WEB_WROKERS: found 3")


# --- old and unknown names


def test_an_unknown_variable_is_noted_and_does_not_stop_the_start(env):
    env(HUB_WEB_WROKERS="3", HUB_TEST_DATA="x")
    assert load().web_workers == 2
    assert notes() == ["HUB_WEB_WROKERS: no such setting, see docs/settings.md"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HUB_ENCRYPTION_KEYS", "s3cret-and-no-json"),
        ("HUB_BROKER_URL", "pigeon://me:s3cret@loft"),
    ],
)
def test_what_may_hold_a_secret_is_never_shown(env, name, value):
    env(**{name: value})
    (line,) = refused()
    assert line.startswith(name)
    assert "s3cret" not in line
