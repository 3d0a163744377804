"""allauth's hooks: who may sign up, which names are allowed, and the namespace of a new person."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from accounts.models import User
from accounts.names import check_name
from accounts.services.signup import give_namespace, is_name_free
from core.errors import HubError


class AccountAdapter(DefaultAccountAdapter):
    """The policy of this hub."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """`HUB_SIGNUP`."""
        return bool(settings.HUB.signup == "open")

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """One grammar for people, organisations and the first part of every repository."""
        try:
            check_name(username)
        except HubError as error:
            raise ValidationError(error.message) from error
        if not shallow and not is_name_free(username):
            raise ValidationError("This name is already in use.")
        return username

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """The account exists only together with its namespace."""
        with transaction.atomic():
            saved: User = super().save_user(request, user, form, commit=commit)
            if commit:
                give_namespace(saved)
        return saved
