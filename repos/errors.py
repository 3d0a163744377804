"""What repository services refuse with."""

from __future__ import annotations

from core.errors import Conflict, Denied, Invalid


class RepositoryExists(Conflict):
    """The path is taken."""

    code = "NAME_TAKEN"


class Moved(Conflict):
    """The path is a former one; told only to those who may see where it leads."""

    code = "MOVED"

    def __init__(self, old: str, new: str) -> None:
        super().__init__(f"{old} is now {new}; use that name.")
        self.old = old
        self.new = new


class NotOwner(Denied):
    """Only whoever owns the namespace does this."""

    code = "NOT_OWNER"


class PublicRefused(Denied):
    """The organization keeps all its repositories private."""

    code = "PUBLIC_NOT_ALLOWED"


class CommentInvalid(Invalid):
    """Text that cannot be kept."""

    code = "COMMENT_INVALID"


class CommentsClosed(Denied):
    """Nothing can be said here at present."""

    code = "COMMENTS_CLOSED"
