"""A repository's webhooks and what became of their deliveries; for its administrators."""

from __future__ import annotations

import json
import shlex
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import Conflict, Invalid, NotFound
from core.paging import page_by_id
from repos.access import Access, enter, wants_part
from webhooks import selectors, services
from webhooks.forms import WebhookForm
from webhooks.models import Attempt, Delivery, Webhook
from webhooks.outcomes import NOT_SHOWN
from webhooks.types import name_of

PAGE = 25
SOON = timedelta(minutes=1)
VERIFY_PYTHON = '''\
import hashlib
import hmac

def is_genuine(body: bytes, header: str, secret: str) -> bool:
    """body: the request's bytes as they came; header: X-Hub-Signature-256."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"sha256={digest}", header)
'''
VERIFY_SHELL = """\
# body.json: the request's bytes as they came; $header: X-Hub-Signature-256
digest=$(openssl dgst -sha256 -hmac "$HUB_SECRET" -r body.json | cut -d' ' -f1)
[ "sha256=$digest" = "$header" ] && echo genuine
"""
VERIFY = (("Python", VERIFY_PYTHON), ("Shell", VERIFY_SHELL))
# Shortened in what is kept, hence made anew by the copied command, or left out.
_SIGNATURE, _LEFT_OUT = "x-hub-signature-256", frozenset({"webhook-signature"})


