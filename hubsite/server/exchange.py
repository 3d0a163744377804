"""One request through the application, and its answer noted for the memo on the way out."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from core.memo import notes
from hubsite.server.memo import MAX_BODY_BYTES, Taken

_OWN_HEADERS = ("x-request-id", "date")


def answer(
    application: Callable[..., Any],
    environ: dict[str, Any],
    start_response: Callable[..., Any],
    resp: Any,
    taken: Taken | None,
) -> None:
    """Call the application and send what it says; `taken` gets a copy if there is one."""
    if taken is None:
        _send(application(environ, start_response), environ, resp, None)
        return
    with notes() as noted:
        body = application(environ, start_response)
    copy: list[bytes] = []
    _send(body, environ, resp, copy)
    if resp.chunked or resp.should_close() or (resp.response_length or 0) > MAX_BODY_BYTES:
        return
    taken.notes = noted
    taken.status = resp.status_code
    taken.top = _top(resp)
    taken.body = b"" if resp._omits_body else b"".join(copy)


def _send(body: Any, environ: dict[str, Any], resp: Any, copy: list[bytes] | None) -> None:
    try:
        if isinstance(body, environ["wsgi.file_wrapper"]):
            _send_file(body, resp, copy)
        else:
            for piece in body:
                if copy is not None and len(piece) <= MAX_BODY_BYTES:
                    copy.append(piece)
                resp.write(piece)
        resp.close()
    finally:
        if hasattr(body, "close"):
            body.close()


def _send_file(body: Any, resp: Any, copy: list[bytes] | None) -> None:
    """Small files go out with their headers; larger ones from the disk to the socket."""
    length = resp.response_length
    file = body.filelike
    if length is not None and os.fstat(file.fileno()).st_size - file.tell() < length:
        resp.force_close()  # cut on the disk: the client must see that something is missing
    if length is None or length > MAX_BODY_BYTES:
        resp.write_file(body)
        return
    data = file.read(length)
    if copy is not None:
        copy.append(data)
    resp.write(data)


def _top(resp: Any) -> bytes:
    """Status line and headers, without those that are made anew for each answer."""
    lines = [f"HTTP/1.1 {resp.status}", f"Server: {resp.version}", "Connection: keep-alive"]
    lines += [
        f"{name}: {value}" for name, value in resp.headers if name.lower() not in _OWN_HEADERS
    ]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")
