"""What each role serves, and where a registry without accounts may stand open."""

from __future__ import annotations

from typing import get_args

import pytest

from hubsite.config import Config, ConfigError
from hubsite.roles import ROLES, choose

pytestmark = pytest.mark.usefixtures("bare_environment")


def test_every_role_that_can_be_chosen_is_there_and_no_other():
    assert set(get_args(Config.model_fields["role"].annotation)) == set(ROLES)


@pytest.mark.parametrize(
    ("environment", "starts"),
    [
        ({}, True),
        ({"HUB_BIND": "127.0.0.1:1"}, True),
        ({"HUB_BIND": "[::1]:1"}, True),
        ({"HUB_BIND": "localhost:1"}, True),
        ({"HUB_BIND": "127.8.0.1:1"}, True),
        ({"HUB_BIND": "0.0.0.0:1"}, False),
        ({"HUB_BIND": ":1"}, False),
        ({"HUB_BIND": "[::]:1"}, False),
        ({"HUB_BIND": "10.0.0.1:1"}, False),
        ({"HUB_BIND": "localhost.example:1"}, False),
        ({"HUB_TRUSTED_PROXIES": "1"}, False),
        ({"HUB_BIND": "0.0.0.0:1", "HUB_STANDALONE_OPEN": "true"}, True),
        ({"HUB_TRUSTED_PROXIES": "1", "HUB_STANDALONE_OPEN": "true"}, True),
    ],
)
def test_without_passwords_it_stands_open_to_this_machine_alone(env, environment, starts):
    env(HUB_ROLE="standalone", **environment)
    if starts:
        assert choose(Config()).name == "standalone"
        return
    with pytest.raises(ConfigError) as refused:
        choose(Config())
    assert len(str(refused.value).splitlines()) == 1


def test_the_whole_hub_may_listen_anywhere(env):
    env(HUB_BIND="0.0.0.0:1")
    assert choose(Config()).name == "hub"
