"""Reading an entry of the audit log: which kinds there are, what changed, what an export holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from events.models import Event


@dataclass(frozen=True, slots=True)
class Group:
    """Kinds that belong together: those that begin with one of the prefixes."""

    label: Promise
    prefixes: tuple[str, ...]


GROUPS: dict[str, Group] = {
    "content": Group(_("Pushes and tags"), ("tag.", "manifest.")),
    "repositories": Group(_("Repositories"), ("repository.", "alias.")),
    "access": Group(_("Access"), ("collaborator.", "access.", "repository_invitation.")),
    "organizations": Group(
        _("Organizations and teams"), ("organization.", "member.", "team.", "invitation.")
    ),
    "tokens": Group(_("Tokens and robots"), ("token.", "robot.", "client.")),
    "sign-ins": Group(
        _("Sign-ins and accounts"),
        (
            "signin.",
            "signout",
            "session.",
            "second_factor.",
            "password.",
            "email.",
            "account.",
            "identity.",
        ),
    ),
    "webhooks": Group(_("Webhooks"), ("webhook.", "promotion.")),
    "comments": Group(_("Comments"), ("comment.",)),
    "site": Group(_("Administration of the hub"), ("site.", "audit.", "namespace.", "quota.")),
}
# Sentences without a subject, as the log shows them; any other kind is shown by its name.
LABELS: dict[str, Promise] = {
    "tag.moved": _("pushed a tag"),
    "tag.deleted": _("deleted a tag"),
    "manifest.deleted": _("deleted a manifest"),
    "repository.created": _("made a repository"),
    "repository.updated": _("changed a repository"),
    "repository.visibility": _("changed who may see a repository"),
    "repository.deleted": _("deleted a repository"),
    "repository.restored": _("restored a deleted repository"),
    "repository.purged": _("deleted a repository for good"),
    "repository.renamed": _("renamed a repository"),
    "repository.transferred": _("transferred a repository"),
    "repository.left": _("transferred a repository to somewhere else"),
    "repository.starred": _("starred a repository"),
    "repository.unstarred": _("took a star away"),
    "repository.opened": _("opened a private repository for a while"),
    "repository.closed": _("closed a private repository again"),
    "collaborator.added": _("gave a role"),
    "collaborator.removed": _("took a role away"),
    "access.denied": _("was refused"),
    "access.asked": _("asked for access"),
    "access.requested": _("asked for access"),
    "access.granted": _("granted access"),
    "access.refused": _("refused access"),
    "comment.added": _("commented"),
    "comment.edited": _("edited a comment"),
    "comment.deleted": _("deleted a comment"),
    "comment.hidden": _("hid a comment"),
    "comment.shown": _("showed a hidden comment again"),
    "webhook.created": _("added a webhook"),
    "webhook.changed": _("changed a webhook"),
    "webhook.secret_changed": _("changed a webhook's secret"),
    "webhook.deleted": _("deleted a webhook"),
    "webhook.failing": _("found a webhook failing for an hour"),
    "webhook.paused": _("paused a webhook after days of failures"),
    "webhook.gone": _("switched a webhook off: its receiver says that it is gone"),
    "webhook.ping": _("tested a webhook"),
    "webhook.resumed": _("resumed a paused webhook"),
    "webhook.replayed": _("sent events to a webhook again"),
    "webhook.result": _("was told a result by a webhook's receiver"),
    "promotion.created": _("added a promotion rule"),
    "promotion.deleted": _("removed a promotion rule"),
    "promotion.failed": _("could not promote a tag"),
    "quota.warning": _("came near a quota"),
    "organization.created": _("made an organization"),
    "organization.changed": _("changed an organization"),
    "organization.renamed": _("renamed an organization"),
    "organization.name_given_up": _("gave an organization's former name up"),
    "organization.deleted": _("deleted an organization"),
    "member.added": _("added a member"),
    "member.role": _("changed a member's role"),
    "member.removed": _("removed a member"),
    "team.created": _("made a team"),
    "team.changed": _("changed a team"),
    "team.deleted": _("deleted a team"),
    "team.member_added": _("put somebody into a team"),
    "team.member_removed": _("took somebody out of a team"),
    "invitation.sent": _("invited somebody"),
    "invitation.accepted": _("accepted an invitation"),
    "invitation.refused": _("refused an invitation"),
    "invitation.withdrawn": _("took an invitation back"),
    "repository_invitation.sent": _("invited somebody to a repository"),
    "repository_invitation.accepted": _("accepted an invitation to a repository"),
    "repository_invitation.refused": _("refused an invitation to a repository"),
    "repository_invitation.withdrawn": _("took an invitation to a repository back"),
    "alias.removed": _("removed a former name"),
    "signin.ok": _("signed in"),
    "signin.failed": _("failed to sign in"),
    "signout": _("signed out"),
    "session.ended": _("ended a session"),
    "second_factor.added": _("added a second factor"),
    "second_factor.removed": _("removed a second factor"),
    "password.changed": _("changed a password"),
    "password.reset_asked": _("asked for a password reset"),
    "password.reset": _("reset a password"),
    "email.changed": _("changed a mail address"),
    "token.created": _("made an access token"),
    "token.first_used": _("used an access token for the first time"),
    "token.rotated": _("rotated an access token"),
    "token.rescoped": _("changed what an access token may do"),
    "token.expiring": _("was told that an access token ends soon"),
    "token.revoked": _("revoked an access token"),
    "robot.created": _("made a robot account"),
    "robot.updated": _("changed a robot account"),
    "robot.deleted": _("deleted a robot account"),
    "account.renamed": _("renamed an account"),
    "account.name_given_up": _("gave an account's former name up"),
    "identity.linked": _("connected an account elsewhere"),
    "identity.unlinked": _("disconnected an account elsewhere"),
    "account.closed": _("closed an account"),
    "account.deactivated": _("deactivated an account"),
    "account.reactivated": _("reactivated an account"),
    "account.superuser": _("changed who administers the hub"),
    "account.reset_started": _("started a password reset"),
    "account.changed": _("changed an account"),
    "account.created": _("made an account"),
    "namespace.quota": _("changed a quota"),
    "namespace.handed_over": _("handed a namespace over"),
    "site.viewed": _("looked at a page of the administration"),
    "audit.exported": _("exported the audit log"),
}
# What an act was about, where it was no repository; the first that there is.
_TARGETS = (
    *("user", "username", "member", "team", "robot", "token", "organization", "email"),
    *("namespace", "name", "page", "log"),
)
FIELDS = (
    *("occurred_at", "kind", "actor", "credential", "address", "client", "repository", "outcome"),
    *("before", "after", "details", "request_id", "id"),
)


@dataclass(frozen=True, slots=True)
class Change:
    """A value before and after; None where there was or is none."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as the log shows it."""

    event: Event
    label: str
    target: str
    changes: list[Change]
    details: dict[str, Any]

    @property
    def refused(self) -> bool:
        """It was not done."""
        return bool(self.event.outcome)


