"""Django's own admin for people: superusers only, signed in through the hub's own page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.models import Group
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import AccessToken, Namespace, Organization, User
from accounts.names import check_name
from accounts.services.signup import give_namespace, is_name_free
from accounts.services.tokens import PREFIX, revoke_token
from core.errors import HubError


def _has_permission(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


def _login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """The hub's sign-in page counts failures; the admin's own would be a second door."""
    if request.user.is_authenticated and not _has_permission(request):
        raise PermissionDenied
    return redirect_to_login(request.GET.get("next") or request.get_full_path())


admin.site.has_permission = _has_permission  # type: ignore[method-assign]
admin.site.login = _login  # type: ignore[method-assign]
admin.site.site_title = admin.site.site_header = _("Hub administration")
admin.site.unregister(Group)


class NewUserForm(AdminUserCreationForm):  # type: ignore[type-arg]
    """A name by the same rules as sign-up."""

    def clean_username(self) -> str:
        """Free, not reserved, in the one grammar of names."""
        name = str(self.cleaned_data["username"])
        try:
            check_name(name)
        except HubError as error:
            raise forms.ValidationError(error.message) from error
        if not is_name_free(name):
            raise forms.ValidationError(_("This name is already in use."))
        return name


@admin.register(User)
class HubUserAdmin(UserAdmin):  # type: ignore[type-arg]
    """People. An account is switched off rather than deleted: its namespace keeps its name."""

    add_form = NewUserForm
    list_display = ("username", "email", "is_active", "is_superuser", "date_joined", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("username", "email")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("About"), {"fields": ("email", "bio")}),
        (_("Rights"), {"fields": ("is_active", "is_superuser")}),
        (_("Times"), {"fields": ("date_joined", "last_login")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """A user name is part of addresses and stays."""
        return ["username", "date_joined", "last_login"] if obj else []

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """The account exists only together with its namespace."""
        obj.is_staff = obj.is_superuser
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            give_namespace(obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Never."""
        return False


class KeptAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that the hub itself makes and removes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


@admin.register(Organization)
class OrganizationAdmin(KeptAdmin):
    """Organizations; people make them, with an owner."""

    list_display = ("name", "display_name", "created_at")
    search_fields = ("name", "display_name")
    fields = ("name", "display_name", "description", "created_at")
    readonly_fields = ("name", "created_at")


@admin.register(Namespace)
class NamespaceAdmin(KeptAdmin):
    """Namespaces and how much they may hold."""

    list_display = ("name", "kind", "quota_bytes", "created_at")
    list_filter = ("kind",)
    search_fields = ("name",)
    fields = ("name", "kind", "user", "organization", "quota_bytes", "created_at")
    readonly_fields = ("name", "kind", "user", "organization", "created_at")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """An empty quota means none."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name == "quota_bytes":
            field.required = False
        return field


@admin.register(AccessToken)
class AccessTokenAdmin(KeptAdmin):
    """Tokens by their first letters; secrets exist nowhere."""

    list_display = ("shown", "user", "name", "expires_at", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("prefix", "name", "user__username")
    fields = (
        "shown",
        "user",
        "name",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    actions = ("revoke",)

    def has_change_permission(self, request: HttpRequest, obj: AccessToken | None = None) -> bool:
        """Looking is enough; revoking is an action."""
        return False

    @admin.display(description=_("Token"))
    def shown(self, token: AccessToken) -> str:
        """As its owner sees it in the list."""
        return f"{PREFIX}{token.prefix}…"

    @admin.action(description=_("Revoke selected tokens"), permissions=["view"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[AccessToken]) -> None:
        """End them at once."""
        for token in tokens:
            revoke_token(token)
        count = len(tokens)
        self.message_user(
            request,
            ngettext("%(count)d token was revoked.", "%(count)d tokens were revoked.", count)
            % {"count": count},
            messages.SUCCESS,
        )
