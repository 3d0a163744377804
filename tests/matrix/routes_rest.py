"""The REST API; `~` stands for a repository's address."""

from __future__ import annotations

from tests.matrix.rules import CREATORS, LIMITS, ROBOTS
from tests.matrix.table import Row, rest, with_heads

_HOOK = {"url": "http://127.0.0.1:8080/other"}
_ORG = "organizations/<namespace:org>"
_TRASH = "namespaces/<namespace:namespace>/trash"
_ROBOTS = "namespaces/<namespace:namespace>/robots"
_ROBOT = f"{_ROBOTS}/<namespace:robot>"
# Machines make no accounts.
_NO_SIGNUP = {
    **dict.fromkeys(ROBOTS, 403),
    **{f"olga, {how}": 403 for how in LIMITS},
}


def _webhooks(base: str, need: str, hook: str, sent: str) -> list[Row]:
    """The addresses of one kind of owner."""
    one = f"{base}/webhooks/<int:id>"
    span = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
    return [
        rest("GET", f"{base}/webhooks", need),
        rest("POST", f"{base}/webhooks", need, 201, data=_HOOK),
        rest("POST", f"{base}/webhooks/dry-run", need, data={"tag_filter": "v*"}),
        rest("POST", f"{base}/webhooks/preview", need, data={"format": "slack"}),
        rest("GET", one, need, id=hook),
        rest("PATCH", one, need, id=hook, data={"active": False}),
        rest("DELETE", one, need, 204, id=hook),
        rest("POST", f"{one}/ping", need, 202, id=hook, data={}),
        rest("POST", f"{one}/rotate", need, id=hook, data={}),
        rest("POST", f"{one}/resume", need, id=hook),
        rest("POST", f"{one}/redeliver", need, 202, id=hook),
        rest("POST", f"{one}/replay", need, 202, id=hook, data=span),
        rest("GET", f"{one}/difference", need, 400, id=hook),
        rest("GET", f"{one}/deliveries", need, id=hook),
        rest("GET", f"{one}/deliveries/<int:delivery>", need, id=hook, delivery=sent),
        rest(
            *("POST", f"{one}/deliveries/<int:delivery>/redeliver", need, 202),
            id=hook,
            delivery=sent,
        ),
        rest("POST", f"{base}/deliveries/<int:delivery>/redeliver", need, 202, delivery=sent),
    ]


