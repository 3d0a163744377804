"""What webhook services refuse with."""

from __future__ import annotations

from core.errors import Conflict, Invalid


class WebhookInvalid(Invalid):
    """A setting of a webhook that makes no sense; `detail` names the field."""

    code = "WEBHOOK_INVALID"


class TooManyWebhooks(Conflict):
    """The repository has as many as it may have."""

    code = "WEBHOOKS_TOO_MANY"


class WebhookInactive(Conflict):
    """A webhook that is switched off."""

    code = "WEBHOOK_INACTIVE"


class DeliveryBusy(Conflict):
    """A delivery that is being sent at this moment."""

    code = "DELIVERY_BUSY"
