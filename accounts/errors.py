"""What account services refuse with."""

from __future__ import annotations

from core.errors import Conflict, Denied, Invalid, Unauthenticated


class BadCredential(Unauthenticated):
    """A name, password or token that is not good; never says which part."""

    code = "UNAUTHORIZED"


class NameTaken(Conflict):
    """Somebody has this name."""

    code = "NAME_TAKEN"


class PasswordWeak(Invalid):
    """A password the rules refuse."""

    code = "PASSWORD_WEAK"


class SignupClosed(Denied):
    """This hub does not let people sign up by themselves."""

    code = "SIGNUP_CLOSED"


class LastOwner(Conflict):
    """An organization keeps at least one owner."""

    code = "LAST_OWNER"
