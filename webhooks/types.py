"""What a webhook can be told of: events of the outbox, and the names their receivers know."""

from __future__ import annotations

# Kind of event in the outbox → name in a webhook's list, in X-Hub-Event and in payloads.
NAMES = {
    "tag.moved": "push",
    "tag.deleted": "tag.deleted",
    "manifest.deleted": "manifest.deleted",
    "repository.created": "repository.created",
    "repository.renamed": "repository.renamed",
    "repository.transferred": "repository.transferred",
    "repository.deleted": "repository.deleted",
    "repository.restored": "repository.restored",
    "repository.visibility": "repository.visibility",
    "repository.starred": "star",
    "comment.added": "comment",
    "collaborator.added": "collaborator",
    "collaborator.removed": "collaborator.removed",
    "build.finished": "build.finished",
    "mirror.synced": "mirror.synced",
    "quota.warning": "quota.warning",
    "token.expiring": "token.expiring",
    "webhook.result": "result",
}
EVENTS = tuple(NAMES.values())
PUSH = "push"
PING_KIND = "webhook.ping"
PING = "ping"
RESULT_KIND = "webhook.result"
# What concerns a namespace's own people; the server's webhooks are not told.
OWN_NAMESPACE_ONLY = frozenset({"token.expiring"})
# What only administrators of a repository may know of what happens in it, public or not.
FOR_ADMINISTRATORS = frozenset(
    {
        "collaborator.added",
        "collaborator.removed",
        "repository.renamed",
        "repository.transferred",
    }
)
# Of a transfer, who lost a role by it: the people of the namespace that was left know them. Of a
# result, ids that mean nothing to a receiver, one of them of somebody else's webhook.
UNTOLD = frozenset({"teams", "robots", "webhook_id", "result_id"})


def name_of(kind: str) -> str:
    """What receivers call an event of this kind; empty for one they are never told of."""
    return PING if kind == PING_KIND else NAMES.get(kind, "")
