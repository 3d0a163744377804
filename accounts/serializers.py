"""Bodies and answers of the REST API about accounts."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import (
    AccessToken,
    BaseRole,
    Invitation,
    Membership,
    Organization,
    Team,
    TeamMembership,
)
from accounts.rest import StrictSerializer


class NewUserSerializer(StrictSerializer):
    username = serializers.CharField(max_length=60)
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)


class UserSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    email = serializers.CharField()


class FoundUserSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()


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
    prefix = serializers.CharField(help_text="How the secret begins after hubp_ or hubr_.")
    scopes = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    last_used_address = serializers.CharField(help_text="Whence, as far as it is known.")
    last_used_client = serializers.CharField(help_text="What the client called itself.")
    rotated_at = serializers.DateTimeField(allow_null=True)
    previous_until = serializers.DateTimeField(
        allow_null=True, help_text="How long the secret of before the last rotation is good."
    )


class RotationSerializer(StrictSerializer):
    keep_old = serializers.BooleanField(
        default=False, help_text="Whether the old secret stays good for 24 hours."
    )


class CreatedTokenSerializer(TokenSerializer):
    token = serializers.SerializerMethodField(help_text="The secret, shown this once.")

    def get_token(self, row: AccessToken) -> str:
        return str(self.context["secret"])


class NewOrganizationSerializer(StrictSerializer):
    name = serializers.CharField(max_length=60)
    display_name = serializers.CharField(max_length=100, default="", allow_blank=True)
    description = serializers.CharField(max_length=300, default="", allow_blank=True)


_BASE_ROLE: dict[str, Any] = {
    "choices": BaseRole.choices,
    "allow_blank": True,
    "help_text": "On all repositories, those to come included: read, write, admin, or empty.",
}
_SWITCHES = {
    "public_allowed": "Whether repositories may be public.",
    "default_public": "Whether a repository made by a push is public.",
    "members_create": "Whether members make repositories, and not only owners.",
    "second_factor_required": "Whether roles count only for whoever has a second factor.",
}


class OrganizationChangeSerializer(StrictSerializer):
    display_name = serializers.CharField(max_length=100, allow_blank=True)
    description = serializers.CharField(max_length=300, allow_blank=True)
    base_role = serializers.ChoiceField(**_BASE_ROLE)
    public_allowed = serializers.BooleanField(help_text=_SWITCHES["public_allowed"])
    default_public = serializers.BooleanField(help_text=_SWITCHES["default_public"])
    members_create = serializers.BooleanField(help_text=_SWITCHES["members_create"])
    second_factor_required = serializers.BooleanField(help_text=_SWITCHES["second_factor_required"])


class OrganizationSwitchesSerializer(serializers.Serializer[Organization]):
    base_role = serializers.CharField(help_text=_BASE_ROLE["help_text"])
    public_allowed = serializers.BooleanField(help_text=_SWITCHES["public_allowed"])
    default_public = serializers.BooleanField(help_text=_SWITCHES["default_public"])
    members_create = serializers.BooleanField(help_text=_SWITCHES["members_create"])
    second_factor_required = serializers.BooleanField(help_text=_SWITCHES["second_factor_required"])


class OrganizationSerializer(serializers.Serializer[Organization]):
    name = serializers.CharField()
    display_name = serializers.CharField()
    description = serializers.CharField()
    created_at = serializers.DateTimeField()
    settings = serializers.SerializerMethodField(help_text="For its people; null for others.")

    @extend_schema_field(OrganizationSwitchesSerializer(allow_null=True))
    def get_settings(self, row: Organization) -> Any:
        return OrganizationSwitchesSerializer(row).data if self.context.get("inside") else None


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


class NewOwnerSerializer(StrictSerializer):
    username = serializers.CharField(max_length=60, help_text="A member, who becomes an owner.")


class NewInvitationSerializer(StrictSerializer):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=Membership.Role.choices, default="member")
    team = serializers.CharField(
        max_length=60, default="", allow_blank=True, help_text="A team to join too."
    )


class InvitationSerializer(serializers.Serializer[Invitation]):
    id = serializers.IntegerField(source="pk")
    email = serializers.CharField()
    role = serializers.CharField(help_text="owner or member")
    team = serializers.SerializerMethodField(help_text="A team to join too, or null.")
    invited_by = serializers.SerializerMethodField(help_text="Who, or null if they are gone.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()

    def get_team(self, row: Invitation) -> str | None:
        return row.team.name if row.team else None

    def get_invited_by(self, row: Invitation) -> str | None:
        return row.invited_by.username if row.invited_by else None


class NewTeamSerializer(StrictSerializer):
    name = serializers.CharField(max_length=60)
    description = serializers.CharField(max_length=300, default="", allow_blank=True)
    base_role = serializers.ChoiceField(default="", **_BASE_ROLE)


class TeamChangeSerializer(StrictSerializer):
    name = serializers.CharField(max_length=60)
    description = serializers.CharField(max_length=300, allow_blank=True)
    base_role = serializers.ChoiceField(**_BASE_ROLE)


class TeamSerializer(serializers.Serializer[Team]):
    organization = serializers.CharField(source="organization.name")
    name = serializers.CharField()
    description = serializers.CharField()
    base_role = serializers.CharField(help_text=_BASE_ROLE["help_text"])
    created_at = serializers.DateTimeField()


class TeamMemberSerializer(serializers.Serializer[TeamMembership]):
    username = serializers.CharField(source="user.username")
    created_at = serializers.DateTimeField()
