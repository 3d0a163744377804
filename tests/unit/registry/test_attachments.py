"""What hangs on an image is found by every way it is pushed, and read without trusting it."""

from __future__ import annotations

import json

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from registry import attachments, documents
from registry.attachments import Kind, attachments_of, siblings_of, signed_digests
from registry.documents import find_document, forget_documents, open_document
from registry.errors import BlobUnknown
from registry.models import Manifest
from registry.selectors import get_manifest_row
from registry.signers import cosign_signer, notation_signer
from storage.factory import get_store
from storage.local import LocalStore
from tests.attested import (
    SLSA_ONE,
    SPDX_3_PREDICATE,
    SPDX_PREDICATE,
    attested,
    certificate_of,
    cosign_signature,
    cyclonedx,
    envelope,
    referrer,
    slsa,
    spdx,
    spdx3,
    statement,
)
from tests.images import artifact, as_json, image
from tests.unit.registry.pushing import push

pytestmark = pytest.mark.django_db
CYCLONEDX = "application/vnd.cyclonedx+json"
SPDX = "application/spdx+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
NOTATION = "application/vnd.cncf.notary.signature"
THUMBPRINTS = "io.cncf.notary.x509chain.thumbprint#S256"
TWO = (("zlib", "1.3", "Zlib"), ("bash", "5.2", "GPL-3.0-or-later"))


@pytest.fixture(autouse=True)
def _forgetful():
    forget_documents()
    yield
    forget_documents()


def found_on(repository, stored, **more):
    return [(a.kind, a.type) for a in attachments_of(repository, stored, **more)]


def test_attestations_that_buildkit_lists_beside_an_image(repository):
    whole = attested(None, (SPDX_PREDICATE, spdx(*TWO)), (SLSA_ONE, slsa()))
    index = push(repository, whole, "1")
    row = get_manifest_row(repository, index.digest)
    children = list(row.children.all())
    shown = children[0].child
    expected = [(Kind.SBOM, SPDX_PREDICATE), (Kind.PROVENANCE, SLSA_ONE)]
    assert found_on(repository, shown, index=row, beside=children) == expected
    assert found_on(repository, shown, beside=siblings_of(shown)) == expected
    assert all(a.is_document for a in attachments_of(repository, shown, beside=children))
    other = push(repository, image("other"), "2")
    assert found_on(repository, other, beside=children) == []
    assert siblings_of(other) == []


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        (SPDX, {}, Kind.SBOM),
        (CYCLONEDX, {}, Kind.SBOM),
        ("application/spdx3+json", {}, Kind.SBOM),
        (BUNDLE, {"notes": {"dev.sigstore.bundle.predicateType": SPDX_3_PREDICATE}}, Kind.SBOM),
        ("application/x", {"layer": SPDX}, Kind.SBOM),
        ("application/vnd.in-toto+json", {}, Kind.ATTESTATION),
        (BUNDLE, {"notes": {"dev.sigstore.bundle.predicateType": SLSA_ONE}}, Kind.PROVENANCE),
        (
            BUNDLE,
            {"notes": {"dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1"}},
            Kind.SIGNATURE,
        ),
        (BUNDLE, {"notes": {"dev.sigstore.bundle.content": "message-signature"}}, Kind.SIGNATURE),
        (BUNDLE, {}, Kind.ATTESTATION),
        (NOTATION, {"layer": "application/jose+json"}, Kind.SIGNATURE),
        ("application/x", {"layer_notes": {"predicateType": "https://x"}}, Kind.ATTESTATION),
        ("application/vnd.anything", {}, Kind.OTHER),
    ],
)
def test_referrers_are_told_apart_by_their_types(repository, kind, more, expected):
    subject = image()
    stored = push(repository, subject, "1")
    push(repository, referrer(subject, kind, b"{}", **more))
    (found,) = attachments_of(repository, stored)
    assert found.kind is expected
    assert found.is_document == (expected in (Kind.SBOM, Kind.PROVENANCE, Kind.ATTESTATION))
    if expected is Kind.OTHER:
        assert found.type == kind


