"""Making and changing a webhook, with what it would do beside the form."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from core.errors import Conflict, HubError, Invalid
from events.models import Event
from repos.access import wants_part
from webhooks import formats, services, trial
from webhooks.formats.templates import PATHS
from webhooks.forms import RotateForm, WebhookForm
from webhooks.models import Webhook
from webhooks.owners import Owner
from webhooks.presets import BY_NAME, PRESETS, Preset
from webhooks.types import PUSH
from webhooks.views.place import Place, blame, enter, posted
from webhooks.views.snippets import VERIFY

TRIED, SHOWN_TRIALS = 50, 8


@require_http_methods(["GET", "HEAD", "POST"])
def new_webhook(request: HttpRequest, **where: str) -> HttpResponse:
    """The form, empty or from a preset, and as the answer to it the secret: this once."""
    place = enter(request, where)
    preset = BY_NAME.get(request.GET.get("preset", ""))
    form = WebhookForm(posted(request), preset=_filled(preset) if preset else None)
    if "look" in request.POST:
        return _look(request, place, form)
    if form.is_valid():
        try:
            webhook = services.create_webhook(place.owner, **form.values, **place.by)
        except (Invalid, Conflict) as error:
            blame(form, error)
        else:
            context = {"webhook": webhook, "secret": webhook.secret, "verify": VERIFY}
            return place.page(request, "created", context)
    context = {"preset": preset, "presets": PRESETS}
    return _form_page(request, place, form, context)


@require_http_methods(["GET", "HEAD", "POST"])
def edit_webhook(request: HttpRequest, pk: int, **where: str) -> HttpResponse:
    """Change settings; the secret has a page of its own."""
    place = enter(request, where)
    webhook = place.webhook(pk)
    form = WebhookForm(posted(request), webhook=webhook)
    if "look" in request.POST:
        return _look(request, place, form, webhook)
    if form.is_valid():
        try:
            services.update_webhook(webhook, **form.values, **place.by)
        except (Invalid, Conflict) as error:
            blame(form, error)
        else:
            messages.success(request, _("The webhook was saved."))
            return place.go("webhook", pk)
    return _form_page(request, place, form, {"webhook": place.webhook(pk)})


@require_http_methods(["GET", "HEAD", "POST"])
def rotate(request: HttpRequest, pk: int, **where: str) -> HttpResponse:
    """Another secret, shown this once; the old one signs too for a while."""
    place = enter(request, where)
    webhook = place.webhook(pk)
    form = RotateForm(posted(request))
    context: dict[str, Any] = {"webhook": webhook, "form": form, "now": timezone.now()}
    if form.is_valid():
        try:
            secret = services.rotate_secret(
                webhook,
                secret=form.cleaned_data["secret"],
                overlap=form.lasting,
                **place.by,
            )
        except (Invalid, Conflict) as error:
            blame(form, error)
        else:
            context |= {"webhook": place.webhook(pk), "secret": secret, "verify": VERIFY}
            return place.page(request, "rotated", context)
    return place.page(request, "rotate", context, 422 if form.errors else 200)


@require_POST
def remove_webhook(request: HttpRequest, pk: int, **where: str) -> HttpResponse:
    """Delete it and its deliveries; the dialog has asked."""
    place = enter(request, where)
    services.delete_webhook(place.webhook(pk), **place.by)
    messages.success(request, _("The webhook and its deliveries were deleted."))
    return place.go("webhooks")


def _filled(preset: Preset) -> dict[str, Any]:
    """A preset as a form's first values."""
    return {
        "name": preset.label,
        "url": preset.address,
        "events": list(preset.events),
        "format": preset.format,
        "template": preset.template,
        "headers": "".join(f"{name}: {value}\n" for name, value in preset.headers.items()),
        "active": True,
    }


def _look(
    request: HttpRequest, place: Place, form: WebhookForm, webhook: Webhook | None = None
) -> HttpResponse:
    """What it would do, of a form that may be half filled in; nothing is kept.

    Without scripts the whole page comes back with everything that was typed, and no complaint
    about what is not filled in yet.
    """
    form.is_valid()
    context = {"webhook": webhook, "presets": PRESETS, **sight(place.owner, form)}
    if wants_part(request):
        return place.page(request, "_sight", context)
    shown = WebhookForm(initial=_typed(form), webhook=None)
    if webhook is not None:
        shown = WebhookForm(webhook=webhook)
        shown.initial.update(_typed(form))
    return place.page(request, "form", {**context, "form": shown, "paths": PATHS})


def _typed(form: WebhookForm) -> dict[str, Any]:
    """Every field as it was sent."""
    return {
        name: bound.field.widget.value_from_datadict(form.data, form.files, bound.html_name)
        for name in form.fields
        if (bound := form[name])
    }


def _form_page(
    request: HttpRequest, place: Place, form: WebhookForm, context: dict[str, Any]
) -> HttpResponse:
    context = {"form": form, "paths": PATHS, **sight(place.owner, form), **context}
    return place.page(request, "form", context, 422 if form.errors else 200)


def sight(owner: Owner, form: WebhookForm) -> dict[str, Any]:
    """What the filters let through of the last pushes, and the body of one of these."""
    try:
        trials = trial.dry_run(owner, form.filters, limit=TRIED)
    except Invalid as error:
        return {"filter_error": error.message}
    passed = [one.event for one in trials if one.matches]
    event = passed[0] if passed else trials[0].event if trials else None
    return {
        "trials": trials[:SHOWN_TRIALS],
        "more": len(trials[SHOWN_TRIALS:]),
        "tried": len(trials),
        "passed": len(passed),
        **(preview(unsaved(owner, form), event) if event else {}),
    }


def unsaved(owner: Owner, form: WebhookForm) -> Webhook:
    """A webhook as the form has it by now."""
    data = getattr(form, "cleaned_data", None)
    values = form.initial if data is None else data
    chosen = str(values.get("format") or Webhook.Format.DOCKERHUB)
    return Webhook(
        repository=owner.repository,
        namespace=owner.namespace,
        url=str(values.get("url") or ""),
        format=chosen,
        template=str(values.get("template") or ""),
        events=[PUSH],
    )


def preview(webhook: Webhook, event: Event) -> dict[str, Any]:
    """The body that this webhook gets of this event, as people read it, or why there is none."""
    try:
        rendered = formats.preview(webhook, event)
    except HubError as error:
        return {"previewed": event, "preview_error": error.message}
    text = rendered.body.decode("utf-8", "replace")
    if "json" in rendered.content_type:
        text = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    return {"previewed": event, "preview": text, "preview_type": rendered.content_type}
