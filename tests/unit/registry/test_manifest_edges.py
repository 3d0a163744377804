"""Manifests before there is a repository, and kinds that are seen seldom."""

from __future__ import annotations

import pytest

from oci import media
from oci.errors import DigestInvalid, ManifestInvalid
from registry.errors import ManifestBlobUnknown
from registry.services.check import check
from registry.services.manifests import refuse_unfounded
from tests.images import OCI_INDEX, OCI_MANIFEST, as_json, descriptor, digest_of, image
from tests.unit.registry.pushing import digest, push_blob, put

pytestmark = pytest.mark.django_db
EMPTY_INDEX = as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})


@pytest.mark.parametrize(
    ("payload", "reference", "error"),
    [
        (EMPTY_INDEX, digest(b"other"), DigestInvalid),
        (EMPTY_INDEX, digest(EMPTY_INDEX[:-1], "sha512"), DigestInvalid),
        (b"junk", "latest", ManifestInvalid),
        (image().manifest, "latest", ManifestBlobUnknown),
    ],
    ids=["wrong digest", "wrong sha512", "junk", "names blobs"],
)
def test_what_cannot_stand_is_known_before_there_is_a_repository(payload, reference, error):
    with pytest.raises(error):
        refuse_unfounded(payload, "", reference)


@pytest.mark.parametrize(
    "reference", ["latest", digest(EMPTY_INDEX), digest(EMPTY_INDEX, "sha512")], ids=str
)
def test_what_names_nothing_can_stand(reference):
    refuse_unfounded(EMPTY_INDEX, media.OCI_INDEX, reference)


def test_a_withdrawn_artifact_manifest_names_its_blobs(repository):
    document = {
        "mediaType": media.OCI_ARTIFACT,
        "artifactType": "application/x.sbom",
        "blobs": [descriptor("text/plain", b"x")],
        "subject": descriptor(OCI_MANIFEST, image().manifest),
    }
    with pytest.raises(ManifestBlobUnknown):
        put(repository, as_json(document))
    push_blob(repository, b"x")
    stored = put(repository, as_json(document)).manifest
    assert (stored.media_type, stored.artifact_type) == (media.OCI_ARTIFACT, "application/x.sbom")
    assert [(b.role, b.digest) for b in stored.blobs.all()] == [("layer", digest_of(b"x"))]
    assert stored.subject_digest == image().digest
    assert check() == []


@pytest.mark.parametrize("foreign_first", [True, False])
def test_a_layer_named_once_more_as_a_foreign_one_must_still_be_here(repository, foreign_first):
    push_blob(repository, b"{}")
    layer = descriptor("application/vnd.oci.image.layer.v1.tar", b"not here")
    foreign = {**layer, "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", b"{}"),
        "layers": [foreign, layer] if foreign_first else [layer, foreign],
    }
    with pytest.raises(ManifestBlobUnknown):
        put(repository, as_json(document), "latest")
    assert check() == []
