"""Mounting blobs from another repository, named or found by the hub (end-11; TK-04, RG-07)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.client import RegistryClient
from tests.hub import Person, RunningHub
from tests.images import digest_of
from tests.protocol.scene import BEARER, Scene, Step
from tests.protocol.wire import Answer

EMPTY = (("Content-Length", "0"),)
NAMED = "?mount=<layer>&from=<source>"
FOUND = "?mount=<layer>"


@pytest.fixture
def thief(live: RunningHub, stranger: Person, fresh_name: str) -> Iterator[Scene]:
    """A stranger who knows the digest of a private blob and has a repository of their own."""
    own = f"{stranger.name}/{fresh_name.partition('/')[2]}"
    with closing(Scene(live, stranger, own)) as made:
        yield made


def lay(scene: Scene, source: str) -> str:
    """A blob of its own in `source`, whose digest is then the word `layer`."""
    scene.words["source"] = source
    digest = scene.add("layer", f"in {source} alone".encode())
    scene.client.push_blob(source, scene.bodies["layer"])
    return digest


def mount(scene: Scene, query: str, scopes: str = "", by: str = "") -> Answer:
    """Ask for a mount with a token for these scopes, or as `by` says."""
    headers = scene.credential(by) if by else []
    if scopes:
        headers = [("Authorization", f"Bearer {scene.client.token(scene.fill(scopes))}")]
    target = scene.fill(f"/v2/<name>/blobs/uploads/{query}")
    return scene.wire.send("POST", target, [*headers, *EMPTY])


def reader(scene: Scene, role: str, name: str, who: Person) -> None:
    path = f"repositories/{name}/collaborators/{who.name}"
    assert scene.hub.api("PUT", path, {"role": role}, token=scene.owner.token)[0] < 300


TARGET = "repository:<name>:pull,push"
BOTH = f"{TARGET} repository:<source>:pull"


@pytest.mark.parametrize(
    ("query", "scopes", "by", "status"),
    [
        (NAMED, BOTH, "", 201),
        (NAMED, "", "basic", 201),
        (NAMED, TARGET, "", 202),
        (FOUND, BOTH, "", 201),
        (FOUND, "", "basic", 201),
        (FOUND, TARGET, "", 202),
        ("?mount=<layer>&from=", BOTH, "", 201),
        ("?mount=<layer>&from=<name>", BOTH, "", 202),
        ("?mount=<zeros>", BOTH, "", 202),
        ("?mount=<zeros>&from=<source>", BOTH, "", 202),
    ],
)
def test_what_the_credential_reaches_can_be_mounted(
    scene: Scene, query: str, scopes: str, by: str, status: int
) -> None:
    layer = lay(scene, scene.words["other"])
    answer = mount(scene, query, scopes, by)
    assert answer.status == status
    blob = Step("HEAD", "/v2/<name>/blobs/<layer>", 200 if status == 201 else 404, by="basic")
    if status == 201:
        assert answer.header("Location") == f"/v2/{scene.words['name']}/blobs/{layer}"
        assert answer.header("Docker-Content-Digest") == layer
    else:
        assert answer.header("Docker-Upload-UUID")
    scene.play(blob)


@pytest.mark.parametrize("query", [NAMED, FOUND])
def test_what_is_public_needs_no_scope(scene: Scene, thief: Scene, query: str) -> None:
    lay(scene, scene.words["name"])
    scene.publish()
    thief.words |= {"layer": scene.words["layer"], "source": scene.words["name"]}
    assert mount(thief, query, TARGET).status == 201


@pytest.mark.parametrize("query", [NAMED, FOUND])
def test_knowing_a_digest_is_no_right(scene: Scene, thief: Scene, query: str) -> None:
    lay(scene, scene.words["name"])
    thief.words |= {"layer": scene.words["layer"], "source": scene.words["name"]}
    for scopes, by in ((TARGET, ""), (BOTH, ""), ("", "basic")):
        hidden = mount(thief, query, scopes, by)
        absent = mount(thief, "?mount=<zeros>&from=<source>-absent", scopes, by)
        assert (hidden.status, absent.status) == (202, 202)
        assert shape(hidden) == shape(absent)
    thief.play(Step("HEAD", "/v2/<name>/blobs/<layer>", 404, by="basic"))


def shape(answer: Answer) -> list[str]:
    return [name for name, _ in answer.headers]


@pytest.mark.parametrize("query", [NAMED, FOUND])
def test_a_role_given_and_taken_away_works_at_once(
    scene: Scene, thief: Scene, query: str, stranger: Person
) -> None:
    name = scene.words["name"]
    lay(scene, name)
    thief.words |= {"layer": scene.words["layer"], "source": name}
    reader(scene, "read", name, stranger)
    thief.client.forget()
    held = thief.client.token(thief.fill(BOTH))
    scene.hub.api(
        "DELETE", f"repositories/{name}/collaborators/{stranger.name}", token=scene.owner.token
    )
    assert thief.client.token(thief.fill(BOTH)) == held
    assert mount(thief, query, BOTH).status == 202
    reader(scene, "read", name, stranger)
    assert mount(thief, query, BOTH).status == 201


def test_an_access_token_limits_what_is_found(scene: Scene) -> None:
    """A token for one repository finds nothing in another one of the same person."""
    lay(scene, scene.words["other"])
    body = {"name": "ci", "scopes": [f"repository:{scene.words['name']}:pull,push"]}
    status, made = scene.hub.api("POST", "tokens", body, token=scene.owner.token)
    assert status == 201
    limited = Person(scene.owner.name, made["token"])
    with closing(Scene(scene.hub, limited, scene.words["name"])) as other:
        other.words |= {"layer": scene.words["layer"], "source": scene.words["other"]}
        assert mount(other, FOUND, by="basic").status == 202
        assert mount(other, NAMED, by="basic").status == 202


def test_a_challenge_to_a_mount_asks_for_both_repositories(scene: Scene) -> None:
    answer = mount(scene, "?mount=<zeros>&from=<other>")
    assert answer.status == 401
    scope = scene.fill("repository:<name>:pull,push repository:<other>:pull")
    scene.play(
        Step(
            "POST",
            "/v2/<name>/blobs/uploads/?from=<other>&mount=<zeros>",
            401,
            EMPTY,
            has={"WWW-Authenticate": f'{BEARER},scope="{scope}"'},
        )
    )
    for source in ('x"y', "UPPER", "", "a b"):
        plain = mount(scene, f"?mount=<zeros>&from={source.replace(' ', '%20')}")
        assert plain.header("WWW-Authenticate").endswith(  # type: ignore[union-attr]
            scene.fill('scope="repository:<name>:pull,push"')
        )


def test_an_ill_formed_digest_is_told_so(scene: Scene) -> None:
    answer = mount(scene, "?mount=sha256:short&from=<other>", TARGET)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


def test_what_is_there_already_is_mounted_from_anywhere(scene: Scene) -> None:
    layer = scene.client.push_blob(scene.words["name"], b"here already")
    answer = mount(scene, f"?mount={layer}&from=no/such", TARGET)
    assert answer.status == 201


def test_a_mount_that_fails_takes_the_whole_blob_in_the_same_request(scene: Scene) -> None:
    data = b"mount first, else all of it"
    digest = digest_of(data)
    target = scene.fill(f"/v2/<name>/blobs/uploads/?mount={digest}&from=<other>&digest={digest}")
    headers = scene.credential("pull,push")
    assert scene.wire.send("POST", target, headers, body=data).status == 201
    assert (
        RegistryClient(scene.hub, scene.owner)
        .send("GET", scene.fill(f"/v2/<name>/blobs/{digest}"))
        .data
        == data
    )
