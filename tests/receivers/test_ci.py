"""The recipes for CI systems, each against what the system documents."""

from __future__ import annotations

import json

import pytest

from repos.models import Repository
from tests.receivers.ci import Drone, GitHub, GitLab, Jenkins, Woodpecker
from tests.receivers.stage import DIGEST, deliver, follow, happen, playing, push

pytestmark = pytest.mark.django_db(transaction=True)
VARIABLES = {
    "IMAGE": f"hub.example.com/alice/app@{DIGEST}",
    "IMAGE_TAG": "v1.2",
    "IMAGE_DIGEST": DIGEST,
    "IMAGE_REPOSITORY": "alice/app",
    "IMAGE_PUSHER": "alice",
}


def test_jenkins_generic_webhook_trigger(repository: Repository) -> None:
    wanted = {"tag": "$.push_data.tag", "digest": "$.push_data.digest"}
    wanted |= {"repository": "$.repository.repo_name", "callback": "$.callback_url"}
    jenkins = Jenkins("job-token", wanted)
    with playing(jenkins) as stage:
        hook = follow("jenkins", stage, repository, {"YOUR-TOKEN": "job-token"})
        assert deliver(hook, push(repository)).status == 200
        wrong = follow("jenkins", stage, repository, {"YOUR-TOKEN": "other"})
        assert deliver(wrong, push(repository)).status == 404
    (build,) = jenkins.builds
    assert build.pop("callback").startswith("https://hub.example.com/api/webhook-callbacks/")
    assert build == {"tag": "v1.2", "digest": DIGEST, "repository": "alice/app"}


def test_gitlab_pipeline_trigger(repository: Repository) -> None:
    gitlab = GitLab("42", "glptt-1")
    words = {"PROJECT-ID": "42", "YOUR-TRIGGER-TOKEN": "glptt-1"}
    with playing(gitlab) as stage:
        event = push(repository)
        attempt = deliver(follow("gitlab", stage, repository, words), event)
        assert (attempt.status, stage.refusals) == (201, [])
        # The token is in the address, which the log of deliveries does not keep.
        assert "glptt-1" not in json.dumps([attempt.request_headers, attempt.request_body])
        words["YOUR-TRIGGER-TOKEN"] = "glptt-2"
        assert deliver(follow("gitlab", stage, repository, words), push(repository)).status == 404
    (variables,) = gitlab.pipelines
    assert variables.pop("HUB_CALLBACK_URL").startswith("https://hub.example.com/api/")
    assert variables == {**VARIABLES, "HUB_EVENT_ID": str(event.uid)}


def test_github_repository_dispatch(repository: Repository) -> None:
    github = GitHub("octo/deploy", "ghp_1")
    words = {"OWNER": "octo", "REPOSITORY": "deploy", "YOUR-TOKEN": "ghp_1"}
    with playing(github) as stage:
        event = push(repository)
        attempt = deliver(follow("github-dispatch", stage, repository, words), event)
        assert (attempt.status, stage.refusals) == (204, [])
        assert attempt.request_headers["Authorization"] == "(not kept)"
        words["YOUR-TOKEN"] = "ghp_2"
        wrong = deliver(follow("github-dispatch", stage, repository, words), push(repository))
        assert wrong.status == 401
    (document,) = github.dispatched
    payload = document["client_payload"]
    assert document["event_type"] == "image-push"
    assert payload.pop("callback_url").startswith("https://hub.example.com/api/")
    assert payload == {
        "image": VARIABLES["IMAGE"],
        "tag": "v1.2",
        "digest": DIGEST,
        "repository": "alice/app",
        "actor": "alice",
        "event_id": str(event.uid),
    }


def test_woodpecker(repository: Repository) -> None:
    woodpecker = Woodpecker("7", "wp-token")
    with playing(woodpecker) as stage:
        words = {"REPOSITORY-ID": "7", "YOUR-TOKEN": "wp-token"}
        attempt = deliver(follow("woodpecker", stage, repository, words), push(repository))
        assert (attempt.status, stage.refusals) == (200, [])
        words["YOUR-TOKEN"] = "wrong"
        hook = follow("woodpecker", stage, repository, words)
        assert deliver(hook, push(repository)).status == 401
    (pipeline,) = woodpecker.pipelines
    assert pipeline["branch"] == "main"
    assert VARIABLES.items() <= pipeline["variables"].items()


def test_drone_build_and_promotion(repository: Repository) -> None:
    drone = Drone("octo/deploy", "dr-token")
    words = {"OWNER": "octo", "/REPOSITORY/": "/deploy/", "YOUR-TOKEN": "dr-token"}
    with playing(drone) as stage:
        event = push(repository)
        attempt = deliver(follow("drone", stage, repository, words), event)
        assert (attempt.status, stage.refusals) == (200, [])
        promotion = (
            f"{stage.url}/api/repos/octo/deploy/builds/12/promote"
            "?target=production&IMAGE_TAG=${event.tag}"
        )
        hook = follow("drone", stage, repository, words, url=promotion)
        assert deliver(hook, push(repository, "a_b.c-1")).status == 200
        hook = follow("drone", stage, repository, words, url=promotion.partition("?")[0])
        assert deliver(hook, push(repository)).status == 400
    assert drone.builds == [
        {
            "branch": "main",
            "IMAGE": VARIABLES["IMAGE"],
            "IMAGE_TAG": "v1.2",
            "HUB_EVENT_ID": str(event.uid),
        },
        {"target": "production", "IMAGE_TAG": "a_b.c-1"},
    ]


@pytest.mark.parametrize("recipe", ["jenkins", "gitlab", "github-dispatch", "woodpecker", "drone"])
def test_an_event_without_a_tag_breaks_no_recipe(repository: Repository, recipe: str) -> None:
    """Somebody may ask for more than pushes: values are empty then, and the shape stays."""
    receivers = {
        "jenkins": Jenkins("YOUR-TOKEN", {"tag": "$.push_data.tag"}),
        "gitlab": GitLab("PROJECT-ID", "YOUR-TRIGGER-TOKEN"),
        "github-dispatch": GitHub("OWNER/REPOSITORY", "YOUR-TOKEN"),
        "woodpecker": Woodpecker("REPOSITORY-ID", "YOUR-TOKEN"),
        "drone": Drone("OWNER/REPOSITORY", "YOUR-TOKEN"),
    }
    with playing(receivers[recipe]) as stage:
        hook = follow(recipe, stage, repository, {})
        attempt = deliver(hook, happen(repository, "repository.starred"))
    assert (200 <= (attempt.status or 0) < 300, stage.refusals) == (True, [])
