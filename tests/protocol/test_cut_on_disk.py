"""A blob whose file was cut: a client must see that bytes are missing, not wait for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import urllib3

from tests.protocol.conftest import Desk


@pytest.mark.parametrize("size", [1000, 600 * 1024])
def test_a_get_of_cut_bytes_ends_early_and_the_next_request_works(desk: Desk, size: int) -> None:
    data = desk.name.encode() * (size // len(desk.name) + 1)
    digest = desk.client.push_blob(desk.name, data)
    for folder, _, names in os.walk(desk.hub.data_dir / "store"):
        for path in (Path(folder, name) for name in names):
            if path.exists() and path.stat().st_size == len(data):
                path.write_bytes(path.read_bytes()[:-100])
    scope = f"repository:{desk.name}:pull"
    with pytest.raises(urllib3.exceptions.HTTPError):
        desk.client.send("GET", f"/v2/{desk.name}/blobs/{digest}", scope=scope)
    assert desk.client.send("HEAD", f"/v2/{desk.name}/blobs/{digest}", scope=scope).status == 404
