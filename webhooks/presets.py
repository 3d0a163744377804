"""Ready settings for receivers people have; docs/webhooks.md tells each of them at length.

Words in capitals, as `YOUR-TOKEN`, are for the reader to replace. Templates are in the language of
`webhooks.formats.templates`, so are placeholders in the query of an address; `${signature}` in a
header is what `webhooks.signing` puts there. Labels and hints are English; pages translate them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_noop as _

from webhooks.models import Webhook
from webhooks.types import PUSH


@dataclass(frozen=True, slots=True)
class Preset:
    """What to fill a form with; `address` is an example, `hints` are sentences beside it."""

    name: str
    label: str
    format: str
    address: str = ""
    events: tuple[str, ...] = (PUSH,)
    template: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    hints: tuple[str, ...] = ()


def _written(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2)


_FACTS = {
    "IMAGE": "${image.pinned}",
    "IMAGE_TAG": "${event.tag}",
    "IMAGE_DIGEST": "${event.digest}",
    "IMAGE_REPOSITORY": "${repository.path}",
    "IMAGE_PUSHER": "${event.actor}",
    "HUB_EVENT_ID": "${event.id}",
    "HUB_CALLBACK_URL": "${callback_url}",
}

_CI = (
    Preset(
        "jenkins",
        "Jenkins",
        Webhook.Format.DOCKERHUB,
        address="https://jenkins.example.com/generic-webhook-trigger/invoke",
        headers={"token": "YOUR-TOKEN"},
        hints=(
            _("Needs the Generic Webhook Trigger plugin; the token is that of the job."),
            _("Take values out of the body with JSONPath, such as $.push_data.tag."),
        ),
    ),
    Preset(
        "gitlab",
        _("GitLab pipeline"),
        Webhook.Format.CUSTOM,
        address=(
            "https://gitlab.example.com/api/v4/projects/PROJECT-ID/trigger/pipeline"
            "?token=YOUR-TRIGGER-TOKEN"
        ),
        template=_written({"ref": "main", "variables": _FACTS}),
        hints=(
            _("The token is made under Settings, CI/CD, Pipeline trigger tokens."),
            _("Put the branch to build in place of main."),
        ),
    ),
    Preset(
        "github-dispatch",
        _("GitHub Actions (repository_dispatch)"),
        Webhook.Format.CUSTOM,
        address="https://api.github.com/repos/OWNER/REPOSITORY/dispatches",
        template=_written(
            {
                "event_type": "image-push",
                "client_payload": {
                    "image": "${image.pinned}",
                    "tag": "${event.tag}",
                    "digest": "${event.digest}",
                    "repository": "${repository.path}",
                    "actor": "${event.actor}",
                    "event_id": "${event.id}",
                    "callback_url": "${callback_url}",
                },
            }
        ),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": "Bearer YOUR-TOKEN",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        hints=(
            _("The token needs write access to the contents of that one repository."),
            _("The workflow listens to repository_dispatch with the type image-push."),
        ),
    ),
    Preset(
        "woodpecker",
        "Woodpecker",
        Webhook.Format.CUSTOM,
        address="https://woodpecker.example.com/api/repos/REPOSITORY-ID/pipelines",
        template=_written({"branch": "main", "variables": _FACTS}),
        headers={"Authorization": "Bearer YOUR-TOKEN"},
        hints=(
            _("The pipeline runs with the event manual; the variables are in its environment."),
        ),
    ),
    Preset(
        "drone",
        "Drone",
        Webhook.Format.DOCKERHUB,
        address=(
            "https://drone.example.com/api/repos/OWNER/REPOSITORY/builds?branch=main"
            "&IMAGE=${image.pinned}&IMAGE_TAG=${event.tag}&HUB_EVENT_ID=${event.id}"
        ),
        headers={"Authorization": "Bearer YOUR-TOKEN"},
        hints=(
            _("Drone reads the address and not the body, so the address says what was pushed."),
            _("To promote, end the path in builds/NUMBER/promote and add target=production."),
        ),
    ),
)

_CLUSTERS = (
    Preset(
        "argocd",
        "Argo CD",
        Webhook.Format.HARBOR,
        address="https://argocd.example.com/api/webhook",
        headers={"Authorization": "YOUR-SECRET"},
        hints=(
            _("Needs a version that takes Harbor's webhooks; the secret is webhook.harbor.secret."),
            _("Refreshes applications whose source is oci:// and this registry."),
        ),
    ),
    Preset(
        "flux",
        "Flux Receiver",
        Webhook.Format.DOCKERHUB,
        address="https://flux.example.com/hook/RECEIVER-PATH",
        headers={"X-Signature": "sha256=${signature}"},
        hints=(
            _("For a Receiver of the type generic-hmac whose token is the secret of this webhook."),
            _("The path is in the status of the Receiver."),
        ),
    ),
    Preset(
        "tekton",
        "Tekton EventListener",
        Webhook.Format.GITHUB,
        address="https://tekton.example.com/",
        headers={"X-Hub-Signature": "sha256=${signature}"},
        hints=(
            _("The github interceptor takes the secret of this webhook and registry_package."),
            _("X-Hub-Signature is for versions that do not know X-Hub-Signature-256."),
        ),
    ),
)

_CHATS = (
    Preset(
        "slack",
        "Slack",
        Webhook.Format.SLACK,
        address="https://hooks.slack.com/services/YOUR/WEBHOOK/PATH",
        hints=(_("The address comes from an app with incoming webhooks switched on."),),
    ),
    Preset(
        "teams",
        "Microsoft Teams",
        Webhook.Format.TEAMS,
        address="https://YOUR-WORKFLOW-ADDRESS",
        hints=(_("The address comes from a workflow that starts with a Teams webhook request."),),
    ),
    Preset(
        "mattermost",
        "Mattermost",
        Webhook.Format.MATTERMOST,
        address="https://mattermost.example.com/hooks/YOUR-KEY",
        hints=(_("The address comes from Integrations, Incoming Webhooks."),),
    ),
)

PRESETS = (
    *_CI,
    *_CLUSTERS,
    *_CHATS,
    Preset(
        "generic",
        _("Anything else"),
        Webhook.Format.CLOUDEVENTS,
        address="https://ci.example.com/hook",
        hints=(_("CloudEvents 1.0 in JSON, signed as Standard Webhooks and GitHub do."),),
    ),
)
BY_NAME = {preset.name: preset for preset in PRESETS}
