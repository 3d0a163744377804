"""The official conformance program of the OCI Distribution specification, as it comes.

docs/conformance.md says how to run it by hand. HUB_TEST_KEEP names a folder that keeps its reports.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from tests.clients.shop import need
from tests.hub import RunningHub

pytestmark = pytest.mark.e2e
PROGRAM = "oci-conformance"
ROOT = "OCI Conformance Test/"
# Off unless asked for, because a registry may do without; this one does not.
ALSO = ("API_BLOBS_DIGEST_HEADER", "API_BLOBS_UPLOAD_CANCEL", "API_MANIFESTS_DIGEST_HEADER")
SPARSE = "the hub refuses a manifest whose parts are missing, as the specification lets it"
DRAFT = "pushing by digest with ?tag= is in the draft after 1.1 only"


@dataclass(frozen=True)
class Bar:
    """What a version of the specification asks for, and which parts do not run, and why.

    `tests` is how many pass at least. `disabled` are names of results.yaml, `skipped` patterns of
    names of tests in junit.xml; both map to the reason.
    """

    version: str
    tests: int
    disabled: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


BARS = (
    Bar(
        "1.1",
        tests=690,
        disabled={
            "Sparse Manifests": SPARSE,
            "Manifest put with tag params": DRAFT,
            "Tag Param": DRAFT,
            "Tag Param sha512": DRAFT,
        },
    ),
    Bar("dev", tests=790, disabled={"Sparse Manifests": SPARSE}),
)


def run(hub: RunningHub, version: str, results: Path) -> str:
    """What the program prints; `results` then holds its three reports."""
    person = hub.person("conformance")
    # A mount that names no source finds what the token reaches: this program's reaches the target
    # only, so the source has to be a repository that everybody may pull from.
    second = {"namespace": person.name, "name": "second", "visibility": "public"}
    assert hub.api("POST", "repositories", second, token=person.token)[0] == 201
    done = subprocess.run(
        [need(PROGRAM)],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(results),
            "OCI_REGISTRY": hub.host,
            "OCI_TLS": "disabled",
            # A token for each request: that of a mount is for two repositories.
            "OCI_CACHE_AUTH": "false",
            "OCI_USERNAME": person.name,
            "OCI_PASSWORD": person.token,
            "OCI_REPO1": f"{person.name}/first",
            "OCI_REPO2": f"{person.name}/second",
            "OCI_VERSION": version,
            "OCI_RESULTS_DIR": str(results),
            "OCI_LOG": "warn",
            **{f"OCI_{name}": "true" for name in ALSO},
        },
        cwd=results,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done.stdout + done.stderr


@dataclass(frozen=True)
class Case:
    """One test of the program; `said` are its errors, or why it was skipped."""

    name: str
    status: str
    said: str

    def fits(self, pattern: str) -> bool:
        """Whether the name is one of these."""
        return fnmatchcase(self.name, pattern)


def cases(report: Path) -> list[Case]:
    """Every test of a junit.xml."""
    return [
        Case(
            case.attrib["name"].removeprefix(ROOT),
            case.attrib["status"],
            case.findtext("system-out", ""),
        )
        for case in ET.parse(report).getroot().iter("testcase")
    ]


@pytest.mark.parametrize("bar", BARS, ids=lambda bar: bar.version)
def test_conformance(live: RunningHub, tmp_path: Path, bar: Bar) -> None:
    said = run(live, bar.version, tmp_path)
    # A configuration it cannot read ends with code 0 and no report, so the code says little.
    assert (tmp_path / "results.yaml").exists(), said
    if folder := os.environ.get("HUB_TEST_KEEP"):
        shutil.copytree(tmp_path, Path(folder) / "conformance" / bar.version, dirs_exist_ok=True)

    found = cases(tmp_path / "junit.xml")
    assert [case for case in found if case.status not in ("passed", "skipped")] == []
    skipped = [case for case in found if case.status == "skipped"]
    unexplained = [case for case in skipped if not any(map(case.fits, bar.skipped))]
    assert unexplained == []
    stale = [pattern for pattern in bar.skipped if not any(case.fits(pattern) for case in skipped)]
    assert stale == []  # these run now: take them out
    assert len(found) - len(skipped) >= bar.tests

    document = yaml.safe_load((tmp_path / "results.yaml").read_text())
    assert document["config"]["version"] == bar.version
    states = {**document["apis"], **document["data"]}
    assert {name for name, state in states.items() if state != "Pass"} == set(bar.disabled)
    assert {states[name] for name in bar.disabled} == {"Disabled"}