@require_safe
def webhooks(request: HttpRequest, path: str) -> HttpResponse:
    """All of them, each with how its newest delivery went."""
    access = enter(request, path, "administer")
    found = list(selectors.list_webhooks(access.repository))
    newest = selectors.last_results(found)
    rows = [
        {
            "webhook": webhook,
            "host": urlsplit(webhook.url).netloc,
            "last": _row(newest[webhook.pk]) if webhook.pk in newest else None,
        }
        for webhook in found
    ]
    return _page(request, access, "webhooks/list.html", {"rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
def new_webhook(request: HttpRequest, path: str) -> HttpResponse:
    """The form, and as the answer to it the secret: this once."""
    access = enter(request, path, "administer")
    form = WebhookForm(_posted(request))
    if form.is_valid():
        try:
            webhook = services.create_webhook(
                access.repository, actor=access.principal.actor, **form.cleaned_data
            )
        except (Invalid, Conflict) as error:
            _blame(form, error)
        else:
            context = {"webhook": webhook, "secret": webhook.secret, "verify": VERIFY}
            response = _page(request, access, "webhooks/created.html", context)
            response["Cache-Control"] = "no-store"
            return response
    return _page(request, access, "webhooks/form.html", {"form": form}, _status(form))


@require_http_methods(["GET", "HEAD", "POST"])
def edit_webhook(request: HttpRequest, path: str, pk: int) -> HttpResponse:
    """Change settings; an empty secret keeps the present one."""
    access, webhook = _enter(request, path, pk)
    form = WebhookForm(_posted(request), webhook=webhook)
    if form.is_valid():
        try:
            services.update_webhook(webhook, actor=access.principal.actor, **form.cleaned_data)
        except (Invalid, Conflict) as error:
            _blame(form, error)
        else:
            messages.success(request, _("The webhook was saved."))
            return redirect("webhook", path, pk)
    context = {"form": form, "webhook": selectors.get_webhook(access.repository, pk)}
    return _page(request, access, "webhooks/form.html", context, _status(form))


@require_safe
def webhook(request: HttpRequest, path: str, pk: int) -> HttpResponse:
    """One webhook with its deliveries, newest first."""
    access, webhook = _enter(request, path, pk)
    failed = request.GET.get("state") == "failed"
    rows = selectors.deliveries_of(webhook)
    if failed:
        rows = rows.filter(state=Delivery.State.GAVE_UP)
    cursor = request.GET.get("cursor")
    page = page_by_id(rows, limit=PAGE, cursor=cursor)
    context = {
        "webhook": webhook,
        "host": urlsplit(webhook.url).netloc,
        "rows": [_row(delivery) for delivery in page.rows],
        "failed": failed,
        "next_cursor": page.next_cursor,
        "is_first_page": not cursor,
        "verify": VERIFY,
    }
    return _page(request, access, "webhooks/webhook.html", context)


@require_POST
def remove_webhook(request: HttpRequest, path: str, pk: int) -> HttpResponse:
    """Delete it and its deliveries; the dialog has asked."""
    access, webhook = _enter(request, path, pk)
    services.delete_webhook(webhook, actor=access.principal.actor)
    messages.success(request, _("The webhook and its deliveries were deleted."))
    return redirect("webhooks", path)


@require_POST
def ping_webhook(request: HttpRequest, path: str, pk: int) -> HttpResponse:
    """Send a test and show what becomes of it."""
    access, webhook = _enter(request, path, pk)
    try:
        sent = services.ping(webhook, actor=access.principal.actor)
    except Conflict as error:
        messages.error(request, error.message)
        return redirect("webhook", path, pk)
    return redirect("delivery", path, pk, sent.uid)


@require_safe
def delivery(request: HttpRequest, path: str, pk: int, uid: uuid.UUID) -> HttpResponse:
    """Every try of one delivery; as a fragment while it is still due."""
    access, webhook = _enter(request, path, pk)
    found = _delivery(webhook, uid)
    attempts = list(found.attempts.all())
    tries = [
        {
            "number": number,
            "attempt": attempt,
            "explained": _explained(attempt),
            "not_shown": attempt.response_excerpt == NOT_SHOWN,
            "body": _indented(attempt.request_body),
            "curl": _curl(webhook, attempt),
        }
        for number, attempt in enumerate(attempts, start=1)
    ]
    context = {
        "webhook": webhook,
        "row": _row(found),
        "tries": tries[::-1],
        "every": _poll_interval(found),
        "overdue": found.next_attempt_at < timezone.now(),
        "verify": VERIFY,
    }
    template = "webhooks/_delivery.html" if wants_part(request) else "webhooks/delivery.html"
    return _page(request, access, template, context)


@require_POST
def redeliver_again(request: HttpRequest, path: str, pk: int, uid: uuid.UUID) -> HttpResponse:
    """Send it once more."""
    _access, webhook = _enter(request, path, pk)
    found = _delivery(webhook, uid)
    try:
        services.redeliver(found)
    except Conflict as error:
        messages.error(request, error.message)
    return redirect("delivery", path, pk, found.uid)


def _enter(request: HttpRequest, path: str, pk: int) -> tuple[Access, Webhook]:
    access = enter(request, path, "administer")
    return access, selectors.get_webhook(access.repository, pk)


def _delivery(webhook: Webhook, uid: uuid.UUID) -> Delivery:
    found = selectors.deliveries_of(webhook).filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such delivery.")
    return found


def _page(
    request: HttpRequest,
    access: Access,
    template: str,
    context: dict[str, Any],
    status: int = 200,
) -> HttpResponse:
    context |= {"access": access, "repository": access.repository, "tab": "webhooks"}
    return render(request, template, context, status=status)


def _posted(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _status(form: WebhookForm) -> int:
    return 422 if form.errors else 200


def _blame(form: WebhookForm, error: Invalid | Conflict) -> None:
    """Put the service's sentence next to the field it is about."""
    field = error.detail.get("field") if isinstance(error.detail, dict) else None
    form.add_error(field if field in form.fields else None, error.message)


def _row(delivery: Delivery) -> dict[str, Any]:
    """A delivery as lists show it."""
    return {
        "delivery": delivery,
        "event": name_of(delivery.event.kind),
        "tag": delivery.event.payload.get("tag", ""),
        "state": _state(delivery),
        "last": selectors.last_attempt(delivery),
        "most_tries": len(settings.HUB.webhook_retry_delays_s) + 1,
    }


def _state(delivery: Delivery) -> str:
    """One word for templates: waiting, sending, retrying, done or gave_up."""
    if delivery.state != Delivery.State.DUE:
        return str(delivery.state)
    if delivery.lease_until and delivery.lease_until > timezone.now():
        return "sending"
    return "retrying" if delivery.attempt_count else "waiting"


def _poll_interval(delivery: Delivery) -> str:
    """How often a page looks again; empty once nothing will change by itself."""
    if delivery.state != Delivery.State.DUE:
        return ""
    return "2s" if delivery.next_attempt_at < timezone.now() + SOON else "30s"


def _explained(attempt: Attempt) -> str:
    """What an answer means and where to look; empty for a success."""
    status = attempt.status
    if attempt.error or status is None:
        return attempt.error or _("No answer came.")
    if 200 <= status < 300:
        return ""
    if status in (401, 403):
        return _(
            "The receiver refused the request. Compare its secret or credentials with this webhook."
        )
    if status in (404, 410):
        return _("The receiver is there, but has nothing at this address. Check the path.")
    if status in (408, 425, 429):
        return _("The receiver is busy and asks to come back later.")
    if status >= 500:
        return _("The receiver is reachable but could not handle the request. Look into its log.")
    return _("The receiver did not accept the request. Look into its log.")


def _curl(webhook: Webhook, attempt: Attempt) -> str:
    """The same request for a shell; it signs the body anew with `$HUB_SECRET`."""
    lines = [f"curl -X POST {shlex.quote(webhook.url)}"]
    for name, value in attempt.request_headers.items():
        if name.lower() == _SIGNATURE:
            digest = 'printf %s "$body" | openssl dgst -sha256 -hmac "$HUB_SECRET" -r | cut -c1-64'
            lines.append(f'  -H "{name}: sha256=$({digest})"')
        elif name.lower() not in _LEFT_OUT:
            lines.append(f"  -H {shlex.quote(f'{name}: {value}')}")
    lines.append('  --data-binary "$body"')
    body = f"# HUB_SECRET holds the secret\nbody={shlex.quote(attempt.request_body)}\n"
    return body + " \\\n".join(lines)


def _indented(body: str) -> str:
    """JSON as people read it; anything else as it is."""
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except ValueError:
        return body
