"""What a config says: junk is left out, never refused, and always fits the database."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oci.descriptor import Descriptor
from oci.digest import Digest
from registry.models import Manifest, ManifestInfo
from registry.services.describe import MAX_CONFIG_BYTES, read_config, save_info
from storage.factory import get_store
from storage.local import LocalStore
from tests.images import OCI_CONFIG, artifact, as_json, descriptor, image, multi
from tests.unit.registry.pushing import manifest, push, push_blob, put

pytestmark = pytest.mark.django_db


def describe(repository, config: bytes) -> ManifestInfo | None:
    """Push an image with this config."""
    push_blob(repository, config)
    stored = put(repository, manifest(config=descriptor(OCI_CONFIG, config))).manifest
    return ManifestInfo.objects.filter(manifest=stored).first()


def test_an_images_facts_are_kept_in_the_words_people_read(repository):
    info = push(repository, image(labels={"a": "b"}), "latest").info
    assert info.platform == "linux/amd64"
    assert info.built_at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert info.config["cmd"] == ["/bin/sh"]
    assert info.config["ports"] == ["8080/tcp"]
    assert info.config["labels"] == {"a": "b"}
    assert [h["empty"] for h in info.config["history"]] == [False, False, True]


def test_an_index_and_an_artifact_have_no_facts(repository):
    whole = multi()
    push(repository, whole, "index")
    push(repository, artifact(), "artifact")
    assert ManifestInfo.objects.count() == len(whole.children)


@pytest.mark.parametrize(
    "config",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b"9" * 5000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
    ],
    ids=lambda c: c[:8].decode("latin-1"),
)
def test_a_config_that_is_no_document_leaves_the_image_without_facts(repository, config):
    assert describe(repository, config) is None
    assert Manifest.objects.count() == 1


@pytest.mark.parametrize(
    ("created", "year"),
    [
        ("0001-01-01T00:00:00Z", 1),
        ("0001-01-01T00:00:00+23:00", None),
        ("9999-12-31T23:59:59-23:00", None),
        ("2026-01-02T03:04:05.123456789Z", 2026),
        ("2026-01-02T03:04:05", 2026),
        ("2026-02-31T00:00:00Z", None),
        ("yesterday", None),
        ("", None),
        (5, None),
        (None, None),
        ("\ud8002026", None),
    ],
)
def test_a_time_is_kept_if_there_is_such_a_moment(repository, created, year):
    info = describe(repository, as_json({"created": created}))
    info.refresh_from_db()
    assert (info.built_at and info.built_at.year) == year


def test_text_no_database_can_hold_is_cleaned_and_long_text_is_cut(repository):
    bad = "a\0b\ud800c"
    config = {
        "os": bad,
        "architecture": "x" * 10_000,
        "author": "y" * 10_000,
        "config": {"Env": [bad] * 500, "Labels": {bad: bad}, "ExposedPorts": {bad: {}}},
        "history": [{"created_by": bad}] * 500,
    }
    info = describe(repository, as_json(config))
    info.refresh_from_db()
    assert info.os == "ab?c"
    assert len(info.architecture) == 255
    assert len(info.config["author"]) == 4096
    assert info.config["env"] == ["ab?c"] * 200
    assert info.config["labels"] == {"ab?c": "ab?c"}
    assert info.config["ports"] == ["ab?c"]
    assert len(info.config["history"]) == 200


TEXT = st.text(st.characters(), max_size=5)  # halves of surrogate pairs too
JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner),
    max_leaves=8,
)
KEYS = ["os", "architecture", "variant", "created", "author", "config", "history"]
RUN = ["User", "WorkingDir", "Env", "Entrypoint", "Cmd", "ExposedPorts", "Volumes", "Labels"]
CONFIGS = st.dictionaries(
    st.sampled_from(KEYS), JUNK | st.dictionaries(st.sampled_from(RUN), JUNK), max_size=7
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(config=CONFIGS)
def test_no_junk_in_a_config_stops_a_push_or_does_not_fit_the_database(stored, config):
    loaded = json.loads(json.dumps(config))
    save_info(stored, DOCUMENT, loaded)
    info = ManifestInfo.objects.get()
    assert isinstance(info.config["env"], list)
    assert all(isinstance(v, str) for v in info.config["labels"].values())


class DOCUMENT:
    """As much of a parsed manifest as `save_info` looks at."""

    is_index = False


@pytest.fixture
def stored(repository):
    push_blob(repository, b"{}")
    return put(repository, manifest()).manifest


def config_of(size: int) -> Descriptor:
    return Descriptor(OCI_CONFIG, Digest.of(b"x"), size)


def test_never_more_is_read_than_the_descriptor_claims(monkeypatch):
    get_store().put("blobs/x", [b'{"a": 1}' + b" " * 10_000])
    asked = []
    real = LocalStore.open
    monkeypatch.setattr(LocalStore, "open", lambda self, *a: asked.append(a) or real(self, *a))
    assert read_config(config_of(8), "blobs/x") == {"a": 1}
    assert asked == [("blobs/x", 0, 8)]
    assert read_config(config_of(MAX_CONFIG_BYTES + 1), "blobs/x") is None
    assert len(asked) == 1


def test_a_config_whose_bytes_are_gone_leaves_the_image_without_facts():
    assert read_config(config_of(8), "blobs/gone") is None