ROWS: list[Row] = with_heads(
    [
        rest("GET", "schema", "anyone"),
        rest("GET", "search", "anyone", query="?q=acme"),
        rest("GET", "events", "anyone"),
        rest("GET", "repositories", "anyone"),
        *(
            rest(
                *("POST", "repositories", f"create:{namespace}", 201),
                data={"namespace": namespace, "name": "fresh"},
                everywhere=True,
                note=f" in {namespace}",
            )
            for namespace in CREATORS
        ),
        rest("GET", "user", "identity"),
        rest("GET", "user/access", "account"),
        rest("GET", "user/stars", "account"),
        rest("GET", "user/notices", "account"),
        rest("POST", "user/notices/read", "account", 204),
        rest("GET", "tokens", "account"),
        rest("POST", "tokens", "account", 201, data={"name": "more"}),
        rest("DELETE", "tokens/<int:id>", "account", 404, id="{spare}", but={"olga": 204}),
        rest("POST", "tokens/<int:id>/rotate", "account", 404, id="{spare}", but={"olga": 200}),
        rest("GET", "audit", "superuser"),
        rest("GET", "user/audit", "account"),
        rest("POST", "user/rename", "account", data={"username": "somebody-else"}),
        rest("GET", "namespaces/<namespace:namespace>/audit", "owner"),
        rest("GET", _TRASH, "owner"),
        rest("DELETE", f"{_TRASH}/<int:id>", "owner", 204, id="{trashed}"),
        rest("POST", f"{_TRASH}/<int:id>/restore", "owner", id="{trashed}", data={}),
        rest("GET", _ROBOTS, "manager"),
        rest("POST", _ROBOTS, "manager", 201, data={"name": "new-one"}),
        rest("GET", _ROBOT, "manager"),
        rest("PATCH", _ROBOT, "manager", data={"description": "Hi"}),
        rest("DELETE", _ROBOT, "manager", 204),
        rest("GET", f"{_ROBOT}/tokens", "manager"),
        rest("POST", f"{_ROBOT}/tokens", "manager", 201, data={"name": "x"}),
        rest("DELETE", f"{_ROBOT}/tokens/<int:id>", "manager", 204, id="{robot_token}"),
        rest("POST", f"{_ROBOT}/tokens/<int:id>/rotate", "manager", 200, id="{robot_token}"),
        rest(
            "POST",
            "users",
            "anyone",
            201,
            data={
                "username": "fresh",
                "email": "fresh@example.org",
                "password": "a long enough secret",
            },
            but=_NO_SIGNUP,
        ),
        rest("GET", "users", "account", query="?q=ali"),
        rest("*", "", "anyone", 404, at="api/nothing/here"),
        rest("GET", "organizations", "account"),
        rest("POST", "organizations", "account", 201, data={"name": "fresh"}),
        rest("GET", _ORG, "anyone", but={f"olga, {how}": 403 for how in LIMITS}),
        rest("POST", f"{_ORG}/rename", "owner", data={"name": "acme-two"}),
        rest("PATCH", _ORG, "owner", data={"description": "x"}),
        rest("DELETE", _ORG, "owner", 409),  # there are repositories in it
        rest("POST", f"{_ORG}/transfer", "owner", data={"username": "tess"}),
        rest("GET", f"{_ORG}/invitations", "owner"),
        rest(
            "POST",
            f"{_ORG}/invitations",
            "owner",
            201,
            data={"email": "new@example.org", "role": "member"},
        ),
        rest("DELETE", f"{_ORG}/invitations/<int:id>", "owner", 204, id="{invitation}"),
        rest("POST", f"{_ORG}/invitations/<int:id>/resend", "owner", id="{invitation}"),
        rest("POST", "invitations/accept", "account", 404, data={"secret": "no-such-invitation"}),
        rest("GET", f"{_ORG}/teams/<namespace:team>", "member", but={"member": 404}),
        rest("PATCH", f"{_ORG}/teams/<namespace:team>", "owner", data={"description": "x"}),
        rest("DELETE", f"{_ORG}/teams/<namespace:team>", "owner", 204),
        rest("GET", f"{_ORG}/members", "member"),
        rest("PUT", f"{_ORG}/members/<namespace:username>", "owner", data={"role": "member"}),
        rest(
            "DELETE",
            f"{_ORG}/members/<namespace:username>",
            "owner",
            204,
            but={"member, token": 204},
        ),
        rest("GET", f"{_ORG}/teams", "member"),
        rest("POST", f"{_ORG}/teams", "owner", 201, data={"name": "ops"}),
        rest("GET", f"{_ORG}/teams/<namespace:team>/members", "owner"),
        rest("PUT", f"{_ORG}/teams/<namespace:team>/members/<namespace:username>", "owner"),
        rest(
            "DELETE",
            f"{_ORG}/teams/<namespace:team>/members/<namespace:username>",
            "owner",
            204,
            username="tina",
        ),
        rest("GET", "~", "see", everywhere=True),
        rest("PATCH", "~", "administer", data={"description": "x"}, everywhere=True),
        rest("DELETE", "~", "administer", 204),
        rest("PUT", "~/star", "star", 204, everywhere=True),
        rest("DELETE", "~/star", "star", 204),
        rest("GET", "~/watch", "star"),
        rest("PUT", "~/watch", "star", data={"level": "tags"}, everywhere=True),
        rest("DELETE", "~/watch", "star", 204),
        rest("GET", "~/comments", "see"),
        rest("POST", "~/comments", "comment", 201, data={"body": "Hi"}),
        rest("GET", "~/comments/<int:id>", "see", id="{comment}"),
        rest("PATCH", "~/comments/<int:id>", "author", id="{comment}", data={"body": "Oh"}),
        rest("DELETE", "~/comments/<int:id>", "moderate", 204, id="{comment}"),
        rest("PUT", "~/comments/<int:id>/hidden", "administer", 204, id="{comment}"),
        rest("DELETE", "~/comments/<int:id>/hidden", "administer", 204, id="{comment}"),
        rest("GET", "~/tags", "see"),
        rest("GET", "~/tags/<tag:tag>", "see"),
        rest("GET", "~/tags/<tag:tag>/history", "see"),
        rest("POST", "~/tags/<tag:tag>/rollback", "push", data={"digest": "{digest}"}),
        rest("PUT", "~/tags/<tag:tag>", "push", data={"digest": "{digest}"}, everywhere=True),
        rest("DELETE", "~/tags/<tag:tag>", "delete", 204, everywhere=True),
        rest("GET", "~/deleted-tags", "push"),
        rest("POST", "~/deleted-tags/<int:id>/restore", "push", id="{deleted_tag}", data={}),
        rest("GET", "~/events", "see"),
        rest("GET", "~/collaborators", "administer"),
        rest("PUT", "~/collaborators/<account:username>", "administer", data={"role": "read"}),
        rest(
            *("DELETE", "~/collaborators/<account:username>", "administer", 204),
            username="reader",
            but={"reader, token": 204},  # gives up their own role
        ),
        rest("GET", "~/invitations", "administer"),
        rest(
            *("POST", "~/invitations", "administer", 201),
            data={"email": "new@example.org", "role": "read"},
        ),
        rest("DELETE", "~/invitations/<int:id>", "administer", 204, id="{invited}"),
        rest("POST", "~/invitations/<int:id>/resend", "administer", id="{invited}"),
        rest("GET", "~/teams", "administer"),
        rest(
            "PUT", "~/teams/<namespace:org>/<namespace:team>", "administer", data={"role": "read"}
        ),
        rest("DELETE", "~/teams/<namespace:org>/<namespace:team>", "administer", 204),
        rest("GET", "~/audit", "administer"),
        rest("GET", "~/access", "administer"),
        rest("GET", "~/access-requests", "administer"),
        # The same for what is there, hidden or absent.
        rest("POST", "~/access-requests", "account", 204, data={"role": "read"}),
        rest(
            *("POST", "~/access-requests/<int:id>", "administer"),
            id="{request}",
            data={"state": "refused"},
        ),
        rest("POST", "~/rename", "own", data={"name": "other"}),
        rest("POST", "~/transfer", "own", data={"namespace": "olga"}),
        rest("GET", "~/aliases", "administer"),
        rest("DELETE", "~/aliases/<int:id>", "own", 204, id="{alias}"),
        *_webhooks("~", "administer", "{webhook}", "{delivery}"),
        *_webhooks("namespaces/<namespace:namespace>", "owner", "{space_hook}", "{space_sent}"),
        *_webhooks("admin", "superuser", "{server_hook}", "{server_sent}"),
        rest("GET", "~/results", "see"),
        rest("GET", "~/promotions", "administer"),
        rest(
            *("POST", "~/promotions", "administer", 201),
            data='{"source": "v*", "target": "stable", "requires": [{webhook}]}',
        ),
        rest("GET", "~/promotions/<int:id>", "administer", id="{promotion}"),
        rest("DELETE", "~/promotions/<int:id>", "administer", 204, id="{promotion}"),
        # Whoever has the address has been told the secret.
        rest(
            *("POST", "webhook-callbacks/<uuid:uid>", "open"),
            uid="{told}",
            data={"state": "success"},
        ),
    ]
)
