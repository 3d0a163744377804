"""A TCP relay in front of a hub: keeps what clients send, and can lose a connection."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from types import TracebackType
from typing import Literal

_HEAD = re.compile(
    rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE) \S+ HTTP/1\.1\r\n(?:[^\r\n]+\r\n)*\r\n", re.ASCII
)
Direction = Literal["up", "down"]


class Relay:
    """Listens on a free port of localhost; `up` is from the client to the hub.

    `cuts` counts the connections lost on request.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"localhost:{self._listener.getsockname()[1]}"
        self._sent: list[bytearray] = []
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._cut: tuple[Direction, int] | None = None
        self.cuts = 0
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Relay:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _shut(self._listener)
        self._threads[0].join()  # from now on nothing is added to the other two lists
        for end in self._open:
            _shut(end)
        for thread in self._threads[1:]:
            thread.join()
        for end in (self._listener, *self._open):
            end.close()

    def cut_once(self, direction: Direction, size: int) -> None:
        """Lose the first connection that has carried `size` bytes this way from now on."""
        self._cut = (direction, size)

    def requests(self, method: str = "") -> list[str]:
        """Heads of the requests sent, all or those of one method."""
        heads = [head for sent in self._sent for head in _HEAD.findall(bytes(sent))]
        return [text for head in heads if (text := head.decode()).startswith(method)]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # shut: the test is over
                return
            hub = socket.create_connection(("127.0.0.1", self._port))
            self._open += [client, hub]
            sent = bytearray()
            self._sent.append(sent)
            for direction, source, target, kept in (
                ("up", client, hub, sent),
                ("down", hub, client, None),
            ):
                pump = threading.Thread(target=self._pump, args=(direction, source, target, kept))
                self._threads.append(pump)
                pump.start()

    def _pump(
        self,
        direction: Direction,
        source: socket.socket,
        target: socket.socket,
        kept: bytearray | None,
    ) -> None:
        carried = 0
        with contextlib.suppress(OSError):  # either side may be gone: then this one goes too
            while data := source.recv(65536):
                carried += len(data)
                if kept is not None:
                    kept += data
                if self._is_cut(direction, carried):
                    break
                target.sendall(data)
        _shut(source)
        _shut(target)

    def _is_cut(self, direction: Direction, carried: int) -> bool:
        with self._lock:
            if self._cut is None or self._cut[0] != direction or carried < self._cut[1]:
                return False
            self._cut = None
            self.cuts += 1
            return True


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
