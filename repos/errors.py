"""What repository services refuse with."""

from __future__ import annotations

from core.errors import Conflict, Invalid


class RepositoryExists(Conflict):
    """The path is taken."""

    code = "NAME_TAKEN"


class CommentInvalid(Invalid):
    """Text that cannot be kept."""

    code = "COMMENT_INVALID"
