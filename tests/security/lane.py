"""The registry lane in this process: the whole WSGI application, without a socket."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

_APPLICATION = WSGIHandler()
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
MOVING = ("X-Request-Id", "Date")


@dataclass
class Answer:
    """What came back; header names as the application spells them."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The first error's code, or nothing."""
        if self.status < 400 or not self.body:
            return ""
        return str(json.loads(self.body)["errors"][0]["code"])

    @property
    def fixed(self) -> tuple[int, dict[str, str], bytes]:
        """All that must not differ between two worlds that look alike."""
        headers = {k: v for k, v in self.headers.items() if k not in MOVING}
        return self.status, headers, self.body


def send(
    method: str,
    target: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | io.BytesIO = b"",
    length: int | None = None,
    chunked: bool = False,
    address: str = "127.0.0.1",
) -> Answer:
    """One request. `target` is percent-encoded, as on the wire; `length` overrides the true one."""
    path, _, query = target.partition("?")
    source = body if isinstance(body, io.BytesIO) else io.BytesIO(body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "5000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost:5000",
        "REMOTE_ADDR": address,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": source,
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    if not chunked:
        environ["CONTENT_LENGTH"] = str(len(source.getvalue()) if length is None else length)
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return _call(environ)


@contextmanager
def _one_connection() -> Iterator[None]:
    """A request would close the connection that the test's transaction is open on."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in signals:
            signal.connect(close_old_connections)


def _call(environ: dict[str, Any]) -> Answer:
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started.append((status, headers))

    with _one_connection():
        response = _APPLICATION(environ, start_response)
        try:
            body = b"".join(response)
        finally:
            response.close()
    assert len(started) == 1
    status, headers = started[0]
    return Answer(int(status.split()[0]), dict(headers), body)
