"""REST: a namespace's robot accounts and their access tokens, for whoever manages them."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.tokens import shown_once, token_of
from accounts.models import AccessToken, Namespace, RobotRole, User
from accounts.rest import HubView, StrictSerializer, describe
from accounts.selectors import find_namespace
from accounts.serializers import (
    CreatedTokenSerializer,
    NewTokenSerializer,
    RotationSerializer,
    TokenSerializer,
)
from accounts.services.robots import (
    check_manager,
    create_robot,
    delete_robot,
    get_robot,
    list_robots,
    short_name,
    update_robot,
)
from accounts.services.tokens import create_token, revoke_token, rotate_token
from core.errors import NotFound
from core.paging import page_by_id, page_by_name

ROBOTS = "robots"
_ROLE: dict[str, Any] = {
    "choices": RobotRole.choices,
    "allow_blank": True,
    "help_text": "On all repositories of the namespace: read, write, or empty for none.",
}
_MAY_CREATE = "Whether a push may make repositories in the namespace."


class NewRobotSerializer(StrictSerializer):
    name = serializers.CharField(max_length=40, help_text="What follows the plus sign.")
    description = serializers.CharField(max_length=300, default="", allow_blank=True)
    role = serializers.ChoiceField(default="", **_ROLE)
    may_create = serializers.BooleanField(default=False, help_text=_MAY_CREATE)


class RobotChangeSerializer(StrictSerializer):
    description = serializers.CharField(max_length=300, allow_blank=True)
    role = serializers.ChoiceField(**_ROLE)
    may_create = serializers.BooleanField(help_text=_MAY_CREATE)


class RobotSerializer(serializers.Serializer[User]):
    name = serializers.SerializerMethodField(help_text="What follows the plus sign.")
    username = serializers.CharField(help_text="For docker login: namespace+name.")
    description = serializers.CharField(source="bio")
    role = serializers.CharField(source="robot_role", help_text=_ROLE["help_text"])
    may_create = serializers.BooleanField(source="robot_creates", help_text=_MAY_CREATE)
    created_by = serializers.SerializerMethodField(help_text="Who made it, or null if they left.")
    created_at = serializers.DateTimeField(source="date_joined")
    token_count = serializers.IntegerField(help_text="Tokens that are good now.")

    def get_name(self, robot: User) -> str:
        return short_name(robot)

    def get_created_by(self, robot: User) -> str | None:
        return robot.robot_made_by.username if robot.robot_made_by else None


class _RobotsView(HubView):
    """A view below a namespace, whose name is public; its robots are not."""

    def managed(self, name: str) -> Namespace:
        """The namespace, for whoever manages it.

        Raises NotFound, the same as for what is absent, Unauthenticated or Denied.
        """
        namespace = find_namespace(name)
        if namespace is None:
            raise NotFound("There is nothing here that you may see.")
        check_manager(self.require_account(), namespace)
        return namespace

    def robot(self, namespace: str, name: str) -> User:
        """One robot of it."""
        return get_robot(self.managed(namespace), name)


class RobotsView(_RobotsView):
    @describe(
        ROBOTS,
        "Robot accounts of a namespace, for its owners",
        operation="robot_list",
        rows=RobotSerializer,
    )
    def get(self, request: Request, namespace: str) -> Response:
        rows = list_robots(self.managed(namespace))
        page = page_by_name(rows, field="username", **self.paging())
        return self.answer_page(page, RobotSerializer)

    @describe(
        ROBOTS,
        "Make a robot account, without tokens yet",
        operation="robot_create",
        body=NewRobotSerializer,
        answer=RobotSerializer,
        status=201,
    )
    def post(self, request: Request, namespace: str) -> Response:
        found = self.managed(namespace)
        values = self.read(NewRobotSerializer)
        robot = create_robot(found, values.pop("name"), actor=self.principal.actor, **values)
        return Response(_whole(found, robot), status=201)


class RobotView(_RobotsView):
    @describe(ROBOTS, "A robot account", operation="robot_read", answer=RobotSerializer)
    def get(self, request: Request, namespace: str, robot: str) -> Response:
        return Response(RobotSerializer(self.robot(namespace, robot)).data)

    @describe(
        ROBOTS,
        "Change a robot account's description or rights",
        operation="robot_update",
        body=RobotChangeSerializer,
        answer=RobotSerializer,
    )
    def patch(self, request: Request, namespace: str, robot: str) -> Response:
        found = self.robot(namespace, robot)
        values = self.read(RobotChangeSerializer, partial=True)
        update_robot(found, actor=self.principal.actor, **values)
        return Response(RobotSerializer(found).data)

    @describe(ROBOTS, "Delete a robot account with its tokens and roles", operation="robot_delete")
    def delete(self, request: Request, namespace: str, robot: str) -> Response:
        delete_robot(self.robot(namespace, robot), actor=self.principal.actor)
        return Response(status=204)


class RobotTokensView(_RobotsView):
    @describe(
        ROBOTS,
        "A robot account's access tokens",
        operation="robot_token_list",
        rows=TokenSerializer,
    )
    def get(self, request: Request, namespace: str, robot: str) -> Response:
        rows = _tokens(self.robot(namespace, robot))
        return self.answer_page(page_by_id(rows, **self.paging()), TokenSerializer)

    @describe(
        ROBOTS,
        "Make an access token of a robot account; its secret is shown this once",
        operation="robot_token_create",
        body=NewTokenSerializer,
        answer=CreatedTokenSerializer,
        status=201,
    )
    def post(self, request: Request, namespace: str, robot: str) -> Response:
        found = self.robot(namespace, robot)
        self.require_recent_sign_in()
        made = create_token(
            found,
            **self.read(NewTokenSerializer),
            actor=self.principal.actor,
            made_with=self.principal.token_id,
        )
        return shown_once(made, 201)


class RobotTokenView(_RobotsView):
    @describe(ROBOTS, "Revoke an access token of a robot account", operation="robot_token_delete")
    def delete(self, request: Request, namespace: str, robot: str, id: int) -> Response:
        token = token_of(_tokens(self.robot(namespace, robot)), id)
        revoke_token(token, actor=self.principal.actor)
        return Response(status=204)


class RobotRotateView(_RobotsView):
    @describe(
        ROBOTS,
        "Give an access token of a robot account a new secret, shown this once",
        operation="robot_token_rotate",
        body=RotationSerializer,
        answer=CreatedTokenSerializer,
    )
    def post(self, request: Request, namespace: str, robot: str, id: int) -> Response:
        token = token_of(_tokens(self.robot(namespace, robot)), id)
        self.require_recent_sign_in()
        values = self.read(RotationSerializer)
        made = rotate_token(
            token, **values, actor=self.principal.actor, made_with=self.principal.token_id
        )
        return shown_once(made, 200)


def _tokens(robot: User) -> QuerySet[AccessToken]:
    return AccessToken.objects.filter(user=robot, revoked_at=None)


def _whole(namespace: Namespace, robot: User) -> Any:
    return RobotSerializer(get_robot(namespace, short_name(robot))).data
