"""Where a page of webhooks stands: in a repository, a namespace or the administration.

Views get the parts of the address that say so as keywords: `path`, or `name`, or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Namespace
from accounts.selectors import manager_facts
from core.errors import HubError
from events.types import Actor
from repos.models import Repository
from webhooks.access import Entered, enter_namespace, enter_repository, enter_server
from webhooks.models import Webhook
from webhooks.owners import Owner

PREFIXES = {"repository": "", "namespace": "namespace-", "server": "site-"}
FRAMES = {
    "repository": "repos/base.html",
    "namespace": "webhooks/of_namespace.html",
    "server": "site/base.html",
}


@dataclass(frozen=True, slots=True)
class Place:
    """An owner of webhooks that the person asking may manage, with the addresses below it."""

    entered: Entered

    @property
    def owner(self) -> Owner:
        """Whose webhooks these are."""
        return self.entered.owner

    @property
    def actor(self) -> Actor:
        """Who acts here."""
        return self.entered.principal.actor

    @property
    def by(self) -> dict[str, Any]:
        """Who changes something, and how their right is checked again when it is committed."""
        return {"actor": self.actor, "recheck": self.entered.recheck}

    @property
    def kind(self) -> str:
        """`repository`, `namespace` or `server`."""
        return self.owner.kind

    @property
    def frame(self) -> str:
        """The template that draws what is around the page."""
        return FRAMES[self.kind]

    @property
    def title(self) -> str:
        """Its name in titles of pages."""
        return self.owner.path or _("the whole hub")

    @property
    def repository(self) -> Repository | None:
        """The repository, where it is one."""
        return self.owner.repository

    @property
    def own_repository(self) -> Repository:
        """The repository, on pages that only repositories have."""
        assert self.owner.repository is not None
        return self.owner.repository

    @property
    def namespace(self) -> Namespace | None:
        """The namespace, where it is one."""
        return self.owner.namespace

    def url(self, name: str, *rest: Any) -> str:
        """The address of a page: `url("webhook-edit", 7)`."""
        return address_of(self.owner, name, *rest)

    def go(self, name: str, *rest: Any) -> HttpResponse:
        """Send the browser to that page."""
        return redirect(self.url(name, *rest))

    def webhook(self, pk: int) -> Webhook:
        """One of its own; raises NotFound."""
        return self.owner.webhook(pk)

    def page(
        self, request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
    ) -> HttpResponse:
        """The page or fragment inside its frame; answers to what was sent are never kept."""
        context = {"place": self, **self._around(), **context}
        response = render(request, f"webhooks/{template}.html", context, status=status)
        if request.method == "POST":
            response["Cache-Control"] = "no-store"
        return response

    def _around(self) -> dict[str, Any]:
        if self.owner.repository is not None:
            access = self.entered.access
            return {"access": access, "repository": self.owner.repository, "tab": "webhooks"}
        if self.owner.namespace is not None:
            facts = manager_facts(self.owner.namespace, "webhooks")
            return {**facts, "namespace": self.owner.namespace}
        return {"section": "webhooks"}


def address_of(owner: Owner, name: str, *rest: Any) -> str:
    """The address of a page below an owner."""
    below = [owner.path] if owner.path else []
    return reverse(PREFIXES[owner.kind] + name, args=[*below, *rest])


def enter(request: HttpRequest, where: dict[str, str]) -> Place:
    """The place an address names, for who may manage it; raises as `webhooks.access`."""
    if "path" in where:
        return Place(enter_repository(request, where["path"]))
    if "name" in where:
        return Place(enter_namespace(request, where["name"]))
    return Place(enter_server(request))


def posted(request: HttpRequest) -> QueryDict | None:
    """The fields that were sent, for a form; None when the page is only opened."""
    return request.POST if request.method == "POST" else None


def blame(form: Any, error: HubError) -> None:
    """Put a refusal beside the field it is about, or above the form."""
    field = error.detail.get("field") if isinstance(error.detail, dict) else None
    form.add_error(field if field in form.fields else None, error.message)
