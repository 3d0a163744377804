"""Two images of a repository side by side."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from registry.compare import Comparison, compare
from registry.models import Manifest, Tag
from registry.pictures import FIRST_PLATFORM
from registry.selectors import find_digest, get_manifest_row
from registry.views.tag_forms import CompareForm
from repos.access import Access, enter
from repos.models import Repository

SOME_TAGS = 50
TITLES = {
    "run": gettext_lazy("How it runs"),
    "env": gettext_lazy("Environment"),
    "labels": gettext_lazy("Labels"),
}
SIGNS = {"same": "=", "added": "+", "removed": "−", "changed": "±"}


@require_safe
def ask(request: HttpRequest, path: str) -> HttpResponse:
    """Which two; what is asked for completely leads on."""
    access = enter(request, path)
    names = _some_tags(access.repository)
    asked = "a" in request.GET or "b" in request.GET
    initial = {"b": names[0] if names else "", "a": names[1] if len(names) > 1 else ""}
    form = CompareForm(
        request.GET if asked else None, initial=initial, repository=access.repository
    )
    if asked and form.is_valid():
        pair = form.cleaned_data["a"], form.cleaned_data["b"]
        return redirect("compare", path, pair)
    context = _frame(access, form, names)
    return render(request, "registry/compare.html", context, status=422 if form.errors else 200)


@require_safe
def compared(request: HttpRequest, path: str, pair: tuple[str, str]) -> HttpResponse:
    """What changed from the first to the second, for one platform."""
    access = enter(request, path)
    one, other = (
        get_manifest_row(access.repository, find_digest(access.repository, name)) for name in pair
    )
    before, after = _platforms(one), _platforms(other)
    common = [platform for platform in before if platform in after]
    platform = _chosen(common, request.GET.get("platform", ""))
    found = compare(before[platform], after[platform]) if platform is not None else None
    form = CompareForm(initial={"a": pair[0], "b": pair[1]}, repository=access.repository)
    context = {
        **_frame(access, form, _some_tags(access.repository)),
        "a": pair[0],
        "b": pair[1],
        "swapped": reverse("compare", args=[path, (pair[1], pair[0])]),
        "platforms": [(name, f"?{urlencode({'platform': name})}") for name in common if name],
        "platform": platform,
        "found": found,
        "signs": SIGNS,
        "sections": _titled(found) if found else [],
        "only": [(pair[0], list(before)), (pair[1], list(after))],
        "commands": [f"crane manifest {settings.EXTERNAL_HOST}/{path}{_suffix(n)}" for n in pair],
    }
    return render(request, "registry/compare.html", context)


def _frame(access: Access, form: CompareForm, names: list[str]) -> dict[str, Any]:
    return {
        "access": access,
        "repository": access.repository,
        "tab": "tags",
        "form": form,
        "some_tags": names,
    }


def _some_tags(repository: Repository) -> list[str]:
    """The newest, to choose from."""
    newest = Tag.objects.filter(repository=repository).order_by("-moved_at", "-pk")
    return list(newest.values_list("name", flat=True)[:SOME_TAGS])


def _platforms(manifest: Manifest) -> dict[str, Manifest]:
    """Images by platform; one without children stands for its own."""
    found = {
        child.platform: child.child
        for child in manifest.children.all()
        if child.child is not None and not child.platform.startswith("unknown/")
    }
    if found:
        return found
    info = getattr(manifest, "info", None)
    return {info.platform if info else "": manifest}


def _chosen(common: list[str], wanted: str) -> str | None:
    if wanted in common:
        return wanted
    if FIRST_PLATFORM in common:
        return FIRST_PLATFORM
    return common[0] if common else None


def _titled(found: Comparison) -> list[tuple[str, list[tuple[str, str, Any]]]]:
    """Sections with a title, each change with its sign and its word."""
    words = {"added": _("added"), "removed": _("removed"), "changed": _("changed")}
    return [
        (str(TITLES[section.key]), [(SIGNS[c.state], words[c.state], c) for c in section.changes])
        for section in found.sections
    ]


def _suffix(reference: str) -> str:
    return f"@{reference}" if ":" in reference else f":{reference}"
