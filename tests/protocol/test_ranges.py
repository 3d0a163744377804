"""Parts of blobs, and answers a client holds already (end-2, end-3; RFC 9110, 13 and 14)."""

from __future__ import annotations

from email.message import Message
from email.parser import BytesParser

import pytest

from oci.ranges import MAX_RANGES
from tests.images import digest_of
from tests.protocol.scene import Scene, Step
from tests.protocol.wire import Answer

DATA = b"0123456789" * 200
DIGEST = digest_of(DATA)
OTHER = digest_of(b"other")


@pytest.fixture
def blob(scene: Scene) -> Scene:
    """A scene whose repository has DATA."""
    scene.client.push_blob(scene.words["name"], DATA)
    scene.add("data", DATA)
    return scene


def get(scene: Scene, *headers: tuple[str, str], method: str = "GET") -> Answer:
    target = scene.fill("/v2/<name>/blobs/<data>")
    return scene.wire.send(method, target, [*headers, *scene.credential("pull")])


def parts_of(answer: Answer) -> list[Message]:
    """The parts as any reader of MIME sees them."""
    top = f"Content-Type: {answer.header('Content-Type')}\r\n\r\n".encode()
    parts = BytesParser().parsebytes(top + answer.body).get_payload()
    assert isinstance(parts, list)
    return [part for part in parts if isinstance(part, Message)]


@pytest.mark.parametrize(
    ("header", "status", "content_range", "body"),
    [
        ("bytes=500-1499", 206, "bytes 500-1499/2000", DATA[500:1500]),
        ("bytes=500-", 206, "bytes 500-1999/2000", DATA[500:]),
        ("bytes=-500", 206, "bytes 1500-1999/2000", DATA[1500:]),
        ("bytes=-5000", 206, "bytes 0-1999/2000", DATA),
        ("bytes=1900-5000", 206, "bytes 1900-1999/2000", DATA[1900:]),
        ("Bytes=0-0", 206, "bytes 0-0/2000", b"0"),
        ("bytes=0-1,9000-", 206, "bytes 0-1/2000", b"01"),
        ("lines=1-2", 200, None, DATA),
        ("bytes=x", 200, None, DATA),
        ("bytes=0-1999,0-0", 200, None, DATA),
        ("bytes=" + "0-0," * (MAX_RANGES + 1), 200, None, DATA),
        ("bytes=500-0", 416, "bytes */2000", None),
        ("bytes=5000-10000", 416, "bytes */2000", None),
        ("bytes=5000-,-0", 416, "bytes */2000", None),
    ],
)
def test_range(
    blob: Scene, header: str, status: int, content_range: str | None, body: bytes | None
) -> None:
    got = get(blob, ("Range", header))
    assert (got.status, got.header("Content-Range")) == (status, content_range)
    assert got.header("Content-Length") == str(len(got.body))
    if body is None:
        assert got.code == "RANGE_INVALID"
    else:
        assert got.body == body
        assert got.header("Docker-Content-Digest") == DIGEST


@pytest.mark.parametrize(
    "wanted",
    [
        [(0, 1), (5, 6)],
        [(1990, 1999), (0, 0)],
        [(0, 999), (1000, 1999)],
        [(30 * n, 30 * n + 9) for n in range(MAX_RANGES)],
    ],
    ids=["two", "backwards", "all of it", "as many as are served apart"],
)
def test_several_ranges_come_in_one_answer(blob: Scene, wanted: list[tuple[int, int]]) -> None:
    listed = ", ".join(f"{first}-{last}" for first, last in wanted)
    got = get(blob, ("Range", f"bytes={listed}"))
    assert (got.status, got.header("Content-Range")) == (206, None)
    assert got.header("Content-Length") == str(len(got.body))
    assert got.header("Docker-Content-Digest") == DIGEST
    parts = parts_of(got)
    for part, (first, last) in zip(parts, wanted, strict=True):
        assert part["Content-Type"] == "application/octet-stream"
        assert part["Content-Range"] == f"bytes {first}-{last}/2000"
        assert part.get_payload().encode() == DATA[first : last + 1]  # type: ignore[union-attr]
    assert get(blob).body == DATA, "the connection goes on"


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (f'"{DIGEST}"', 206),
        (DIGEST, 206),
        (f'W/"{DIGEST}"', 200),
        (f'"{OTHER}"', 200),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 200),
    ],
)
def test_if_range(blob: Scene, condition: str, status: int) -> None:
    got = get(blob, ("Range", "bytes=0-9"), ("If-Range", condition))
    assert (got.status, got.body) == (status, DATA[:10] if status == 206 else DATA)


def test_a_head_tells_of_the_whole(blob: Scene) -> None:
    got = get(blob, ("Range", "bytes=0-9"), method="HEAD")
    assert (got.status, got.header("Content-Length"), got.body) == (200, "2000", b"")
    assert got.header("Accept-Ranges") == "bytes"


HELD = [
    '"<it>"',
    "<it>",
    'W/"<it>"',
    '"other", "<it>"',
    '"other",W/"<it>"',
    "*",
]
NOT_HELD = ['"other"', "", '"*"x', '"<it>x"', "other, another"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["blobs/<layer>", "manifests/<image>", "manifests/<tag>"])
@pytest.mark.parametrize("condition", [*HELD, *NOT_HELD])
def test_what_a_client_holds_is_not_sent_again(
    scene: Scene, method: str, path: str, condition: str
) -> None:
    scene.push()
    scene.words["it"] = scene.words["layer" if "layer" in path else "image"]
    fresh = condition in HELD
    got = scene.play(
        Step(
            method,
            f"/v2/<name>/{path}",
            304 if fresh else 200,
            (("If-None-Match", condition), ("Range", "lines=1-2")),
            by="pull",
            has={
                "ETag": '"<it>"',
                "Docker-Content-Digest": "<it>",
                "Cache-Control": "private, .+",
            },
        )
    )
    assert bool(got.body) == (method == "GET" and not fresh)


def test_what_a_client_holds_comes_before_what_it_wants(blob: Scene) -> None:
    wanted = (("Range", "bytes=5000-"), ("If-None-Match", f'"{DIGEST}"'))
    assert get(blob, *wanted).status == 304


def test_a_condition_opens_no_door(blob: Scene) -> None:
    target = blob.fill("/v2/<name>/blobs/<data>")
    assert blob.wire.send("GET", target, [("If-None-Match", "*")]).status == 401
    answer = blob.wire.send(
        "GET",
        blob.fill("/v2/<name>/manifests/absent"),
        [("If-None-Match", "*"), *blob.credential("pull")],
    )
    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")
