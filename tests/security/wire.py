"""A socket to the running hub: bytes out as written, bytes in as they come."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.hub import RunningHub

PATIENCE_S = 20.0
SMALL_BUFFER = 32 * 1024


class Wire:
    """One TCP connection; `source` is the address to come from."""

    def __init__(
        self, hub: RunningHub, *, source: str = "127.0.0.1", read_buffer: int | None = None
    ) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
        if read_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, read_buffer)
        self.socket.bind((source, 0))
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(("127.0.0.1", hub.port))
        self.sent = 0

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """All of it, unless the hub has closed."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)
            self.sent += len(data)

    def read(self, seconds: float = PATIENCE_S) -> bytes:
        """What comes until the hub closes, or falls silent for so long."""
        pieces: list[bytes] = []
        self.socket.settimeout(seconds)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while data := self.socket.recv(65536):
                pieces.append(data)
        return b"".join(pieces)

    def head(self) -> bytes:
        """What comes until the first head is whole, or the hub closes."""
        found = b""
        self.socket.settimeout(PATIENCE_S)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while b"\r\n\r\n" not in found:
                data = self.socket.recv(4096)
                if not data:
                    break
                found += data
        return found

    def pour(self, limit_bytes: int) -> bytes:
        """Send zeros until the hub closes, as fast as it takes them, up to `limit_bytes`.

        Returns what it said meanwhile; `sent` counts what the two kernels and the hub took.
        """
        block, said = bytes(16 * 1024), b""
        end = time.monotonic() + PATIENCE_S
        self.socket.setblocking(False)
        while self.sent < limit_bytes and time.monotonic() < end:
            readable, writable, _ = select.select([self.socket], [self.socket], [], 1.0)
            try:
                if readable:
                    data = self.socket.recv(65536)
                    if not data:
                        break
                    said += data
                elif writable:
                    self.sent += self.socket.send(block)
            except BlockingIOError:
                continue
            except ConnectionError:
                break
        return said

    def is_closed(self) -> bool:
        """Whether the hub ends the connection soon, whatever it still has to say."""
        self.socket.settimeout(PATIENCE_S)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True


def statuses(said: bytes) -> list[int]:
    """Of every answer in there, interim ones included."""
    return [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3}) ", said)]


def request(method: str, target: str, host: str, **headers: str) -> bytes:
    """A well-formed head; `_` in names means `-`."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@contextmanager
def many(hub: RunningHub, count: int, **options: int) -> Iterator[list[Wire]]:
    """So many connections at once."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Wire(hub, **options)) for _ in range(count)]  # type: ignore[arg-type]
