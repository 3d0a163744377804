"""The whole story through the REST API and a container client: push, browse, share, hook, delete."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.client import RegistryClient
from tests.hub import Person, RunningHub, free_port
from tests.images import image, multi, write_layout
from tests.receiver import Receiver

pytestmark = pytest.mark.e2e
needs_skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")


def skopeo(*arguments: str, person: Person | None, side: str, tmp: Path) -> tuple[int, str]:
    """Run skopeo copy; `side` says whether the hub is source or destination."""
    login = [f"--{side}-creds", f"{person.name}:{person.token}"] if person else []
    done = subprocess.run(
        [
            "skopeo",
            "--insecure-policy",
            "copy",
            "--all",
            f"--{side}-tls-verify=false",
            *login,
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp)},
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


class Story:
    """Two people and a repository that they talk about."""

    def __init__(self, hub: RunningHub, tmp: Path) -> None:
        self.hub, self.tmp = hub, tmp
        self.owner, self.guest = hub.person("owner"), hub.person("guest")
        self.path = f"{self.owner.name}/app"
        self.image = multi(self.path)
        self.layout = write_layout(self.image, tmp / "layout", "1.0")

    def rest(self, method: str, rest: str, body: Any = None, who: Person | None = None) -> Any:
        """A REST call about the repository; status and JSON."""
        return self.hub.api(
            method,
            f"repositories/{self.path}{rest}",
            body,
            token=who.token if who else None,
        )

    def push(self, who: Person, tag: str) -> tuple[int, str]:
        return skopeo(
            f"oci:{self.layout}:1.0",
            f"docker://{self.hub.host}/{self.path}:{tag}",
            person=who,
            side="dest",
            tmp=self.tmp,
        )

    def pull(self, who: Person | None, tag: str) -> tuple[int, str]:
        target = self.tmp / f"pulled-{time.monotonic_ns()}"
        code, said = skopeo(
            f"docker://{self.hub.host}/{self.path}:{tag}",
            f"oci:{target}:x",
            person=who,
            side="src",
            tmp=self.tmp,
        )
        if code == 0:
            for blob in (self.layout / "blobs" / "sha256").iterdir():
                assert (target / "blobs" / "sha256" / blob.name).read_bytes() == blob.read_bytes()
        return code, said


@pytest.fixture
def story(live: RunningHub, tmp_path: Path) -> Story:
    return Story(live, tmp_path)


@needs_skopeo
def test_push_share_publish_talk_delete(story: Story) -> None:
    owner, guest = story.owner, story.guest
    code, said = story.push(owner, "1.0")
    assert code == 0, said

    status, found = story.rest("GET", "", who=owner)
    assert (status, found["visibility"], found["permissions"]["administer"]) == (
        200,
        "private",
        True,
    )
    assert found["size_bytes"] > 0
    assert found["last_pushed_at"]
    status, tags = story.rest("GET", "/tags", who=owner)
    tag = tags["results"][0]
    assert (tag["name"], tag["digest"]) == ("1.0", story.image.digest)
    assert tag["platforms"] == ["linux/amd64", "linux/arm64", "linux/arm"]
    assert tag["pushed_by"] == owner.name

    # Nobody else can tell that it exists.
    assert story.rest("GET", "", who=guest)[0] == 404
    assert story.rest("GET", "")[0] == 404
    for who in (guest, None):
        search = story.hub.api("GET", f"search?q={story.path}", token=who.token if who else None)
        assert search[1]["results"] == []
    assert story.pull(guest, "1.0")[0] != 0

    # Read, then write.
    collaborators = f"/collaborators/{guest.name}"
    assert story.rest("PUT", collaborators, {"role": "read"}, owner)[0] in (200, 201)
    assert story.pull(guest, "1.0")[0] == 0
    code, said = story.push(guest, "2.0")
    assert code != 0
    assert "needs the role write" in said
    assert story.rest("PUT", collaborators, {"role": "write"}, owner)[0] == 200
    assert story.push(guest, "2.0")[0] == 0

    # Public: everybody pulls, finds, stars and talks.
    assert story.rest("PATCH", "", {"visibility": "public"}, owner)[0] == 200
    assert story.pull(None, "1.0")[0] == 0
    status, search = story.hub.api("GET", f"search?q={story.path}")
    assert [r["path"] for r in search["results"]] == [story.path]
    assert story.rest("PUT", "/star", who=guest)[0] == 204
    assert story.rest("PUT", "/star", who=guest)[0] == 204
    assert story.rest("GET", "")[1]["star_count"] == 1
    stars = story.hub.api("GET", "user/stars", token=guest.token)[1]
    assert [r["path"] for r in stars["results"]] == [story.path]

    status, said_by_guest = story.rest("POST", "/comments", {"body": "**Nice** <script>"}, guest)
    assert status == 201
    assert "<strong>Nice</strong>" in said_by_guest["body_html"]
    assert "<script>" not in said_by_guest["body_html"]
    status, said_by_owner = story.rest("POST", "/comments", {"body": "Thanks"}, owner)
    first, second = f"/comments/{said_by_guest['id']}", f"/comments/{said_by_owner['id']}"
    assert story.rest("PATCH", first, {"body": "Nicer"}, guest)[1]["body"] == "Nicer"
    assert story.rest("PATCH", first, {"body": "mine"}, owner)[0] == 403
    assert story.rest("DELETE", second, who=guest)[0] == 403
    assert story.rest("DELETE", first, who=owner)[0] == 204
    assert story.rest("DELETE", second, who=owner)[0] == 204
    assert story.rest("GET", "")[1]["comment_count"] == 0

    # A tag goes, the other one on the same digest stays; then everything goes.
    assert story.rest("DELETE", "/tags/2.0", who=owner)[0] == 204
    assert story.pull(None, "1.0")[0] == 0
    assert story.rest("DELETE", "", who=owner)[0] == 204
    assert story.rest("GET", "", who=owner)[0] == 404
    assert story.pull(owner, "1.0")[0] != 0


def test_bytes_nobody_names_are_collected_while_serving(own_hub: RunningHub) -> None:
    own_hub.environment |= {"HUB_PUSH_GRACE_S": "0", "HUB_DISCARD_GRACE_S": "0"}
    own_hub.environment |= {"HUB_UPLOAD_LIFETIME_S": "60", "HUB_UNTAG_GRACE_S": "0"}
    own_hub.environment["HUB_TRASH_DAYS"] = "0"
    own_hub.start()
    person = own_hub.person()
    client = RegistryClient(own_hub, person)
    keep, drop = image("keep"), image("drop")
    # With no grace at all a collection may fall between blob and manifest; a client would go on.
    for name, pushed in (("keep", keep), ("drop", drop)):
        for _ in range(20):
            if client.push(f"{person.name}/{name}", pushed, "1").status == 201:
                break
    own_hub.api("DELETE", f"repositories/{person.name}/drop", token=person.token)
    store = own_hub.data_dir / "store" / "blobs"
    end = time.monotonic() + 30
    while len([p for p in store.rglob("*") if p.is_file()]) > len(keep.blobs):
        assert time.monotonic() < end, "the bytes of a deleted repository are still there"
        time.sleep(0.2)
    assert client.pull(f"{person.name}/keep", "1")
    own_hub.manage("fsck", "--rehash")


def hooked(hub: RunningHub, person: Person, url: str, **more: Any) -> tuple[str, int]:
    """A repository with a webhook: its path and the hook's id."""
    path = f"{person.name}/hooked"
    hub.api(
        "POST", "repositories", {"namespace": person.name, "name": "hooked"}, token=person.token
    )
    body = {"url": url, "secret": "s3cret for the hook", "events": ["push"], **more}
    status, hook = hub.api("POST", f"repositories/{path}/webhooks", body, token=person.token)
    assert status == 201, hook
    return path, hook["id"]


