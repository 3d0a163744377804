"""Other registries to copy from: a live one by its address, and the storage tree of `registry:2`.

Both give the blobs and manifests of a repository as an archive, `blobs/<algorithm>/<hex>`, whose
bytes are proven by whoever reads them.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode, urljoin

from core.download import Download, get
from core.errors import Denied, Invalid, NotFound, Unavailable
from core.netguard import Network
from oci import manifest as document
from oci import media
from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.manifest import MAX_MANIFEST_BYTES
from oci.names import is_tag
from registry.services.archive import Archive, FileMissing, Folder

MAX_NAMES = 100_000
MAX_PAGES = 10_000
_MAX_LIST_BYTES = 16 * 1024 * 1024
_BLOB = re.compile(r"blobs/(sha256|sha512)/([0-9a-f]{64,128})")
_PAIR = re.compile(r'(\w+)="([^"]*)"')
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')
_ACCEPT = ", ".join(sorted(media.MANIFESTS))


class Source(Protocol):
    """A registry to read from."""

    def repositories(self) -> list[str]:
        """The names it has, sorted."""

    def tags(self, name: str) -> list[str]:
        """The tags of one, sorted."""

    def resolve(self, name: str, tag: str) -> Descriptor:
        """What a tag points at; raises NotFound, Invalid."""

    def archive(self, name: str) -> Archive:
        """What the repository has."""


# --- the storage tree of CNCF distribution


class Tree:
    """`docker/registry/v2` in a folder; it may be in use, what is half-written is not seen."""

    def __init__(self, root: Path) -> None:
        places = (root / "docker" / "registry" / "v2", root / "v2", root)
        found = next((place for place in places if (place / "repositories").is_dir()), None)
        if found is None:
            raise Invalid(f"{root} holds no docker/registry/v2/repositories.")
        self._root, self._files = found, Folder(found)

    def repositories(self) -> list[str]:
        """See Source."""
        base = self._root / "repositories"
        found = (path.parent for path in base.rglob("_manifests") if path.is_dir())
        return sorted(path.relative_to(base).as_posix() for path in found)

    def tags(self, name: str) -> list[str]:
        """See Source."""
        place = self._root / "repositories" / name / "_manifests" / "tags"
        return sorted(p.name for p in place.iterdir() if is_tag(p.name)) if place.is_dir() else []

    def resolve(self, name: str, tag: str) -> Descriptor:
        """See Source."""
        link = f"repositories/{name}/_manifests/tags/{tag}/current/link"
        digest = Digest.parse(b"".join(self._files.open(link)).decode("ascii", "replace").strip())
        payload = b"".join(self.archive(name).open(f"blobs/{digest.algorithm}/{digest.hex}"))
        return Descriptor(document.parse(payload).media_type, digest, len(payload))

    def archive(self, name: str) -> Archive:
        """See Source. Blobs are those of the whole registry; manifests name what is theirs."""
        return _TreeBlobs(self._files)


@dataclass(frozen=True, slots=True)
class _TreeBlobs:
    files: Folder

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._data(name) in self.files

    def size(self, name: str) -> int:
        return self.files.size(self._data(name))

    def open(self, name: str) -> Iterator[bytes]:
        return self.files.open(self._data(name))

    def _data(self, name: str) -> str:
        match = _BLOB.fullmatch(name)
        return f"blobs/{match[1]}/{match[2][:2]}/{match[2]}/data" if match else ""


# --- a live registry


@dataclass
class Live:
    """A registry by its address; `allow` are the networks that are not public and may be asked."""

    url: str
    username: str = ""
    password: str = ""
    allow: Sequence[Network] = ()
    _tokens: dict[str, str] = field(default_factory=dict)

    def repositories(self) -> list[str]:
        """See Source."""
        return sorted(self._list("/v2/_catalog?n=1000", "repositories", "registry:catalog:*"))

    def tags(self, name: str) -> list[str]:
        """See Source."""
        scope = f"repository:{name}:pull"
        found = self._list(f"/v2/{name}/tags/list?n=1000", "tags", scope)
        return sorted(tag for tag in found if is_tag(tag))

    def resolve(self, name: str, tag: str) -> Descriptor:
        """See Source."""
        payload, kind = self.manifest(name, tag)
        parsed = document.parse(payload, kind if kind in media.MANIFESTS else "")
        return Descriptor(parsed.media_type, Digest.of(payload), len(payload))

    def archive(self, name: str) -> Archive:
        """See Source."""
        return _LiveBlobs(self, name)

    def manifest(self, name: str, reference: str) -> tuple[bytes, str]:
        """Bytes and media type; raises NotFound."""
        path, scope = f"/v2/{name}/manifests/{reference}", f"repository:{name}:pull"
        with ExitStack() as stack:
            answer = self.ask(stack, path, scope, accept=_ACCEPT)
            payload = _bounded(answer, MAX_MANIFEST_BYTES)
        return payload, media.base_type(answer.headers.get("content-type", ""))

    def ask(self, stack: ExitStack, path: str, scope: str, accept: str = "*/*") -> Download:
        """A 200 to a GET, with a token where one is asked for; open until `stack` closes."""
        url = urljoin(f"{self.url}/", path)
        for again in (False, True):
            answer = stack.enter_context(self._get(url, scope, accept))
            if answer.status == 200:
                return answer
            if answer.status != 401 or again:
                break
            self._tokens[scope] = self._authorization(answer, scope)
        if answer.status == 404:
            raise NotFound(f"{self.url} has no {path}.")
        if answer.status in (401, 403):
            raise Denied(
                f"{self.url} refuses {path}; set the user name and password of one it lets."
            )
        raise Unavailable(f"{self.url} answered {path} with {answer.status}.")

    def _get(self, url: str, scope: str, accept: str) -> AbstractContextManager[Download]:
        headers = {"Accept": accept}
        if scope in self._tokens:
            headers["Authorization"] = self._tokens[scope]
        return get(url, headers=headers, allow=self.allow)

    def _authorization(self, answer: Download, scope: str) -> str:
        kind, _, rest = answer.headers.get("www-authenticate", "").partition(" ")
        pair = f"{self.username}:{self.password}".encode()
        basic = f"Basic {base64.b64encode(pair).decode()}"
        if kind.lower() == "basic":
            return basic
        said = dict(_PAIR.findall(rest))
        if kind.lower() != "bearer" or "realm" not in said:
            raise Denied(f"{self.url} asks for a credential of a kind unknown here.")
        query = urlencode({"service": said.get("service", ""), "scope": said.get("scope", scope)})
        headers = {"Authorization": basic} if self.username else {}
        where = f"{said['realm']}{'&' if '?' in said['realm'] else '?'}{query}"
        with get(where, headers=headers, allow=self.allow) as given:
            found = _json(given) if given.status == 200 else {}
        token = found.get("token") or found.get("access_token")
        if not isinstance(token, str):
            raise Denied(f"{self.url} gives no token for {scope}.")
        return f"Bearer {token}"

    def _list(self, path: str, key: str, scope: str) -> list[str]:
        """All pages of a list."""
        found: list[str] = []
        for _ in range(MAX_PAGES):
            with ExitStack() as stack:
                answer = self.ask(stack, path, scope)
                page = _json(answer).get(key) or []
            found += [name for name in page if isinstance(name, str)]
            more = _NEXT.search(answer.headers.get("link", ""))
            if more is None or len(found) > MAX_NAMES:
                break
            following = urljoin(f"{self.url}{path}", more[1])
            if not following.startswith(f"{self.url}/"):
                raise Invalid(f"{self.url} goes on at another address: {following[:200]}.")
            path = following.removeprefix(self.url)
        return found


@dataclass(slots=True)
class _LiveBlobs:
    """Manifests are asked for first: what lies under a digest does not say which of both it is."""

    live: Live
    name: str
    manifests: dict[str, bytes] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _BLOB.fullmatch(name) is not None

    def size(self, name: str) -> int:
        return len(self._manifest(name))

    def open(self, name: str) -> Iterator[bytes]:
        if name in self.manifests:
            return iter([self.manifests.pop(name)])
        return self._blob(name)

    def _manifest(self, name: str) -> bytes:
        """Only manifests are asked for their size, before they are read whole."""
        self.manifests[name] = self.live.manifest(self.name, _digest(name))[0]
        return self.manifests[name]

    def _blob(self, name: str) -> Iterator[bytes]:
        path = f"/v2/{self.name}/blobs/{_digest(name)}"
        with ExitStack() as stack:
            yield from self.live.ask(stack, path, f"repository:{self.name}:pull").pieces


def _digest(name: str) -> str:
    match = _BLOB.fullmatch(name)
    if match is None:
        raise FileMissing(name)
    return f"{match[1]}:{match[2]}"


def _bounded(answer: Download, limit_bytes: int) -> bytes:
    data = b""
    for piece in answer.pieces:
        data += piece
        if len(data) > limit_bytes:
            raise Invalid(f"An answer has more than {limit_bytes} bytes.")
    return data


def _json(answer: Download) -> dict[str, Any]:
    try:
        found = json.loads(_bounded(answer, _MAX_LIST_BYTES))
    except (ValueError, RecursionError) as error:
        raise Invalid("An answer is no JSON.") from error
    if not isinstance(found, dict):
        raise Invalid("An answer is no JSON object.")
    return found
