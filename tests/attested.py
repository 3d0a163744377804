"""Images with what is said about them, as BuildKit, cosign, notation and oras push it."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.images import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    as_json,
    descriptor,
    image,
)

IN_TOTO = "application/vnd.in-toto+json"
EMPTY = "application/vnd.oci.empty.v1+json"
SPDX_PREDICATE = "https://spdx.dev/Document"
SPDX_3_PREDICATE = "https://spdx.dev/Document/v3"
SLSA_ONE = "https://slsa.dev/provenance/v1"
SLSA_ZERO = "https://slsa.dev/provenance/v0.2"


def spdx(*packages: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    """An SPDX document of (name, version, licence)."""
    return {
        "spdxVersion": "SPDX-2.3",
        "name": "image",
        "creationInfo": {"created": "2026-01-02T03:04:05Z", "creators": ["Tool: syft-1.0"]},
        "packages": [
            {
                "name": name,
                "versionInfo": version,
                "licenseConcluded": "NOASSERTION",
                "licenseDeclared": licence,
                "externalRefs": [
                    {"referenceType": "purl", "referenceLocator": f"pkg:deb/debian/{name}"}
                ],
            }
            for name, version, licence in packages
        ],
        **more,
    }


def spdx3(*packages: tuple[str, str, str], more: Sequence[Any] = ()) -> dict[str, Any]:
    """An SPDX 3 document of (name, version, licence), and of `more` elements."""
    made = "_:made"
    graph: list[Any] = [
        {
            "type": "CreationInfo",
            "@id": made,
            "specVersion": "3.0.1",
            "created": "2026-01-02T03:04:05Z",
            "createdBy": ["urn:x:somebody"],
            "createdUsing": ["urn:x:tool"],
        },
        {"type": "Person", "spdxId": "urn:x:somebody", "name": "Somebody"},
        {"type": "Tool", "spdxId": "urn:x:tool", "creationInfo": made, "name": "syft-1.0"},
        {
            "type": "SpdxDocument",
            "spdxId": "urn:x:document",
            "creationInfo": made,
            "name": "image",
            "rootElement": ["urn:x:bill"],
        },
        {"type": "software_Sbom", "spdxId": "urn:x:bill", "creationInfo": made},
    ]
    for name, version, licence in packages:
        package, expression = f"urn:x:package-{name}", f"urn:x:licence-{name}"
        graph += [
            {
                "type": "software_Package",
                "spdxId": package,
                "creationInfo": made,
                "name": name,
                "software_packageVersion": version,
                "software_packageUrl": f"pkg:deb/debian/{name}",
            },
            {
                "type": "simplelicensing_LicenseExpression",
                "spdxId": expression,
                "creationInfo": made,
                "simplelicensing_licenseExpression": licence,
            },
            {
                "type": "Relationship",
                "spdxId": f"urn:x:relation-{name}",
                "creationInfo": made,
                "relationshipType": "hasDeclaredLicense",
                "from": package,
                "to": [expression],
            },
        ]
    context = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
    return {"@context": context, "@graph": [*graph, *more]}


def cyclonedx(*packages: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    """A CycloneDX document of (name, version, licence)."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {
            "timestamp": "2026-01-02T03:04:05Z",
            "component": {"name": "image"},
            "tools": {"components": [{"name": "trivy", "version": "0.60"}]},
        },
        "components": [
            {
                "type": "library",
                "name": name,
                "version": version,
                "licenses": [{"license": {"id": licence}}],
                "purl": f"pkg:npm/{name}@{version}",
            }
            for name, version, licence in packages
        ],
        **more,
    }


