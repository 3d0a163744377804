"""What names a manifest as its subject (end-12), and the fallback tags of old clients."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.images import (
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    artifact,
    as_json,
    descriptor,
    digest_of,
    image,
)
from tests.protocol.scene import Scene, Step
from tests.protocol.wire import Answer

INDEX = OCI_INDEX.replace("+", r"\+")
MIB = 1024 * 1024
PATH = "/v2/<name>/referrers/<image>"


def listed(scene: Scene, query: str = "", status: int = 200) -> Answer:
    return scene.play(Step("GET", f"{PATH}{query}", status, by="pull"))


def pages(scene: Scene, query: str = "") -> list[list[dict[str, Any]]]:
    """Every page, by following the links."""
    found, target = [], f"{scene.fill(PATH)}{query}"
    while target:
        answer = scene.play(Step("GET", target, 200, by="pull", has={"Content-Type": INDEX}))
        assert len(answer.body) <= 4 * MIB
        found.append(answer.json["manifests"])
        target = (answer.header("Link") or "").partition("<")[2].partition(">")[0]
    return found


def attach(scene: Scene, kind: str, text: str) -> Image:
    made = artifact(scene.image, kind, text)
    scene.push(made, None)
    return made


def test_entries_tell_what_a_client_chooses_by(scene: Scene) -> None:
    early = attach(scene, "application/x.signature", "early")
    scene.push()
    attach(scene, "application/x.sbom", "late")
    first, second = listed(scene).json["manifests"]
    assert first == {
        "mediaType": OCI_MANIFEST,
        "digest": early.digest,
        "size": len(early.manifest),
        "artifactType": "application/x.signature",
        "annotations": {"note": "early"},
    }
    assert second["artifactType"] == "application/x.sbom"
    document = listed(scene).json
    assert (document["schemaVersion"], document["mediaType"]) == (2, OCI_INDEX)


def test_an_artifact_without_a_type_has_that_of_its_config_and_an_index_none(scene: Scene) -> None:
    scene.push()
    config = b'{"chart":1}'
    scene.client.push_blob(scene.words["name"], config)
    subject = descriptor(scene.image.media_type, scene.image.manifest)
    common = {"schemaVersion": 2, "subject": subject}
    chart = descriptor("application/vnd.cncf.helm.config.v1+json", config)
    image_like = as_json({**common, "mediaType": OCI_MANIFEST, "config": chart, "layers": []})
    index_like = as_json({**common, "mediaType": OCI_INDEX, "manifests": []})
    scene.push(Image(image_like), None)
    scene.push(Image(index_like, OCI_INDEX), None)
    first, second = listed(scene).json["manifests"]
    assert first["artifactType"] == "application/vnd.cncf.helm.config.v1+json"
    assert "artifactType" not in second


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "abc"),
        ("?artifactType=application/x.a", "a"),
        ("?artifactType=application%2Fx.b", "b"),
        ("?artifactType=application/x.a&artifactType=application/x.c", "ac"),
        ("?artifactType=application/x.z", ""),
        ("?unknown=1&ns=docker.io", "abc"),
    ],
)
def test_types_filter_and_several_mean_any_of_them(scene: Scene, query: str, expected: str) -> None:
    for letter in "abc":
        attach(scene, f"application/x.{letter}", letter)
    answer = listed(scene, query)
    assert "".join(e["annotations"]["note"] for e in answer.json["manifests"]) == expected
    filtered = "artifactType" if "artifactType" in query else None
    assert answer.header("OCI-Filters-Applied") == filtered


def test_n_makes_pages_and_the_link_keeps_what_was_asked(scene: Scene) -> None:
    for number in range(5):
        attach(scene, "application/x.a", str(number))
        attach(scene, "application/x.b", str(number))
    found = pages(scene, "?artifactType=application/x.b&artifactType=x/y&n=2")
    assert [[e["annotations"]["note"] for e in page] for page in found] == [
        ["0", "1"],
        ["2", "3"],
        ["4"],
    ]
    link = listed(scene, "?artifactType=application/x.b&artifactType=x/y&n=2").header("Link")
    assert link is not None
    assert link.startswith(scene.fill(f"<{PATH}?"))
    assert link.endswith('>; rel="next"')
    query = parse_qs(urlsplit(link[1:].partition(">")[0]).query)
    assert query["artifactType"] == ["application/x.b", "x/y"]
    assert query["n"] == ["2"]
    assert listed(scene, "?n=10").header("Link") is None
    none = listed(scene, "?n=0")
    assert (none.json["manifests"], none.header("Link")) == ([], None)
    assert listed(scene, "?n=x", 400).code == "PAGINATION_NUMBER_INVALID"
    assert listed(scene, "?last=x", 400).code == "DIGEST_INVALID"


def test_an_entry_deleted_between_two_pages_hides_none_of_the_others(scene: Scene) -> None:
    made = [attach(scene, "application/x", str(number)) for number in range(3)]
    scene.words["gone"] = made[0].digest
    link = listed(scene, "?n=1").header("Link") or ""
    scene.play(Step("DELETE", "/v2/<name>/manifests/<gone>", 202, by="delete"))
    rest = scene.play(Step("GET", link[1:].partition(">")[0], 200, by="pull"))
    assert [e["annotations"]["note"] for e in rest.json["manifests"]] == ["1"]


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f40b", "\\", '"', "\x01"], ids=ascii)
def test_a_page_is_no_longer_than_a_manifest_may_be(scene: Scene, letter: str) -> None:
    """Two referrers of 1.5 MiB fit on a page, a third does not; whatever they are written with."""
    size = len(as_json(letter)[1:-1]) if letter in '\\"\x01' else len(letter.encode())
    for number in range(3):
        note = str(number) + letter * (3 * MIB // 2 // size)
        made = artifact(scene.image, "application/x.note", "")
        document = made.manifest.replace(b'"note":""', b'"note":%b' % raw(note))
        scene.push(Image(document, made.media_type, made.blobs), None)
    found = pages(scene)
    assert [len(page) for page in found] == [2, 1]
    assert [e["annotations"]["note"][0] for page in found for e in page] == ["0", "1", "2"]


def raw(text: str) -> bytes:
    """JSON that escapes no more than it must."""
    return json.dumps(text, ensure_ascii=False).encode()


def test_absent_subjects_and_repositories_have_no_referrers(scene: Scene) -> None:
    """Never a 404: that would say that there is no such API."""
    empty = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    assert listed(scene).json == empty
    scene.push()
    assert listed(scene).json == empty
    scene.play(
        Step("GET", "/v2/<name>/referrers/sha512:" + "0" * 128, 200, by="pull"),
        Step("GET", "/v2/<name>/referrers/sha256:short", 400, by="pull", says="DIGEST_INVALID"),
        Step("GET", "/v2/<name>/referrers/latest", 400, by="pull", says="DIGEST_INVALID"),
        Step("GET", PATH, 401),
    )


def test_a_subject_in_another_repository_is_another_subject(scene: Scene) -> None:
    attach(scene, "application/x", "here")
    name = scene.words["name"]
    assert scene.client.push(f"{name}-other", scene.image, "1").status == 201
    answer = scene.client.send("GET", f"/v2/{name}-other/referrers/{scene.image.digest}")
    assert b'"manifests":[]' in answer.data


def test_the_fallback_tag_of_clients_is_a_tag_like_any_other(scene: Scene) -> None:
    """Such clients keep an image index under `sha256-…`; the hub neither reads nor changes it."""
    scene.push()
    made = attach(scene, "application/x.signature", "signed")
    tag = scene.words["image"].replace(":", "-")[:71]
    fallback = as_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [descriptor(OCI_MANIFEST, made.manifest, artifactType="x/y")],
        }
    )
    scene.add("fallback", fallback)
    kind = (("Content-Type", OCI_INDEX),)
    path = f"/v2/<name>/manifests/{tag}"
    scene.play(
        Step("PUT", path, 201, kind, body="fallback", by="pull,push"),
        Step("GET", path, 200, by="pull", says=fallback),
        Step("GET", "/v2/<name>/tags/list", 200, by="pull", says=f'"1.0","{tag}"'),
    )
    assert [e["digest"] for e in listed(scene).json["manifests"]] == [made.digest]
    scene.play(
        Step("DELETE", path, 202, by="delete"),
        Step("GET", f"/v2/<name>/manifests/{made.digest}", 200, by="pull"),
    )


def test_a_withdrawn_artifact_manifest_is_kept_with_its_blobs_and_its_subject(scene: Scene) -> None:
    scene.push()
    blob = b"a bill of materials"
    kind = "application/vnd.oci.artifact.manifest.v1+json"
    document = as_json(
        {
            "mediaType": kind,
            "artifactType": "application/x.sbom",
            "blobs": [descriptor("text/plain", blob)],
            "subject": descriptor(scene.image.media_type, scene.image.manifest),
        }
    )
    scene.add("withdrawn", document)
    put = Step(
        "PUT",
        "/v2/<name>/manifests/<withdrawn>",
        201,
        (("Content-Type", kind),),
        body="withdrawn",
        by="pull,push",
        has={"OCI-Subject": "<image>"},
    )
    refused = Step(**{**vars(put), "status": 400, "has": {}, "says": digest_of(blob)})
    scene.play(refused)
    scene.client.push_blob(scene.words["name"], blob)
    scene.play(
        put,
        Step(
            "GET",
            "/v2/<name>/manifests/<withdrawn>",
            200,
            by="pull",
            has={"Content-Type": kind.replace("+", r"\+")},
            says=document,
        ),
        Step("DELETE", f"/v2/<name>/blobs/{digest_of(blob)}", 405, by="delete"),
    )
    (entry,) = listed(scene).json["manifests"]
    assert (entry["mediaType"], entry["artifactType"]) == (kind, "application/x.sbom")


def test_a_subject_may_be_deleted_before_what_refers_to_it(scene: Scene) -> None:
    scene.push()
    made = attach(scene, "application/x", "stays")
    scene.play(Step("DELETE", "/v2/<name>/manifests/<image>", 202, by="delete"))
    assert [e["digest"] for e in listed(scene).json["manifests"]] == [made.digest]
    again = image(f"{scene.words['name']}/again", layers=1)
    scene.push(again, "2.0")
    assert len(listed(scene).json["manifests"]) == 1
