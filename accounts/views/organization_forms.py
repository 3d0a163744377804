"""What is filled in about organizations, their people and teams."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Membership, Organization
from accounts.names import MAX_LENGTH
from accounts.services import organizations, teams

ROLES = [
    (Membership.Role.MEMBER.value, _("Member")),
    (Membership.Role.OWNER.value, _("Owner")),
]
REPOSITORY_ROLES = [
    ("read", _("read: pulls")),
    ("write", _("write: pulls, pushes and deletes tags")),
    ("admin", _("admin: changes settings and people too")),
]
_PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
_MONO = {**_PLAIN, "data-mono": True}


class AboutForm(forms.Form):
    """What everybody reads about an organization."""

    display_name = forms.CharField(
        label=_("Display name"),
        required=False,
        max_length=organizations.MAX_DISPLAY_NAME,
        help_text=_("As it is written elsewhere; empty to show the name."),
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=organizations.MAX_DESCRIPTION,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class NewOrganizationForm(AboutForm):
    """The same with a name."""

    name = forms.CharField(
        label=_("Name"),
        max_length=MAX_LENGTH,
        help_text=_("The first part of every image name: name/app."),
        widget=forms.TextInput(attrs=_MONO),
    )
    field_order = ("name", "display_name", "description")


class SettingsForm(AboutForm):
    """The switches of an organization."""

    base_role = forms.ChoiceField(
        label=_("What every member may do with all repositories"),
        required=False,
        choices=[("", _("nothing: only what teams and repositories give them")), *REPOSITORY_ROLES],
        help_text=_("Repositories to come included. Owners may do everything anyway."),
    )
    public_allowed = forms.BooleanField(
        label=_("Repositories may be public"),
        required=False,
        help_text=_("Off: all are private, and nobody can make one public."),
    )
    default_public = forms.BooleanField(
        label=_("A repository made by a push is public"),
        required=False,
        help_text=_("Off: it is private until somebody opens it."),
    )
    members_create = forms.BooleanField(
        label=_("Members may make repositories"),
        required=False,
        help_text=_("Off: only owners may. Whoever makes one administers it."),
    )
    second_factor_required = forms.BooleanField(
        label=_("A second factor is demanded"),
        required=False,
        help_text=_("Whoever has none keeps their membership, but no role counts until they do."),
    )

    @classmethod
    def of(cls, organization: Organization, data: Any = None) -> SettingsForm:
        """Filled in with what is."""
        initial = {name: getattr(organization, name) for name in organizations.SWITCHES}
        return cls(data, initial=initial)


class InviteForm(forms.Form):
    """Somebody with an account here by name, anybody else by mail."""

    who = forms.CharField(
        label=_("User name or email"),
        max_length=254,
        widget=forms.TextInput(attrs=_PLAIN),
    )
    role = forms.ChoiceField(label=_("Role"), choices=ROLES)
    team = forms.ChoiceField(label=_("Team"), required=False)

    def __init__(self, *args: Any, teams: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _("none")), *((name, name) for name in teams)]
        self.fields["team"].choices = choices  # type: ignore[attr-defined]


class MemberRoleForm(forms.Form):
    """Another role for somebody who is in."""

    who = forms.CharField(max_length=MAX_LENGTH)
    role = forms.ChoiceField(choices=ROLES)


class OwnershipForm(forms.Form):
    """Who is to be owner in one's place."""

    to = forms.ChoiceField(label=_("New owner"))
    confirm = forms.CharField(
        label=_("Name of the organization"),
        help_text=_("Type it to confirm."),
        widget=forms.TextInput(attrs=_MONO),
    )

    def __init__(self, *args: Any, members: Iterable[str], name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        self.fields["to"].choices = [(m, m) for m in members]  # type: ignore[attr-defined]

    def clean_confirm(self) -> str:
        """The name itself."""
        if self.cleaned_data["confirm"].strip() != self.name:
            raise forms.ValidationError(_("This is not the name of the organization."))
        return self.name


class TeamForm(forms.Form):
    """A team."""

    name = forms.CharField(
        label=_("Name"), max_length=teams.MAX_NAME, widget=forms.TextInput(attrs=_MONO)
    )
    description = forms.CharField(
        label=_("Description"), required=False, max_length=teams.MAX_DESCRIPTION
    )
    base_role = forms.ChoiceField(
        label=_("Role on all repositories"),
        required=False,
        choices=[("", _("none: only on chosen repositories")), *REPOSITORY_ROLES],
        help_text=_("Of the organization, those to come included."),
    )


class TeamMemberForm(forms.Form):
    """A member for a team."""

    username = forms.CharField(
        label=_("User name of a member"),
        max_length=MAX_LENGTH,
        widget=forms.TextInput(attrs=_PLAIN),
    )


class TeamGrantForm(forms.Form):
    """A repository for a team."""

    repository = forms.CharField(
        label=_("Repository"), max_length=255, widget=forms.TextInput(attrs=_MONO)
    )
    role = forms.ChoiceField(label=_("Role"), choices=REPOSITORY_ROLES)
