"""New people: their account and the namespace that carries their name."""

from __future__ import annotations

from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.errors import AddressKnown, NameTaken, PasswordWeak
from accounts.models import Namespace, User
from accounts.names import RESERVED, check_name
from accounts.services.mail import post
from accounts.services.names import is_name_free
from core.errors import Invalid
from events.services import audit
from events.types import SYSTEM, Actor

MAX_EMAIL_CHARS = 254


def starts_verified() -> bool:
    """Whether a new account may do everything at once, without confirming its address first."""
    return bool(settings.ACCOUNT_EMAIL_VERIFICATION != "mandatory")


def create_user(
    *,
    username: str,
    email: str,
    password: str,
    superuser: bool = False,
    by_superuser: bool = False,
    actor: Actor | None = None,
) -> User:
    """Make an account and its namespace in one transaction.

    `actor` is who makes it if not the person. Raises Invalid for a bad name or address,
    PasswordWeak, NameTaken, AddressKnown. The account exists only together with its namespace. A
    superuser, whom only the operator makes, may have a reserved name such as `admin`, and then has
    no namespace; the password is the operator's choice.

    Where addresses have to be confirmed a mail asks for it, unless an administrator makes the
    account and so vouches for the address.
    """
    reserved = superuser and username in RESERVED
    if not reserved:
        check_name(username)
    email = email.lower()  # as allauth keeps and looks for it
    _check_email(email)
    user = User(username=username, email=email, is_staff=superuser, is_superuser=superuser)
    user.is_verified = superuser or by_superuser or starts_verified()
    if not superuser:
        _check_password(password, user)
    user.set_password(password)
    try:
        with transaction.atomic():
            if not (reserved or is_name_free(username)):
                raise NameTaken("This name or address is already in use.")
            if email and _is_known(email):
                raise AddressKnown("This name or address is already in use.")
            user.save()
            if not reserved:
                Namespace.objects.create(name=username, kind=Namespace.Kind.USER, user=user)
            if not user.is_verified:
                _ask_to_confirm(user)
            note_created(user, actor or (SYSTEM if superuser else None))
    except IntegrityError as error:
        raise NameTaken("This name or address is already in use.") from error
    return user


def sign_up(*, username: str, email: str, password: str) -> User:
    """An account for somebody who asks for one; raises as `create_user`.

    Where addresses have to be confirmed nobody is told that one is known: the answer is the same,
    its owner gets a mail, and the row that is returned is kept nowhere.
    """
    try:
        return create_user(username=username, email=email, password=password)
    except AddressKnown:
        if starts_verified():
            raise
        post(email.lower(), "address_known", {})
        return User(username=username, email=email.lower())


def note_created(user: User, actor: Actor | None = None) -> None:
    """Record that there is a new account, made by its person unless somebody else is named."""
    namespace = Namespace.objects.filter(user=user).values_list("pk", flat=True).first()
    audit(
        "account.created",
        actor=actor or Actor(user.pk, user.username),
        namespace_id=namespace,
        payload={"user": user.username},
    )


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


def _ask_to_confirm(user: User) -> None:
    """A mail with a link that confirms the address; without an address nothing could."""
    if not user.email:
        raise Invalid("Give an e-mail address; it has to be confirmed.", code="EMAIL_INVALID")
    address = EmailAddress.objects.create(user=user, email=user.email, primary=True)
    key = EmailConfirmationHMAC.create(address).key
    link = f"{settings.HUB.external_url}/accounts/confirm-email/{key}/"
    post(user.email, "confirm_address", {"name": user.username, "link": link})


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
        if len(email) > MAX_EMAIL_CHARS:
            raise ValidationError("too long")
    except ValidationError as error:
        raise Invalid("This is not an e-mail address.", code="EMAIL_INVALID") from error


def _is_known(email: str) -> bool:
    known = Q(email=email) | Q(emailaddress__email=email, emailaddress__verified=True)
    return User.objects.filter(known).exists()
