"""Several tags in one push: `PUT …/manifests/<digest>?tag=a&tag=b` (end-7b)."""

from __future__ import annotations

import pytest

from oci.digest import ALGORITHMS
from tests.images import DOCKER_MANIFEST, digest_of, image
from tests.protocol.scene import Scene, Step
from tests.protocol.wire import Answer

TYPE = (("Content-Type", DOCKER_MANIFEST),)


@pytest.fixture
def pushed(scene: Scene) -> Scene:
    """A scene whose repository has an image under the tag 1.0."""
    scene.push()
    return scene


def put(scene: Scene, query: str, status: int, body: str = "manifest", **has: str | None) -> Answer:
    path = f"/v2/<name>/manifests/<{body}>{query}"
    return scene.play(Step("PUT", path, status, TYPE, body=body, by="pull,push", has=has))


def tags(scene: Scene) -> list[str]:
    listed = scene.play(Step("GET", "/v2/<name>/tags/list", 200, by="pull")).json
    return list(listed["tags"])


def tag_of(scene: Scene, tag: str) -> str | None:
    found = scene.play(Step("HEAD", f"/v2/<name>/manifests/{tag}", 200, by="pull"))
    return found.header("Docker-Content-Digest")


def test_every_tag_is_moved_and_named(pushed: Scene) -> None:
    wanted = [f"t{number}" for number in range(10)]
    query = "?" + "&".join(f"tag={tag}" for tag in wanted)
    answer = put(pushed, query, 201)
    assert answer.header("OCI-Tag") == ", ".join(wanted)
    assert answer.header("Docker-Content-Digest") == pushed.words["image"]
    assert tags(pushed) == ["1.0", *wanted]
    assert {tag_of(pushed, tag) for tag in wanted} == {pushed.words["image"]}


def test_the_same_tag_twice_is_one_and_the_push_may_be_repeated(pushed: Scene) -> None:
    for _ in range(2):
        answer = put(pushed, "?tag=a&tag=b&tag=a", 201)
        assert answer.header("OCI-Tag") == "a, b"
    assert tags(pushed) == ["1.0", "a", "b"]


def test_without_tags_nothing_is_said_of_tags(pushed: Scene) -> None:
    assert put(pushed, "", 201).header("OCI-Tag") is None


@pytest.mark.parametrize("bad", ["", ".a", "a/b", "a%0a", "x" * 129, "a,b"])
def test_one_bad_tag_moves_none(pushed: Scene, bad: str) -> None:
    answer = put(pushed, f"?tag=good&tag={bad}", 400)
    assert answer.code == "TAG_INVALID"
    assert tags(pushed) == ["1.0"]


def test_more_than_can_be_taken_at_once(pushed: Scene) -> None:
    taken = "&".join(f"tag={number:0128}" for number in range(25))
    put(pushed, f"?{taken}", 201)
    answer = put(pushed, f"?{taken}&tag=one-more", 414)
    assert "at most 25 tags" in answer.json["errors"][0]["message"]
    assert len(tags(pushed)) == 26


def test_an_immutable_tag_among_them_moves_none(pushed: Scene) -> None:
    code = (
        "from repos.models import Repository;"
        f"Repository.objects.filter(path={pushed.words['name']!r})"
        ".update(immutable_tags=['v*'])"
    )
    put(pushed, "?tag=v1", 201)
    pushed.hub.manage("shell", "-c", code)
    other = image(f"{pushed.words['name']}/2", layers=1, docker=True)
    pushed.push(other, None)
    pushed.add("second", other.manifest)
    answer = put(pushed, "?tag=a&tag=v1&tag=b", 409, "second")
    assert (answer.code, answer.json["errors"][0]["detail"]) == ("DENIED", {"tag": "v1"})
    assert tags(pushed) == ["1.0", "v1"]
    assert tag_of(pushed, "v1") == pushed.words["image"]
    put(pushed, "?tag=a&tag=v1", 201)  # where the tag is already, it may be put again


def test_beside_a_tag_they_mean_nothing(pushed: Scene) -> None:
    answer = pushed.play(
        Step(
            "PUT",
            "/v2/<name>/manifests/2.0?tag=extra",
            201,
            TYPE,
            body="manifest",
            by="pull,push",
            has={"OCI-Tag": None},
        )
    )
    assert answer.header("Docker-Content-Digest") == pushed.words["image"]
    assert tags(pushed) == ["1.0", "2.0"]


def test_a_reader_moves_no_tag(pushed: Scene) -> None:
    path = "/v2/<name>/manifests/<image>?tag=mine"
    pushed.play(Step("PUT", path, 401, TYPE, body="manifest", by="pull"))
    pushed.play(Step("PUT", path, 401, TYPE, body="manifest"))
    assert tags(pushed) == ["1.0"]


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_tag_keeps_the_algorithm_it_was_pushed_with(scene: Scene, algorithm: str) -> None:
    """Tags alone get sha256; with a digest they get that one."""
    scene.push()
    digest = digest_of(scene.bodies["manifest"], algorithm)
    scene.words["wanted"] = digest
    put_it = Step(
        "PUT",
        "/v2/<name>/manifests/<wanted>?tag=chosen",
        201,
        TYPE,
        body="manifest",
        by="pull,push",
        has={
            "Docker-Content-Digest": "<wanted>",
            "Location": "/v2/<name>/manifests/<wanted>",
            "OCI-Tag": "chosen",
        },
    )
    scene.play(
        put_it,
        Step("GET", "/v2/<name>/manifests/<wanted>", 200, by="pull", says=scene.image.manifest),
        Step("PUT", "/v2/<name>/manifests/plain", 201, TYPE, body="manifest", by="pull,push"),
    )
    assert tag_of(scene, "chosen") == digest
    assert tag_of(scene, "plain") == scene.words["image"]
    scene.play(
        Step("DELETE", "/v2/<name>/manifests/<wanted>", 202, by="delete"),
        Step("HEAD", "/v2/<name>/manifests/chosen", 404, by="pull"),
    )
    left = tags(scene)
    assert left == ([] if algorithm == "sha256" else ["1.0", "plain"])


def test_a_first_push_with_a_wrong_digest_makes_no_repository(scene: Scene) -> None:
    scene.add("empty", b'{"schemaVersion":2,"manifests":[]}')
    path = "/v2/<name>/manifests/<zeros>?tag=a"
    answer = scene.play(Step("PUT", path, 400, body="empty", by="pull,push"))
    assert answer.code == "DIGEST_INVALID"
    status, _ = scene.hub.api("GET", f"repositories/{scene.words['name']}", token=scene.owner.token)
    assert status == 404
