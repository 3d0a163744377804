"""Every threat that concerns /v2/ and /token has a test; the others say where they belong.

Ids are those of the threat table in the security paper; a test carries its id in its name.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.hub import ROOT

HERE = Path(__file__).parent
# Sections of the table and how many rows each has.
ROWS = {
    "AZ": 20,
    "ID": 12,
    "TK": 9,
    "RG": 18,
    "GC": 4,
    "DU": 4,
    "QT": 2,
    "NM": 3,
    "LG": 3,
    "OP": 7,
    "NT": 7,
}
IDS = [f"{section}-{number:02}" for section, rows in ROWS.items() for number in range(1, rows + 1)]

# What is also proven beside this package, by tests that were there before or belong elsewhere.
ALSO: dict[str, tuple[str, ...]] = {
    "AZ-10": (
        "tests/unit/registry/test_tags.py::test_immutable_rules_are_patterns_of_whole_names_case_counts",
        "tests/unit/registry/test_manifests.py::test_an_immutable_tag_neither_moves_nor_loses_its_manifest",
    ),
    "AZ-14": (
        "tests/unit/registry/test_manifests.py::test_a_right_lost_before_the_commit_puts_and_deletes_nothing",
    ),
    "AZ-16": (
        "tests/unit/repos/test_permissions.py::test_lists_agree_with_single_decisions_in_random_worlds",
    ),
    "ID-01": (
        "tests/unit/accounts/test_credentials.py::test_an_absent_account_costs_a_hash_like_a_present_one",
    ),
    "TK-01": ("tests/unit/tokens/test_forged.py::test_a_forged_token_is_refused",),
    "TK-07": ("tests/unit/tokens/test_forged.py::test_the_key_set_holds_no_private_part",),
    "RG-04": (
        "tests/unit/oci/test_manifest.py::test_the_worst_of_four_mebibytes_is_read_or_refused_in_a_second_or_two",
    ),
    "RG-09": ("tests/protocol/test_v2_blobs.py::test_a_chunked_body_cut_short_counts_for_nothing",),
    "RG-11": (
        "tests/concurrency/test_load.py::test_first_pushes_of_one_repository_at_once_make_one",
    ),
    "RG-17": ("tests/unit/repos/test_twins.py::test_the_registry",),
    "GC-02": (
        "tests/unit/registry/test_links.py::test_a_link_collected_while_it_is_being_mounted_mounts_nothing",
    ),
    "DU-01": (
        "tests/contract/test_blobstore.py::test_bytes_are_synced_before_they_get_their_name_and_the_name_after",
        "tests/concurrency/test_load.py::test_a_push_survives_the_end_of_everything",
    ),
    "DU-02": (
        "tests/contract/test_blobstore.py::test_a_disk_that_refuses_makes_the_store_unavailable_and_nothing_is_left",
    ),
}

# Rows of these sections that are not about /v2/ and /token, or about what the hub does not have.
ELSEWHERE = {
    "AZ-02": "tests/matrix/test_mutants.py, and scripts/mutate for all of them",
    "AZ-03": "tests/matrix: every nested resource with the ids of another parent",
    "AZ-04": "the registry has no serializers",
    "AZ-05": "members, teams and transfer are managed by the REST API and the pages",
    "AZ-06": "tests/matrix: robots are columns of the table",
    "AZ-07": "names come from sign-up; there are no external identities",
    "AZ-15": "background jobs: webhooks decide again when they send",
    "AZ-17": "the registry has no filters but artifactType",
    "AZ-18": "tests/matrix: every route of the hub is a row, or a test fails",
    "AZ-19": "no feature of the registry can be switched off",
    "ID-05": "the registry takes no session (TK-02)",
    "ID-06": "mail belongs to the pages",
    "ID-07": "the forms of the pages; the token service is ID-01",
    "ID-09": "tests/pages_account/test_security.py: passwords of people with a second factor",
    "ID-10": "the start of the hub makes no account unless it is told to",
    "ID-12": "secrets are edited through the REST API and the pages",
    "DU-04": "backup and restore are operations on a stopped hub",
    "QT-01": "there are no quotas",
    "QT-02": "there are no quotas",
    "LG-03": "the audit log is no part of the registry",
    "OP-04": "there is no read-only mode",
    "OP-05": "migrations belong to the upgrade tests",
    "OP-06": "health and metrics are pages of their own",
    "OP-07": "a soak of half an hour is no test",
    "NT-02": "tests/unit/webhooks/test_outcomes.py: answers of private networks are not shown",
    "NT-03": "test_outbound.py, together with NT-01: redirects are not followed",
    "NT-04": "tests/unit/core/test_http.py: caps, deadlines, no decompression",
    "NT-06": "tests/unit/webhooks/test_sending.py and test_permits.py: decided when it is sent",
    "NT-07": "tests/unit/webhooks/test_signing.py and test_snippets.py: receivers verify",
}


@cache
def functions(path: Path) -> frozenset[str]:
    return frozenset(
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    )


def proven() -> set[str]:
    found = set()
    for path in HERE.glob("test_*.py"):
        for name in functions(path):
            if match := re.match(r"test_([a-z]{2})(\d{2})_", name):
                found.add(f"{match[1].upper()}-{match[2]}")
    return found


def test_every_threat_is_proven_here_or_says_where_it_belongs() -> None:
    assert sorted(proven() | set(ELSEWHERE)) == sorted(IDS)
    assert proven() & set(ELSEWHERE) == set()


def test_every_test_of_this_package_carries_an_id() -> None:
    for path in HERE.glob("test_*.py"):
        if path != Path(__file__):
            for name in functions(path):
                if name.startswith("test_"):
                    match = re.match(r"test_([a-z]{2})(\d{2})_", name)
                    assert match, (path.name, name)
                    assert f"{match[1].upper()}-{match[2]}" in IDS, name


@pytest.mark.parametrize("test", [test for tests in ALSO.values() for test in tests])
def test_what_is_also_proven_elsewhere_is_still_there(test: str) -> None:
    path, _, name = test.partition("::")
    assert name in functions(ROOT / path)


def test_what_is_named_is_a_row_of_the_table() -> None:
    assert set(ALSO) <= set(IDS)
    assert set(ELSEWHERE) <= set(IDS)
    assert all(ELSEWHERE.values())
