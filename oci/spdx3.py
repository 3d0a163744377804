"""SPDX 3 as JSON-LD: elements in a graph that name one another.

SPDX 3.0.1, *Model and serializations*, and the classes of its Core, Software, SimpleLicensing and
ExpandedLicensing profiles. Names are those of the standard's own context; nothing is fetched. A
property may hold an element, or its id, or a list of either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from oci.statement import dict_of, list_of, text_of

MEDIA_TYPE = "application/spdx3+json"
PACKAGES = ("software_Package", "ai_AIPackage", "dataset_DatasetPackage")
_CONTEXT = "https://spdx.org/rdf/3"
_PROGRAM = "SoftwareAgent"
_LISTED = "://spdx.org/licenses/"
# What was concluded counts before what was declared.
_LICENSING = ("hasConcludedLicense", "hasDeclaredLicense")


@dataclass(frozen=True, slots=True)
class Graph:
    """The elements of a document in its order, and by id."""

    elements: list[dict[str, Any]]
    by_id: dict[str, dict[str, Any]]

    def of_type(self, *types: str) -> list[dict[str, Any]]:
        """Those of these types; subclasses are types of their own."""
        return [element for element in self.elements if element["type"] in types]

    def follow(self, value: Any) -> Iterator[dict[str, Any]]:
        """What a property names; of an id that nothing in the document has, only that id."""
        for entry in list_of(value) or [value]:
            if isinstance(entry, str):
                yield self.by_id.get(entry) or {"spdxId": entry}
            elif isinstance(entry, dict):
                yield entry


@dataclass(frozen=True, slots=True)
class About:
    """What a document says of itself; empty where it does not."""

    version: str
    name: str
    created: str
    tools: list[str]


def is_spdx3(document: dict[str, Any]) -> bool:
    """Whether its context is the standard's."""
    given = document.get("@context")
    return any(text_of(one).startswith(_CONTEXT) for one in list_of(given) or [given])


def read_graph(document: dict[str, Any]) -> Graph:
    """Every element, also those inside others; the size of the document bounds it."""
    elements: list[dict[str, Any]] = []
    left: list[Any] = [document]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left.extend(reversed(value))
        elif isinstance(value, dict):
            if isinstance(value.get("type"), str):
                elements.append(value)
            left.extend(v for v in reversed(value.values()) if isinstance(v, (dict, list)))
    return Graph(elements, {id_of(e): e for e in reversed(elements) if id_of(e)})


def id_of(element: dict[str, Any]) -> str:
    """Its id, whole, or an empty text; the few classes that are no elements have `@id`."""
    given = element.get("spdxId") or element.get("@id")
    return given if isinstance(given, str) else ""


def purl_of(package: dict[str, Any]) -> str:
    """The package URL, which has two places to be in."""
    named = map(dict_of, list_of(package.get("externalIdentifier")))
    purls = (
        text_of(one.get("identifier"))
        for one in named
        if one.get("externalIdentifierType") == "packageUrl"
    )
    return text_of(package.get("software_packageUrl")) or next(purls, "")


def about_of(graph: Graph) -> About:
    """Of the document, or else of what was made first."""
    documents = graph.of_type("SpdxDocument")
    bills = graph.of_type("software_Sbom")
    first = next(iter(documents or bills), {})
    made = next(graph.follow(first.get("creationInfo")), {})
    if "created" not in made:
        made = next(iter(graph.of_type("CreationInfo")), {})
    roots = chain.from_iterable(graph.follow(one.get("rootElement")) for one in documents + bills)
    names = (text_of(one.get("name")) for one in chain(documents, bills, roots))
    agents = (one for one in graph.follow(made.get("createdBy")) if one.get("type") == _PROGRAM)
    tools = chain(graph.follow(made.get("createdUsing")), agents)
    return About(
        version=text_of(made.get("specVersion")),
        name=next(filter(None, names), ""),
        created=text_of(made.get("created")),
        tools=list(dict.fromkeys(filter(None, (text_of(one.get("name")) for one in tools)))),
    )


def licences_of(graph: Graph, *, unsaid: Collection[str], most: int) -> dict[str, str]:
    """Licences by the id of what has them, at most `most` of one, without texts in `unsaid`."""
    found: dict[str, str] = {}
    for kind in _LICENSING:
        for relation in graph.elements:
            if relation.get("relationshipType") != kind:
                continue
            named = list_of(relation.get("to"))[:most] or relation.get("to")
            texts = (_licence(element) for element in graph.follow(named))
            text = text_of(", ".join(text for text in texts if text not in unsaid))
            if text:
                for subject in graph.follow(relation.get("from")):
                    found.setdefault(id_of(subject), text)
    found.pop("", None)
    return found


def _licence(element: dict[str, Any]) -> str:
    """An expression, the id of a listed licence, or the name of any other."""
    listed = id_of(element).partition(_LISTED)[2]
    given = element.get("simplelicensing_licenseExpression")
    return text_of(given) or text_of(listed) or text_of(element.get("name"))
