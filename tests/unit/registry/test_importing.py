"""Images from files: what each program writes, and what hostile files are refused for."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from events.models import Event
from registry.models import Blob, Manifest, ManifestBlob, Tag
from registry.services.check import check
from repos.models import Collaborator, Repository
from tests.images import Image, as_json, descriptor, digest_of, image, multi, write_layout
from tests.protocol.old import OldImage, old_chain
from tests.unit.repos import people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]


@pytest.fixture(autouse=True)
def alice(hub_settings: Callable[..., None], tmp_path: Path) -> User:
    hub_settings(data_dir=tmp_path)
    return people.person("alice")


def run(*files: Path, to: str = "alice/app", person: str = "alice") -> str:
    out = io.StringIO()
    arguments = [str(file) for file in files]
    call_command("import_image", *arguments, "--repository", to, "--as", person, stdout=out)
    return out.getvalue()


def write_tar(
    path: Path, files: Mapping[str, bytes], links: Mapping[str, str] | None = None
) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return path


def saved(made: Image, *names: str, packed: bool = False) -> dict[str, bytes]:
    """The files that docker save of 1.10 to 24 writes."""
    config, *layers = made.blobs
    tars = layers if packed else [gzip.decompress(layer) for layer in layers]
    files = {f"{number}/layer.tar": tar for number, tar in enumerate(tars)}
    entry = {"Config": "config.json", "RepoTags": [*names] or None, "Layers": [*files]}
    return {**files, "config.json": config, "manifest.json": as_json([entry])}


def tags(path: str = "alice/app") -> dict[str, str]:
    rows = Tag.objects.filter(repository__path=path)
    return {tag.name: tag.manifest.digest for tag in rows.select_related("manifest")}


def diffs_are_right(path: str = "alice/app") -> None:
    """Every stored layer unpacks to what its image's config says."""
    assert check() == []
    for manifest in Manifest.objects.filter(repository__path=path):
        assert ManifestBlob.objects.filter(manifest=manifest).exists()


# --- what is taken


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("gz", [False, True])
def test_docker_save(tmp_path: Path, packed: bool, gz: bool) -> None:
    made = image("saved", layers=3)
    file = write_tar(
        tmp_path / "x", saved(made, "reg.example:5000/team/app:1.0", "app:2", packed=packed)
    )
    if gz:
        file.write_bytes(gzip.compress(file.read_bytes()))
    said = run(file)
    assert {*tags()} == {"1.0", "2"}
    manifest = Manifest.objects.get()
    assert f"alice/app:1.0, alice/app:2  {manifest.digest}" in said
    config = manifest.blobs.get(role="config")
    assert config.digest == digest_of(made.blobs[0])  # docker's image id stays
    assert check() == []
    before = Blob.objects.count()
    run(file, to="alice/app:3")
    assert (Blob.objects.count(), Manifest.objects.count()) == (before, 1)
    assert tags()["3"] == manifest.digest
    kinds = [*Event.objects.order_by("id").values_list("kind", flat=True)]
    assert kinds == ["repository.created", "tag.moved", "tag.moved", "tag.moved"]


def test_layers_that_are_links(tmp_path: Path) -> None:
    """docker save writes a layer once and links to it from other images."""
    made = image("links", layers=1)
    files = saved(made)
    entry = json.loads(files["manifest.json"])
    entry[0]["Layers"] = ["b/layer.tar"]
    files["manifest.json"] = as_json(entry)
    run(write_tar(tmp_path / "x", files, {"b/layer.tar": "../0/layer.tar"}))
    assert {*tags()} == {"latest"}


@pytest.mark.parametrize("as_tar", [False, True])
def test_layouts(tmp_path: Path, as_tar: bool) -> None:
    made = multi("layout")
    place = write_layout(made, tmp_path / "layout", "1.0")
    if as_tar:
        with tarfile.open(tmp_path / "x", "w") as archive:
            archive.add(place, ".")
        place = tmp_path / "x"
    run(place)
    assert tags() == {"1.0": made.digest}
    for child in made.children:
        assert Manifest.objects.filter(digest=child.digest).exists()
    assert check() == []
    assert f"{sum(len(c.blobs) for c in made.children)} blobs were here" in run(place)


def test_docker_save_of_25_holds_one_platform_of_many(tmp_path: Path) -> None:
    """Its index lists them all, and what was built about them."""
    made = multi("newest")
    place = write_layout(made, tmp_path / "layout", "1.0")
    for child in made.children[1:]:
        for data in (child.manifest, *child.blobs):
            (place / "blobs" / "sha256" / digest_of(data)[7:]).unlink(missing_ok=True)
    for data in made.children[0].blobs:
        (place / "blobs" / "sha256" / digest_of(data)[7:]).write_bytes(data)
    names = {"io.containerd.image.name": "docker.io/library/app:1.0"}
    entry = descriptor(made.media_type, made.manifest, annotations=names)
    (place / "index.json").write_bytes(as_json({"schemaVersion": 2, "manifests": [entry]}))
    run(place)
    assert tags() == {"1.0": made.children[0].digest}


def oldest(chain: list[OldImage], **named: str) -> dict[str, bytes]:
    files = {"repositories": as_json({"app": named})}
    for one in chain:
        files |= {f"{one.id}/json": one.document, f"{one.id}/layer.tar": one.tar}
        files |= {f"{one.id}/VERSION": b"1.0"}
    return files


def test_docker_save_of_2014(tmp_path: Path) -> None:
    chain = old_chain("oldest")
    files = oldest(chain, one=chain[2].id, two=chain[1].id)
    run(write_tar(tmp_path / "x", files))
    assert {*tags()} == {"one", "two"}
    layers = Tag.objects.get(name="one").manifest.blobs.filter(role="layer")
    assert layers.count() == 3
    assert check() == []


