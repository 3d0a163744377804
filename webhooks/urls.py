"""Pages of webhooks; mounted before the patterns of the repository itself."""

from __future__ import annotations

from django.urls import URLPattern, path

from repos import converters  # noqa: F401 - registers the converters used below
from webhooks.views import delivering, editing, hook, listing, promoting
from webhooks.views.place import PREFIXES

OF_REPOSITORY = "<repository:path>/-/webhooks"
BASES = {
    "repository": OF_REPOSITORY,
    "namespace": "<namespace:name>/-/webhooks",
    "server": "admin/webhooks",
}


def _below(base: str, prefix: str) -> list[URLPattern]:
    """The same pages for each kind of owner; names get `prefix` in front."""
    one = f"{base}/<int:pk>"
    sent = f"{one}/deliveries/<uuid:uid>"
    return [
        path(base, listing.webhooks, name=f"{prefix}webhooks"),
        path(f"{base}/new", editing.new_webhook, name=f"{prefix}webhook-new"),
        path(one, hook.webhook, name=f"{prefix}webhook"),
        path(f"{one}/edit", editing.edit_webhook, name=f"{prefix}webhook-edit"),
        path(f"{one}/secret", editing.rotate, name=f"{prefix}webhook-rotate"),
        path(f"{one}/switch", listing.switch, name=f"{prefix}webhook-switch"),
        path(f"{one}/resume", hook.resume, name=f"{prefix}webhook-resume"),
        path(f"{one}/delete", editing.remove_webhook, name=f"{prefix}webhook-delete"),
        path(f"{one}/ping", hook.ping_webhook, name=f"{prefix}webhook-ping"),
        path(f"{one}/redeliver", hook.redeliver_all, name=f"{prefix}webhook-redeliver-all"),
        path(f"{one}/replay", hook.replay, name=f"{prefix}webhook-replay"),
        path(sent, delivering.delivery, name=f"{prefix}delivery"),
        path(f"{sent}/redeliver", delivering.redeliver_again, name=f"{prefix}delivery-redeliver"),
        path(f"{sent}/compare", delivering.compare, name=f"{prefix}delivery-compare"),
    ]


urlpatterns = [
    path(f"{OF_REPOSITORY}/promotions", promoting.promotions, name="promotions"),
    path(
        f"{OF_REPOSITORY}/promotions/<int:pk>/remove",
        promoting.remove_promotion,
        name="promotion-remove",
    ),
    *(entry for kind, base in BASES.items() for entry in _below(base, PREFIXES[kind])),
]
