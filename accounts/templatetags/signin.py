"""What pages ask about signing in."""

from __future__ import annotations

import json
from typing import Any

from allauth.socialaccount.adapter import get_adapter
from django import template
from django.contrib.auth.models import AnonymousUser
from django.core.serializers.json import DjangoJSONEncoder
from django.template import RequestContext

from accounts.models import User
from accounts.selectors import organizations_that_ask

register = template.Library()


@register.filter
def as_json(value: Any) -> str:
    """The value for a data attribute, which no content security policy minds."""
    return json.dumps(value, cls=DjangoJSONEncoder)


@register.inclusion_tag("accounts/_second_factor_asked.html", takes_context=True)
def second_factor_asked(context: RequestContext) -> dict[str, Any]:
    """A notice to members of organizations that ask for a second factor they do not have."""
    user: User | AnonymousUser = context["user"]
    lacks = isinstance(user, User) and not user.second_factor
    return {"asking": organizations_that_ask(int(user.pk or 0)) if lacks else []}


@register.simple_tag(takes_context=True)
def providers(context: RequestContext) -> list[Any]:
    """Where else people sign in, as the operator set it up."""
    return list(get_adapter().list_providers(context["request"]))
