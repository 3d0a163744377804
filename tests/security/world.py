"""People of every standing, repositories of both kinds, and all that one can be asked to do there.

The columns are those of security.md 4.3 and 4.4; a machine account is an access token with scopes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import transaction

from accounts.models import User
from accounts.services.credentials import principal_of_token
from accounts.services.tokens import create_token
from accounts.types import ANONYMOUS, Principal
from events.types import Actor
from oci.scope import parse_scopes
from registry.models import Manifest
from registry.services import uploads
from repos.models import Collaborator, Repository, TeamGrant
from tests.images import Image, artifact, digest_of, image, index
from tests.security.lane import Answer, send
from tests.unit.registry.pushing import push, push_blob
from tests.unit.repos import people
from tokens.services import current_keys, issue

IMAGE = image("matrix", layers=1, size=100)
FIXED = image("matrix fixed", layers=1, size=100)
LATER = image("matrix later", layers=1, size=100)
LISTED = image("matrix listed", layers=1, size=100)
INDEX = index([LISTED], ["amd64"])
SIGNATURE = artifact(IMAGE, text="signed")
LOOSE = b"a blob that no manifest names"
FRESH = b"a blob nobody has pushed yet"
ALL = "pull,push,delete"


def bearer(principal: Principal, *scopes: str) -> dict[str, str]:
    """An Authorization header with a registry token as the token service signs it."""
    return {"Authorization": f"Bearer {issue(principal, parse_scopes(scopes)).token}"}


def basic(name: str, secret: str) -> dict[str, str]:
    """An Authorization header."""
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"}


@dataclass
class Caller:
    """One column of the matrix."""

    name: str
    principal: Principal = ANONYMOUS
    secret: str = ""

    def basic(self, *scopes: str) -> dict[str, str]:
        """Name and access token; nothing for nobody."""
        return basic(self.principal.username, self.secret) if self.secret else {}

    def plain(self, *scopes: str) -> dict[str, str]:
        """The access token without a name."""
        return {"Authorization": f"Bearer {self.secret}"} if self.secret else {}

    def bearer(self, *scopes: str) -> dict[str, str]:
        """A registry token for these scopes, as far as they are granted."""
        return bearer(self.principal, *scopes)


CREDENTIALS: dict[str, Callable[..., dict[str, str]]] = {
    "basic": Caller.basic,
    "access token": Caller.plain,
    "registry token": Caller.bearer,
}


def caller(name: str, user: User, *scopes: str) -> Caller:
    """Somebody with an access token."""
    made = create_token(user, name="ci", scopes=scopes)
    return Caller(name, principal_of_token(made.row), made.secret)


@dataclass
class World:
    """Everybody by column, and the repositories: a person's and an organization's, of each kind."""

    callers: dict[str, Caller] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)


COLUMNS = (
    *("nobody", "stranger", "reader", "writer", "admin", "owner"),
    *("pulls", "pushes", "root", "member", "team"),
)


def make_world() -> World:
    """In the database of the running test."""
    current_keys()  # made here, so that nothing that is undone takes the key back
    alice, olga = people.person("alice"), people.person("olga")
    acme = people.organization("acme", olga)
    reader, writer, admin = (people.person(name) for name in ("reader", "writer", "admin"))
    member, tess = people.person("member"), people.person("tess")
    people.team(acme, "idle", member)
    team = people.team(acme, "pushers", tess)
    root = people.person("root")
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    root.refresh_from_db()
    world = World()
    for path, namespace in (("alice", alice.namespace), ("acme", acme.namespace)):
        for visibility in ("public", "private"):
            repository = people.repository(
                namespace, visibility, visibility=visibility, immutable_tags=["fixed", "v*"]
            )
            world.repositories[f"{path}/{visibility}"] = repository
            furnish(repository)
            for user, role in ((reader, "read"), (writer, "write"), (admin, "admin")):
                Collaborator.objects.create(repository=repository, user=user, role=role)
            if path == "acme":
                TeamGrant.objects.create(repository=repository, team=team, role="write")
    world.callers = {
        "nobody": Caller("nobody"),
        "stranger": caller("stranger", people.person("stranger")),
        "reader": caller("reader", reader),
        "writer": caller("writer", writer),
        "admin": caller("admin", admin),
        "owner": caller("owner", alice),
        "olga": caller("owner", olga),
        "pulls": caller("pulls", writer, "repository:*:pull"),
        "pushes": caller("pushes", writer, "repository:*:pull,push"),
        "root": caller("root", root),
        "member": caller("member", member),
        "team": caller("team", tess),
    }
    return world


def furnish(repository: Repository) -> Manifest:
    """An image under `1`, an immutable one under `fixed`, an index, a signature, a loose blob."""
    push(repository, FIXED, "fixed")
    push(repository, INDEX, "many")
    push(repository, SIGNATURE)
    push_blob(repository, LOOSE)
    for blob in LATER.blobs:
        push_blob(repository, blob)
    return push(repository, IMAGE, "1")


@dataclass(frozen=True)
class Act:
    """One thing to ask: what it is to `repos.permissions`, and how it ends where it is allowed."""

    pattern: str
    method: str
    rest: str
    action: str
    status: int
    body: bytes = b""
    content_type: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.rest}"

    @property
    def scope(self) -> str:
        """The actions a client asks a token for."""
        return {"pull": "pull", "push": "pull,push", "delete": "delete"}[self.action]

    def address(self, repository: Repository | str, principal: Principal) -> str:
        """Where to send it; an upload it needs is opened for the caller."""
        rest = self.rest
        if "{upload}" in rest:
            assert isinstance(repository, Repository)
            actor = Actor(principal.user_id, principal.username)
            rest = rest.replace("{upload}", str(uploads.start(repository, actor=actor).uuid))
        return f"/v2/{repository}/{rest}"

    def ask(self, address: str, headers: dict[str, str]) -> Answer:
        """Send it."""
        more = {"Content-Type": self.content_type} if self.content_type else {}
        return send(self.method, address, headers={**more, **headers}, body=self.body)

    def do(
        self, repository: Repository | str, headers: dict[str, str], principal: Principal
    ) -> Answer:
        """Open the upload and send."""
        return self.ask(self.address(repository, principal), headers)


def _reads(pattern: str, rest: str) -> list[Act]:
    return [Act(pattern, method, rest, "pull", 200) for method in ("GET", "HEAD")]


def _put(rest: str, pushed: Image, status: int = 201) -> Act:
    pattern = "manifests/REFERENCE"
    return Act(pattern, "PUT", rest, "push", status, pushed.manifest, pushed.media_type)


UPLOAD = "blobs/uploads/UPLOAD"
ACTS: tuple[Act, ...] = (
    *_reads("manifests/REFERENCE", "manifests/1"),
    *_reads("manifests/REFERENCE", f"manifests/{IMAGE.digest}"),
    _put("manifests/new", IMAGE),
    _put("manifests/1", LATER),
    _put("manifests/fixed", FIXED),
    _put(f"manifests/{LATER.digest}", LATER),
    _put("manifests/fixed", LATER, 409),
    _put("manifests/v1", LATER),
    Act("manifests/REFERENCE", "DELETE", "manifests/1", "delete", 202),
    Act("manifests/REFERENCE", "DELETE", "manifests/fixed", "delete", 409),
    Act("manifests/REFERENCE", "DELETE", f"manifests/{IMAGE.digest}", "delete", 202),
    Act("manifests/REFERENCE", "DELETE", f"manifests/{FIXED.digest}", "delete", 409),
    *_reads("blobs/DIGEST", f"blobs/{digest_of(LOOSE)}"),
    Act("blobs/DIGEST", "DELETE", f"blobs/{digest_of(LOOSE)}", "delete", 202),
    *_reads("tags/list", "tags/list"),
    *_reads("referrers/DIGEST", f"referrers/{IMAGE.digest}"),
    *_reads("_oci/ext/discover", "_oci/ext/discover"),
    Act("blobs/uploads/", "POST", "blobs/uploads/", "push", 202),
    Act("blobs/uploads/", "POST", f"blobs/uploads/?digest={digest_of(FRESH)}", "push", 201, FRESH),
    Act("blobs/uploads/", "POST", f"blobs/uploads/?mount={digest_of(LOOSE)}", "push", 201),
    Act(UPLOAD, "GET", "blobs/uploads/{upload}", "push", 204),
    Act(UPLOAD, "HEAD", "blobs/uploads/{upload}", "push", 204),
    Act(UPLOAD, "PATCH", "blobs/uploads/{upload}", "push", 202, FRESH),
    Act(UPLOAD, "PUT", f"blobs/uploads/{{upload}}?digest={digest_of(FRESH)}", "push", 201, FRESH),
    Act(UPLOAD, "DELETE", "blobs/uploads/{upload}", "push", 204),
)


@contextmanager
def undone() -> Iterator[None]:
    """Take back whatever the block writes to the database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
