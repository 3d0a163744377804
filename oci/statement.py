"""in-toto statements: what somebody says about an image, bare or inside an envelope.

Signatures around them are not verified here: whoever can push can claim anything.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from oci.strict import JsonInvalid, read_json

IN_TOTO = "application/vnd.in-toto+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
MAX_DOCUMENT_BYTES = 20 * 1024 * 1024
MAX_VALUES = 800_000
MAX_DEPTH = 64
MAX_TEXT = 500
_STATEMENTS = "https://in-toto.io/Statement/"


@dataclass(frozen=True, slots=True)
class Statement:
    """`predicate` has the meaning that `predicate_type`, a URI, gives it."""

    predicate_type: str
    predicate: Any
    is_signed: bool = False


def read_document(data: bytes) -> Any:
    """A JSON document of at most MAX_DOCUMENT_BYTES; raises JsonInvalid."""
    if len(data) > MAX_DOCUMENT_BYTES:
        raise JsonInvalid(f"is larger than {MAX_DOCUMENT_BYTES} bytes")
    return read_json(data, most_values=MAX_VALUES, most_depth=MAX_DEPTH)


def find_statement(document: Any) -> Statement | None:
    """The statement a document is or wraps (DSSE, Sigstore bundle); None for anything else.

    Raises JsonInvalid if there is an envelope and nothing sound in it.
    """
    if not isinstance(document, dict):
        return None
    envelope = document.get("dsseEnvelope", document)
    if isinstance(envelope, dict) and isinstance(envelope.get("payload"), str):
        inner = _open(envelope["payload"])
        found = _statement(inner)
        return found and Statement(found.predicate_type, found.predicate, is_signed=True)
    return _statement(document)


def text_of(value: Any, limit: int = MAX_TEXT) -> str:
    """The text, cut; empty for anything else."""
    return value[:limit] if isinstance(value, str) else ""


def dict_of(value: Any) -> dict[str, Any]:
    """The object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """The list; an empty one for anything else."""
    return value if isinstance(value, list) else []


def _statement(document: Any) -> Statement | None:
    if not isinstance(document, dict):
        return None
    if not text_of(document.get("_type")).startswith(_STATEMENTS):
        return None
    return Statement(text_of(document.get("predicateType")), document.get("predicate"))


def _open(payload: str) -> Any:
    try:
        data = base64.b64decode(payload, validate=True)
    except (ValueError, binascii.Error) as error:
        raise JsonInvalid("has a payload that is not base64") from error
    return read_document(data)
