"""What reading a protocol value can fail with (distribution-spec, *Error Codes*)."""

from __future__ import annotations

from core.errors import Invalid, TooLarge


class NameInvalid(Invalid):
    """A repository name outside the grammar."""

    code = "NAME_INVALID"


class TagInvalid(Invalid):
    """A tag outside the grammar."""

    code = "TAG_INVALID"


class DigestInvalid(Invalid):
    """A digest that is ill-formed, of an unsupported algorithm, or not that of the content."""

    code = "DIGEST_INVALID"


class ManifestInvalid(Invalid):
    """A document that is not a manifest we can keep."""

    code = "MANIFEST_INVALID"


class ManifestTooLarge(TooLarge):
    """A manifest over the size limit."""

    code = "MANIFEST_INVALID"


class SizeInvalid(Invalid):
    """A length that does not agree with the bytes."""

    code = "SIZE_INVALID"