def test_what_refers_to_the_index_is_on_each_of_its_images(repository):
    whole = attested()
    index = push(repository, whole, "1")
    push(repository, referrer(whole, SPDX, b"{}"))
    shown = Manifest.objects.get(digest=whole.children[0].digest)
    assert found_on(repository, shown, index=index) == [(Kind.SBOM, SPDX)]
    assert found_on(repository, shown) == []


def test_signatures_say_who_claims_them(repository):
    subject = image()
    stored = push(repository, subject, "1")
    pem = certificate_of(x509.RFC822Name("alice@example.org"))
    tag, whole = cosign_signature(subject, pem)
    push(repository, whole, tag)
    notes = {THUMBPRINTS: json.dumps(["ab" * 32])}
    push(repository, referrer(subject, NOTATION, b"x", layer="application/jose+json", notes=notes))
    found = attachments_of(repository, stored)
    assert [(a.kind, a.tool, a.signer) for a in found] == [
        (Kind.SIGNATURE, "cosign", "alice@example.org"),
        (Kind.SIGNATURE, "notation", "ab" * 8),
    ]
    assert {a.subject for a in found} == {subject.digest}


def test_signed_images_of_a_list_are_known_by_tag_or_referrer(
    repository, django_assert_num_queries
):
    images = [image(str(n)) for n in range(4)]
    for content in images:
        push(repository, content, f"t{content.digest[-6:]}")
    tag, whole = cosign_signature(images[0])
    push(repository, whole, tag)
    push(repository, referrer(images[1], NOTATION, b"x"))
    push(repository, artifact(images[2]))
    digests = [content.digest for content in images]
    with django_assert_num_queries(1):
        assert signed_digests(repository, digests) == set(digests[:2])


def test_nothing_of_another_repository_hangs_on_an_image(repository, other):
    subject = image()
    stored = push(repository, subject, "1")
    push(other, subject, "1")
    push(other, referrer(subject, SPDX, b"{}"))
    tag, whole = cosign_signature(subject)
    push(other, whole, tag)
    assert attachments_of(repository, stored) == []
    assert signed_digests(repository, [stored.digest]) == set()
    assert len(attachments_of(other, Manifest.objects.get(repository=other, digest=stored.digest)))


def test_queries_do_not_grow_and_there_is_an_end(repository, django_assert_num_queries):
    subject = image()
    stored = push(repository, subject, "1")
    with django_assert_num_queries(1):
        assert attachments_of(repository, stored) == []
    for number in range(attachments.MAX_CARRIERS + 3):
        push(repository, referrer(subject, SPDX, b"{}", notes={"n": str(number)}))
    with django_assert_num_queries(3):
        assert len(attachments_of(repository, stored)) == attachments.MAX_CARRIERS


def test_a_carrier_too_large_for_a_page_is_told_by_its_type(repository, monkeypatch):
    subject = image()
    stored = push(repository, subject, "1")
    push(repository, referrer(subject, SPDX, b"{}"))
    monkeypatch.setattr(attachments, "MAX_READ_BYTES", 10)
    assert found_on(repository, stored) == [(Kind.OTHER, SPDX)]


@pytest.mark.parametrize(
    ("name", "signer"),
    [
        (x509.RFC822Name("a@example.org"), "a@example.org"),
        (x509.UniformResourceIdentifier("https://ci.example.org/x"), "https://ci.example.org/x"),
        (x509.DNSName("example.org"), ""),
        (None, ""),
    ],
)
def test_the_name_in_a_certificate(name, signer):
    notes = {"dev.sigstore.cosign/certificate": certificate_of(name)}
    assert cosign_signer(notes) == signer


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=40))
def test_no_text_beside_a_signature_breaks_a_page(text):
    pem = f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----"
    for value in (text, pem, "x" * 100_000):
        assert cosign_signer({"dev.sigstore.cosign/certificate": value}) == ""
    for value in (text, json.dumps([text]), json.dumps(text), "[" * 100_000, "[[]]", "[]"):
        found = notation_signer({THUMBPRINTS: value})
        assert len(found) <= 16
        assert found.isprintable()


