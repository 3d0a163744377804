"""Events and formats in words."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

EVENT_LABELS = {
    "push": _("Push: a tag was set or moved"),
    "tag.deleted": _("Tag deleted"),
    "manifest.deleted": _("Image deleted"),
    "repository.created": _("Repository made"),
    "repository.renamed": _("Repository renamed"),
    "repository.transferred": _("Repository handed over"),
    "repository.deleted": _("Repository deleted"),
    "repository.restored": _("Repository restored"),
    "repository.visibility": _("Made public or private"),
    "star": _("Star given"),
    "comment": _("Comment written"),
    "collaborator": _("Collaborator added"),
    "collaborator.removed": _("Collaborator removed"),
    "build.finished": _("Build finished"),
    "mirror.synced": _("Mirror synced"),
    "quota.warning": _("Quota nearly used up"),
    "token.expiring": _("Access token expiring"),
    "result": _("A receiver reported a result"),
    "ping": _("Test"),
}
FORMAT_LABELS = {
    "dockerhub": _("Docker Hub"),
    "distribution": _("CNCF Distribution"),
    "harbor": _("Harbor"),
    "quay": _("Quay"),
    "cloudevents": _("CloudEvents 1.0"),
    "github": _("GitHub package"),
    "gitea": _("Gitea package"),
    "slack": _("Slack message"),
    "teams": _("Microsoft Teams message"),
    "mattermost": _("Mattermost message"),
    "custom": _("A template of your own"),
}
FORMAT_GROUPS = (
    (_("For CI and programs"), ("dockerhub", "distribution", "harbor", "quay", "cloudevents")),
    (_("For what knows package registries"), ("github", "gitea")),
    (_("For people in a chat"), ("slack", "teams", "mattermost")),
    (_("Your own"), ("custom",)),
)
