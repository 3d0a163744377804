"""What account services refuse with."""

from __future__ import annotations

from core.errors import Conflict, Denied, Invalid, Unauthenticated


class BadCredential(Unauthenticated):
    """A name, password or token that is not good; never says which part."""

    code = "UNAUTHORIZED"


class NameTaken(Conflict):
    """Somebody has this name."""

    code = "NAME_TAKEN"


class AddressKnown(NameTaken):
    """Somebody has this mail address; answered like a name that is taken."""


class PasswordWeak(Invalid):
    """A password the rules refuse."""

    code = "PASSWORD_WEAK"


class SignupClosed(Denied):
    """This hub does not let people sign up by themselves."""

    code = "SIGNUP_CLOSED"


class LastOwner(Conflict):
    """An organization keeps at least one owner."""

    code = "LAST_OWNER"


class LastAdministrator(Conflict):
    """The hub keeps at least one active administrator."""

    code = "LAST_ADMINISTRATOR"


class StillOwns(Conflict):
    """An account is closed only once its repositories are gone or belong to somebody else."""

    code = "STILL_OWNS"
