"""The webhooks of one owner, the ones it inherits, and the switch of each."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from core.errors import Conflict, Invalid
from repos.services.renaming import owns
from webhooks import services
from webhooks.models import Webhook
from webhooks.owners import Owner, owner_of
from webhooks.presets import PRESETS
from webhooks.standing import standings
from webhooks.views.place import Place, address_of, enter


@require_safe
def webhooks(request: HttpRequest, **where: str) -> HttpResponse:
    """All of them with how they are doing; below them those from above that tell of this place."""
    place = enter(request, where)
    own = list(place.owner.webhooks())
    rows = standings([*own, *_from_above(place)])
    linked = [(row, address_of(owner_of(row.webhook), "webhook", row.webhook.pk)) for row in rows]
    context: dict[str, Any] = {
        "rows": linked[: len(own)],
        "inherited": linked[len(own) :],
        "presets": PRESETS,
    }
    return place.page(request, "list", context)


@require_POST
def switch(request: HttpRequest, pk: int, **where: str) -> HttpResponse:
    """On or off, and back to where the switch was."""
    place = enter(request, where)
    webhook = place.webhook(pk)
    try:
        if request.POST.get("on") == "1":
            services.update_webhook(webhook, active=True, **place.by)
            messages.success(request, _("The webhook is switched on."))
        else:
            services.switch_off(webhook, **place.by)
            messages.success(request, _("The webhook is switched off: nothing is sent."))
    except (Invalid, Conflict) as error:
        messages.error(request, error.message)
    return place.go("webhook", pk) if "stay" in request.POST else place.go("webhooks")


def _from_above(place: Place) -> list[Webhook]:
    """Those of the namespace and of the server, as far as the person may manage them there.

    They know of secrets of other repositories, so an administrator of this one sees none of them.
    """
    found: list[Webhook] = []
    principal, repository = place.entered.principal, place.repository
    if repository is not None and owns(principal, repository.namespace):
        found += Owner(namespace=repository.namespace).webhooks()
    if place.kind != "server" and principal.is_superuser:
        found += Owner().webhooks()
    return found
