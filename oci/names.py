"""Repository names, tags and references: parsed once, carried everywhere.

Grammar: distribution-spec, *Pulling manifests*; lengths as the common clients cap them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from oci.digest import Digest
from oci.errors import NameInvalid, TagInvalid

COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
DEFAULT_NAMESPACE = "library"
MAX_NAME_LENGTH = 200
MAX_TAG_LENGTH = 128

_COMPONENT = re.compile(COMPONENT)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """`namespace/name`; the name may hold further slashes, or there is only one component."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> RepositoryName:
        """Read a path; raises NameInvalid. A single component belongs to `library`."""
        path = text if "/" in text else f"{DEFAULT_NAMESPACE}/{text}"
        if not is_path(path):
            raise NameInvalid(
                "a repository name is lower-case letters, digits and single separators . _ -, "
                "in parts joined by /",
                detail={"name": text[:MAX_NAME_LENGTH]},
            )
        namespace, _, name = path.partition("/")
        return cls(namespace, name)


def is_path(text: str) -> bool:
    """Whether `text` is a repository path. Linear time: components are matched one by one."""
    return 0 < len(text) <= MAX_NAME_LENGTH and all(
        _COMPONENT.fullmatch(part) for part in text.split("/")
    )


def is_component(text: str) -> bool:
    """Whether `text` is one path component, as a namespace must be."""
    return _COMPONENT.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Whether `text` is inside the tag grammar."""
    return _TAG.fullmatch(text) is not None


def parse_tag(text: str) -> str:
    """The tag unchanged; raises TagInvalid."""
    if not is_tag(text):
        raise TagInvalid(
            "a tag is up to 128 letters, digits, dots, dashes and underscores, "
            "and does not begin with a dot or a dash",
            detail={"tag": text[:MAX_TAG_LENGTH]},
        )
    return text


def parse_reference(text: str) -> Digest | str:
    """A digest if `text` holds a colon, else a tag; a bad digest is never looked up as a tag."""
    return Digest.parse(text) if ":" in text else parse_tag(text)
