"""Request bodies: asked for only when somebody reads them, and never read in vain."""

from __future__ import annotations

import fcntl
import os
import socket
from typing import Any

WORTH_BYTES = 256 * 1024
PIPE_BYTES = 1024 * 1024
SPLICE = hasattr(os, "splice")
SMALL_BYTES = 64 * 1024  # a rest up to this is read to the end, so that the connection can go on


class Awaited:
    """The body of a client that waits for `100 Continue` before it sends (RFC 9110, 10.1.1)."""

    def __init__(self, body: Any, sock: socket.socket) -> None:
        self._body = body
        self._sock = sock
        self.asked_for = False

    @classmethod
    def of(cls, req: Any, sock: socket.socket) -> Awaited | None:
        """Take the place of a request's body if its client waits; None if it does not."""
        if not req._expected_100_continue:
            return None
        req._expected_100_continue = False
        req.body = awaited = cls(req.body, sock)
        return awaited

    def read(self, size: int | None = None) -> bytes:
        """As the body; the first call tells the client to send."""
        self.ask()
        return self._body.read(size)  # type: ignore[no-any-return]

    def ask(self) -> None:
        """Tell the client to send, once."""
        if not self.asked_for:
            self.asked_for = True
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)


def is_left_unread(req: Any, awaited: Awaited | None) -> bool:
    """Whether so much of the body is unread that it is better to close than to read it."""
    if awaited is not None and not awaited.asked_for:
        return True
    reader = getattr(req.body, "reader", None)
    length = getattr(reader, "length", None)
    if length is not None:
        return bool(length > SMALL_BYTES)
    return getattr(reader, "parser", None) is not None


class Spout:
    """A body of known length on its way into a file without passing through this process.

    The kernel moves it from the socket through a pipe to the file (splice(2)).
    """

    def __init__(self, req: Any, sock: socket.socket, awaited: Awaited | None) -> None:
        self._body = req.body
        self._reader = req.body.reader
        self._sock = sock
        self._awaited = awaited
        self._pipe: tuple[int, int] | None = None

    @classmethod
    def of(cls, req: Any, sock: socket.socket, awaited: Awaited | None) -> Spout | None:
        """For a body that is worth it; None for short, chunked or encrypted ones."""
        length = getattr(getattr(req.body, "reader", None), "length", 0)
        return cls(req, sock, awaited) if length > WORTH_BYTES and SPLICE else None

    def move(self, descriptor: int, size: int) -> int:
        """Move up to `size` bytes to a file's end; returns how many, 0 at the end of the body.

        Raises ConnectionError if the client is gone or silent; other OSErrors are the file's.
        """
        if self._awaited is not None:
            self._awaited.ask()
        left = self._reader.length
        if left == 0:
            return 0
        try:
            moved = self._move_read(descriptor, left) or self._move_some(
                descriptor, min(left, size)
            )
        except BaseException:
            self._body.failed = True  # where the next request begins is unknown
            raise
        self._reader.length = left - moved
        return moved

    def close(self) -> None:
        """Give the pipe back."""
        pipe, self._pipe = self._pipe, None
        for descriptor in pipe or ():
            os.close(descriptor)

    def _move_read(self, descriptor: int, left: int) -> int:
        """What came together with the head."""
        unreader = self._reader.unreader
        data = unreader.take_buffered()
        if len(data) > left:
            unreader.unread(data[left:])
        view = memoryview(data)[:left]
        size = len(view)
        while view:
            view = view[os.write(descriptor, view) :]
        return size

    def _move_some(self, descriptor: int, size: int) -> int:
        if self._pipe is None:
            self._pipe = os.pipe()
            fcntl.fcntl(self._pipe[1], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        try:
            taken = os.splice(self._sock.fileno(), self._pipe[1], size, flags=os.SPLICE_F_MOVE)
        except OSError as error:
            raise ConnectionError("the client went away or fell silent") from error
        if taken == 0:
            raise ConnectionError("the client closed the connection")
        left = taken
        while left:
            left -= os.splice(self._pipe[0], descriptor, left, flags=os.SPLICE_F_MOVE)
        return taken
