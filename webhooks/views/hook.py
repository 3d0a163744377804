"""One webhook: how it is, what it sent, and sending again."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import Conflict, Invalid, NotFound, RateLimited
from core.paging import page_by_id
from events.models import Event
from repos.access import wants_part
from repos.limits import refuse_often
from webhooks import replaying, selectors, services, trial
from webhooks.filters import Filters
from webhooks.forms import ReplayForm
from webhooks.models import Delivery, Webhook
from webhooks.owners import owner_of
from webhooks.signing import headers_of
from webhooks.standing import host_shown, standings
from webhooks.types import EVENTS, PING
from webhooks.views.editing import preview
from webhooks.views.place import blame, enter
from webhooks.views.rows import STATES, row_of
from webhooks.views.snippets import VERIFY

PAGE, SAMPLES, TRIED = 25, 10, 50
SEARCHED = ("state", "event", "tag", "since", "until", "text")


@require_safe
def webhook(request: HttpRequest, pk: int, **where: str) -> HttpResponse:
    """Its state, its deliveries by what is searched for, and what it would send."""
    place = enter(request, where)
    found = place.webhook(pk)
    search = {name: request.GET.get(name, "").replace("\0", "").strip() for name in SEARCHED}
    cursor = request.GET.get("cursor") or None
    page = page_by_id(_searched(found, search), limit=PAGE, cursor=cursor)
    context: dict[str, Any] = {
        "webhook": found,
        "rows": [row_of(delivery) for delivery in page.rows],
        "search": search,
        "searching": any(search.values()),
        "states": STATES,
        "events": [*EVENTS, PING],
        "next_cursor": page.next_cursor,
        "is_first_page": cursor is None,
    }
    if wants_part(request):
        return place.page(request, "_deliveries", context)
    return place.page(request, "webhook", {**context, **_facts(found)})


@require_POST
def ping_webhook(request: HttpRequest, pk: int, **where: str) -> HttpResponse:
    """Send a test with the body of an earlier push, and show what becomes of it."""
    place = enter(request, where)
    found = place.webhook(pk)
    try:
        sample = _sample(found, request)
        refuse_often(place.entered.principal, "webhook.ping")
        sent = services.ping(found, actor=place.actor, event=sample)
    except (Conflict, Invalid, RateLimited) as error:
        messages.error(request, error.message)
        return place.go("webhook", pk)
    return place.go("delivery", pk, sent.uid)


@require_POST
def resume(request: HttpRequest, pk: int, **where: str) -> HttpResponse:
    """End the pause that failures brought about."""
    place = enter(request, where)
    try:
        services.resume(place.webhook(pk), **place.by)
    except Conflict as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The webhook goes on."))
    return place.go("webhook", pk)


@require_POST
def redeliver_all(request: HttpRequest, pk: int, **where: str) -> HttpResponse:
    """Send everything again that was given up."""
    place = enter(request, where)
    found = place.webhook(pk)
    try:
        refuse_often(place.entered.principal, "webhook.replayed")
        number = replaying.send_lost(found, **place.by)
    except (Conflict, RateLimited) as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _sent(number))
    return place.go("webhook", pk)


@require_http_methods(["GET", "HEAD", "POST"])
def replay(request: HttpRequest, pk: int, **where: str) -> HttpResponse:
    """Choose a time span, see how many events lie in it, send them again."""
    place = enter(request, where)
    found = place.webhook(pk)
    asked = request.GET if "since" in request.GET else None
    form = ReplayForm(request.POST if request.method == "POST" else asked)
    counted: int | None = None
    if form.is_valid():
        span = {"since": form.cleaned_data["since"], "until": form.cleaned_data["until"]}
        try:
            if request.method == "POST":
                refuse_often(place.entered.principal, "webhook.replayed")
                number = replaying.replay(found, **place.by, **span)
                messages.success(request, _sent(number))
                return place.go("webhook", pk)
            counted = replaying.count(found, **span)
        except (Conflict, Invalid, RateLimited) as error:
            blame(form, error)
    context = {"webhook": found, "form": form, "counted": counted}
    return place.page(request, "replay", context, 422 if form.errors else 200)


def _sent(number: int) -> str:
    if not number:
        return _("There was nothing to send again.")
    return ngettext(
        "%(number)s delivery is being sent again.",
        "%(number)s deliveries are being sent again.",
        number,
    ) % {"number": number}


def _searched(found: Webhook, search: dict[str, str]) -> Any:
    return selectors.search_deliveries(
        found,
        state=search["state"] if search["state"] in STATES else "",
        event=search["event"],
        tag=search["tag"],
        since=_moment(search["since"]),
        until=_moment(search["until"], ends=True),
        text=search["text"],
    )


def _moment(text: str, *, ends: bool = False) -> datetime | None:
    """The beginning of a day in UTC, or its end; None for anything else."""
    try:
        day = date.fromisoformat(text)
        return datetime.combine(day + timedelta(days=ends), time(), UTC)
    except (ValueError, OverflowError):
        return None


def _facts(found: Webhook) -> dict[str, Any]:
    trials = trial.dry_run(owner_of(found), Filters.of(found), limit=TRIED)
    samples = [one.event for one in trials if one.matches] or [one.event for one in trials]
    return {
        "standing": standings([found])[0],
        "host": host_shown(found.url),
        "dead": found.deliveries.filter(state=Delivery.State.GAVE_UP).count(),
        "header_names": list(headers_of(found)),
        "samples": samples[:SAMPLES],
        "verify": VERIFY,
        "now": timezone.now(),
        **(preview(found, samples[0]) if samples else {}),
    }


def _sample(found: Webhook, request: HttpRequest) -> Event | None:
    """The earlier push that was chosen, one of those that were offered; None for the newest."""
    chosen = request.POST.get("event", "")
    if not chosen:
        return None
    trials = trial.dry_run(owner_of(found), Filters.of(found), limit=TRIED)
    event = next((one.event for one in trials if str(one.event.pk) == chosen), None)
    if event is None:
        raise NotFound("There is no such push among the last ones.")
    return event
