"""Provenance: how an image was built, as SLSA 0.2 and 1 and BuildKit's additions have it.

slsa.dev/spec/v0.1, *Provenance 0.2*; slsa.dev/spec/v1.0, *Provenance*. Claims of whoever pushed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from oci.statement import dict_of, find_statement, list_of, read_document, text_of
from oci.strict import JsonInvalid

SLSA = "https://slsa.dev/provenance/"
MAX_MATERIALS = 200
_BUILDKIT = "https://mobyproject.org/buildkit@v1#metadata"


@dataclass(frozen=True, slots=True)
class Material:
    """Something that went into the build; `digest` is empty if it was not pinned."""

    uri: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is claimed of a build; whatever is not said is empty. Times are as written."""

    version: str
    builder: str
    build_type: str
    source: str
    revision: str
    started: str
    finished: str
    materials: tuple[Material, ...]

    @property
    def source_url(self) -> str:
        """The source as something to follow, or nothing: only plain https."""
        text = self.source.removeprefix("git+").partition("#")[0]
        return text if text.startswith("https://") else ""


def parse_provenance(data: bytes) -> Provenance:
    """Read a document; raises JsonInvalid, also for a statement about something else."""
    return provenance_of(read_document(data))


def provenance_of(document: Any) -> Provenance:
    """The same of a document that has been read."""
    statement = find_statement(document)
    if statement is None or not statement.predicate_type.startswith(SLSA):
        raise JsonInvalid("is no SLSA provenance")
    version = statement.predicate_type.removeprefix(SLSA)
    predicate = dict_of(statement.predicate)
    if "buildDefinition" in predicate:
        return _one(version, predicate)
    return _zero(version, predicate)


def _zero(version: str, predicate: dict[str, Any]) -> Provenance:
    about = dict_of(predicate.get("metadata"))
    source = dict_of(dict_of(predicate.get("invocation")).get("configSource"))
    vcs = dict_of(dict_of(about.get(_BUILDKIT)).get("vcs"))
    return Provenance(
        version=version[:20],
        builder=text_of(dict_of(predicate.get("builder")).get("id")),
        build_type=text_of(predicate.get("buildType")),
        source=text_of(vcs.get("source")) or text_of(source.get("uri")),
        revision=text_of(vcs.get("revision"), 100) or _digest(source),
        started=text_of(about.get("buildStartedOn"), 64),
        finished=text_of(about.get("buildFinishedOn"), 64),
        materials=_materials(predicate.get("materials")),
    )


def _one(version: str, predicate: dict[str, Any]) -> Provenance:
    build, run = dict_of(predicate["buildDefinition"]), dict_of(predicate.get("runDetails"))
    about, outer = dict_of(run.get("metadata")), dict_of(build.get("externalParameters"))
    vcs = dict_of(dict_of(about.get("buildkit_metadata")).get("vcs"))
    workflow, source = dict_of(outer.get("workflow")), dict_of(outer.get("configSource"))
    materials = _materials(build.get("resolvedDependencies"))
    named = text_of(vcs.get("source")) or text_of(workflow.get("repository"))
    said = text_of(vcs.get("revision"), 100) or _digest(source)
    pinned = next((m.digest for m in materials if workflow and m.uri.startswith("git+")), "")
    return Provenance(
        version=version[:20],
        builder=text_of(dict_of(run.get("builder")).get("id")),
        build_type=text_of(build.get("buildType")),
        source=named or text_of(source.get("uri")),
        revision=said or pinned.rpartition(":")[2],
        started=text_of(about.get("startedOn"), 64),
        finished=text_of(about.get("finishedOn"), 64),
        materials=materials,
    )


def _digest(entry: dict[str, Any]) -> str:
    """The first digest of an entry, without the name of its algorithm."""
    return next(iter(_digests(entry)), "").partition(":")[2]


def _digests(entry: dict[str, Any]) -> list[str]:
    found = dict_of(entry.get("digest"))
    return [f"{text_of(k, 20)}:{text_of(v, 200)}" for k, v in found.items() if text_of(v)]


def _materials(value: Any) -> tuple[Material, ...]:
    entries = [dict_of(entry) for entry in list_of(value)[:MAX_MATERIALS]]
    return tuple(
        Material(uri, next(iter(_digests(entry)), ""))
        for entry in entries
        if (uri := text_of(entry.get("uri")) or text_of(entry.get("name")))
    )