# --- what is refused


def bad_files() -> dict[str, tuple[dict[str, bytes], str]]:
    made = image("bad", layers=1)
    good = saved(made)
    config = json.loads(made.blobs[0])
    loop = old_chain("loop", 2)
    bent = json.loads(loop[0].document) | {"parent": loop[1].id}
    files = oldest(loop, x=loop[1].id)

    def entry(**values: Any) -> bytes:
        return as_json([{"Config": "config.json", "Layers": ["0/layer.tar"], **values}])

    return {
        "nothing": ({"x": b"x"}, "no OCI layout"),
        "no image": ({"manifest.json": b"[]"}, "lists no image"),
        "no list": ({"manifest.json": b"{}"}, "lists no image"),
        "no json": ({"manifest.json": b"["}, "is not JSON"),
        "odd fields": ({**good, "manifest.json": entry(Layers=[1])}, "needs Config"),
        "a path out": ({**good, "manifest.json": entry(Config="../../etc/passwd")}, "is not in"),
        "an absolute one": ({**good, "manifest.json": entry(Config="/etc/passwd")}, "is not in"),
        "a lost layer": ({**good, "manifest.json": entry(Layers=["x"])}, "is not in"),
        "too many layers": ({**good, "manifest.json": entry(Layers=["x"] * 128)}, "at most 127"),
        "another layer": ({**good, "0/layer.tar": bytes(1024)}, "does not unpack to"),
        "no layer": ({**good, "0/layer.tar": b"x" * 2000}, "this is neither"),
        "no diff ids": (
            {**good, "config.json": as_json({**config, "rootfs": {}})},
            "does not tell",
        ),
        "a loop": ({**files, f"{loop[0].id}/json": as_json(bent)}, "depends on itself"),
        "an odd parent": (
            {**files, f"{loop[0].id}/json": as_json({"id": "x", "parent": "../x"})},
            "no id",
        ),
        "odd repositories": ({"repositories": as_json({"a": {"b": "../x"}})}, "without an id"),
    }


@pytest.mark.parametrize("name", bad_files())
def test_what_is_no_image(tmp_path: Path, name: str) -> None:
    files, part = bad_files()[name]
    with pytest.raises(CommandError, match=part):
        run(write_tar(tmp_path / "x", files))
    assert not tags()


def test_a_layout_whose_bytes_lie(tmp_path: Path) -> None:
    made = image("lies", layers=1)
    place = write_layout(made, tmp_path / "layout", "1")
    blob = place / "blobs" / "sha256" / digest_of(made.blobs[1])[7:]
    blob.write_bytes(b"x" * len(made.blobs[1]))
    with pytest.raises(CommandError, match="did not match"):
        run(place)
    place = write_layout(made, tmp_path / "other", "1")
    (place / "blobs" / "sha256" / made.digest[7:]).write_bytes(made.manifest + b" ")
    with pytest.raises(CommandError, match="another digest"):
        run(place)
    assert not tags()


@pytest.mark.parametrize("how", ["folder", "tar"])
def test_links_lead_nowhere_else(tmp_path: Path, how: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"{}")
    files = saved(image("links", layers=1))
    del files["config.json"]
    if how == "folder":
        place = tmp_path / "folder"
        for name, data in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)
        (place / "config.json").symlink_to(secret)
    else:
        place = write_tar(tmp_path / "x", files, {"config.json": str(secret)})
    with pytest.raises(CommandError, match="is not in the archive"):
        run(place)
    links = {"config.json": "a", "a": "config.json"}
    with pytest.raises(CommandError, match="is not in the archive"):
        run(write_tar(tmp_path / "loop", files, links))


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oci.layers.FREE_BYTES", 1024**2)
    bomb = tmp_path / "bomb"
    bomb.write_bytes(gzip.compress(bytes(8 * 1024**2)))
    with pytest.raises(CommandError, match="unpacks to more"):
        run(bomb)
    files = saved(image("bomb", layers=1))
    files["0/layer.tar"] = gzip.compress(bytes(8 * 1024**2))
    with pytest.raises(CommandError, match="200 times"):
        run(write_tar(tmp_path / "x", files))
    monkeypatch.setattr("registry.services.archive.MAX_ENTRIES", 3)
    with pytest.raises(CommandError, match="at most 3 entries"):
        run(write_tar(tmp_path / "y", {str(number): b"" for number in range(4)}))


def test_files_that_are_none(tmp_path: Path) -> None:
    for data in (b"", b"x" * 600, gzip.compress(b"x" * 600), os.urandom(3000)):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(CommandError):
            run(tmp_path / "x")
    with pytest.raises(CommandError, match="cannot be read"):
        run(tmp_path / "absent")


def test_rights_are_those_of_a_push(tmp_path: Path) -> None:
    file = write_tar(tmp_path / "x", saved(image("rights"), "x:1"))
    other = people.person("other")
    with pytest.raises(CommandError, match="other may not push to alice/app"):
        run(file, person="other")
    assert not Repository.objects.exists()
    run(file)
    Collaborator.objects.create(
        repository=Repository.objects.get(path="alice/app"), user=other, role="read"
    )
    with pytest.raises(CommandError):
        run(file, person="other")
    Collaborator.objects.update(role="write")
    run(file, to="alice/app:2", person="other")
    assert {*tags()} == {"1", "2"}
    Repository.objects.update(immutable_tags=["*"])
    changed = write_tar(tmp_path / "y", saved(image("changed"), "x:1"))
    with pytest.raises(CommandError, match="immutable"):
        run(changed)
    for person, to in (("absent", "alice/app"), ("alice", "alice/app:.x"), ("alice", "alice/A")):
        with pytest.raises(CommandError):
            run(file, person=person, to=to)