def deliveries(hub: RunningHub, person: Person, path: str, hook: int) -> list[dict[str, Any]]:
    status, page = hub.api(
        "GET", f"repositories/{path}/webhooks/{hook}/deliveries", token=person.token
    )
    assert status == 200
    return list(page["results"])


def test_a_push_reaches_the_ci_signed_within_two_seconds(live: RunningHub) -> None:
    person = live.person("hooker")
    with Receiver([500, 500]) as ci:
        path, hook = hooked(live, person, ci.url)
        pushed = image(path)
        assert RegistryClient(live, person).push(path, pushed, "1.0").status == 201
        acknowledged = time.monotonic()
        first = ci.wait_for(1)[0]
        assert first.at - acknowledged < 2
        ci.wait_for(3)
        gaps = [b.at - a.at for a, b in zip(ci.received, ci.received[1:], strict=False)]
        assert gaps[1] > gaps[0] > 0.3, "the delay grows"

        body = json.loads(first.body)
        assert body["push_data"]["tag"] == "1.0"
        assert body["push_data"]["digest"] == pushed.digest
        assert body["push_data"]["pusher"] == person.name
        assert body["repository"]["repo_name"] == path
        assert body["repository"]["is_private"] is True
        check_signatures(first.headers, first.body, b"s3cret for the hook")
        assert len({r.headers["x-hub-delivery"] for r in ci.received}) == 1
        assert first.headers["user-agent"].startswith("Hub-Webhook/")

        delivery = settled(live, person, path, hook)
        assert delivery["state"] == "done"
        assert [a["status"] for a in delivery["attempts"]] == [500, 500, 200]
        assert all(a["duration_ms"] >= 0 for a in delivery["attempts"])

        base = f"repositories/{path}/webhooks/{hook}"
        again = f"{base}/deliveries/{delivery['id']}/redeliver"
        assert live.api("POST", again, token=person.token)[0] in (200, 202)
        assert ci.wait_for(4)[3].headers["x-hub-delivery"] == first.headers["x-hub-delivery"]
        assert live.api("POST", f"{base}/ping", token=person.token)[0] in (200, 201, 202)
        assert ci.wait_for(5)[4].headers["x-hub-event"] == "ping"


