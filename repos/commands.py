"""What to type: commands that pull and push with each client, and files for CI systems.

Names in them keep to grammars without a character that a shell or YAML would take for its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# What clients that insist on HTTPS are told where the hub has none.
_PLAIN = {
    "podman": " --tls-verify=false",
    "nerdctl": " --insecure-registry",
    "ctr": " --plain-http",
    "source": " --src-tls-verify=false",
    "target": " --dest-tls-verify=false",
    "login": " --tls-verify=false",
    "crane": " --insecure",
}
PULL = (
    ("docker", "docker", "docker pull {reference}"),
    ("podman", "podman", "podman pull{podman} {reference}"),
    ("nerdctl", "nerdctl", "nerdctl{nerdctl} pull {reference}"),
    ("ctr", "ctr", "ctr images pull{ctr} {reference}"),
    ("skopeo", "skopeo", "skopeo copy{source} docker://{reference} oci-archive:{file}.tar"),
    ("crane", "crane", "crane pull{crane} {reference} {file}.tar"),
    ("compose", "Compose", "services:\n  {name}:\n    image: {reference}"),
    ("kubernetes", "Kubernetes", "image: {reference}"),
    ("dockerfile", "Dockerfile", "FROM {reference}"),
)
# Text for a file, not for a shell.
FOR_FILES = frozenset({"compose", "kubernetes", "dockerfile"})
PUSH = (
    (
        "docker",
        "docker login {host} -u {user}",
        "docker tag {app} {image}",
        "docker push {image}",
    ),
    (
        "podman",
        "podman login{login} {host} -u {user}",
        "podman tag {app} {image}",
        "podman push{podman} {image}",
    ),
    (
        "nerdctl",
        "nerdctl{nerdctl} login {host} -u {user}",
        "nerdctl tag {app} {image}",
        "nerdctl{nerdctl} push {image}",
    ),
    (
        "skopeo",
        "skopeo login{login} {host} -u {user}",
        "skopeo copy{target} docker-daemon:{app}:latest docker://{image}:latest",
    ),
    (
        "crane",
        "crane auth login{crane} {host} -u {user} --password-stdin",
        "docker save {app} -o {app}.tar",
        "crane push{crane} {app}.tar {image}:latest",
    ),
)
_GITHUB = """\
name: Image
on:
  push:
    branches: [main]
jobs:
  image:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: docker/setup-buildx-action@v3
      - uses: docker/login-action@v3
        with:
          registry: {host}
          username: {user}
          password: ${{{{ secrets.HUB_TOKEN }}}}
      - uses: docker/build-push-action@v6
        with:
          push: true
          tags: |
            {image}:latest
            {image}:${{{{ github.sha }}}}
"""
_GITLAB = """\
push-image:
  image: docker:28
  services: ["docker:28-dind"]
  variables:
    IMAGE: {image}
  before_script:
    - echo "$HUB_TOKEN" | docker login {host} -u {user} --password-stdin
  script:
    - docker build -t "$IMAGE:latest" -t "$IMAGE:$CI_COMMIT_SHORT_SHA" .
    - docker push --all-tags "$IMAGE"
"""
_JENKINS = """\
pipeline {{
  agent any
  environment {{ IMAGE = '{image}' }}
  stages {{
    stage('Image') {{
      steps {{
        withCredentials([string(credentialsId: 'hub-token', variable: 'HUB_TOKEN')]) {{
          sh '''
            echo "$HUB_TOKEN" | docker login {host} -u {user} --password-stdin
            docker build -t "$IMAGE:latest" -t "$IMAGE:$BUILD_NUMBER" .
            docker push --all-tags "$IMAGE"
          '''
        }}
      }}
    }}
  }}
}}
"""
_FILES = (
    ("GitHub Actions", ".github/workflows/image.yml", _GITHUB),
    ("GitLab CI", ".gitlab-ci.yml", _GITLAB),
    ("Jenkins", "Jenkinsfile", _JENKINS),
)


@dataclass(frozen=True, slots=True)
class Command:
    """Text for one client; `is_shell` is a line to type, else it belongs into a file."""

    client: str
    title: str
    text: str
    is_shell: bool = True


@dataclass(frozen=True, slots=True)
class Recipe:
    """A CI system's file."""

    title: str
    file: str
    text: str


def pull_commands(reference: str, *, https: bool) -> list[Command]:
    """How each client gets `host/path:tag` or `host/path@digest`."""
    rest, _, digest = reference.partition("@")
    last = rest.rpartition("/")[2]
    name = last.partition(":")[0]
    values = {
        **_flags(https),
        "reference": reference,
        "name": re.sub(r"[^a-z0-9-]+", "-", name).strip("-"),
        "file": name if digest else last.replace(":", "-"),
    }
    return [
        Command(client, title, text.format(**values), client not in FOR_FILES)
        for client, title, text in PULL
    ]


def push_commands(host: str, path: str, user: str, *, https: bool) -> list[tuple[str, list[str]]]:
    """Each client's lines of a first push: sign in, name the image, send it."""
    values = {**_flags(https), **_names(host, path, user)}
    return [(client, [line.format(**values) for line in lines]) for client, *lines in PUSH]


def recipes(host: str, path: str, user: str) -> list[Recipe]:
    """Files that build an image and push it; the token is a secret of the CI system."""
    values = _names(host, path, user)
    return [Recipe(title, file, text.format(**values)) for title, file, text in _FILES]


def _names(host: str, path: str, user: str) -> dict[str, str]:
    return {"host": host, "user": user, "image": f"{host}/{path}", "app": path.rpartition("/")[2]}


def _flags(https: bool) -> dict[str, str]:
    return dict.fromkeys(_PLAIN, "") if https else _PLAIN
