"""Django's own admin for people: superusers only, signed in through the hub's own page."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.authentication import principal_from
from accounts.models import AccessToken, Namespace, Organization, User
from accounts.names import check_name
from accounts.reauthentication import require_recent_sign_in
from accounts.services.names import is_name_free
from accounts.services.people import (
    deactivate,
    is_last_administrator,
    note_change,
    reactivate,
    set_quota,
    set_superuser,
)
from accounts.services.signup import give_namespace
from accounts.services.tokens import beginning, revoke_token
from core.errors import HubError, NotFound
from events.types import Actor


def _has_permission(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


def _login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """There is no second door: the hub's sign-in page counts failures and asks for more."""
    if not _has_permission(request):
        raise NotFound("There is nothing here that you may see.")
    return redirect("admin:index")


def _admin_view(view: Any, cacheable: bool = False) -> Any:
    """A page of the admin, which is nowhere for whoever may not enter, as all of `/admin/`."""
    inner = _django_admin_view(view, cacheable)

    @wraps(view)
    def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not _has_permission(request):
            raise NotFound("There is nothing here that you may see.")
        if request.method == "POST":
            require_recent_sign_in(request)
        answer: HttpResponse = inner(request, *args, **kwargs)
        return answer

    return entered


def _password_change(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """Where it is recorded, counted, and ends other sessions."""
    return redirect("account_change_password")


def _is_of_signin(model: type[Any]) -> bool:
    return model.__module__.startswith("allauth.")


_django_admin_view = admin.site.admin_view
admin.site.admin_view = _admin_view  # type: ignore[method-assign]
admin.site.has_permission = _has_permission  # type: ignore[method-assign]
admin.site.login = _login  # type: ignore[method-assign]
admin.site.password_change = _password_change  # type: ignore[method-assign,assignment]
admin.site.site_title = admin.site.site_header = _("Hub administration")
admin.site.unregister(Group)
# Addresses, second factors, identities and sessions of people: changed here nothing would be
# recorded, and seen here secrets would be. The people pages have acts for what is needed.
admin.site.unregister([model for model in admin.site._registry if _is_of_signin(model)])


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

    def clean_email(self) -> str:
        """As sign-in looks for it."""
        return str(self.cleaned_data.get("email") or "").lower()


@admin.register(User)
class HubUserAdmin(UserAdmin):  # type: ignore[type-arg]
    """People. An account is switched off rather than deleted: its namespace keeps its name."""

    add_form = NewUserForm
    list_display = ("username", "email", "is_active", "is_superuser", "date_joined", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("username", "email")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username",)}),
        (_("About"), {"fields": ("email", "bio")}),
        (_("Rights"), {"fields": ("is_active", "is_superuser")}),
        (_("Times"), {"fields": ("date_joined", "last_login")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "password1", "password2")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Robots are kept on the pages of their namespaces."""
        rows: QuerySet[User] = super().get_queryset(request)
        return rows.filter(robot_namespace=None)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """A user name is part of addresses and stays, whoever has the mail address has the account,
        and the hub keeps an administrator."""
        if obj is None:
            return []
        rights = ["is_active", "is_superuser"] if is_last_administrator(obj) else []
        return ["username", "email", "date_joined", "last_login", *rights]

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        """Nobody sets the password of somebody else; the people page starts a reset."""
        raise PermissionDenied

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """The account exists only together with its namespace; rights change by the services."""
        actor = principal_from(request).actor
        wanted = (obj.is_active, obj.is_superuser)
        with transaction.atomic():
            if change:
                obj.is_active, obj.is_superuser = User.objects.values_list(
                    "is_active", "is_superuser"
                ).get(pk=obj.pk)
            obj.is_staff = obj.is_superuser
            super().save_model(request, obj, form, change)
            if not change:
                give_namespace(obj)
            note_change(obj, actor=actor, made=not change, fields=list(form.changed_data))
            if change:
                _set_rights(obj, wanted, actor)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Never."""
        return False


def _set_rights(user: User, wanted: tuple[bool, bool], actor: Actor) -> None:
    active, superuser = wanted
    if superuser != user.is_superuser:
        set_superuser(user, superuser=superuser, actor=actor)
    if active != user.is_active:
        (reactivate if active else deactivate)(user, actor=actor)


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

    def has_change_permission(self, request: HttpRequest, obj: Organization | None = None) -> bool:
        """Its owners change it on its pages, where it is recorded."""
        return False


@admin.register(Namespace)
class NamespaceAdmin(KeptAdmin):
    """Namespaces and how much they may hold."""

    list_display = ("name", "kind", "quota_bytes", "created_at")
    list_filter = ("kind",)
    search_fields = ("name",)
    fields = ("name", "kind", "user", "organization", "quota_bytes", "created_at")
    readonly_fields = ("name", "kind", "user", "organization", "created_at")

    def save_model(self, request: HttpRequest, obj: Namespace, form: Any, change: bool) -> None:
        """The quota, which is all there is to change here."""
        kept = Namespace.objects.get(pk=obj.pk)
        set_quota(kept, obj.quota_bytes, actor=principal_from(request).actor)

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
    list_select_related = ("user",)
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
        return f"{beginning(token)}…"

    @admin.action(description=_("Revoke selected tokens"), permissions=["view"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[AccessToken]) -> None:
        """End them at once."""
        actor = principal_from(request).actor
        for token in tokens.select_related("user"):
            revoke_token(token, actor=actor)
        count = len(tokens)
        self.message_user(
            request,
            ngettext("%(count)d token was revoked.", "%(count)d tokens were revoked.", count)
            % {"count": count},
            messages.SUCCESS,
        )