def settled(hub: RunningHub, person: Person, path: str, hook: int) -> dict[str, Any]:
    end = time.monotonic() + 10
    while True:
        delivery = deliveries(hub, person, path, hook)[0]
        if delivery["state"] != "due":
            return delivery
        assert time.monotonic() < end
        time.sleep(0.1)


def check_signatures(headers: dict[str, str], body: bytes, secret: bytes) -> None:
    expected = hmac.new(secret, body, hashlib.sha256).hexdigest()
    assert headers["x-hub-signature-256"] == f"sha256={expected}"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    standard = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{standard}"


def test_a_tag_filter_and_an_inactive_hook(live: RunningHub) -> None:
    person = live.person("filter")
    with Receiver() as ci:
        path, _ = hooked(live, person, ci.url, tag_filter="v*")
        client = RegistryClient(live, person)
        client.push(path, image(path), "latest")
        client.push(path, image(path), "v1")
        ci.wait_for(1)
        time.sleep(0.5)
        assert [json.loads(r.body)["push_data"]["tag"] for r in ci.received] == ["v1"]


def test_a_webhook_may_not_point_inside(own_hub: RunningHub) -> None:
    own_hub.environment["HUB_WEBHOOK_ALLOW_NETWORKS"] = "[]"
    own_hub.start()
    person = own_hub.person()
    own_hub.api("POST", "repositories", {"namespace": person.name, "name": "a"}, token=person.token)
    for url in (
        "http://127.0.0.1:9/",
        "http://localhost/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://2130706433/",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "http://user:pw@example.org/",
    ):
        status, problem = own_hub.api(
            "POST",
            f"repositories/{person.name}/a/webhooks",
            {"url": url, "events": ["push"]},
            token=person.token,
        )
        assert status == 400, url
        assert problem["detail"]
    hooks = own_hub.api("GET", f"repositories/{person.name}/a/webhooks", token=person.token)[1]
    assert hooks["results"] == []


def test_everything_stopped_between_push_and_delivery(own_hub: RunningHub) -> None:
    own_hub.start()
    person = own_hub.person()
    port = free_port()  # nobody listens there until everything was killed
    path, _ = hooked(own_hub, person, f"http://127.0.0.1:{port}/hook")
    pushed = image(path)
    assert RegistryClient(own_hub, person).push(path, pushed, "1").status == 201
    own_hub.stop(signal.SIGKILL)
    with Receiver(port=port) as ci:
        own_hub.start()
        ci.wait_for(1, seconds=60)
        assert json.loads(ci.received[0].body)["push_data"]["digest"] == pushed.digest
