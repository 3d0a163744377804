"""Names in addresses: what does not keep to the grammar matches nothing, hence is not found.

The patterns are loose and linear; the grammar itself is checked part by part.
"""

from __future__ import annotations

from django.urls import register_converter

from oci.digest import Digest
from oci.errors import DigestInvalid
from oci.names import is_component, is_path, is_tag


class _Text:
    """A converter that leaves the text as it is."""

    def to_url(self, value: str) -> str:
        """As it is."""
        return value


class NamespaceConverter(_Text):
    """A person, an organization or the library."""

    regex = r"[a-z0-9._-]+"

    def to_python(self, value: str) -> str:
        """The name; raises ValueError for anything else."""
        if not is_component(value):
            raise ValueError(value)
        return value


class AccountConverter(_Text):
    """A person, or a robot account with its `namespace+name`."""

    regex = r"[a-z0-9._-]+(?:\+[a-z0-9._-]+)?"

    def to_python(self, value: str) -> str:
        """The name; raises ValueError for anything else."""
        if not all(is_component(part) for part in value.split("+")):
            raise ValueError(value)
        return value


class RobotConverter(AccountConverter):
    """A robot account alone."""

    regex = r"[a-z0-9._-]+\+[a-z0-9._-]+"


class RepositoryConverter(_Text):
    """`namespace/name`, where the name may hold further slashes."""

    regex = r"[a-z0-9._-]+(?:/[a-z0-9._-]+)+"

    def to_python(self, value: str) -> str:
        """The path; raises ValueError for anything else."""
        if not is_path(value):
            raise ValueError(value)
        return value


class TagConverter(_Text):
    """A tag."""

    regex = r"[A-Za-z0-9_.-]{1,128}"

    def to_python(self, value: str) -> str:
        """The tag; raises ValueError for anything else."""
        if not is_tag(value):
            raise ValueError(value)
        return value


class DigestConverter(_Text):
    """A digest."""

    regex = r"[a-z0-9]+:[0-9a-f]+"

    def to_python(self, value: str) -> str:
        """The digest; raises ValueError for anything else."""
        try:
            return str(Digest.parse(value))
        except DigestInvalid as error:
            raise ValueError(value) from error


register_converter(NamespaceConverter, "namespace")
register_converter(AccountConverter, "account")
register_converter(RobotConverter, "robot")
register_converter(RepositoryConverter, "repository")
register_converter(TagConverter, "tag")
register_converter(DigestConverter, "digest")
