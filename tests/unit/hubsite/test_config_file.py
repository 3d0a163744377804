"""The YAML file: `_env:`, flavours, lines (section 9.7 of the notes on the old registry)."""

from __future__ import annotations

import pytest

from hubsite.config import Config, ConfigError, load, origins
from hubsite.config_file import read
from hubsite.masking import MASK

pytestmark = pytest.mark.usefixtures("bare_environment")


@pytest.fixture
def file(tmp_path, env):
    """Write the file and name it."""

    def file(text: str, **environment: str) -> None:
        path = tmp_path / "hub.yaml"
        path.write_text(text, encoding="utf-8")
        env(HUB_CONFIG=str(path), **environment)

    return file


def leaves(*groups: str, texts: tuple[str, ...] = ()) -> dict[str, object]:
    document = read({"a", "g", "t"}, groups, texts.__contains__)
    return {key: leaf.value for key, leaf in document.leaves.items()}


def refused() -> str:
    with pytest.raises(ConfigError) as caught:
        load()
    return str(caught.value)


TYPES = {
    "true": True,
    "false": False,
    "12": 12,
    "1.5": 1.5,
    "text": "text",
    "[1, a]": [1, "a"],
    "{x: 1, y: [2]}": {"x": 1, "y": [2]},
    "http://a:1/b:c": "http://a:1/b:c",
    "räksmörgås 漢字": "räksmörgås 漢字",
}


@pytest.mark.parametrize(("text", "value"), TYPES.items())
@pytest.mark.parametrize("way", ["plain", "default", "variable"])
def test_values_keep_their_types_wherever_they_come_from(file, text, value, way):
    written = {"plain": text, "default": f"'_env:OUTSIDE:{text}'", "variable": "_env:OUTSIDE"}
    file(f"a: {written[way]}", **({"OUTSIDE": text} if way == "variable" else {}))
    assert leaves() == {"a": value}
    assert isinstance(leaves()["a"], type(value))


@pytest.mark.parametrize(
    ("written", "environment", "value"),
    [
        ("_env:OUTSIDE:8", {}, 8),
        ("_env:OUTSIDE:8", {"OUTSIDE": "9"}, 9),
        ("_env:OUTSIDE:8", {"OUTSIDE": ""}, None),
        ("_env:OUTSIDE", {}, None),
        ("_env:OUTSIDE:", {}, None),
        ("_env:OUTSIDE:a:b:c", {}, "a:b:c"),
        ("_env:OUTSIDE:null", {}, None),
        ("x_env:OUTSIDE", {"OUTSIDE": "9"}, "x_env:OUTSIDE"),
    ],
)
def test_what_a_value_becomes(file, written, environment, value):
    file(f"a: '{written}'", **environment)
    assert leaves().get("a") == value


def test_a_variable_may_hold_a_whole_group_and_lists_and_maps_are_looked_into(file):
    file("g: _env:GROUP\na: [_env:X, 2]\nt: {k: _env:X}", GROUP="{host: h, port: 1}", X="7")
    assert leaves("g") == {"g.host": "h", "g.port": 1, "a": [7, 2], "t": {"k": 7}}


def test_a_text_is_taken_as_it_is_so_that_no_password_becomes_a_number(file):
    file("a: _env:X\nt: _env:X", X="0123")
    assert leaves(texts=("t",)) == {"a": 83, "t": "0123"}
    file("admin_password: _env:X\nwebhook_timeout_s: _env:Y", Y="2.5")
    found = load()
    assert found.admin_password.get_secret_value() == "0123"
    assert found.webhook_timeout_s == 2.5


def test_what_is_empty_leaves_the_default(file):
    file("signup:\nweb_workers: _env:NOWHERE")
    assert load().model_fields_set == set()
    assert origins()["signup"].kind == "default"


def test_a_variable_that_is_no_yaml_is_named_and_not_shown(file):
    file("a: 1\nstorage_options: _env:X", X="{s3cret: [")
    assert refused() == "X: is not YAML (hub.yaml:2); put quotes around it"


@pytest.mark.parametrize("text", ["a: 1\na: 2", "g: {x: 1, x: 2}", "a: [", "a: !!python/none x"])
def test_what_is_not_right_stops_the_start(file, text):
    file(text)
    assert "is not YAML" in refused()


FLAVOURED = """\
common: &common
  web_workers: 3
  signup: closed
dev:
  <<: *common
  log_level: debug
prod: &prod
  <<: *common
  web_workers: 8
big:
  <<: *prod
  web_threads: _env:THREADS:32
broken:
  no_such_name: 1
empty:
"""


@pytest.mark.parametrize(
    ("environment", "workers", "level", "threads"),
    [
        ({}, 3, "debug", 16),
        ({"SETTINGS_FLAVOR": "prod"}, 8, "info", 16),
        ({"HUB_CONFIG_FLAVOUR": "big", "SETTINGS_FLAVOR": "prod"}, 8, "info", 32),
        ({"HUB_CONFIG_FLAVOUR": "big", "THREADS": "4"}, 8, "info", 4),
    ],
)
def test_flavours_build_on_one_another(file, environment, workers, level, threads):
    file(FLAVOURED, **environment)
    found = load()
    assert (found.web_workers, found.log_level, found.web_threads) == (workers, level, threads)
    assert found.signup == "closed"


def test_an_empty_flavour_is_all_defaults(file):
    file(FLAVOURED, SETTINGS_FLAVOR="empty")
    assert load() == Config.model_validate({})


@pytest.mark.parametrize(
    ("text", "flavour", "line"),
    [
        (FLAVOURED, "nope", "SETTINGS_FLAVOR: found 'nope'"),
        (FLAVOURED, "broken", "HUB_NO_SUCH_NAME: found 1 (hub.yaml:14, flavour broken)"),
        ("web_workers: 2", "prod", "SETTINGS_FLAVOR: found 'prod'"),
        ("prod: {web_workers: 2}", "", "HUB_CONFIG_FLAVOUR: found 'dev'"),
    ],
)
def test_a_flavour_that_is_not_there_or_not_right_is_one_line(file, text, flavour, line):
    file(text, SETTINGS_FLAVOR=flavour)
    (found,) = refused().splitlines()
    assert found.startswith(line)


def test_each_value_knows_its_place(file, tmp_path, env):
    secret = tmp_path / "key"
    secret.write_text("k")
    file(FLAVOURED, HUB_CONFIG_FLAVOUR="big", THREADS="4", STORAGE_PATH="/x", HUB_DEBUG="true")
    env(HUB_SECRET_KEY_FILE=str(secret))
    found = {name: (one.kind, one.detail) for name, one in origins().items()}
    assert found["web_workers"] == ("file", "hub.yaml:9, flavour big")
    assert found["signup"] == ("file", "hub.yaml:3, flavour big")
    assert found["web_threads"] == ("file", "hub.yaml:12, flavour big, from THREADS")
    assert found["storage_options"] == ("old name", "STORAGE_PATH")
    assert found["debug"] == ("environment", "HUB_DEBUG")
    assert found["secret_key"] == ("secret file", str(secret))
    assert found["bind"] == ("default", "")


def test_a_bad_value_of_the_file_tells_its_line(file):
    file("signup: open\nweb_workers: 0")
    assert refused().startswith("HUB_WEB_WORKERS: found 0 (hub.yaml:2): ")


def test_masks_are_no_words_of_any_setting():
    assert MASK not in str(Config())
