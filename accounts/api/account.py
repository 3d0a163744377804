"""REST: people and the caller."""

from __future__ import annotations

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import SignupClosed
from accounts.models import User
from accounts.rest import HubView, SignupThrottle, describe
from accounts.selectors import list_organizations, search_users
from accounts.serializers import (
    FoundUserSerializer,
    MeSerializer,
    NewUserSerializer,
    UserSerializer,
)
from accounts.services.signup import create_user, sign_up
from accounts.types import Principal
from core.paging import Page

ACCOUNT = "account"


class UsersView(HubView):
    throttle_classes = (SignupThrottle,)

    @describe(
        ACCOUNT,
        "People whose names hold a text, ten at most",
        operation="user_search",
        rows=FoundUserSerializer,
        query=[("q", "Three characters or more of the name.")],
    )
    def get(self, request: Request) -> Response:
        self.require_account()
        rows = list(search_users(self.text("q")))
        return self.answer_page(Page(rows, None), FoundUserSerializer)

    @describe(
        ACCOUNT,
        "Make an account, where sign-up is open or as an administrator",
        operation="user_create",
        body=NewUserSerializer,
        answer=UserSerializer,
        status=201,
        public=True,
    )
    def post(self, request: Request) -> Response:
        principal = self.principal
        if principal.is_limited or principal.is_robot:
            self.require_account()
        if settings.HUB.signup != "open" and not principal.is_superuser:
            raise SignupClosed("People cannot sign up here; ask an administrator for an account.")
        values = self.read(NewUserSerializer)
        if principal.is_superuser:
            user = create_user(**values, by_superuser=True, actor=principal.actor)
        else:
            user = sign_up(**values)
        return Response(UserSerializer(user).data, status=201)


class UserView(HubView):
    @describe(ACCOUNT, "Who you are", operation="user_read", answer=MeSerializer)
    def get(self, request: Request) -> Response:
        user = own_account(self.require_account(robots=True))
        me = {
            "username": user.username,
            "email": user.email,
            "organizations": list_organizations(user.pk),
        }
        return Response(MeSerializer(me).data)


def own_account(principal: Principal) -> User:
    """The caller's row."""
    return User.objects.get(pk=principal.account_id)
