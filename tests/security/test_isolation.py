"""RG-07, RG-08, RG-15, RG-17: who knows every digest and every id still reaches nothing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Namespace, User
from events.types import Actor
from registry.models import Blob, BlobLink, UploadSession
from registry.services import uploads
from registry.services.check import check
from repos.models import Repository
from storage.factory import get_store
from tests.images import OCI_INDEX, artifact, as_json, descriptor, digest_of, image, index
from tests.security.lane import METHODS, Answer, send
from tests.security.world import (
    ACTS,
    ALL,
    CREDENTIALS,
    LATER,
    LOOSE,
    World,
    caller,
    undone,
)
from tests.unit.registry import pushing
from tests.unit.repos.people import repository

pytestmark = pytest.mark.django_db
SECRET = b"bytes that only the victim has"
VICTIM = "alice/vault"
VAULT = image("vault", layers=1, size=100)
VAULT_CHILD = image("vault child", layers=1, size=100)
VAULT_INDEX = index([VAULT_CHILD], ["amd64"])
VAULT_NOTE = artifact(VAULT, text="a note on the vault")


@pytest.fixture
def own(world: World) -> Repository:
    """The attacker's repository, all but empty; the victim's is full of what nobody else has."""
    victim = repository(world.repositories["alice/private"].namespace, "vault")
    pushing.push_blob(victim, SECRET)
    for pushed in (VAULT, VAULT_INDEX, VAULT_NOTE):
        pushing.push(victim, pushed)
    stranger = world.callers["stranger"].principal
    made = repository(Namespace.objects.get(user_id=stranger.user_id), "own")
    pushing.push_blob(made, b"{}")
    return made


# --- RG-07

STOLEN = (digest_of(SECRET), *map(digest_of, VAULT.blobs))
STOLEN_MANIFESTS = (VAULT, VAULT_CHILD, VAULT_INDEX, VAULT_NOTE)
CONFIG = descriptor("application/vnd.oci.empty.v1+json", b"{}")


def layer(digest: str, size: int, media_type: str = "text/plain") -> bytes:
    entry = {"mediaType": media_type, "digest": digest, "size": size}
    return pushing.manifest(config=CONFIG, layers=[entry])


def blob_routes(own: Repository, digest: str, size: int) -> list[tuple[str, str, bytes]]:
    """Method, address, body: ways to a blob that is linked in somebody else's repository."""
    victim, mine = f"/v2/{VICTIM}", f"/v2/{own.path}"
    post = f"{mine}/blobs/uploads/"
    foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar"
    return [
        *(("GET", f"{where}/blobs/{digest}", b"") for where in (victim, mine)),
        *(("HEAD", f"{where}/blobs/{digest}", b"") for where in (victim, mine)),
        *(("DELETE", f"{where}/blobs/{digest}", b"") for where in (victim, mine)),
        ("POST", f"{post}?mount={digest}", b""),
        ("POST", f"{post}?mount={digest}&from={VICTIM}", b""),
        ("POST", f"{post}?mount={digest}&from={own.path}", b""),
        ("POST", f"{post}?mount={digest}&from=", b""),
        ("POST", f"{post}?mount={digest}&from={VICTIM}/../{VICTIM}", b""),
        ("POST", f"{post}?mount={digest}&from=acme/private", b""),
        ("POST", f"{post}?from={VICTIM}&digest={digest}", b""),
        ("POST", f"{post}?digest={digest}", b"wrong bytes"),
        ("PUT", f"{mine}/manifests/steal", layer(digest, size)),
        ("PUT", f"{mine}/manifests/steal", layer(digest, size, foreign)),
        ("PUT", f"{mine}/manifests/steal", pushing.manifest(config=json.loads(
            json.dumps({"mediaType": "x/y", "digest": digest, "size": size})
        ))),
        ("PUT", f"{mine}/manifests/steal", as_json({
            "schemaVersion": 2, "mediaType": OCI_INDEX,
            "manifests": [{"mediaType": "x/y", "digest": digest, "size": size}],
        })),
        ("GET", f"{mine}/manifests/{digest}", b""),
        ("GET", f"{victim}/referrers/{digest}", b""),
    ]  # fmt: skip


