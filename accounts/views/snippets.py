"""Ready lines that use an access token, filled in for this hub and this person."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from django.conf import settings

PODMAN = "echo '{secret}' | podman login {host} -u {user} --password-stdin{insecure}"
SKOPEO = "echo '{secret}' | skopeo login {host} -u {user} --password-stdin{insecure}"
CURL = "curl -H 'Authorization: Bearer {secret}' {url}/api/{listed}"
KUBERNETES = (
    "kubectl create secret docker-registry hub --docker-server={host}"
    " --docker-username={user} --docker-password='{secret}'"
)
GITHUB = """\
- uses: docker/login-action@v3
  with:
    registry: {host}
    username: {user}
    password: ${{{{ secrets.HUB_TOKEN }}}}
"""
GITLAB = """\
before_script:
  - echo "$HUB_TOKEN" | docker login {host} -u {user} --password-stdin
"""
JENKINS = """\
withCredentials([string(credentialsId: 'hub-token', variable: 'HUB_TOKEN')]) {{
  sh 'echo "$HUB_TOKEN" | docker login {host} -u {user} --password-stdin'
}}
"""


MANIFEST = """\
apiVersion: v1
kind: Secret
metadata:
  name: hub
type: kubernetes.io/dockerconfigjson
stringData:
  .dockerconfigjson: '{config}'
"""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Text to copy; `is_command` means one line for a shell, `has_secret` that it is complete."""

    title: str
    text: str
    is_command: bool
    has_secret: bool = True


def snippets(username: str, secret: str, *, whole: bool = True) -> list[Snippet]:
    """For other clients and for CI; the latter name a variable instead of the secret.

    `whole`: the token reaches its owner's account and not only repositories.
    """
    values = {
        "host": settings.EXTERNAL_HOST,
        "url": settings.HUB.external_url,
        "user": username,
        "listed": "user" if whole else "repositories",
        "secret": secret,
        "insecure": "" if settings.HTTPS else " --tls-verify=false",
    }
    commands = {"podman": PODMAN, "skopeo": SKOPEO, "Kubernetes": KUBERNETES, "REST API": CURL}
    files = {"GitHub Actions": GITHUB, "GitLab CI": GITLAB, "Jenkins": JENKINS}
    manifest = MANIFEST.format(config=_docker_config(username, secret))
    return [
        *(Snippet(title, text.format(**values), True) for title, text in commands.items()),
        Snippet("Kubernetes YAML", manifest, False),
        *(Snippet(title, text.format(**values), False, False) for title, text in files.items()),
    ]


def _docker_config(username: str, secret: str) -> str:
    pair = base64.b64encode(f"{username}:{secret}".encode()).decode()
    entry = {"username": username, "password": secret, "auth": pair}
    return json.dumps({"auths": {settings.EXTERNAL_HOST: entry}})
