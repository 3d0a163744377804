"""One class for each code of the wire (distribution-spec, *Error Codes*)."""

from __future__ import annotations

from core.errors import Conflict, Invalid, NotFound, RangeWrong, Unsupported


class NameUnknown(NotFound):
    """No such repository, for whoever asks."""

    code = "NAME_UNKNOWN"


class ManifestUnknown(NotFound):
    """No such tag or manifest in this repository."""

    code = "MANIFEST_UNKNOWN"


class BlobUnknown(NotFound):
    """No such blob in this repository."""

    code = "BLOB_UNKNOWN"


class UploadUnknown(NotFound):
    """No such upload of this person in this repository."""

    code = "BLOB_UPLOAD_UNKNOWN"


class UploadRangeWrong(RangeWrong):
    """A chunk that does not follow what is stored; carries the upload's true state."""

    code = "RANGE_INVALID"

    def __init__(self, message: str, *, upload: str, offset: int) -> None:
        super().__init__(message, detail={"offset": offset})
        self.upload = upload
        self.offset = offset


class BodyCutShort(Invalid):
    """The client closed before it had sent what it announced."""

    code = "SIZE_INVALID"


class ManifestBlobUnknown(Invalid):
    """A manifest names content that is not in the repository; one entry each in `missing`."""

    code = "MANIFEST_BLOB_UNKNOWN"

    def __init__(self, missing: list[str]) -> None:
        super().__init__(
            "the manifest names content that is not in this repository; push it first",
            detail=[{"digest": digest} for digest in missing],
        )
        self.missing = missing


class InUse(Unsupported):
    """Content that something live still names."""

    code = "UNSUPPORTED"


class TagImmutable(Conflict):
    """A tag that may not move or go."""

    code = "DENIED"


class TagTaken(Conflict):
    """A tag that names another image, where nobody said that it may leave it."""

    code = "TAG_TAKEN"


class PageSizeInvalid(Invalid):
    """An `n` that is not a whole number from 0 on."""

    code = "PAGINATION_NUMBER_INVALID"
