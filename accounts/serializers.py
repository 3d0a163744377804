"""Bodies and answers of the REST API about accounts."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.models import AccessToken, Membership, Organization, Team, TeamMembership
from accounts.rest import StrictSerializer


class NewUserSerializer(StrictSerializer):
    username = serializers.CharField(max_length=60)
    email = serializers.EmailField()
    password = serializers.CharField(max_length=1024, trim_whitespace=False)


class UserSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    email = serializers.CharField()


class UserOrganizationSerializer(serializers.Serializer[Membership]):
    name = serializers.CharField(source="organization.name")
    role = serializers.CharField(help_text="owner or member")


class MeSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    email = serializers.CharField()
    organizations = UserOrganizationSerializer(many=True)


class NewTokenSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=300),
        default=list,
        help_text="repository:NAME:ACTIONS each; NAME may hold *, ACTIONS are pull, push and "
        "delete. An empty list allows everything you may do yourself.",
    )
    expires_at = serializers.DateTimeField(default=None, allow_null=True)


class TokenSerializer(serializers.Serializer[AccessToken]):
    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="How the secret begins after hubp_.")
    scopes = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class CreatedTokenSerializer(TokenSerializer):
    token = serializers.SerializerMethodField(help_text="The secret, shown this once.")

    def get_token(self, row: AccessToken) -> str:
        return str(self.context["secret"])


class NewOrganizationSerializer(StrictSerializer):
    name = serializers.CharField(max_length=60)
    display_name = serializers.CharField(max_length=100, default="", allow_blank=True)


class OrganizationSerializer(serializers.Serializer[Organization]):
    name = serializers.CharField()
    display_name = serializers.CharField()
    description = serializers.CharField()
    created_at = serializers.DateTimeField()


class OrganizationRowSerializer(serializers.Serializer[Membership]):
    name = serializers.CharField(source="organization.name")
    display_name = serializers.CharField(source="organization.display_name")
    description = serializers.CharField(source="organization.description")
    role = serializers.CharField(help_text="Yours: owner or member.")
    created_at = serializers.DateTimeField(source="organization.created_at")


class MemberRoleSerializer(StrictSerializer):
    role = serializers.ChoiceField(choices=Membership.Role.choices)


class MemberSerializer(serializers.Serializer[Membership]):
    username = serializers.CharField(source="user.username")
    role = serializers.CharField(help_text="owner or member")
    created_at = serializers.DateTimeField()


class NewTeamSerializer(StrictSerializer):
    name = serializers.CharField(max_length=60)


class TeamSerializer(serializers.Serializer[Team]):
    organization = serializers.CharField(source="organization.name")
    name = serializers.CharField()
    created_at = serializers.DateTimeField()


class TeamMemberSerializer(serializers.Serializer[TeamMembership]):
    username = serializers.CharField(source="user.username")
    created_at = serializers.DateTimeField()
