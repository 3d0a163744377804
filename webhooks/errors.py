"""What webhook services refuse with."""

from __future__ import annotations

from core.errors import Conflict, Invalid


class WebhookInvalid(Invalid):
    """A setting of a webhook that makes no sense; `detail` names the field."""

    code = "WEBHOOK_INVALID"


class TooManyWebhooks(Conflict):
    """The repository, namespace or server has as many as it may have."""

    code = "WEBHOOKS_TOO_MANY"


class WebhookInactive(Conflict):
    """A webhook that is switched off."""

    code = "WEBHOOK_INACTIVE"


class DeliveryBusy(Conflict):
    """A delivery that is being sent at this moment."""

    code = "DELIVERY_BUSY"


class ResultInvalid(Invalid):
    """A result that says nothing the hub understands; `detail` names the field."""

    code = "RESULT_INVALID"


class ResultGiven(Conflict):
    """A callback that was answered before."""

    code = "RESULT_GIVEN"


class PromotionInvalid(Invalid):
    """A rule that makes no sense; `detail` names the field."""

    code = "PROMOTION_INVALID"


class TooManyPromotions(Conflict):
    """The repository has as many rules as it may have."""

    code = "PROMOTIONS_TOO_MANY"