def knock(world: World, method: str, address: str, body: bytes, credential: str) -> Answer:
    """As the stranger, with all that the stranger may have."""
    stranger = world.callers["stranger"]
    paths = (VICTIM, "stranger/own", "acme/private")
    scopes = [f"repository:{path}:{ALL}" for path in paths]
    return send(method, address, body=body, headers=CREDENTIALS[credential](stranger, *scopes))


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_rg07_a_known_digest_opens_nothing(world: World, own: Repository, credential: str) -> None:
    before = list(BlobLink.objects.filter(repository=own).values_list("blob__digest"))
    count = Blob.objects.count()
    for digest in STOLEN:
        size = Blob.objects.get(digest=digest).size
        routes = blob_routes(own, digest, size)
        assert len(routes) == 20
        for method, address, body in routes:
            answer = knock(world, method, address, body, credential)
            foreign = b"nondistributable" in body
            assert answer.status in ((201,) if foreign else (202, 400, 401, 404)), (
                method,
                address,
            )
            if answer.status == 202:
                assert "Docker-Upload-UUID" in answer.headers
            assert SECRET not in answer.body
            for way in ("GET", "HEAD"):
                got = knock(world, way, f"/v2/{own.path}/blobs/{digest}", b"", credential)
                assert got.status == 404, (method, address)
    assert list(BlobLink.objects.filter(repository=own).values_list("blob__digest")) == before
    assert Blob.objects.count() == count
    assert check() == []


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_rg07_a_known_manifest_opens_nothing(
    world: World, own: Repository, credential: str
) -> None:
    mine, victim = f"/v2/{own.path}", f"/v2/{VICTIM}"
    empty = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    for stolen in STOLEN_MANIFESTS:
        digest, entry = stolen.digest, descriptor(stolen.media_type, stolen.manifest)
        listing = as_json({**empty, "manifests": [entry]})
        about = pushing.manifest(subject=entry)
        for method, address, body, wanted in (
            ("GET", f"{victim}/manifests/{digest}", b"", 401),
            ("HEAD", f"{victim}/manifests/{digest}", b"", 401),
            ("GET", f"{mine}/manifests/{digest}", b"", 404),
            ("HEAD", f"{mine}/manifests/{digest}", b"", 404),
            ("GET", f"{mine}/blobs/{digest}", b"", 404),
            ("DELETE", f"{mine}/manifests/{digest}", b"", 404),
            ("DELETE", f"{victim}/manifests/{digest}", b"", 401),
            ("PUT", f"{mine}/manifests/steal", listing, 400),
            ("PUT", f"{mine}/manifests/about", about, 201),
            ("GET", f"{mine}/manifests/{digest}", b"", 404),
            ("GET", f"{victim}/referrers/{digest}", b"", 401),
        ):
            answer = knock(world, method, address, body, credential)
            assert answer.status == wanted, (method, address, answer.body)
        listed = json.loads(knock(world, "GET", f"{mine}/referrers/{digest}", b"", credential).body)
        assert [m["digest"] for m in listed["manifests"]] == [digest_of(about)]
    owner = world.callers["owner"].basic()
    told = send("GET", f"{victim}/referrers/{VAULT.digest}", headers=owner)
    assert [m["digest"] for m in json.loads(told.body)["manifests"]] == [VAULT_NOTE.digest]


def test_rg07_a_short_cut_needs_the_bytes(world: World, own: Repository) -> None:
    """An upload is never finished with a digest the hub happens to have elsewhere."""
    headers = world.callers["stranger"].basic()
    for algorithm in ("sha256", "sha512"):
        digest = digest_of(SECRET, algorithm)
        for sent in (b"", SECRET[:-1], SECRET + b"x"):
            opened = send("POST", f"/v2/{own.path}/blobs/uploads/", headers=headers)
            where = opened.headers["Location"]
            closed = send("PUT", f"{where}?digest={digest}", headers=headers, body=sent)
            assert (closed.status, closed.code) == (400, "DIGEST_INVALID"), (algorithm, sent)
    assert not BlobLink.objects.filter(repository=own, blob__digest=digest_of(SECRET)).exists()


# --- RG-08


