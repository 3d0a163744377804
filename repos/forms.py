"""Forms of repositories. Services check everything again; forms say it in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Namespace
from accounts.names import MAX_LENGTH
from oci.names import MAX_NAME_LENGTH, is_path
from repos.models import Repository, Role, Visibility
from repos.services.comments import MAX_CHARS
from repos.services.repositories import MAX_DESCRIPTION_CHARS, MAX_README_CHARS

ROLES = [
    (Role.READ.value, _("Read: pull")),
    (Role.WRITE.value, _("Write: push and delete tags")),
    (Role.ADMIN.value, _("Admin: everything")),
]
VISIBILITIES = [
    (Visibility.PRIVATE.value, _("Private")),
    (Visibility.PUBLIC.value, _("Public")),
]
_MONO = {"data-mono": "", "autocapitalize": "off", "autocomplete": "off", "spellcheck": "false"}


class RepositoryForm(forms.Form):
    """A new repository."""

    namespace = forms.ChoiceField(label=_("Namespace"))
    name = forms.CharField(
        label=_("Name"),
        max_length=MAX_NAME_LENGTH,
        help_text=_("Lower-case letters and digits; . _ - between them, / between parts."),
        widget=forms.TextInput({**_MONO, "placeholder": "app"}),
    )
    description = forms.CharField(
        label=_("Description"), required=False, max_length=MAX_DESCRIPTION_CHARS
    )
    visibility = forms.ChoiceField(
        label=_("Visibility"),
        choices=VISIBILITIES,
        initial=Visibility.PRIVATE.value,
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, namespaces: Iterable[Namespace], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(namespace.name, namespace.name) for namespace in namespaces]
        self.fields["namespace"] = forms.ChoiceField(
            label=_("Namespace"), choices=names, initial=self.initial.get("namespace")
        )

    def clean_name(self) -> str:
        """Inside the grammar."""
        name: str = self.cleaned_data["name"].strip().strip("/")
        if not is_path(name):
            raise ValidationError(
                _("Use lower-case letters and digits; single . _ - may stand between them.")
            )
        return name


class DescriptionForm(forms.Form):
    """One line on what a repository holds."""

    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=MAX_DESCRIPTION_CHARS,
        help_text=_("One line, shown in lists and search results."),
    )


class VisibilityForm(forms.Form):
    """Who may see a repository."""

    visibility = forms.ChoiceField(
        label=_("Visibility"), choices=VISIBILITIES, widget=forms.RadioSelect
    )


class ReadmeForm(forms.Form):
    """The README; an empty one takes it away."""

    readme = forms.CharField(
        label=_("README"),
        required=False,
        strip=False,
        max_length=MAX_README_CHARS,
        help_text=_("Markdown works. Pictures become links."),
        widget=forms.Textarea({"rows": 18, "data-mono": "", "spellcheck": "true"}),
    )


class DeleteForm(forms.Form):
    """The repository's path, typed to confirm."""

    confirm = forms.CharField(label=_("Name"), widget=forms.TextInput({**_MONO}))

    def __init__(self, *args: Any, repository: Repository, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.repository = repository

    def clean_confirm(self) -> str:
        """The very name."""
        typed: str = self.cleaned_data["confirm"]
        if typed != self.repository.path:
            raise ValidationError(
                _("This is not the repository's name. Nothing was deleted."),
            )
        return typed


class PurgeForm(forms.Form):
    """The path that a repository in the trash had, typed to confirm."""

    confirm = forms.CharField(label=_("Name"), widget=forms.TextInput({**_MONO}))

    def __init__(self, *args: Any, path: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.path = path

    def clean_confirm(self) -> str:
        """The very name."""
        typed: str = self.cleaned_data["confirm"]
        if typed != self.path:
            raise ValidationError(_("This is not the repository's name. Nothing was deleted."))
        return typed


class RenameForm(forms.Form):
    """A repository's new name in its namespace."""

    name = forms.CharField(
        label=_("Name"), max_length=MAX_NAME_LENGTH, widget=forms.TextInput({**_MONO})
    )

    def clean_name(self) -> str:
        """Inside the grammar."""
        name: str = self.cleaned_data["name"].strip().strip("/")
        if not is_path(name):
            raise ValidationError(
                _("Use lower-case letters and digits; single . _ - may stand between them.")
            )
        return name


class RestoreForm(RenameForm):
    """What a deleted repository is to be called."""


class TransferForm(DeleteForm):
    """Where a repository goes, and its path, typed to confirm."""

    namespace = forms.ChoiceField(label=_("New namespace"))
    field_order = ("namespace", "confirm")

    def __init__(self, *args: Any, namespaces: Iterable[Namespace], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(namespace.name, namespace.name) for namespace in namespaces]
        self.fields["namespace"] = forms.ChoiceField(label=_("New namespace"), choices=names)
        self.order_fields(self.field_order)

    def clean_confirm(self) -> str:
        """The very name."""
        typed: str = self.cleaned_data["confirm"]
        if typed != self.repository.path:
            raise ValidationError(_("This is not the repository's name. Nothing was changed."))
        return typed


class AccountNameForm(forms.Form):
    """Another name for a person or an organization."""

    name = forms.CharField(
        label=_("New name"),
        max_length=MAX_LENGTH,
        help_text=_("Lower-case letters and digits; single . _ - may stand between them."),
        widget=forms.TextInput({**_MONO}),
    )


class CommentsOpenForm(forms.Form):
    """Whether people may say something about a repository."""

    comments_open = forms.BooleanField(
        label=_("People may comment"),
        required=False,
        help_text=_("Without this, comments that are there stay readable."),
    )


class CommentForm(forms.Form):
    """What somebody has to say."""

    body = forms.CharField(
        label=_("Write a comment"),
        max_length=MAX_CHARS,
        help_text=_("Markdown works; @name calls a person."),
        widget=forms.Textarea({"rows": 5}),
        error_messages={"required": _("A comment needs some text.")},
    )


class NewCommentForm(CommentForm):
    """The same, and which tag or digest it is about."""

    tag = forms.CharField(
        label=_("About a tag or digest"),
        required=False,
        max_length=140,
        widget=forms.TextInput({**_MONO, "placeholder": "1.4"}),
    )


class CollaboratorForm(forms.Form):
    """A person to add."""

    username = forms.CharField(
        label=_("User name or email"), max_length=254, widget=forms.TextInput({**_MONO})
    )
    role = forms.ChoiceField(label=_("Role"), choices=ROLES)

    def clean_username(self) -> str:
        """Names are lower case; an @ in front is a habit."""
        return str(self.cleaned_data["username"]).strip().removeprefix("@").lower()


class TeamForm(forms.Form):
    """A team of the organization to add."""

    team = forms.ChoiceField(label=_("Team"))
    role = forms.ChoiceField(label=_("Role"), choices=ROLES)

    def __init__(self, *args: Any, teams: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"] = forms.ChoiceField(
            label=_("Team"), choices=[(name, name) for name in teams]
        )


class RoleForm(forms.Form):
    """Another role for somebody who has one; `who` is `user:…` or `team:…`."""

    who = forms.RegexField(r"\A(?:user|team):.+\Z")
    role = forms.ChoiceField(choices=ROLES)


class WhoForm(forms.Form):
    """Somebody who has a role."""

    who = forms.RegexField(r"\A(?:user|team):.+\Z")


class AskForm(forms.Form):
    """A request for access."""

    role = forms.ChoiceField(label=_("Role"), choices=ROLES)
    message = forms.CharField(
        label=_("What for"),
        required=False,
        max_length=500,
        widget=forms.Textarea({"rows": 2}),
    )


class AnswerForm(forms.Form):
    """The answer to one; without a role the one that was asked for is given."""

    state = forms.ChoiceField(choices=[("granted", "granted"), ("refused", "refused")])
    role = forms.ChoiceField(choices=ROLES, required=False)
