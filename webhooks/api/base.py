"""The one view under webhooks of every owner, and the three classes that are made of each."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request

from accounts.rest import HubView
from webhooks.access import Entered, enter_namespace, enter_repository, enter_server
from webhooks.models import Webhook
from webhooks.owners import Kind

TAG = "webhooks"
V = TypeVar("V", bound="type[OwnerView]")
_SUFFIXES: dict[Kind, str] = {
    "repository": "",
    "namespace": "_of_namespace",
    "server": "_of_server",
}


class OwnerView(HubView):
    """`operations` are the ids that the schema has for a repository's, by method."""

    kind: ClassVar[Kind] = "repository"
    operations: ClassVar[dict[str, str]] = {}

    def enter(self, request: Request, where: dict[str, Any]) -> Entered:
        """Who asks and whose webhooks these are, by the parts of the address that say so."""
        if self.kind == "repository":
            return enter_repository(request, f"{where['namespace']}/{where['name']}")
        if self.kind == "namespace":
            return enter_namespace(request, where["namespace"])
        return enter_server(request)

    def enter_webhook(self, request: Request, where: dict[str, Any]) -> tuple[Entered, Webhook]:
        """The same with the webhook that the address names; another owner's is not there."""
        entered = self.enter(request, where)
        return entered, entered.owner.webhook(where["id"])


def of_owner(view: V, kind: Kind) -> V:
    """The view for this kind of owner, under a name and operation ids of its own."""
    if kind == "repository":
        return view
    made: Any = type(f"{kind.title()}{view.__name__}", (view,), {"kind": kind})
    named = {
        method: extend_schema(operation_id=operation + _SUFFIXES[kind])
        for method, operation in view.operations.items()
    }
    found: V = extend_schema_view(**named)(made)
    return found
