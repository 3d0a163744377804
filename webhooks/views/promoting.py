"""Rules that move a tag once receivers have reported success, and what they reported."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from core.errors import Conflict, Denied, Invalid
from webhooks import promotions as rules
from webhooks.forms import PromotionForm
from webhooks.models import Result
from webhooks.standing import host_shown
from webhooks.views.place import blame, enter, posted

HISTORY = 30


@require_http_methods(["GET", "HEAD", "POST"])
def promotions(request: HttpRequest, path: str) -> HttpResponse:
    """The rules of a repository, the form for another, and the newest results."""
    place = enter(request, {"path": path})
    repository = place.own_repository
    own = list(place.owner.webhooks())
    form = PromotionForm(
        posted(request),
        webhooks=[(hook.pk, hook.name or host_shown(hook.url)) for hook in own],
    )
    if form.is_valid():
        try:
            rules.create_promotion(
                repository,
                source=form.cleaned_data["source"],
                target=form.cleaned_data["target"],
                requires=[hook for hook in own if hook.pk in form.chosen],
                **place.by,
            )
        except (Invalid, Conflict, Denied) as error:
            blame(form, error)
        else:
            messages.success(request, _("The rule was added."))
            return place.go("promotions")
    results = Result.objects.filter(repository=repository).exclude(digest="")
    context = {
        "rules": rules.list_promotions(repository),
        "form": form,
        "webhooks": own,
        "results": results.select_related("webhook", "delivery").order_by("-id")[:HISTORY],
    }
    return place.page(request, "promotions", context, 422 if form.errors else 200)


@require_POST
def remove_promotion(request: HttpRequest, path: str, pk: int) -> HttpResponse:
    """Take a rule away; tags stay where they are."""
    place = enter(request, {"path": path})
    rules.delete_promotion(place.own_repository, pk, **place.by)
    messages.success(request, _("The rule was removed. No tag was moved."))
    return place.go("promotions")
