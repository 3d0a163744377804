"""Ready lines that use an access token, filled in for this hub and this person."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

PODMAN = "echo '{secret}' | podman login {host} -u {user} --password-stdin{insecure}"
SKOPEO = "echo '{secret}' | skopeo login {host} -u {user} --password-stdin{insecure}"
CURL = "curl -H 'Authorization: Bearer {secret}' {url}/api/user"
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


@dataclass(frozen=True, slots=True)
class Snippet:
    """Text to copy; `is_command` means one line for a shell."""

    title: str
    text: str
    is_command: bool


def snippets(username: str, secret: str) -> list[Snippet]:
    """For other clients and for CI; the latter name a variable instead of the secret."""
    values = {
        "host": settings.EXTERNAL_HOST,
        "url": settings.HUB.external_url,
        "user": username,
        "secret": secret,
        "insecure": "" if settings.HTTPS else " --tls-verify=false",
    }
    commands = {"podman": PODMAN, "skopeo": SKOPEO, "Kubernetes": KUBERNETES, "REST API": CURL}
    files = {"GitHub Actions": GITHUB, "GitLab CI": GITLAB, "Jenkins": JENKINS}
    return [Snippet(title, text.format(**values), True) for title, text in commands.items()] + [
        Snippet(title, text.format(**values), False) for title, text in files.items()
    ]