# --- reading them


def stored_document(repository, data, kind=SPDX):
    subject = image()
    push(repository, subject, "1")
    carrier = push(repository, referrer(subject, kind, data))
    layer = carrier.blobs.get(role="layer")
    return find_document(repository, carrier.digest, layer.digest)


@pytest.mark.parametrize(
    ("content", "check"),
    [
        (spdx(*TWO), lambda d: d.sbom.total == 2),
        (cyclonedx(*TWO), lambda d: d.sbom.form == "CycloneDX 1.6"),
        (statement(SPDX_3_PREDICATE, spdx3(*TWO)), lambda d: d.sbom.form == "SPDX 3.0.1"),
        (statement(SLSA_ONE, slsa()), lambda d: d.provenance.revision == "abc123"),
        (envelope(statement(SLSA_ONE, slsa())), lambda d: d.predicate_type == SLSA_ONE),
        (statement("https://x.example/y", {"a": "ä"}), lambda d: d.raw == '{\n  "a": "ä"\n}'),
        ({"some": "thing"}, lambda d: '"some": "thing"' in d.raw and not d.problem),
        ({"payload": "!"}, lambda d: "base64" in d.problem),
    ],
)
def test_a_document_is_read_for_what_it_is(repository, content, check):
    part = stored_document(repository, as_json(content))
    assert check(open_document(part.link))


def test_what_was_read_once_is_remembered_and_what_is_large_not_read(repository, monkeypatch):
    asked = []
    real = LocalStore.open
    monkeypatch.setattr(LocalStore, "open", lambda self, *a: asked.append(a) or real(self, *a))
    part = stored_document(repository, as_json(spdx(*TWO)))
    broken = stored_document(repository, b"no json")
    before = len(asked)
    assert open_document(part.link) is open_document(part.link)
    assert open_document(broken.link).problem == open_document(broken.link).problem != ""
    assert len(asked) == before + 2
    part.link.blob.size = documents.MAX_DOCUMENT_BYTES + 1
    assert "pages read up to 21 MB" in open_document(part.link).problem
    assert len(asked) == before + 2


def test_only_so_much_is_remembered(repository, monkeypatch):
    monkeypatch.setattr(documents, "_KEPT_ITEMS", 5)
    for n in range(4):
        packages = [(f"p{n}{m}", "1", "MIT") for m in range(2)]
        open_document(stored_document(repository, as_json(spdx(*packages))).link)
    assert sum(document.weight for document in documents._kept.values()) <= 5
    assert len(documents._kept) == 1


def test_bytes_that_are_gone_are_a_sentence_and_asked_for_again(repository):
    part = stored_document(repository, as_json(spdx(*TWO)))
    key = part.link.blob.storage_key
    data = b"".join(get_store().open(key))
    get_store().delete(key)
    assert "missing" in open_document(part.link).problem
    get_store().put(key, [data])
    assert open_document(part.link).sbom is not None


def test_a_document_is_a_json_layer_of_a_manifest_of_this_repository(repository, other):
    part = stored_document(repository, as_json(spdx(*TWO)))
    carrier = part.manifest.digest
    whole = image()
    layer = Manifest.objects.get(digest=whole.digest).blobs.filter(role="layer").first()
    for where, manifest, digest in (
        (other, carrier, part.digest),
        (repository, whole.digest, part.digest),
        (repository, carrier, layer.digest),
        (repository, whole.digest, layer.digest),  # a tar
    ):
        with pytest.raises(BlobUnknown):
            find_document(where, manifest, digest)
