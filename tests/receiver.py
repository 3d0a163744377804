"""A CI system's end of a webhook: answers as it is told and keeps what it got."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


@dataclass(frozen=True)
class Received:
    """One request; `at` is monotonic seconds."""

    at: float
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Use as a context manager; `statuses` are answered in turn, then 200 for ever.

    While `moves` is clear, requests are taken and not answered.
    """

    def __init__(self, statuses: Sequence[int] = (), port: int = 0) -> None:
        self.received: list[Received] = []
        self.moves = Event()
        self.moves.set()
        self._statuses = list(statuses)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                receiver.received.append(
                    Received(
                        time.monotonic(), {k.lower(): v for k, v in self.headers.items()}, body
                    )
                )
                receiver.moves.wait()
                self.send_response(receiver._statuses.pop(0) if receiver._statuses else 200)
                self.end_headers()
                self.wfile.write(b"thank you")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def __enter__(self) -> Receiver:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.moves.set()
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, count: int, seconds: float = 20) -> list[Received]:
        """The requests, once there are so many; fails after `seconds`."""
        end = time.monotonic() + seconds
        while len(self.received) < count:
            assert time.monotonic() < end, f"{len(self.received)} of {count} deliveries came"
            time.sleep(0.02)
        return self.received
