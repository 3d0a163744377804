"""Bills of materials: the packages an SPDX or CycloneDX document lists, bare or attested.

SPDX 2.3, *Package information*; CycloneDX 1.6, *components*; SPDX 3 see oci.spdx3. What does not
fit is left out: a document from outside must not be able to break a page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from oci import spdx3
from oci.statement import dict_of, find_statement, list_of, read_document, text_of
from oci.strict import JsonInvalid

SPDX = "application/spdx+json"
SPDX_3 = spdx3.MEDIA_TYPE
CYCLONEDX = "application/vnd.cyclonedx+json"
MAX_PACKAGES = 20_000
MAX_TOOLS = 10
MAX_LICENCES = 20
_UNSAID = {"", "NONE", "NOASSERTION"}


@dataclass(frozen=True, slots=True)
class Package:
    """One part of an image; whatever is not known is empty."""

    name: str
    version: str = ""
    licence: str = ""
    purl: str = ""

    @property
    def kind(self) -> str:
        """The package manager, as its purl has it: `deb`, `npm`, `golang`."""
        return self.purl.removeprefix("pkg:").partition("/")[0] if self.purl else ""


@dataclass(frozen=True, slots=True)
class Sbom:
    """What a document says. `total` counts also the packages beyond MAX_PACKAGES."""

    form: str
    name: str
    created: str
    tools: tuple[str, ...]
    packages: tuple[Package, ...]
    total: int


def parse_sbom(data: bytes) -> Sbom:
    """Read a document; raises JsonInvalid, also for what is sound and no bill of materials."""
    return sbom_of(read_document(data))


def sbom_of(document: Any) -> Sbom:
    """The same of a document that has been read."""
    statement = find_statement(document)
    bill = dict_of(statement.predicate if statement else document)
    if text_of(bill.get("spdxVersion")).startswith("SPDX-2"):
        return _spdx(bill)
    if bill.get("bomFormat") == "CycloneDX":
        return _cyclonedx(bill)
    if spdx3.is_spdx3(bill):
        return _spdx3(bill)
    raise JsonInvalid("is neither SPDX nor CycloneDX")


def search(bill: Sbom, text: str) -> list[Package]:
    """Packages with every word of `text` in name, version, licence or kind; all for none."""
    words = text.lower().split()
    if not words:
        return list(bill.packages)
    return [package for package in bill.packages if _has(package, words)]


def _has(package: Package, words: list[str]) -> bool:
    whole = f"{package.name} {package.version} {package.licence} {package.purl}".lower()
    return all(word in whole for word in words)


def _spdx(bill: dict[str, Any]) -> Sbom:
    made = dict_of(bill.get("creationInfo"))
    creators = [text_of(creator) for creator in list_of(made.get("creators"))]
    tools = [c.removeprefix("Tool:").strip() for c in creators if c.startswith("Tool:")]
    found = [p for p in map(_spdx_package, list_of(bill.get("packages"))) if p is not None]
    return Sbom(
        form=text_of(bill["spdxVersion"], 20).replace("-", " "),
        name=text_of(bill.get("name")),
        created=text_of(made.get("created"), 64),
        tools=tuple(tools[:MAX_TOOLS]),
        packages=_sorted(found),
        total=len(found),
    )


def _spdx_package(value: Any) -> Package | None:
    entry = dict_of(value)
    name = text_of(entry.get("name"))
    if not name:
        return None
    licences = (text_of(entry.get(key)) for key in ("licenseConcluded", "licenseDeclared"))
    purls = (
        text_of(reference.get("referenceLocator"))
        for reference in map(dict_of, list_of(entry.get("externalRefs")))
        if reference.get("referenceType") == "purl"
    )
    return Package(
        name=name,
        version=text_of(entry.get("versionInfo")),
        licence=next((licence for licence in licences if licence not in _UNSAID), ""),
        purl=next(purls, ""),
    )


def _spdx3(bill: dict[str, Any]) -> Sbom:
    graph = spdx3.read_graph(bill)
    about = spdx3.about_of(graph)
    licences = spdx3.licences_of(graph, unsaid=_UNSAID, most=MAX_LICENCES)
    found = [
        Package(
            name=text_of(element.get("name")),
            version=text_of(element.get("software_packageVersion")),
            licence=licences.get(spdx3.id_of(element), ""),
            purl=spdx3.purl_of(element),
        )
        for element in graph.of_type(*spdx3.PACKAGES)
        if text_of(element.get("name"))
    ]
    return Sbom(
        form=f"SPDX {text_of(about.version, 10) or 3}",
        name=about.name,
        created=text_of(about.created, 64),
        tools=tuple(about.tools[:MAX_TOOLS]),
        packages=_sorted(found),
        total=len(found),
    )


def _cyclonedx(bill: dict[str, Any]) -> Sbom:
    about = dict_of(bill.get("metadata"))
    tools = about.get("tools")
    named = list_of(tools) or list_of(dict_of(tools).get("components"))
    found = list(_components(bill))
    return Sbom(
        form=f"CycloneDX {text_of(bill.get('specVersion'), 10)}".strip(),
        name=text_of(dict_of(about.get("component")).get("name")),
        created=text_of(about.get("timestamp"), 64),
        tools=tuple(filter(None, (_tool(dict_of(tool)) for tool in named[:MAX_TOOLS]))),
        packages=_sorted(found),
        total=len(found),
    )


def _tool(entry: dict[str, Any]) -> str:
    return f"{text_of(entry.get('name'))} {text_of(entry.get('version'))}".strip()


def _components(parent: dict[str, Any]) -> Iterator[Package]:
    """Those of the parent and, inside each, its own; the reader has bounded the depth."""
    for entry in map(dict_of, list_of(parent.get("components"))):
        name = text_of(entry.get("name"))
        if name and entry.get("type") != "file":
            group = text_of(entry.get("group"))
            yield Package(
                name=f"{group}/{name}" if group else name,
                version=text_of(entry.get("version")),
                licence=_cyclonedx_licence(list_of(entry.get("licenses"))),
                purl=text_of(entry.get("purl")),
            )
        yield from _components(entry)


def _cyclonedx_licence(values: list[Any]) -> str:
    found = []
    for value in map(dict_of, values[:MAX_LICENCES]):
        licence = dict_of(value.get("license"))
        text = value.get("expression") or licence.get("id") or licence.get("name")
        found.append(text_of(text))
    return text_of(", ".join(filter(None, found)))


def _sorted(found: list[Package]) -> tuple[Package, ...]:
    found.sort(key=lambda package: (package.name.lower(), package.version))
    return tuple(found[:MAX_PACKAGES])