def entry_of(event: Event) -> Entry:
    """The entry for a page."""
    payload = event.payload
    tag = payload.get("tag") or ""
    path = event.repository_path
    details = _details(payload)
    named = next((str(payload[n]) for n in _TARGETS if isinstance(payload.get(n), str)), "")
    return Entry(
        event=event,
        label=str(LABELS.get(event.kind, event.kind)),
        target=(f"{path}:{tag}" if tag else path) if path else named,
        changes=changes_of(payload),
        details=details,
    )


def changes_of(payload: dict[str, Any]) -> list[Change]:
    """What is different, by name."""
    before, after = _map(payload.get("before")), _map(payload.get("after"))
    names = sorted({*before, *after})
    return [
        Change(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    ]


def record_of(event: Event) -> dict[str, Any]:
    """The entry for programs: REST and exports."""
    return {
        "id": str(event.uid),
        "occurred_at": event.occurred_at.astimezone(UTC).isoformat(),
        "kind": event.kind,
        "actor": event.actor_name,
        "credential": event.credential,
        "address": event.address,
        "client": event.client,
        "repository": event.repository_path,
        "outcome": event.outcome or "done",
        "before": _map(event.payload.get("before")),
        "after": _map(event.payload.get("after")),
        "details": _details(event.payload),
        "request_id": event.request_id,
    }


def _details(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in ("before", "after")}


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
