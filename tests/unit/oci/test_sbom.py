"""Bills of materials and provenance: what is said is read, what is hostile is refused or left out."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oci import statement
from oci.provenance import MAX_MATERIALS, Material, Provenance, parse_provenance
from oci.sbom import MAX_PACKAGES, Package, Sbom, parse_sbom, search
from oci.statement import MAX_DEPTH, MAX_DOCUMENT_BYTES, find_statement
from oci.strict import JsonInvalid, read_json
from tests.attested import (
    SLSA_ONE,
    SLSA_ZERO,
    SPDX_PREDICATE,
    cyclonedx,
    envelope,
    slsa,
    spdx,
    spdx3,
)
from tests.attested import statement as attest
from tests.images import as_json

TWO = (("zlib", "1.3", "Zlib"), ("bash", "5.2", "GPL-3.0-or-later"))
CYCLONEDX_PREDICATE = "https://cyclonedx.org/bom"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda bill: bill,
        lambda bill: attest(SPDX_PREDICATE, bill),
        lambda bill: envelope(attest(SPDX_PREDICATE, bill)),
        lambda bill: {"mediaType": "x", "dsseEnvelope": envelope(attest(SPDX_PREDICATE, bill))},
    ],
    ids=["bare", "statement", "envelope", "bundle"],
)
@pytest.mark.parametrize(
    ("bill", "form", "kind"),
    [
        (spdx(*TWO), "SPDX 2.3", "deb"),
        (spdx3(*TWO), "SPDX 3.0.1", "deb"),
        (cyclonedx(*TWO), "CycloneDX 1.6", "npm"),
    ],
    ids=["spdx", "spdx3", "cyclonedx"],
)
def test_packages_are_listed_by_name_however_the_document_is_wrapped(wrap, bill, form, kind):
    found = parse_sbom(as_json(wrap(bill)))
    assert (found.form, found.name, found.created) == (form, "image", "2026-01-02T03:04:05Z")
    assert found.tools == ("trivy 0.60" if kind == "npm" else "syft-1.0",)
    assert [(p.name, p.version, p.licence, p.kind) for p in found.packages] == [
        ("bash", "5.2", "GPL-3.0-or-later", kind),
        ("zlib", "1.3", "Zlib", kind),
    ]
    assert found.total == 2


def test_components_inside_components_are_packages_and_files_are_none():
    bill = cyclonedx(
        components=[
            {
                "name": "outer",
                "group": "org.x",
                "licenses": [{"expression": "MIT OR Apache-2.0"}],
                "components": [{"name": "inner", "licenses": [{"license": {"name": "Own"}}]}],
            },
            {"type": "file", "name": "/bin/sh"},
        ]
    )
    assert parse_sbom(as_json(bill)).packages == (
        Package("inner", licence="Own"),
        Package("org.x/outer", licence="MIT OR Apache-2.0"),
    )


def licensed(kind: str, *names: object, subject: object = "urn:p") -> dict[str, object]:
    """That a package has licences, which are ids or elements."""
    return {"type": "Relationship", "relationshipType": kind, "from": subject, "to": list(names)}


def expression(text: object, name: str = "urn:l") -> dict[str, object]:
    return {
        "type": "simplelicensing_LicenseExpression",
        "spdxId": name,
        "simplelicensing_licenseExpression": text,
    }


@pytest.mark.parametrize(
    ("more", "licence"),
    [
        ([], ""),
        ([licensed("hasDeclaredLicense", "urn:l"), expression("MIT OR X11")], "MIT OR X11"),
        ([{**licensed("hasDeclaredLicense"), "to": "urn:l"}, expression("MIT")], "MIT"),
        ([licensed("hasDeclaredLicense", expression("MIT"))], "MIT"),
        ([licensed("dependsOn", "urn:l"), expression("MIT")], ""),
        ([licensed("hasDeclaredLicense", "urn:l", subject="urn:q"), expression("MIT")], ""),
        ([licensed("hasDeclaredLicense", "urn:l", subject=["urn:p"]), expression("MIT")], "MIT"),
        (
            [
                licensed("hasDeclaredLicense", "urn:l"),
                licensed("hasConcludedLicense", "urn:m"),
                expression("MIT"),
                expression("Zlib", "urn:m"),
            ],
            "Zlib",
        ),
        (
            [
                licensed("hasDeclaredLicense", "urn:l"),
                licensed("hasConcludedLicense", "urn:m"),
                expression("MIT"),
                expression("NOASSERTION", "urn:m"),
            ],
            "MIT",
        ),
        ([licensed("hasConcludedLicense", "https://spdx.org/licenses/MIT")], "MIT"),
        ([licensed("hasConcludedLicense", "expandedlicensing_NoAssertionLicense")], ""),
        (
            [
                licensed("hasDeclaredLicense", "urn:own", "https://spdx.org/licenses/0BSD"),
                {"type": "expandedlicensing_CustomLicense", "spdxId": "urn:own", "name": "Ours"},
            ],
            "Ours, 0BSD",
        ),
        ([licensed("hasDeclaredLicense", *["urn:l"] * 5_000), expression("M" * 400)], None),
    ],
)
def test_licences_of_spdx_3_come_through_relations(more, licence):
    package = {"type": "software_Package", "spdxId": "urn:p", "name": "p"}
    (found,) = parse_sbom(as_json(spdx3(more=[package, *more]))).packages
    if licence is None:
        assert len(found.licence) == statement.MAX_TEXT
    else:
        assert found == Package("p", licence=licence)


def test_elements_of_spdx_3_may_be_inside_others_and_packages_are_of_three_classes():
    purl = {"externalIdentifierType": "packageUrl", "identifier": "pkg:pypi/inner@1"}
    cpe = {"externalIdentifierType": "cpe23", "identifier": "cpe:2.3:x"}
    alone = {
        "@context": ["https://spdx.org/rdf/3.1/spdx-context.jsonld"],
        "type": "SpdxDocument",
        "creationInfo": {
            "type": "CreationInfo",
            "created": "2026-01-02T03:04:05Z",
            "createdBy": [
                {"type": "SoftwareAgent", "name": "bot"},
                {"type": "Person", "name": "Somebody"},
            ],
        },
        "rootElement": [
            {"type": "software_Package", "name": "inner", "externalIdentifier": [cpe, purl]},
            {"type": "ai_AIPackage", "name": "model", "software_packageVersion": "2"},
            {"type": "dataset_DatasetPackage", "name": "data"},
            {"type": "software_File", "name": "/bin/sh"},
            {"type": "software_Package", "software_packageVersion": "nameless"},
        ],
    }
    found = parse_sbom(as_json(alone))
    assert found.packages == (
        Package("data"),
        Package("inner", purl="pkg:pypi/inner@1"),
        Package("model", "2"),
    )
    assert (found.form, found.name, found.tools) == ("SPDX 3", "inner", ("bot",))
    assert found.created == "2026-01-02T03:04:05Z"


def test_what_spdx_3_leaves_out_is_looked_for_elsewhere_and_never_made_up():
    whole = spdx3()
    context = whole["@context"]
    created = [one for one in whole["@graph"] if one["type"] in ("CreationInfo", "Tool")]
    nameless = [
        {"type": "software_Package", "name": "p"},  # nothing can name it
        licensed("hasDeclaredLicense", expression("MIT"), subject={}),
        licensed("hasDeclaredLicense", expression("MIT"), subject=""),
    ]
    for more in ([], [{"type": "SpdxDocument", "creationInfo": "urn:gone"}]):
        found = parse_sbom(as_json({"@context": context, "@graph": [*nameless, *more, *created]}))
        assert found.packages == (Package("p"),)
        assert (found.form, found.created) == ("SPDX 3.0.1", "2026-01-02T03:04:05Z")
        assert (found.name, found.tools) == ("", ("syft-1.0",))
    found = parse_sbom(as_json({"@context": context}))
    assert found == Sbom("SPDX 3", "", "", (), (), 0)


@pytest.mark.parametrize(
    "make",
    [
        lambda names: spdx(packages=[{"name": name} for name in names]),
        lambda names: spdx3(more=[{"type": "software_Package", "name": name} for name in names]),
    ],
    ids=["spdx", "spdx3"],
)
def test_more_packages_than_are_listed_are_counted(make):
    found = parse_sbom(as_json(make([f"p{n:06}" for n in range(MAX_PACKAGES + 5)])))
    assert len(found.packages) == MAX_PACKAGES
    assert found.total == MAX_PACKAGES + 5


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["bash", "zlib"]),
        ("ZLIB", ["zlib"]),
        ("gpl", ["bash"]),
        ("1.3 z", ["zlib"]),
        ("pkg:deb/", ["bash", "zlib"]),
        ("bash zlib", []),
    ],
)
def test_every_word_of_a_search_must_be_there(text, names):
    assert [p.name for p in search(parse_sbom(as_json(spdx(*TWO))), text)] == names


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "JSON"),
        (b"\xff", "UTF-8"),
        (b"[]", "neither"),
        (b'{"spdxVersion": "SPDX-3.0"}', "neither"),
        (b'{"@context": "https://schema.org", "@graph": []}', "neither"),
        (b'{"@context": ["https://schema.org", 3, null, {}], "@graph": []}', "neither"),
        (b'{"bomFormat": "CycloneDX", "bomFormat": "CycloneDX"}', "twice"),
        (b'{"bomFormat": NaN}', "NaN"),
        (b'{"spdxVersion": "SPDX-2.3", "name": "\\u0000"}', "NUL"),
        (b'{"spdxVersion": "SPDX-2.3", "name": "\\ud800"}', "surrogate"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested"),
        (b"[" * 100_000, "JSON"),
        (b"9" * 5000, "JSON"),
        (b"[" + b"1," * 800_001 + b"1]", "values"),
        (b" " * (MAX_DOCUMENT_BYTES + 1), "larger"),
        (as_json({"payload": "no base64!"}), "base64"),
        (as_json({"payload": "AAAA"}), "JSON"),
        (as_json(attest("https://example.org/x", {"a": 1})), "neither"),
    ],
    ids=lambda value: None if isinstance(value, str) else "",
)
def test_what_is_no_bill_of_materials_is_refused_with_a_reason(document, why):
    start = time.monotonic()
    with pytest.raises(JsonInvalid, match=why):
        parse_sbom(document)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("kind", "version", "builder"),
    [(SLSA_ONE, 1, "https://ci.example.org/1"), (SLSA_ZERO, 0, "https://ci.example.org/0")],
)
def test_provenance_of_both_versions_says_what_was_built_from_what(kind, version, builder):
    found = parse_provenance(as_json(attest(kind, slsa(version))))
    assert (found.builder, found.revision) == (builder, "abc123")
    assert found.source_url == "https://git.example.org/team/app.git"
    assert found.started == "2026-01-02T03:04:05Z"
    assert found.materials == (Material("pkg:docker/alpine@3.20", f"sha256:{'ab' * 32}"),)


def test_provenance_of_a_workflow_names_its_repository_and_commit():
    predicate = {
        "buildDefinition": {
            "externalParameters": {"workflow": {"repository": "https://github.com/team/app"}},
            "resolvedDependencies": [
                {"uri": "git+https://github.com/team/app@refs/x", "digest": {"gitCommit": "abc"}}
            ],
        }
    }
    found = parse_provenance(as_json(attest(SLSA_ONE, predicate)))
    assert (found.source, found.revision) == ("https://github.com/team/app", "abc")


@pytest.mark.parametrize(
    "source",
    ["javascript:alert(1)", "http://x.example", "data:text/html,x", "git@host:a/b", "//x", ""],
)
def test_only_plain_https_becomes_a_link(source):
    predicate = {"invocation": {"configSource": {"uri": source}}, "materials": "x"}
    found = parse_provenance(as_json(attest(SLSA_ZERO, predicate)))
    assert (found.source, found.source_url, found.materials) == (source, "", ())


def test_materials_are_bounded_and_a_statement_of_something_else_is_no_provenance():
    many = {"materials": [{"uri": f"m{n}"} for n in range(MAX_MATERIALS + 5)]}
    found = parse_provenance(as_json(attest(SLSA_ZERO, many)))
    assert len(found.materials) == MAX_MATERIALS
    for other in (attest(SPDX_PREDICATE, spdx()), slsa(), [], None):
        with pytest.raises(JsonInvalid):
            parse_provenance(as_json(other))


TEXT = st.text(max_size=8)
JUNK = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
BILL = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("name", "creationInfo", "packages", "metadata", "components"), JUNK),
        "spdxVersion": st.sampled_from(["SPDX-2.3", "SPDX-2.2", 2]),
        "bomFormat": st.sampled_from(["CycloneDX", None]),
        "specVersion": JUNK,
    },
)
PACKAGES = st.lists(
    st.dictionaries(
        st.sampled_from(
            [
                "name",
                "versionInfo",
                "version",
                "licenseDeclared",
                "licenses",
                "externalRefs",
                "purl",
                "group",
                "components",
                "type",
            ]
        ),
        JUNK,
        max_size=6,
    ),
    max_size=4,
)


# Ids that elements share, so that they name one another and themselves.
NAMED = st.sampled_from(["urn:a", "urn:b"])
ANY = NAMED | JUNK | st.lists(NAMED | JUNK, max_size=3)
ELEMENTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(
                [
                    *("SpdxDocument", "software_Sbom", "CreationInfo", "Relationship", "Tool"),
                    *("software_Package", "simplelicensing_LicenseExpression", "SoftwareAgent"),
                ]
            )
            | JUNK,
            "spdxId": ANY,
            "@id": ANY,
            "relationshipType": st.sampled_from(["hasDeclaredLicense", "hasConcludedLicense"])
            | JUNK,
            "externalIdentifier": st.lists(
                st.fixed_dictionaries(
                    {"externalIdentifierType": st.just("packageUrl"), "identifier": JUNK}
                ),
                max_size=2,
            )
            | JUNK,
            **dict.fromkeys(
                (
                    *("name", "from", "to", "creationInfo", "created", "createdBy"),
                    *("createdUsing", "specVersion", "rootElement", "software_packageVersion"),
                    *("software_packageUrl", "simplelicensing_licenseExpression"),
                ),
                ANY,
            ),
        },
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(bill=BILL, packages=PACKAGES, predicate=JUNK, graph=ELEMENTS | JUNK)
def test_no_junk_breaks_a_reader_and_what_comes_out_is_text(bill, packages, predicate, graph):
    for document in (
        bill,
        {**bill, "packages": packages, "components": packages},
        attest(SPDX_PREDICATE, bill),
        {**spdx3(), "@graph": graph},
    ):
        with suppress(JsonInvalid):
            found = parse_sbom(json.dumps(document).encode())
            assert isinstance(found, Sbom)
            about = (found.form, found.name, found.created, *found.tools)
            assert all(isinstance(text, str) for text in about)
            assert all(
                isinstance(text, str)
                for p in found.packages
                for text in (p.name, p.version, p.licence, p.purl, p.kind)
            )
            assert all(p.name for p in found.packages)
    for kind in (SLSA_ONE, SLSA_ZERO):
        with suppress(JsonInvalid):
            made = parse_provenance(json.dumps(attest(kind, predicate)).encode())
            assert isinstance(made, Provenance)
            assert isinstance(made.source_url, str)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=60))
def test_bytes_are_read_or_refused_and_nothing_else(data):
    with suppress(JsonInvalid):
        find_statement(read_json(data, most_values=50, most_depth=8))


@pytest.mark.parametrize("make", [spdx, spdx3])
def test_a_large_document_is_read_in_a_sane_time(make):
    packages = [(f"package-{n}", "1.2.3-4", "MIT") for n in range(15_000)]
    data = as_json(make(*packages))
    assert len(data) < statement.MAX_DOCUMENT_BYTES
    start = time.process_time()
    assert parse_sbom(data).total == 15_000
    assert time.process_time() - start < 8
