"""New people: their account and the namespace that carries their name."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from accounts.errors import NameTaken, PasswordWeak
from accounts.models import Namespace, User
from accounts.names import RESERVED, check_name
from core.errors import Invalid


def create_user(*, username: str, email: str, password: str, superuser: bool = False) -> User:
    """Make an account and its namespace in one transaction.

    Raises Invalid for a bad name or address, PasswordWeak, NameTaken. The account exists only
    together with its namespace. A superuser, whom only the operator makes, may have a reserved
    name such as `admin`, and then has no namespace; the password is the operator's choice.
    """
    reserved = superuser and username in RESERVED
    if not reserved:
        check_name(username)
    email = email.lower()  # as allauth keeps and looks for it
    _check_email(email)
    user = User(username=username, email=email, is_staff=superuser, is_superuser=superuser)
    if not superuser:
        _check_password(password, user)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
            if not reserved:
                Namespace.objects.create(name=username, kind=Namespace.Kind.USER, user=user)
    except IntegrityError as error:
        raise NameTaken("This name or address is already in use.") from error
    return user


def give_namespace(user: User) -> Namespace:
    """The person's namespace, made if it is missing; raises NameTaken."""
    try:
        with transaction.atomic():
            return Namespace.objects.get_or_create(
                user=user, defaults={"name": user.username, "kind": Namespace.Kind.USER}
            )[0]
    except IntegrityError as error:
        raise NameTaken("This name is already in use.") from error


def ensure_library() -> Namespace:
    """The namespace of official images, whose names are written without one."""
    return Namespace.objects.get_or_create(
        name="library", defaults={"kind": Namespace.Kind.LIBRARY}
    )[0]


def is_name_free(name: str) -> bool:
    """Whether nobody has this name as a namespace or a user name."""
    return not (
        Namespace.objects.filter(name=name).exists() or User.objects.filter(username=name).exists()
    )


def ensure_administrator(username: str, password: str, email: str = "") -> User:
    """Create or keep a superuser with this name; an existing account keeps its password.

    Somebody else may have signed up under this name before: an account that is no superuser yet
    becomes one only if the password is its own. Raises Invalid otherwise, and as `create_user`.
    """
    user = User.objects.filter(username=username).first()
    if user is None:
        return create_user(username=username, email=email, password=password, superuser=True)
    if not user.is_superuser and not user.check_password(password):
        raise Invalid("an account with this name exists and has another password")
    if not (user.is_superuser and user.is_staff and user.is_active):
        user.is_superuser = user.is_staff = user.is_active = True
        user.save(update_fields=["is_superuser", "is_staff", "is_active"])
    return user


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise PasswordWeak(" ".join(error.messages)) from error


def _check_email(email: str) -> None:
    if not email:
        return
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid("This is not an e-mail address.", code="EMAIL_INVALID") from error