@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH", "PUT", "DELETE"])
def test_rg08_an_upload_is_of_one_person_in_one_repository(world: World, method: str) -> None:
    """Each of four uploads, asked for by each of two people through each of four addresses."""
    people = {name: world.callers[name] for name in ("owner", "writer")}
    paths = ("alice/private", "alice/public", "acme/private", "acme/public")
    for name, path in product(people, paths):
        actor = Actor(people[name].principal.user_id, people[name].principal.username)
        for asker, through in product(people, paths):
            session = uploads.start(world.repositories[path], actor=actor)
            if asker == "owner" and through.startswith("acme"):
                continue
            answer = send(
                method,
                f"/v2/{through}/blobs/uploads/{session.uuid}?digest={digest_of(SECRET)}",
                headers=people[asker].basic(),
                body=SECRET if method in ("PATCH", "PUT") else b"",
            )
            if (name, path) == (asker, through):
                assert answer.status in (201, 202, 204)
            else:
                assert answer.status == 404, (name, path, asker, through)
                assert UploadSession.objects.get(pk=session.pk).offset == 0
            BlobLink.objects.filter(blob__digest=digest_of(SECRET)).delete()


def test_rg08_ids_are_random_and_say_nothing(world: World) -> None:
    headers = world.callers["owner"].basic()
    seen = set()
    for _ in range(50):
        opened = send("POST", "/v2/alice/private/blobs/uploads/", headers=headers)
        text = opened.headers["Docker-Upload-UUID"]
        assert opened.headers["Location"] == f"/v2/alice/private/blobs/uploads/{text}"
        assert uuid.UUID(text).version == 4
        seen.add(text)
    assert len(seen) == 50
    assert send("GET", opened.headers["Location"]).status == 401


@pytest.mark.parametrize(
    "text", ["0", "..", "%2e%2e", "%00", "a" * 5000, "{}", "%ff", "00000000-0000-0000-0000-0000"]
)
def test_rg08_an_id_of_another_shape_is_no_upload(world: World, text: str) -> None:
    headers = world.callers["owner"].basic()
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        target = f"/v2/alice/private/blobs/uploads/{text}?digest={digest_of(b'')}"
        answer = send(method, target, headers=headers)
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN"), method


# --- RG-15


