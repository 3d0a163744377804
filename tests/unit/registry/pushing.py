"""Pushing through the services, as the views do it, without HTTP."""

from __future__ import annotations

from typing import Any

from accounts.models import Namespace, User
from events.types import Actor
from oci.digest import Digest
from registry.models import Blob, Manifest
from registry.services import uploads
from registry.services.manifests import PutResult, put_manifest
from repos.models import Repository
from tests.images import Image, as_json, descriptor

ACTOR = Actor(1, "alice")


def make_person(name: str) -> User:
    """An account with its namespace; hashing a password would take most of a test's time."""
    user = User.objects.create(username=name, password="!")
    Namespace.objects.create(name=name, kind=Namespace.Kind.USER, user=user)
    return user


def make_repository(namespace: Namespace, name: str, **values: Any) -> Repository:
    return Repository.objects.create(
        namespace=namespace, name=name, path=f"{namespace.name}/{name}", **values
    )


def digest(data: bytes, algorithm: str = "sha256") -> Digest:
    return Digest.of(data, algorithm)


def push_blob(repository: Repository, data: bytes, **values: Any) -> Blob:
    """One request, as clients send small blobs."""
    return uploads.put_blob(repository, [data], values.pop("digest", digest(data)), **values)


def put(repository: Repository, image: Image | bytes, reference: Any = None) -> PutResult:
    """The manifest alone; under its digest unless there is a tag."""
    payload = image if isinstance(image, bytes) else image.manifest
    kind = "" if isinstance(image, bytes) else image.media_type
    return put_manifest(
        repository,
        payload,
        content_type=kind,
        reference=digest(payload) if reference is None else reference,
        actor=ACTOR,
    )


def push(repository: Repository, image: Image, reference: Any = None) -> Manifest:
    """Everything an image names, then the manifest."""
    for child in image.children:
        push(repository, child)
    for data in image.blobs:
        push_blob(repository, data)
    return put(repository, image, reference).manifest


def manifest(**values: Any) -> bytes:
    """An image manifest with an empty config; `values` replace or, with None, take away."""
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"),
        "layers": [],
    }
    return as_json({k: v for k, v in {**document, **values}.items() if v is not None})
