"""RG-01 to RG-03, NM-01: what a path says is read once, in full, and means one thing."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from accounts.models import Namespace
from registry.models import Manifest, Tag, UploadSession
from registry.v2 import auth
from repos.models import Repository
from tests.images import digest_of, image
from tests.security.lane import send
from tests.security.world import ALL, IMAGE, LOOSE, World, undone
from tests.unit.registry import pushing
from tests.unit.repos.people import repository

pytestmark = pytest.mark.django_db
MANY = settings(
    max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
# The specification's grammar, written down a second time.
COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
NAME = re.compile(f"{COMPONENT}(?:/{COMPONENT})*", re.ASCII)
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)
MINE = image("names of the stranger", layers=1, size=10)


def is_name(text: str) -> bool:
    return len(text) <= 200 and NAME.fullmatch(text) is not None


@pytest.fixture
def both(world: World) -> World:
    """The stranger has a repository of their own beside all that they may not see."""
    stranger = world.callers["stranger"].principal
    namespace = Namespace.objects.get(user_id=stranger.user_id)
    for name in ("own", "a/b", "blobs", "manifests", "tags", "tags/list", "blobs/uploads"):
        pushing.push(repository(namespace, name), MINE, "1")
    return world


# --- RG-01

PIECES = (
    *("alice", "private", "stranger", "own", "..", ".", "", "%2e%2e", "%2e", "%2f", "%5c", "\\"),
    *("%252e%252e", "%252f", "%00", "%0a", "%0d", "%20", "%09", ";", ";x=1", "%3f", "%23"),
    *("%ff", "%c0%ae", "%c0%af", "%e2%81%84", "a", "b", "v2", "%", "%u002e", "~", "@", ":1"),
    *("manifests", "blobs", "tags", "list", "uploads", "1", IMAGE.digest, digest_of(LOOSE)),
)
ENDS = (
    *("manifests/1", f"manifests/{IMAGE.digest}", f"blobs/{digest_of(LOOSE)}", "tags/list"),
    *(f"referrers/{IMAGE.digest}", "blobs/uploads/", "_oci/ext/discover", ""),
)
joints = st.sampled_from(("/", "/", "/", "//", "%2f", ""))


@st.composite
def paths(draw: Any) -> str:
    pieces = draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=7))
    ends = draw(st.sampled_from(ENDS))
    text = "".join(piece + draw(joints) for piece in pieces)
    return f"/v2/{text}/{ends}" if draw(st.booleans()) else f"/v2/{text}{ends}"


TRICKS = (
    "/v2/stranger/own/../../alice/private/manifests/1",
    "/v2/stranger/own/%2e%2e/%2e%2e/alice/private/manifests/1",
    "/v2/stranger/own/..%2f..%2falice/private/manifests/1",
    "/v2/stranger/own%2f..%2f..%2falice%2fprivate/manifests/1",
    "/v2/stranger%2fown/../../alice/private/tags/list",
    "/v2/stranger/own/manifests/../../../alice/private/manifests/1",
    "/v2/stranger/own//..//..//alice//private//manifests//1",
    "/v2//alice/private/manifests/1",
    "/v2/alice/private/manifests/1%0a",
    "/v2/alice/private%0a/manifests/1",
    "/v2/alice/private%00/manifests/1",
    "/v2/alice%00/private/manifests/1",
    "/v2/stranger/own/manifests/1/../../../../alice/private/manifests/1",
    "/v2/stranger/own/blobs/../../../alice/private/manifests/1",
    "/v2/./alice/private/manifests/1",
    "/v2/../v2/alice/private/manifests/1",
    "/v2/alice%5cprivate/manifests/1",
    "/v2/alice/private;/manifests/1",
    "/v2/alice/private/manifests/1%3f",
    "/v2/ALICE/private/manifests/1",
    "/v2/al%c4%b1ce/private/manifests/1",
    "/v2/%61lice/private/manifests/1",
    "/v2/alice/private/manifests/%31",
    "/v2/%ef%bd%81lice/private/manifests/1",
    "/V2/alice/private/manifests/1",
    "/v2/stranger/own/blobs/uploads/../../../../alice/private/tags/list",
    "/v2/x/manifests/1/manifests/1",
)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_rg01_no_spelling_of_a_path_leads_elsewhere(both: World, method: str) -> None:
    before = dict(Tag.objects.values_list("pk", "manifest__digest"))
    headers = both.callers["stranger"].basic()
    for path in TRICKS:
        answer = send(method, path, headers={**headers, "Content-Type": MINE.media_type})
        assert answer.status in (400, 401, 404, 405), (path, answer.body)
        assert IMAGE.digest.encode() not in answer.body, path
    assert dict(Tag.objects.values_list("pk", "manifest__digest")) == before


@MANY
@given(path=paths(), method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"]))
@example(path="/v2/stranger/own/manifests/1", method="GET")
def test_rg01_what_is_authorised_is_what_is_acted_on(both: World, path: str, method: str) -> None:
    """A second reading of the path would show here: every name is recorded where it is decided."""
    decided: list[str] = []
    find = auth.find_visible

    def record(principal: Any, name: str, **more: Any) -> Any:
        decided.append(name)
        return find(principal, name, **more)

    headers = both.callers["stranger"].bearer(
        *(f"repository:{name}:{ALL}" for name in ("stranger/own", "stranger/a/b", "alice/private"))
    )
    with pytest.MonkeyPatch.context() as patch, undone():
        patch.setattr(auth, "find_visible", record)
        before = dict(Tag.objects.values_list("repository__path", "manifest__digest"))
        answer = send(method, path, headers={**headers, "Content-Type": MINE.media_type})
        after = dict(Tag.objects.values_list("repository__path", "manifest__digest"))
        touched = {name for name in before | after if before.get(name) != after.get(name)}
        opened = set(UploadSession.objects.values_list("repository__path", flat=True))
    assert answer.status < 500
    assert all(is_name(name) for name in decided), (path, decided)
    assert len(set(decided)) <= 1, (path, decided)
    assert touched | opened <= set(decided) & {"stranger/own", "stranger/a/b"}, path
    if answer.status < 300:
        assert decided == [] or decided[0].startswith("stranger/"), path
        assert IMAGE.digest.encode() not in answer.body


def test_rg01_words_of_the_protocol_may_be_names(both: World) -> None:
    headers = both.callers["stranger"].basic()
    for name in ("blobs", "manifests", "tags", "tags/list", "blobs/uploads", "a/b", "own"):
        path = f"stranger/{name}"
        got = send("GET", f"/v2/{path}/manifests/1", headers=headers)
        assert (got.status, got.body) == (200, MINE.manifest), name
        blob = send("GET", f"/v2/{path}/blobs/{digest_of(MINE.blobs[0])}", headers=headers)
        assert (blob.status, blob.body) == (200, MINE.blobs[0]), name
        listed = send("GET", f"/v2/{path}/tags/list", headers=headers)
        assert listed.body == f'{{"name":"{path}","tags":["1"]}}'.encode()
        opened = send("POST", f"/v2/{path}/blobs/uploads/", headers=headers)
        assert opened.headers["Location"].startswith(f"/v2/{path}/blobs/uploads/")
        assert send("GET", opened.headers["Location"], headers=headers).status == 204
        assert send("DELETE", f"/v2/{path}/manifests/1", headers=headers).status == 202


# --- RG-02, NM-01

odd = st.text(st.sampled_from("aZ0.-_/\u00e9\u0661\u212a \n\0%$\\:@"), min_size=1, max_size=12)
lengths = st.integers(195, 205).map(lambda n: "stranger/" + "n" * (n - 9))
texts = st.one_of(odd.map(lambda t: f"stranger/{t}"), odd, lengths, st.text(max_size=20))


@MANY
@given(text=texts)
@example(text="stranger/" + "n" * 191)
@example(text="stranger/" + "n" * 192)
@example(text="stranger/name\n")
@example(text="stranger/\u0661")
@example(text="stranger/a__b")
@example(text="stranger/a___b")
@example(text="_catalog")
def test_rg02_exactly_the_names_of_the_grammar_can_be_pushed_to(both: World, text: str) -> None:
    headers = both.callers["stranger"].basic()
    with undone():
        before = set(Repository.objects.values_list("path", flat=True))
        answer = send("POST", f"/v2/{quote(text, safe='/')}/blobs/uploads/", headers=headers)
        made = set(Repository.objects.values_list("path", flat=True)) - before
    if not is_name(text) or len(text if "/" in text else f"library/{text}") > 200:
        assert answer.status in (400, 404), text
        assert answer.code in ("NAME_INVALID", "UNSUPPORTED")
        assert made == set()
    elif text.startswith("stranger/"):
        assert answer.status == 202, text
        assert made <= {text}
    else:
        assert (answer.status, made) == (401, set()), text


tags = st.one_of(
    st.text(st.sampled_from("aZ0._-\u00e9\u0661\n\0 $@+"), min_size=1, max_size=8),
    st.integers(126, 130).map(lambda n: "t" * n),
    st.sampled_from(["latest", "v1.0", "_x", ".x", "-x", "a\n", "\na", "a$", "sha256", "1" * 128]),
)


def names_in(path: str) -> set[str]:
    return set(Tag.objects.filter(repository__path=path).values_list("name", flat=True))


@MANY
@given(tag=tags)
@example(tag="tag\n")
def test_rg02_exactly_the_tags_of_the_grammar_can_be_pushed(both: World, tag: str) -> None:
    headers = {**both.callers["stranger"].basic(), "Content-Type": MINE.media_type}
    for target in (quote(tag, safe=""), f"{MINE.digest}?tag={quote(tag, safe='')}"):
        with undone():
            answer = send(
                "PUT", f"/v2/stranger/own/manifests/{target}", headers=headers, body=MINE.manifest
            )
            kept = tag in names_in("stranger/own")
        if TAG.fullmatch(tag):
            assert (answer.status, kept) == (201, True), tag
        else:
            assert (answer.status, answer.code) == (400, "TAG_INVALID"), tag
            assert not kept


LOOK_ALIKE = (
    *("Alice/new", "ALICE/new", "alice./new", "alice-/new", "_alice/new", "alice/", "/alice"),
    *("al\u0131ce/new", "\u0430lice/new", "\uff41lice/new", "alice\u200b/new", "alice\\new"),
)
NOT_MINE = (
    *("library/new", "new", "ubuntu", "acme/new", "olga/new", "nobody-there/new"),
    *("v2/new", "token/new", "admin/new", "api/new", "static/new", "al-ice/new", "a-l-i-c-e/x"),
)


def test_nm01_a_look_alike_is_no_name(world: World) -> None:
    headers = world.callers["owner"].basic()
    before = Repository.objects.count()
    for name in LOOK_ALIKE:
        answer = send("POST", f"/v2/{quote(name, safe='/')}/blobs/uploads/", headers=headers)
        assert (answer.status, answer.code) == (400, "NAME_INVALID"), name
    assert Repository.objects.count() == before


def test_nm01_a_push_takes_no_namespace(world: World) -> None:
    """Namespaces come from sign-up and organizations only; nobody gets one by pushing to it."""
    namespaces = set(Namespace.objects.values_list("name", flat=True))
    before, owner = Repository.objects.count(), world.callers["owner"]
    for name in NOT_MINE:
        for headers in (owner.basic(), owner.bearer(f"repository:{name}:{ALL}")):
            assert send("POST", f"/v2/{name}/blobs/uploads/", headers=headers).status == 401
            put = {**headers, "Content-Type": IMAGE.media_type}
            manifest = send("PUT", f"/v2/{name}/manifests/1", headers=put, body=IMAGE.manifest)
            assert manifest.status == 401, name
    assert Repository.objects.count() == before
    assert set(Namespace.objects.values_list("name", flat=True)) == namespaces


# --- RG-03

HEX = "0123456789abcdef" * 4
digests = st.one_of(
    st.sampled_from([
        f"sha256:{HEX}", f"sha256:{HEX.upper()}", f"SHA256:{HEX}", f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}0", f"sha512:{HEX}", f"sha512:{HEX * 2}", f"sha384:{HEX}{HEX[:32]}",
        f"md5:{HEX[:32]}", f"sha256:{HEX[:-1]}g", f"sha256:../{HEX[3:]}", "sha256:", ":", "sha256",
        f"sha256:{HEX}\n", f"\nsha256:{HEX}", f"sha256: {HEX[1:]}", f"sha256:{HEX[:-1]}\u0661",
        f"sha256:{HEX[:-2]}\u00b2\u00b2", f"sha256+b64:{HEX}", f"tarsum.v1+sha256:{HEX}",
        f"sha256:sha256:{HEX}", f"multihash+base58:{HEX}", f"sha256:{HEX}@sha256:{HEX}",
    ]),
    st.text(st.sampled_from("sha256:0fF/.%\n"), max_size=80).map(lambda t: f"sha256:{t}"),
)  # fmt: skip


@MANY
@given(text=digests)
def test_rg03_a_digest_is_exactly_one_or_refused(both: World, text: str) -> None:
    headers = both.callers["stranger"].basic()
    spelled, there = quote(text, safe=""), "/v2/stranger/own"
    with undone():
        session = send("POST", f"{there}/blobs/uploads/", headers=headers).headers["Location"]
        routes = [
            ("GET", f"{there}/blobs/{spelled}"),
            ("HEAD", f"{there}/blobs/{spelled}"),
            ("DELETE", f"{there}/blobs/{spelled}"),
            ("GET", f"{there}/referrers/{spelled}"),
            ("POST", f"{there}/blobs/uploads/?digest={spelled}"),
            ("POST", f"{there}/blobs/uploads/?mount={spelled}&from=stranger/a/b"),
            ("PUT", f"{session}?digest={spelled}"),
        ]
        if ":" in text:
            routes.append(("GET", f"{there}/manifests/{spelled}"))
        for method, target in routes:
            with undone():
                answer = send(method, target, headers=headers)
            good = DIGEST.fullmatch(text) is not None
            assert answer.status < 500, (method, text)
            if not good:
                # A slash in it makes another path, which is no endpoint or a name out of grammar.
                assert answer.status in (400, 404), (method, text)
                assert answer.code in ("DIGEST_INVALID", "UNSUPPORTED", "NAME_INVALID", ""), text
            else:
                assert answer.status in (200, 202, 400, 404), (method, text)
                wrong_bytes = "digest=" in target
                assert wrong_bytes or answer.code != "DIGEST_INVALID", (method, text)


def test_rg03_no_digest_becomes_a_file_elsewhere(both: World) -> None:
    headers = both.callers["stranger"].basic()
    count = Manifest.objects.count()
    for text in ("sha256:../../etc/passwd", f"sha256:{'../' * 21}x", "sha256:%2e%2e%2fx"):
        for method in ("GET", "HEAD", "DELETE"):
            target = f"/v2/stranger/own/blobs/{quote(text, safe='%')}"
            assert send(method, target, headers=headers).status in (400, 404)
        target = f"/v2/stranger/own/blobs/uploads/?digest={quote(text, safe='%')}"
        assert send("POST", target, headers=headers, body=b"x").status == 400
    assert Manifest.objects.count() == count
