"""Bodies of any size from an address that somebody else named; the rules are those of core.http."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import urljoin, urlsplit

from urllib3 import exceptions
from urllib3.response import BaseHTTPResponse

from core.http import AnswerBroken, Deadlines, dial
from core.netguard import Network

PIECE_BYTES = 256 * 1024
MAX_REDIRECTS = 5
WAITS = Deadlines(connect_s=5, read_s=60, total_s=30)  # total: until it is connected
_BROKEN = (OSError, HTTPException, exceptions.HTTPError)


@dataclass(frozen=True, slots=True)
class Download:
    """An answer whose body is still to come; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]


@contextmanager
def get(
    url: str, *, headers: Mapping[str, str], allow: Sequence[Network] = ()
) -> Iterator[Download]:
    """Ask for something; redirects are followed, each address is checked, and the credential stays
    with the host it was for. Raises a subclass of OutboundError, also while pieces are read."""
    sent = dict(headers)
    for _ in range(MAX_REDIRECTS + 1):
        connection, path, host = dial(url, allow, WAITS)
        try:
            try:
                connection.request(
                    "GET",
                    path,
                    headers={**sent, "Host": host, "Accept-Encoding": "identity"},
                    preload_content=False,
                    decode_content=False,
                )
                response = connection.getresponse()
            except _BROKEN as error:
                raise AnswerBroken(f"{host} ended the connection without an answer.") from error
            found = {key.lower(): value for key, value in response.headers.items()}
            if response.status not in (301, 302, 303, 307, 308) or "location" not in found:
                yield Download(response.status, found, _pieces(response, host))
                return
        finally:
            connection.close()
        target = urljoin(url, found["location"])
        if urlsplit(target)[:2] != urlsplit(url)[:2]:
            sent.pop("Authorization", None)
        url = target
    raise AnswerBroken("That address leads from one to another without an end.")


def _pieces(response: BaseHTTPResponse, host: str) -> Iterator[bytes]:
    try:
        yield from response.stream(PIECE_BYTES, decode_content=False)
    except _BROKEN as error:
        raise AnswerBroken(f"{host} ended the connection early.") from error