def test_rg15_a_redirect_tells_no_name_and_is_soon_worth_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the store itself answers is between it and the client; we only say where it is."""
    asked: list[tuple[str, float]] = []

    def location(self: Any, key: str, *, expires_s: float) -> str:
        asked.append((key, expires_s))
        return f"https://store.example/{key}?signature=x"

    monkeypatch.setattr(type(get_store()), "location", location)
    for path in ("alice/private", "alice/public"):
        address = f"/v2/{path}/blobs/{digest_of(LOOSE)}"
        owner = world.callers["owner"]
        answer = send("GET", address, headers=owner.bearer(f"repository:{path}:pull"))
        assert (answer.status, answer.body) == (307, b"")
        assert answer.headers["Location"].startswith("https://store.example/")
        assert answer.headers["Cache-Control"] == "no-store"
        for word in ("alice", "private", "public", "eyJ", owner.secret):
            assert word not in answer.headers["Location"]
        assert {"Set-Cookie", "Authorization"} & set(answer.headers) == set()
    assert len(asked) == 2
    assert all(0 < expires_s <= 60 for _, expires_s in asked)
    asked.clear()
    for who in ("nobody", "stranger", "root"):
        address = f"/v2/alice/private/blobs/{digest_of(LOOSE)}"
        assert send("GET", address, headers=world.callers[who].basic()).status == 401
    assert asked == []


# --- RG-17


def questions(queries: CaptureQueriesContext) -> int:
    """How many there were, without the signing keys, which are read every few seconds."""
    return sum("tokens_signingkey" not in query["sql"] for query in queries.captured_queries)


def worlds(path: str, ask: Callable[[], Answer]) -> list[tuple[Any, int]]:
    """The answer, and how many questions it took: where the repository is, and where it is not."""
    found = []
    for there in (True, False):
        with undone():
            if not there:
                Repository.objects.filter(path=path).update(path="~gone", name="~gone")
            with CaptureQueriesContext(connection) as queries:
                answer = ask()
            found.append((answer.fixed, questions(queries)))
    return found


ELSEWHERE = (
    *("nothing/here", "tags/list?n=x", "tags/list?n=-1", "manifests/.bad", "blobs/sha256:0"),
    *("referrers/sha256:0", "blobs/uploads/x", "manifests/absent", "tags/list?n=0&last=%00"),
)


@pytest.mark.parametrize(
    ("who", "path"),
    [
        *((who, "alice/private") for who in ("nobody", "stranger", "root", "limited")),
        *((who, "acme/private") for who in ("nobody", "member")),
    ],
)
def test_rg17_hidden_and_absent_are_one_world(world: World, who: str, path: str) -> None:
    """Status, headers, body and number of questions, for every address and method."""
    rests = dict.fromkeys([act.rest.replace("{upload}", str(uuid.uuid4())) for act in ACTS])
    if who == "limited":
        user = User.objects.get(pk=world.callers["stranger"].principal.user_id)
        asker = caller("limited", user, f"repository:{path}:{ALL}")
    else:
        asker = world.callers[who]
    tokens = [make(asker, f"repository:{path}:{ALL}") for make in CREDENTIALS.values()]
    pairs = 0
    for headers in tokens:
        for rest in (*rests, *ELSEWHERE):
            for method in METHODS:
                target = f"/v2/{path}/{rest}"
                body = LATER.manifest if method in ("PUT", "POST", "PATCH") else b""
                there, absent = worlds(
                    path,
                    lambda m=method, t=target, b=body, h=headers: send(m, t, headers=h, body=b),
                )
                assert there == absent, (method, rest)
                assert there[0][0] in (400, 401, 404, 405), (method, rest)
                pairs += 1
    assert pairs > 500


@pytest.mark.parametrize("who", ["nobody", "stranger", "root"])
def test_rg17_the_token_service_knows_no_difference(world: World, who: str) -> None:
    headers = world.callers[who].basic()
    send("GET", "/token")  # the keys are read once
    for actions in ("pull", "push", "delete", "*", "", "pull,push"):
        path = "alice/private"
        target = f"/token?scope=repository:{path}:{actions}"
        there, absent = worlds(path, lambda t=target: _scope_of(send("GET", t, headers=headers)))
        assert there == absent
        assert there[0] == ""


class _Told:
    """What the token service said, without the token."""

    def __init__(self, fixed: Any) -> None:
        self.fixed = fixed


def _scope_of(answer: Answer) -> Any:
    assert answer.status == 200
    return _Told(json.loads(answer.body)["scope"])


@pytest.mark.parametrize("source", ["alice/vault", "alice/absent", "nobody/absent"])
def test_rg17_a_mount_from_what_is_hidden_is_as_from_what_is_absent(
    world: World, own: Repository, source: str
) -> None:
    """202 with an upload to fill, and the same questions as for a digest nobody has."""
    asker, costs = world.callers["stranger"], set()
    for digest in (digest_of(SECRET), digest_of(b"nobody has this")):
        headers = asker.bearer(f"repository:{own.path}:pull,push", f"repository:{source}:pull")
        target = f"/v2/{own.path}/blobs/uploads/?mount={digest}&from={source}"
        with undone(), CaptureQueriesContext(connection) as queries:
            answer = send("POST", target, headers=headers)
        assert (answer.status, answer.body) == (202, b"")
        assert answer.headers["Range"] == "0-0"
        costs.add(questions(queries))
    assert len(costs) == 1


def test_rg17_a_blob_held_elsewhere_is_uploaded_like_any_other(
    world: World, own: Repository
) -> None:
    headers = world.callers["stranger"].basic()
    answers = []
    for data in (SECRET, b"nobody ever had these bytes..."):
        target = f"/v2/{own.path}/blobs/uploads/?digest={digest_of(data)}"
        answer = send("POST", target, headers=headers, body=data)
        masked = {k: v.replace(digest_of(data), "DIGEST") for k, v in answer.fixed[1].items()}
        answers.append((answer.status, masked, answer.body))
    assert answers[0] == answers[1]
    assert answers[0][0] == 201
