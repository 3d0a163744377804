"""Blobs and uploads over a real socket (distribution-spec end-2, 4, 5, 6, 10, 11, 13, 14)."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from tests.client import RegistryClient
from tests.hub import Person, RunningHub
from tests.images import artifact, digest_of
from tests.protocol.conftest import Desk

DATA = b"0123456789" * 200
DIGEST = digest_of(DATA)


def code(answer: Any) -> str:
    return str(json.loads(answer.data)["errors"][0]["code"])


def test_one_patch_without_length_then_an_empty_put(desk: Desk) -> None:
    assert desk.client.push_blob(desk.name, DATA) == DIGEST
    got = desk.client.send("GET", f"/v2/{desk.name}/blobs/{DIGEST}")
    assert (got.status, got.data) == (200, DATA)
    assert got.headers["Docker-Content-Digest"] == DIGEST
    assert got.headers["ETag"] == f'"{DIGEST}"'
    assert got.headers["Docker-Distribution-API-Version"] == "registry/2.0"
    assert got.headers["X-Content-Type-Options"] == "nosniff"


def test_whole_blob_in_the_post(desk: Desk) -> None:
    answer = desk.client.send(
        "POST", f"/v2/{desk.name}/blobs/uploads/?digest={DIGEST}", body=DATA, scope=desk.scope
    )
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v2/{desk.name}/blobs/{DIGEST}"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("data", [b"", b"{}", DATA], ids=["empty", "braces", "text"])
def test_whole_blob_in_the_put(desk: Desk, data: bytes, algorithm: str) -> None:
    digest = digest_of(data, algorithm)
    location = desk.open_upload()
    answer = desk.client.send("PUT", f"{location}?digest={digest}", body=data, scope=desk.scope)
    assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, digest)
    head = desk.client.send("HEAD", f"/v2/{desk.name}/blobs/{digest}")
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(data)))


def test_chunks_in_order_and_the_last_one_in_the_put(desk: Desk) -> None:
    location = desk.open_upload()
    for start, stop in ((0, 700), (700, 1500)):
        answer = desk.client.send(
            "PATCH",
            location,
            body=DATA[start:stop],
            headers={"Content-Range": f"{start}-{stop - 1}"},
            scope=desk.scope,
        )
        assert (answer.status, answer.headers["Range"]) == (202, f"0-{stop - 1}")
        location = answer.headers["Location"]
    state = desk.client.send("GET", location, scope=desk.scope)
    assert (state.status, state.headers["Range"]) == (204, "0-1499")
    done = desk.client.send(
        "PUT",
        f"{location}?digest={DIGEST}",
        body=DATA[1500:],
        headers={"Content-Range": f"1500-{len(DATA) - 1}"},
        scope=desk.scope,
    )
    assert done.status == 201
    assert desk.client.send("GET", f"/v2/{desk.name}/blobs/{DIGEST}").data == DATA


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_chunk_out_of_order_appends_nothing_and_says_where_to_go_on(
    desk: Desk, method: str
) -> None:
    location = desk.open_upload()
    desk.client.send("PATCH", location, body=DATA[:100], scope=desk.scope)
    target = f"{location}?digest={DIGEST}" if method == "PUT" else location
    wrong = desk.client.send(
        method,
        target,
        body=DATA[200:300],
        headers={"Content-Range": "200-299"},
        scope=desk.scope,
    )
    assert (wrong.status, code(wrong)) == (416, "RANGE_INVALID")
    assert wrong.headers["Range"] == "0-99"
    assert wrong.headers["Location"] == location
    assert desk.client.send("GET", location, scope=desk.scope).headers["Range"] == "0-99"


@pytest.mark.parametrize(
    ("query", "status", "expected"),
    [
        ("", 400, "DIGEST_INVALID"),
        ("?digest=", 400, "DIGEST_INVALID"),
        ("?digest=sha256:short", 400, "DIGEST_INVALID"),
        (f"?digest=sha256:{'A' * 64}", 400, "DIGEST_INVALID"),
        (f"?digest=blake3:{'a' * 64}", 400, "DIGEST_INVALID"),
        ("?digest=sha256:../../etc/passwd", 400, "DIGEST_INVALID"),
    ],
)
def test_a_bad_digest_text_leaves_the_upload_open(
    desk: Desk, query: str, status: int, expected: str
) -> None:
    location = desk.open_upload()
    desk.client.send("PATCH", location, body=DATA, scope=desk.scope)
    answer = desk.client.send("PUT", f"{location}{query}", scope=desk.scope)
    assert (answer.status, code(answer)) == (status, expected)
    again = desk.client.send("PUT", f"{location}?digest={DIGEST}", scope=desk.scope)
    assert again.status == 201


def test_a_digest_that_does_not_match_ends_the_upload(desk: Desk) -> None:
    location = desk.open_upload()
    wrong = digest_of(b"something else")
    answer = desk.client.send("PUT", f"{location}?digest={wrong}", body=DATA, scope=desk.scope)
    assert (answer.status, code(answer)) == (400, "DIGEST_INVALID")
    assert desk.client.send("GET", location, scope=desk.scope).status == 404
    assert desk.client.send("HEAD", f"/v2/{desk.name}/blobs/{wrong}").status == 404
    assert desk.client.send("HEAD", f"/v2/{desk.name}/blobs/{DIGEST}").status == 404


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "upload", ["6f1e6dbe-6d4b-4d4e-8a5e-2f7f3a0c1b99", "nonsense", "..%2f..%2fetc"]
)
def test_an_unknown_upload(desk: Desk, method: str, upload: str) -> None:
    desk.open_upload()
    target = f"/v2/{desk.name}/blobs/uploads/{upload}"
    if method == "PUT":
        target += f"?digest={digest_of(b'never pushed')}"
    answer = desk.client.send(method, target, scope=desk.scope)
    assert answer.status == 404
    assert code(answer) in ("BLOB_UPLOAD_UNKNOWN", "UNSUPPORTED")


def test_an_upload_belongs_to_one_person_and_one_repository(
    desk: Desk, stranger: Person, live: RunningHub
) -> None:
    location = desk.open_upload()
    other_name = location.replace(desk.name, f"{desk.name}-other")
    live.api(
        "POST",
        "repositories",
        {"namespace": desk.person.name, "name": f"{desk.name.split('/')[1]}-other"},
        token=desk.person.token,
    )
    answer = desk.client.send(
        "PATCH", other_name, body=DATA, scope=f"repository:{desk.name}-other:pull,push"
    )
    assert answer.status == 404
    put = live.api(
        "PUT",
        f"repositories/{desk.name}/collaborators/{stranger.name}",
        {"role": "write"},
        token=desk.person.token,
    )
    assert put[0] in (200, 201, 204)
    theirs = RegistryClient(live, stranger).send("PATCH", location, body=DATA, scope=desk.scope)
    assert (theirs.status, code(theirs)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_a_body_cut_short_counts_for_nothing(desk: Desk) -> None:
    location = desk.open_upload()
    token = desk.client.token(desk.scope)
    with socket.create_connection(("127.0.0.1", desk.hub.port)) as raw:
        raw.sendall(
            f"PATCH {location} HTTP/1.1\r\nHost: {desk.hub.host}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: 1000\r\n\r\n".encode()
            + b"x" * 400
        )
        raw.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: raw.recv(65536), b"")).decode()
    assert answer.startswith("HTTP/1.1 400")
    assert "SIZE_INVALID" in answer
    state = desk.client.send("GET", location, scope=desk.scope)
    assert (state.status, state.headers["Range"]) == (204, "0-0")
    assert (
        desk.client.send("PUT", f"{location}?digest={DIGEST}", body=DATA, scope=desk.scope).status
        == 201
    )


def test_a_chunked_body_cut_short_counts_for_nothing(desk: Desk) -> None:
    location = desk.open_upload()
    token = desk.client.token(desk.scope)
    with socket.create_connection(("127.0.0.1", desk.hub.port)) as raw:
        raw.sendall(
            f"PATCH {location} HTTP/1.1\r\nHost: {desk.hub.host}\r\n"
            f"Authorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            + b"190\r\n"
            + b"x" * 400
            + b"\r\n190\r\n"
            + b"y" * 10
        )
        raw.shutdown(socket.SHUT_WR)
        raw.recv(65536)
    state = desk.client.send("GET", location, scope=desk.scope)
    assert (state.status, state.headers["Range"]) == (204, "0-0")


def test_a_content_range_that_lies_about_the_length(desk: Desk) -> None:
    location = desk.open_upload()
    answer = desk.client.send(
        "PATCH", location, body=DATA, headers={"Content-Range": "0-10"}, scope=desk.scope
    )
    assert (answer.status, code(answer)) == (400, "SIZE_INVALID")
    for header in ("bytes=0-10", "0", "10-0", "a-b", "-5"):
        answer = desk.client.send(
            "PATCH", location, body=DATA, headers={"Content-Range": header}, scope=desk.scope
        )
        assert (answer.status, code(answer)) == (400, "SIZE_INVALID"), header


def test_a_repeated_put_answers_the_same_again(desk: Desk) -> None:
    location = desk.open_upload()
    for _ in range(2):
        answer = desk.client.send("PUT", f"{location}?digest={DIGEST}", body=DATA, scope=desk.scope)
        assert (answer.status, answer.headers["Location"]) == (
            201,
            f"/v2/{desk.name}/blobs/{DIGEST}",
        )


def test_cancel(desk: Desk) -> None:
    location = desk.open_upload()
    assert desk.client.send("DELETE", location, scope=desk.scope).status == 204
    assert desk.client.send("DELETE", location, scope=desk.scope).status == 404


def test_delete_a_blob_that_nothing_names_and_one_that_something_names(desk: Desk) -> None:
    free = desk.client.push_blob(desk.name, b"free")
    gone = desk.client.send("DELETE", f"/v2/{desk.name}/blobs/{free}")
    assert gone.status == 202
    assert desk.client.send("HEAD", f"/v2/{desk.name}/blobs/{free}").status == 404
    item = artifact(text=desk.name)
    assert desk.client.push(desk.name, item, "1").status == 201
    used = digest_of(item.blobs[1])
    refused = desk.client.send("DELETE", f"/v2/{desk.name}/blobs/{used}")
    assert (refused.status, code(refused)) == (405, "UNSUPPORTED")
    assert desk.client.pull(desk.name, "1")


def test_a_blob_over_the_limit_is_refused_and_leaves_nothing(own_hub: RunningHub) -> None:
    own_hub.environment["HUB_MAX_BLOB_BYTES"] = "1000"
    own_hub.start()
    person = own_hub.person()
    client, name = RegistryClient(own_hub, person), f"{person.name}/small"
    scope = f"repository:{name}:pull,push"
    opened = client.send("POST", f"/v2/{name}/blobs/uploads/", scope=scope)
    answer = client.send("PATCH", opened.headers["Location"], body=DATA, scope=scope)
    assert (answer.status, code(answer)) == (413, "SIZE_INVALID")
    assert not list((own_hub.data_dir / "store").rglob("*.writing*"))
    assert [p for p in (own_hub.data_dir / "store" / "staging").rglob("*") if p.is_file()] == []


def test_a_whole_blob_that_is_wrong_makes_no_repository(desk: Desk) -> None:
    path = f"/v2/{desk.name}/blobs/uploads/?digest={DIGEST}"
    answer = desk.client.send("POST", path, body=b"something else", scope=desk.scope)
    assert (answer.status, code(answer)) == (400, "DIGEST_INVALID")
    assert desk.hub.api("GET", f"repositories/{desk.name}", token=desk.person.token)[0] == 404
    assert desk.client.send("POST", path, body=DATA, scope=desk.scope).status == 201
    assert desk.client.send("GET", f"/v2/{desk.name}/blobs/{DIGEST}").data == DATA
