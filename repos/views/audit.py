"""Pages of the audit log: of a repository, a namespace, one's own account; and their exports."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.authentication import principal_from
from accounts.selectors import manager_facts
from accounts.services.auditing import namespace_to_audit, trail_of_account, with_person
from accounts.types import Principal
from core.errors import Unauthenticated
from core.sheets import csv_lines, json_lines
from events.audit import FIELDS, GROUPS, LABELS, entry_of, record_of
from events.selectors import (
    DONE,
    MAX_EXPORT,
    REFUSED,
    Filters,
    Trail,
    trail_of_namespace,
    trail_of_repository,
)
from events.services import audit
from repos.access import enter
from repos.limits import refuse_often
from repos.permissions.trails import without_hidden

ROWS = 50
_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
_DAY = forms.DateInput(attrs={"type": "date"})


class FilterForm(forms.Form):
    """What of the log is wanted; lives in the address."""

    kind = forms.ChoiceField(label=_("What"), required=False)
    person = forms.CharField(label=_("Person or robot"), required=False, max_length=150)
    repository = forms.CharField(label=_("Repository"), required=False, max_length=255)
    outcome = forms.ChoiceField(
        label=_("Result"),
        required=False,
        choices=[("", _("Any result")), (DONE, _("Done")), (REFUSED, _("Refused"))],
    )
    since = forms.DateField(label=_("From"), required=False, widget=_DAY)
    until = forms.DateField(label=_("To"), required=False, widget=_DAY)

    def __init__(self, data: Mapping[str, str], *, without: tuple[str, ...] = ()) -> None:
        super().__init__(data)
        self.fields["kind"] = forms.ChoiceField(
            label=_("What"), required=False, choices=_kinds(data.get("kind", ""))
        )
        for name in without:
            del self.fields[name]

    def add_prefix(self, field_name: str) -> str:
        """Names in the address; `from` is no name in Python."""
        return {"since": "from", "until": "to"}.get(field_name, field_name)

    def filters(self) -> Filters:
        """Only what is good of it; what is not shows its error and filters nothing."""
        self.full_clean()
        good: dict[str, Any] = {name: value for name, value in self.cleaned_data.items() if value}
        if "person" in good:
            good["person"] = good["person"].lower()
        return with_person(Filters(**good))


@dataclass(frozen=True, slots=True)
class Log:
    """A log with a page: where it is kept, and what its exports are recorded under."""

    trail: Trail
    name: str
    repository_id: int | None = None
    repository_path: str = ""
    namespace_id: int | None = None
    without: tuple[str, ...] = ()


@require_safe
def repository_audit(request: HttpRequest, path: str) -> HttpResponseBase:
    """Of one repository, for its administrators."""
    access = enter(request, path, "administer")
    row = access.repository
    log = Log(
        trail_of_repository(row.pk), row.path, row.pk, row.path, row.namespace_id, ("repository",)
    )
    context = {"access": access, "repository": row, "tab": "settings"}
    return answer_log(request, access.principal, log, "audit/repository.html", context)


@require_safe
def namespace_audit(request: HttpRequest, name: str) -> HttpResponseBase:
    """Of an organization, for its owners, or of one's own namespace."""
    principal = principal_from(request)
    namespace = namespace_to_audit(principal, name)
    log = Log(trail_of_namespace(namespace.pk), namespace.name, namespace_id=namespace.pk)
    context = {"namespace": namespace, **manager_facts(namespace, "audit")}
    return answer_log(request, principal, log, "audit/namespace.html", context)


@require_safe
def account_audit(request: HttpRequest) -> HttpResponseBase:
    """Of one's own account."""
    principal = principal_from(request)
    if principal.is_anonymous:
        raise Unauthenticated("Sign in to read what happened with your account.")
    trail = without_hidden(trail_of_account(principal), principal)
    return answer_log(request, principal, Log(trail, principal.username), "audit/account.html", {})


def answer_log(
    request: HttpRequest,
    principal: Principal,
    log: Log,
    template: str,
    context: dict[str, Any],
) -> HttpResponseBase:
    """A page of the log, or with `?export=` a file with all that the filters leave."""
    given = _given(request, log.without)
    form = FilterForm(given, without=log.without)
    filters = form.filters()
    trail = log.trail.filtered(filters)
    kind = request.GET.get("export", "")
    if kind in _TYPES and not form.errors:
        return _export(principal, log, trail, kind, given)
    cursor = request.GET.get("cursor") or None
    page = trail.page(limit=ROWS, cursor=cursor)
    shown = {
        "form": form,
        "entries": [entry_of(event) for event in page.rows],
        "days_kept": settings.HUB.audit_days,
        "filtered": bool(given),
        "newest_url": _address(given) if cursor else "",
        "older_url": _address({**given, "cursor": page.next_cursor}) if page.next_cursor else "",
        "csv_url": _address({**given, "export": "csv"}),
        "jsonl_url": _address({**given, "export": "jsonl"}),
        "most_exported": MAX_EXPORT,
        "path": request.path,
        **context,
    }
    return render(request, template, shown, status=422 if form.errors else 200)


def _export(
    principal: Principal, log: Log, trail: Trail, kind: str, given: dict[str, str]
) -> HttpResponse | StreamingHttpResponse:
    """The file, written while it is read; that it was asked for is recorded first."""
    refuse_often(principal, "audit.exported")
    audit(
        "audit.exported",
        actor=principal.actor,
        repository_id=log.repository_id,
        repository_path=log.repository_path,
        namespace_id=log.namespace_id,
        payload={"log": log.name, "format": kind, "filters": given},
    )
    rows = (record_of(event) for event in trail.export())
    lines = csv_lines(FIELDS, rows) if kind == "csv" else json_lines(rows)
    response = StreamingHttpResponse(lines, content_type=_TYPES[kind])
    words = "-".join(log.name.replace("/", "-").split())
    name = f"audit-{words}-{timezone.now():%Y-%m-%d}.{kind}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _given(request: HttpRequest, without: Collection[str]) -> dict[str, str]:
    """The filters as the address has them, without what no name and no word can hold."""
    names = ("kind", "person", "repository", "outcome", "from", "to")
    given = {n: request.GET.get(n, "").replace("\0", "") for n in names if n not in without}
    return {name: value for name, value in given.items() if value}


def _address(values: Mapping[str, Any]) -> str:
    return f"?{urlencode(values)}"


def _kinds(asked: str) -> list[Any]:
    """Groups, and in each the kinds that have words; also the kind that is asked for."""
    choices: list[Any] = [("", _("Anything"))]
    for name, group in GROUPS.items():
        inside = [(k, label) for k, label in LABELS.items() if k.startswith(group.prefixes)]
        everything = _("Everything of this: %(group)s") % {"group": group.label}
        choices.append((group.label, [(name, everything), *inside]))
    if asked and asked not in GROUPS and asked not in LABELS:
        choices.append((asked, asked))
    return choices
