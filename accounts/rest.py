"""What every view of the REST API is built from: who asks, what is in the body, pages of a list,
rates, and the one way to describe an operation for the schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Model
from django.urls import reverse
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from accounts.authentication import principal_from
from accounts.reauthentication import signed_in_recently
from accounts.types import Principal
from core.address import client_address
from core.errors import Denied, Invalid, Unauthenticated
from core.paging import MAX_LIMIT, Page, parse_limit

PROBLEM = "application/problem+json"
# One of these, or nothing: for what everybody may see.
_OPEN: Any = [{"token": []}, {"password": []}, {"session": []}, {}]

F = TypeVar("F", bound=Callable[..., Response])
M = TypeVar("M", bound=Model)
Answer = type[serializers.Serializer[Any]]


class BoundedJSONParser(JSONParser):
    """JSON of a sane depth; `DATA_UPLOAD_MAX_MEMORY_SIZE` bounds its size."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The document; raises ParseError."""
        try:
            document = super().parse(stream, media_type, parser_context)
            json.dumps(document, ensure_ascii=False).encode()
        except RecursionError as error:
            raise ParseError("JSON parse error - nested too deeply.") from error
        except UnicodeEncodeError as error:  # half a pair, as in "\\ud800"
            raise ParseError("JSON parse error - a text is not Unicode.") from error
        return document


# No docstring here and in serializers: it would show in the schema.
class StrictSerializer(serializers.Serializer[Any]):  # a body: what it does not name is refused
    def to_internal_value(self, data: Any) -> Any:
        """Checked values; raises ValidationError naming the fields that are unknown."""
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                known = ", ".join(self.fields)
                raise serializers.ValidationError(
                    {
                        ascii(name)[1:-1][:60]: [f"There is no such field; known are {known}."]
                        for name in unknown
                    }
                )
        return super().to_internal_value(data)


