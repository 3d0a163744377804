"""What people copy: every line is complete, and names stay one word wherever they are pasted."""

from __future__ import annotations

import shlex

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from repos.commands import FOR_FILES, pull_commands, push_commands, recipes

DIGEST = "sha256:" + "ab" * 32
WORD = st.from_regex(r"\A[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*\Z").filter(lambda w: len(w) < 40)
PATH = st.lists(WORD, min_size=2, max_size=4).map("/".join)
TAG = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,30}\Z")
USER = WORD | st.builds("{}+{}".format, WORD, WORD)


def texts(reference: str, *, https: bool = True) -> dict[str, str]:
    return {c.client: c.text for c in pull_commands(reference, https=https)}


def test_every_client_pulls_by_tag() -> None:
    assert texts("hub.example.com/team/api:1.4") == {
        "docker": "docker pull hub.example.com/team/api:1.4",
        "podman": "podman pull hub.example.com/team/api:1.4",
        "nerdctl": "nerdctl pull hub.example.com/team/api:1.4",
        "ctr": "ctr images pull hub.example.com/team/api:1.4",
        "skopeo": "skopeo copy docker://hub.example.com/team/api:1.4 oci-archive:api-1.4.tar",
        "crane": "crane pull hub.example.com/team/api:1.4 api-1.4.tar",
        "compose": "services:\n  api:\n    image: hub.example.com/team/api:1.4",
        "kubernetes": "image: hub.example.com/team/api:1.4",
        "dockerfile": "FROM hub.example.com/team/api:1.4",
    }


def test_every_client_pulls_by_digest() -> None:
    reference = f"localhost:5000/team/api@{DIGEST}"
    for client, text in texts(reference).items():
        assert reference in text, client
    assert texts(reference)["crane"].endswith(" api.tar")


@pytest.mark.parametrize(
    ("client", "flag"),
    [
        ("podman", "--tls-verify=false"),
        ("nerdctl", "--insecure-registry"),
        ("ctr", "--plain-http"),
        ("skopeo", "--src-tls-verify=false"),
        ("crane", "--insecure"),
    ],
)
def test_clients_that_insist_on_https_are_told_where_there_is_none(client: str, flag: str) -> None:
    assert flag in texts("h:1/a/b:1", https=False)[client].split()
    assert flag not in texts("h:1/a/b:1")[client].split()


@given(PATH, TAG)
def test_a_reference_is_one_word_of_the_command_and_the_same_in_files(path: str, tag: str) -> None:
    reference = f"hub.example.com:5000/{path}:{tag}"
    for command in pull_commands(reference, https=False):
        if command.is_shell:
            words = shlex.split(command.text)
            assert reference in [word.removeprefix("docker://") for word in words]
            assert shlex.join(words) == command.text
        else:
            assert command.client in FOR_FILES
    found = yaml.safe_load(texts(reference)["compose"])
    ((service, body),) = found["services"].items()
    assert body == {"image": reference}
    assert "/" not in str(service)
    assert yaml.safe_load(texts(reference)["kubernetes"]) == {"image": reference}


@given(PATH, USER)
def test_a_first_push_names_the_reader_and_the_repository(path: str, user: str) -> None:
    for client, lines in push_commands("hub:5000", path, user, https=True):
        words = [word for line in lines for word in shlex.split(line)]
        assert words[words.index("-u") + 1] == user, client
        images = [word.removeprefix("docker://").removesuffix(":latest") for word in words]
        assert f"hub:5000/{path}" in images, client
        assert all(shlex.join(shlex.split(line)) == line for line in lines)


@given(PATH, USER)
def test_files_for_ci_are_valid_and_keep_the_token_out(path: str, user: str) -> None:
    image = f"hub:5000/{path}"
    files = {recipe.title: recipe for recipe in recipes("hub:5000", path, user)}
    github = yaml.safe_load(files["GitHub Actions"].text)
    login, push = github["jobs"]["image"]["steps"][-2:]
    assert login["with"] == {
        "registry": "hub:5000",
        "username": login["with"]["username"],
        "password": "${{ secrets.HUB_TOKEN }}",
    }
    assert str(login["with"]["username"]) in (user, str(yaml.safe_load(user)))
    assert push["with"]["tags"].split("\n")[0] == f"{image}:latest"
    gitlab = yaml.safe_load(files["GitLab CI"].text)["push-image"]
    assert gitlab["variables"] == {"IMAGE": image}
    assert f"-u {user} --password-stdin" in gitlab["before_script"][0]
    jenkins = files["Jenkins"].text
    assert f"IMAGE = '{image}'" in jenkins
    assert jenkins.count("{") == jenkins.count("}")