def slsa(version: int = 1) -> dict[str, Any]:
    """Provenance as BuildKit writes it, of either version."""
    vcs = {"source": "https://git.example.org/team/app.git", "revision": "abc123"}
    material = {"uri": "pkg:docker/alpine@3.20", "digest": {"sha256": "ab" * 32}}
    if version == 0:
        return {
            "builder": {"id": "https://ci.example.org/0"},
            "buildType": "https://mobyproject.org/buildkit@v1",
            "metadata": {
                "buildStartedOn": "2026-01-02T03:04:05Z",
                "https://mobyproject.org/buildkit@v1#metadata": {"vcs": vcs},
            },
            "materials": [material],
        }
    return {
        "buildDefinition": {
            "buildType": "https://github.com/moby/buildkit/blob/master/docs/slsa-definitions.md",
            "resolvedDependencies": [material],
        },
        "runDetails": {
            "builder": {"id": "https://ci.example.org/1"},
            "metadata": {
                "startedOn": "2026-01-02T03:04:05Z",
                "buildkit_metadata": {"vcs": vcs},
            },
        },
    }


def statement(predicate_type: str, predicate: Any) -> dict[str, Any]:
    """An in-toto statement."""
    return {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": predicate_type,
        "subject": [{"name": "pkg:docker/x", "digest": {"sha256": "0" * 64}}],
        "predicate": predicate,
    }


def envelope(content: Any) -> dict[str, Any]:
    """The same inside a DSSE envelope."""
    payload = base64.b64encode(as_json(content)).decode()
    return {"payloadType": IN_TOTO, "payload": payload, "signatures": [{"sig": "AA=="}]}


def attested(
    content: Image | None = None, *parts: tuple[str, Any], architecture: str = "amd64"
) -> Image:
    """An index of one image and its attestations, each of (predicate type, predicate)."""
    subject = content or image("attested", architecture=architecture)
    blobs = [as_json(statement(kind, predicate)) for kind, predicate in parts]
    config = as_json({"os": "unknown", "architecture": "unknown"})
    layers = [
        descriptor(IN_TOTO, blob, annotations={"in-toto.io/predicate-type": kind})
        for blob, (kind, _) in zip(blobs, parts, strict=True)
    ]
    beside = Image(_manifest(descriptor(OCI_CONFIG, config), layers), blobs=[config, *blobs])
    notes = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": subject.digest,
    }
    places = [("linux", architecture, {}), ("unknown", "unknown", notes)]
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [
            descriptor(
                child.media_type,
                child.manifest,
                platform={"os": os, "architecture": arch},
                annotations=annotations,
            )
            for child, (os, arch, annotations) in zip((subject, beside), places, strict=True)
        ],
    }
    return Image(as_json(document), OCI_INDEX, [], [subject, beside])


def referrer(
    subject: Image,
    kind: str,
    data: bytes,
    *,
    layer: str = "",
    notes: dict[str, str] | None = None,
    layer_notes: dict[str, str] | None = None,
) -> Image:
    """A manifest with one layer that names `subject`."""
    document = {
        "artifactType": kind,
        "subject": descriptor(subject.media_type, subject.manifest),
        "annotations": notes or {},
    }
    layers = [descriptor(layer or kind, data, annotations=layer_notes or {})]
    return Image(_manifest(descriptor(EMPTY, b"{}"), layers, **document), blobs=[b"{}", data])


def cosign_signature(subject: Image, certificate: str = "") -> tuple[str, Image]:
    """Tag and manifest of a cosign signature; keyless with a certificate."""
    data = as_json({"critical": {"image": {"docker-manifest-digest": subject.digest}}})
    notes = {"dev.cosignproject.cosign/signature": "AA=="}
    if certificate:
        notes["dev.sigstore.cosign/certificate"] = certificate
    kind = "application/vnd.dev.cosign.simplesigning.v1+json"
    layers = [descriptor(kind, data, annotations=notes)]
    config = as_json({"os": "", "architecture": ""})
    whole = Image(_manifest(descriptor(OCI_CONFIG, config), layers), blobs=[config, data])
    return f"{subject.digest.replace(':', '-')}.sig", whole


def certificate_of(name: x509.GeneralName | None) -> str:
    """A self-signed certificate in PEM, with this alternative name if any."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=1))
    )
    if name is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
    made = builder.sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def _manifest(config: dict[str, Any], layers: list[dict[str, Any]], **more: Any) -> bytes:
    whole = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers}
    return as_json({**whole, **more})