class ProblemSerializer(serializers.Serializer[Any]):
    """An error (RFC 9457). `reasons` comes with 401 and 403, `errors` names fields of the body."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="A stable word for programs.")
    detail = serializers.CharField(help_text="One sentence for people.")
    reasons = serializers.ListField(child=serializers.CharField(), required=False)
    errors = serializers.DictField(required=False)  # type: ignore[assignment]  # a field, not that


class HubView(APIView):
    """JSON in and out. A view asks who acts, then decides, then reads the body, then answers."""

    parser_classes = (BoundedJSONParser,)

    @property
    def principal(self) -> Principal:
        """Who acts."""
        return principal_from(self.request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what two readers could understand differently."""
        super().initial(request, *args, **kwargs)
        for name, values in request.query_params.lists():
            if len(values) > 1:
                raise Invalid(f"Give {name} once.", code="PARAMETER_REPEATED")

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[BaseRenderer, str]:
        """Whatever the client accepts, it gets JSON."""
        return JSONRenderer(), "application/json"

    def require_account(self, *, robots: bool = False) -> Principal:
        """Who acts, with a credential that reaches their account and not only repositories.

        Raises Unauthenticated for nobody and Denied for a limited token, and for a robot unless
        `robots` may do this too.
        """
        principal = self.principal
        if principal.is_anonymous:
            raise Unauthenticated("Sign in to do this.")
        if principal.is_robot and not robots:
            raise Denied(
                "Robot accounts only pull, push and delete images. Accounts, organizations and "
                "tokens need a person.",
                code="ROBOT",
            )
        if principal.is_limited:
            raise Denied(
                "Your access token is limited to repositories. Accounts, organizations and tokens "
                "need a token without scopes, or your password.",
                code="TOKEN_SCOPE",
            )
        return principal

    def require_recent_sign_in(self) -> None:
        """For a browser's session what the pages ask for; other credentials prove themselves each
        time. Raises Denied."""
        if self.principal.credential == "session" and not signed_in_recently(self.request._request):
            page = f"{settings.HUB.external_url}{reverse('account_reauthenticate')}"
            raise Denied(
                f"This needs a sign-in of the last few minutes; confirm who you are at {page}.",
                code="REAUTHENTICATE",
            )

    def read(self, body: type[StrictSerializer], *, partial: bool = False) -> dict[str, Any]:
        """The checked body; call it after every decision, so that it tells nothing before."""
        serializer = body(data=self.request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        values: dict[str, Any] = serializer.validated_data
        return values

    def text(self, name: str) -> str:
        """A query parameter, without what the databases cannot hold."""
        return self.request.query_params.get(name, "").replace("\0", "").strip()[:200]

    def paging(self, most: int = MAX_LIMIT) -> dict[str, Any]:
        """`limit` and `cursor` for the functions of `core.paging`."""
        query = self.request.query_params
        return {"limit": min(parse_limit(query.get("limit")), most), "cursor": query.get("cursor")}

    def answer_page(self, page: Page[M], answer: Answer, **context: Any) -> Response:
        """`{"results": […], "next": url or null}`."""
        following = None
        if page.next_cursor is not None:
            query = {**self.request.query_params.dict(), "cursor": page.next_cursor}
            base = f"{settings.HUB.external_url}{self.request.path_info}"
            following = f"{base}?{urlencode(query)}"
        results = answer(page.rows, many=True, context=context).data
        return Response({"results": results, "next": following})


class SignupThrottle(SimpleRateThrottle):
    """POSTs for a new account by address; administrators are not counted.

    `REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]` may say otherwise.
    """

    scope = "signup"

    def get_rate(self) -> str | None:
        """`HUB_SIGNUPS_PER_HOUR`, read now and not at import; None switches it off."""
        rates: Mapping[str, Any] = api_settings.DEFAULT_THROTTLE_RATES
        rate: str | None = rates.get("signup", f"{settings.HUB.signups_per_hour}/hour")
        return rate

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """Who is counted; None for who is not."""
        if request.method != "POST" or principal_from(request).is_superuser:
            return None
        address = client_address(request.META, settings.HUB.trusted_proxies)
        return f"throttle:signup:{address}"


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema shows `accounts.authentication.TokenAuthentication`."""

    target_class = "accounts.authentication.TokenAuthentication"
    name = ["token", "password"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        """One or the other."""
        return [{"token": []}, {"password": []}]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        """Bearer and Basic."""
        return [
            {"type": "http", "scheme": "bearer", "description": "An access token."},
            {
                "type": "http",
                "scheme": "basic",
                "description": "User name, and password or access token.",
            },
        ]


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema shows `accounts.authentication.BrowserAuthentication`."""

    target_class = "accounts.authentication.BrowserAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """A cookie."""
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "hub_session",
            "description": "A browser's session; methods that change something need X-CSRFToken.",
        }


def describe(
    tag: str,
    summary: str,
    *,
    operation: str,
    body: type[StrictSerializer] | None = None,
    answer: Answer | None = None,
    rows: Answer | None = None,
    status: int | None = None,
    public: bool = False,
    query: Sequence[tuple[str, str]] = (),
) -> Callable[[F], F]:
    """Say for the schema what a handler does.

    `answer` is the type of the answer, `rows` that of the rows of a list; without either the
    answer is 204. `public`: no credential is needed for what everybody may see.
    """
    parameters = [OpenApiParameter(n, OpenApiTypes.STR, description=d) for n, d in query]
    result: Any = OpenApiResponse(answer, description="Done.")
    if rows is not None:
        parameters += _paging_parameters()
        result = OpenApiResponse(_page_of(rows), description="A page.")
    elif answer is None:
        result, status = OpenApiResponse(description="Done; the answer is empty."), 204
    failure = OpenApiResponse(ProblemSerializer, description="What went wrong.")
    return extend_schema(
        operation_id=operation,
        tags=[tag],
        summary=summary,
        description=f"{summary}.",
        request=body,
        parameters=parameters,
        responses={status or 200: result, ("default", PROBLEM): failure},
        auth=_OPEN if public else None,
    )


@cache
def _page_of(rows: Answer) -> Any:
    return inline_serializer(
        f"{rows.__name__.removesuffix('Serializer')}Page",
        {
            "results": rows(many=True),
            "next": serializers.URLField(allow_null=True, help_text="The next page, or null."),
        },
    )


def _paging_parameters() -> list[OpenApiParameter]:
    return [
        OpenApiParameter(
            "limit", OpenApiTypes.INT, description=f"Rows on a page, at most {MAX_LIMIT}."
        ),
        OpenApiParameter(
            "cursor", OpenApiTypes.STR, description="Where to go on; next has it filled in."
        ),
    ]
