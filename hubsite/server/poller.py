"""epoll with a callback per socket: what `selectors` does, without its objects per event."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

Callback = Callable[[Any], None]


class Poller:
    """Has the methods of a selector that gunicorn's threaded worker calls."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, tuple[Callback, Any]] = {}

    def register(self, fileobj: Any, _events: int, callback: Callback) -> None:
        """Call `callback(fileobj)` whenever there is something to read."""
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        self._epoll.register(number, select.EPOLLIN | select.EPOLLRDHUP)
        self._callbacks[number] = (callback, fileobj)

    def unregister(self, fileobj: Any) -> None:
        """Stop watching; raises KeyError if it was not watched."""
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        del self._callbacks[number]
        self._epoll.unregister(number)

    def wait(self, timeout_s: float) -> list[tuple[Callback, Any]]:
        """What can be read now; waits up to `timeout_s` for the first."""
        callbacks = self._callbacks
        ready = self._epoll.poll(timeout_s)
        return [callbacks[number] for number, _ in ready if number in callbacks]

    def close(self) -> None:
        """Give the descriptor back."""
        self._epoll.close()
