"""A client that sends exactly what it is told and shows exactly what came back."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.hub import RunningHub

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """Status, header lines as they came, and the whole body."""

    status: int
    headers: Pairs
    body: bytes

    def header(self, name: str) -> str | None:
        """The only line of this name; fails if there are several."""
        found = self.lines(name)
        assert len(found) < 2, f"{name} came {len(found)} times"
        return found[0] if found else None

    def lines(self, name: str) -> list[str]:
        """Every line of this name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Code of the first error."""
        return str(self.json["errors"][0]["code"])


class Wire:
    """One keep-alive connection to a hub, opened again when the hub has closed it."""

    def __init__(self, hub: RunningHub) -> None:
        self.hub = hub
        self._connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=30)

    def send(
        self,
        method: str,
        target: str,
        headers: Pairs = (),
        body: bytes | None = None,
        chunks: Iterable[bytes] | None = None,
    ) -> Answer:
        """One request. `body` goes with its length, `chunks` without; nothing else is added."""
        line = self._connection
        line.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for key, value in (("Host", self.hub.host), *headers):
            line.putheader(key, value)
        if chunks is not None:
            line.putheader("Transfer-Encoding", "chunked")
        elif body is not None:
            line.putheader("Content-Length", str(len(body)))
        line.endheaders()
        for chunk in chunks or ():
            line.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        if chunks is not None:
            line.send(b"0\r\n\r\n")
        elif body:
            line.send(body)
        response = line.getresponse()
        return Answer(response.status, response.getheaders(), response.read())

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
