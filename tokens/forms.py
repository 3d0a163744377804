"""The body of a POST to the token service: an OAuth2 form (RFC 6749, 4.3 and 6)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs

from django.http import HttpRequest
from gunicorn.http.errors import ParseException

from core.errors import Invalid

MAX_FORM_BYTES = 64 * 1024
MAX_FIELDS = 50
FORM = "application/x-www-form-urlencoded"


class GrantUnsupported(Invalid):
    """A grant type that is not offered; clients then ask by GET."""

    code = "UNSUPPORTED"


@dataclass(frozen=True, slots=True)
class TokenForm:
    """What a client asks for; absent fields are empty."""

    grant_type: str
    service: str
    client_id: str
    scopes: tuple[str, ...]
    username: str
    password: str
    refresh_token: str
    offline: bool


def read_form(request: HttpRequest) -> TokenForm:
    """The form in a request's body; raises Invalid. Only `scope` may be repeated."""
    fields = _fields(_body(request))
    repeated = [name for name, values in fields.items() if len(values) > 1 and name != "scope"]
    if repeated:
        raise Invalid(f"The form has the field {repeated[0][:40]!r} more than once.")
    one = {name: values[0] for name, values in fields.items()}
    if not one.get("grant_type"):
        raise Invalid("The form has no grant_type; use password or refresh_token.")
    return TokenForm(
        grant_type=one["grant_type"],
        service=one.get("service", ""),
        client_id=one.get("client_id", ""),
        scopes=tuple(fields.get("scope", ())),
        username=one.get("username", ""),
        password=one.get("password", ""),
        refresh_token=one.get("refresh_token", ""),
        offline=one.get("access_type") == "offline",
    )


def _body(request: HttpRequest) -> bytes:
    if request.content_type not in ("", FORM):
        raise Invalid(f"Send the form as {FORM}.")
    # Skopeo sends its form chunked; Django's own stream is then empty.
    chunked = not request.META.get("CONTENT_LENGTH") and request.META.get("wsgi.input_terminated")
    source = request.META["wsgi.input"] if chunked else request
    try:
        body: bytes = source.read(MAX_FORM_BYTES + 1)
    except (OSError, ParseException) as error:
        raise Invalid("The body ended early.") from error
    if len(body) > MAX_FORM_BYTES:
        raise Invalid(f"The form is longer than {MAX_FORM_BYTES} bytes.")
    return body


def _fields(body: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise Invalid("The body is not a form in UTF-8, or has too many fields.") from error
