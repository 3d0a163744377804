"""REST: the caller's access tokens."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.account import own_account
from accounts.models import AccessToken
from accounts.rest import HubView, describe
from accounts.serializers import (
    CreatedTokenSerializer,
    NewTokenSerializer,
    RotationSerializer,
    TokenSerializer,
)
from accounts.services.tokens import NewToken, create_token, revoke_token, rotate_token
from accounts.types import Principal
from core.errors import NotFound
from core.paging import page_by_id


class TokensView(HubView):
    @describe("tokens", "Your access tokens", operation="token_list", rows=TokenSerializer)
    def get(self, request: Request) -> Response:
        rows = _own_tokens(self.require_account())
        return self.answer_page(page_by_id(rows, **self.paging()), TokenSerializer)

    @describe(
        "tokens",
        "Make an access token; its secret is shown this once",
        operation="token_create",
        body=NewTokenSerializer,
        answer=CreatedTokenSerializer,
        status=201,
    )
    def post(self, request: Request) -> Response:
        principal = self.require_account()
        self.require_recent_sign_in()
        made = create_token(
            own_account(principal),
            **self.read(NewTokenSerializer),
            actor=principal.actor,
            made_with=principal.token_id,
        )
        return shown_once(made, 201)


class TokenView(HubView):
    @describe("tokens", "Revoke an access token", operation="token_delete")
    def delete(self, request: Request, id: int) -> Response:
        principal = self.require_account()
        revoke_token(token_of(_own_tokens(principal), id), actor=principal.actor)
        return Response(status=204)


class RotateView(HubView):
    @describe(
        "tokens",
        "Give an access token a new secret, shown this once",
        operation="token_rotate",
        body=RotationSerializer,
        answer=CreatedTokenSerializer,
    )
    def post(self, request: Request, id: int) -> Response:
        principal = self.require_account()
        token = token_of(_own_tokens(principal), id)
        self.require_recent_sign_in()
        values = self.read(RotationSerializer)
        made = rotate_token(token, **values, actor=principal.actor, made_with=principal.token_id)
        return shown_once(made, 200)


def token_of(rows: QuerySet[AccessToken], id: int) -> AccessToken:
    """One of these tokens; raises NotFound."""
    token = rows.filter(pk=id).select_related("user").first()
    if token is None:
        raise NotFound("There is no such token.")
    return token


def shown_once(made: NewToken, status: int) -> Response:
    """The answer that has the secret in it."""
    answer = CreatedTokenSerializer(made.row, context={"secret": made.secret})
    return Response(answer.data, status=status)


def _own_tokens(principal: Principal) -> QuerySet[AccessToken]:
    return AccessToken.objects.filter(user_id=principal.account_id, revoked_at=None)
