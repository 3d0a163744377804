"""A layer of a gibibyte."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator

import pytest

from tests.client import RegistryClient
from tests.hub import RunningHub

pytestmark = pytest.mark.e2e
GIB = 1024**3


def test_a_gibibyte_goes_in_and_out_with_flat_memory(own_hub: RunningHub) -> None:
    own_hub.start()
    person = own_hub.person()
    client, name = RegistryClient(own_hub, person), f"{person.name}/big"
    piece = os.urandom(4 * 1024**2)
    expected = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for number in range(GIB // len(piece)):
            data = number.to_bytes(8, "big") + piece[8:]
            expected.update(data)
            yield data

    before = own_hub.rss_bytes()
    peak = [before]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            peak.append(own_hub.rss_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    scope = f"repository:{name}:pull,push"
    opened = client.send("POST", f"/v2/{name}/blobs/uploads/", scope=scope)
    patched = client.send("PATCH", opened.headers["Location"], body=pieces(), scope=scope)
    assert patched.headers["Range"] == f"0-{GIB - 1}"
    digest = f"sha256:{expected.hexdigest()}"
    closed = client.send("PUT", f"{patched.headers['Location']}?digest={digest}", scope=scope)
    assert closed.status == 201
    answer = own_hub.http.request(
        "GET",
        f"{own_hub.url}/v2/{name}/blobs/{digest}",
        headers={"Authorization": f"Bearer {client.token(scope)}"},
        preload_content=False,
    )
    received = hashlib.sha256()
    for data in answer.stream(1024**2):
        received.update(data)
    time.sleep(0.2)
    done.set()
    watcher.join()
    assert received.hexdigest() == expected.hexdigest()
    assert max(peak) - before < 100 * 1024**2, f"{before} grew to {max(peak)}"
