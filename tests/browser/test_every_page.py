"""Every page in light, dark and on a phone: no console message, no sideways scroll, axe is content."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.looking import look_at, open_page, sign_in
from tests.client import RegistryClient
from tests.hub import Person, RunningHub
from tests.images import artifact, image, multi
from tests.receiver import Receiver

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

README = "# Title\n\nText with `code`, a [link](https://example.org) and\n\n```\nmake run\n```\n"
SIGNED_OUT = ["/", "/explore", "/search?q=a", "/help", "/accounts/login/", "/accounts/signup/"]
SIGNED_OUT += ["/accounts/password/reset/", "/no/such/repository", "/api/docs"]
SIGNED_IN = ["/", "/explore", "/search?q=app", "/search?q=nothing-at-all", "/new", "/stars"]
SIGNED_IN += ["/settings/profile", "/settings/tokens", "/settings/tokens/new"]
SIGNED_IN += ["/accounts/password/change/", "/accounts/logout/", "/{name}", "/{name}/empty"]
SIGNED_IN += ["/{name}/app" + rest for rest in ("", ":1.0", "/-/tags", "/-/tags/1.0/delete")]
SIGNED_IN += ["/{name}/app/-/" + rest for rest in ("comments", "people", "settings", "readme")]
SIGNED_IN += ["/{name}/app/-/" + rest for rest in ("webhooks", "webhooks/new", "tags/art")]
SIGNED_IN += ["/{name}/app/-/webhooks/" + rest for rest in ("new?preset=gitlab", "promotions")]
SIGNED_IN += ["/{name}/empty/-/webhooks", "/{name}/-/webhooks", "/{name}/-/webhooks/new"]
SIGNED_IN += ["/{name}/app/-/" + rest for rest in ("settings/delete", "deleted-tags")]
SIGNED_IN += ["/{name}/app/-/" + rest for rest in ("tags/1.0/history", "compare/latest...2.0")]
SIGNED_IN += ["/notifications", "/notifications/watching", "/settings/notifications"]
SIGNED_IN += ["/search?q=app+is:public+sort:stars"]
SIGNED_IN += ["/{name}/app/-/delete-tags?tag=1.0&tag=latest", "/{name}/-/trash"]

OF_READERS = ["/", "/explore?show=shared", "/{name}", "/{name}/app", "/{name}/app:1.0"]
OF_READERS += ["/{name}/app/-/" + rest for rest in ("tags", "comments", "why", "tags/1.0/history")]
OF_PEOPLE = ["/organizations/new", "/{org}", "/{org}/box", "/help/reasons", "/settings/close"]
OF_PEOPLE += ["/settings/" + rest for rest in ("security", "sessions", "access", "audit")]
OF_PEOPLE += ["/accounts/email/", "/accounts/2fa/totp/activate/", "/accounts/3rdparty/"]
OF_PEOPLE += ["/{org}/-/" + rest for rest in ("people", "teams", "settings", "robots", "audit")]
OF_PEOPLE += ["/{org}/-/" + rest for rest in ("teams/new", "teams/crew", "teams/crew/delete")]
OF_PEOPLE += ["/{org}/-/" + rest for rest in ("robots/new", "robots/ci", "robots/ci/tokens/new")]
OF_PEOPLE += ["/{org}/-/" + rest for rest in ("rename", "people/{name}/remove", "webhooks")]
OF_PEOPLE += ["/{org}/box/-/" + rest for rest in ("why", "ask", "people", "settings", "audit")]
OF_PEOPLE += ["/{name}/-/robots", "/{name}/-/rename"]
OF_ADMINISTRATORS = ["/admin/", "/admin/people/{name}"]
OF_ADMINISTRATORS += ["/admin/" + rest for rest in ("people", "organizations", "orphans", "tokens")]
OF_ADMINISTRATORS += ["/admin/" + rest for rest in ("repositories", "jobs", "settings", "audit")]
OF_ADMINISTRATORS += ["/admin/webhooks", "/admin/webhooks/new"]
MAKE_CHIEF = """
from accounts.models import User
User.objects.filter(username="{name}").update(is_superuser=True)
"""


@pytest.fixture(scope="module")
def person(live: RunningHub) -> Iterator[Person]:
    """Somebody with something on every page."""
    person = live.person("pages")
    client = RegistryClient(live, person)
    path = f"{person.name}/app"
    client.push(path, multi(path), "1.0")
    client.push(path, image(path, labels={"org.opencontainers.image.title": "App"}), "latest")
    client.push(path, artifact(text=path), "art")
    base = f"repositories/{path}"
    change = {"readme": README, "description": "An image for tests", "visibility": "public"}
    assert live.api("PATCH", base, change, token=person.token)[0] == 200
    live.api("POST", f"{base}/comments", {"body": "Hello *there*"}, token=person.token)
    live.api("PUT", f"{base}/star", token=person.token)
    other = live.person("friend")
    live.api("PUT", f"{base}/collaborators/{other.name}", {"role": "write"}, token=person.token)
    live.api(
        "POST", "repositories", {"namespace": person.name, "name": "empty"}, token=person.token
    )
    with Receiver([500]) as ci:
        live.api(
            "POST", f"{base}/webhooks", {"url": ci.url, "events": ["push"]}, token=person.token
        )
        client.push(path, image(f"{path}2"), "2.0")
        ci.wait_for(1)
        yield person


@pytest.fixture(scope="module")
def organization(live: RunningHub) -> tuple[Person, str]:
    """An organization with one of everything, and who owns it."""
    owner, member, asker = (live.person(word) for word in ("owner", "member", "asker"))
    name = f"{owner.name}org"

    def make(method: str, path: str, body: object, who: Person = owner) -> None:
        status, answer = live.api(method, path, body, token=who.token)
        assert status < 300, (path, answer)

    make("POST", "organizations", {"name": name, "display_name": "Box makers"})
    base = f"organizations/{name}"
    make("PUT", f"{base}/members/{member.name}", {"role": "member"})
    make("POST", f"{base}/teams", {"name": "crew", "base_role": "read"})
    make("PUT", f"{base}/teams/crew/members/{member.name}", {})
    make("POST", f"{base}/invitations", {"email": "guest@example.org", "role": "member"})
    make("POST", f"namespaces/{name}/robots", {"name": "ci", "role": "write"})
    RegistryClient(live, owner).push(f"{name}/box", image(name), "1.0")
    make("POST", f"repositories/{name}/box/access-requests", {"role": "read"}, asker)
    return owner, name


def test_signed_out(live: RunningHub, browser: Browser, person: Person) -> None:
    page = open_page(browser)
    addresses = [*SIGNED_OUT, f"/{person.name}/app", f"/{person.name}/app/-/tags"]
    assert look_at(page, live, addresses) == []
    page.context.close()


def test_of_a_reader(live: RunningHub, browser: Browser, person: Person) -> None:
    reader = live.person("reader")
    path = f"repositories/{person.name}/app/collaborators/{reader.name}"
    assert live.api("PUT", path, {"role": "read"}, token=person.token)[0] == 200
    page = open_page(browser)
    sign_in(page, live, reader.name)
    assert look_at(page, live, [a.format(name=person.name) for a in OF_READERS]) == []
    page.context.close()


def test_signed_in(live: RunningHub, browser: Browser, person: Person) -> None:
    page = open_page(browser)
    sign_in(page, live, person.name)
    addresses = [address.format(name=person.name) for address in SIGNED_IN]
    page.goto(f"{live.url}/{person.name}/app/-/webhooks")
    for link in ("table a[href*='/-/webhooks/']", "a[href*='/deliveries/']"):
        target = page.locator(f"main {link}").first
        addresses.append(str(target.get_attribute("href")))
        page.goto(live.url + addresses[-1])
    sent, hook = addresses[-1], addresses[-2]
    addresses += [f"{sent}/compare", f"{hook}/edit", f"{hook}/secret"]
    addresses += [f"{hook}/replay?since=2020-01-01T00:00&until=2040-01-01T00:00"]
    assert look_at(page, live, addresses) == []
    page.context.close()


def test_of_people(live: RunningHub, browser: Browser, organization: tuple[Person, str]) -> None:
    owner, name = organization
    page = open_page(browser)
    sign_in(page, live, owner.name)
    assert look_at(page, live, [a.format(name=owner.name, org=name) for a in OF_PEOPLE]) == []
    page.context.close()


def test_of_administrators(
    live: RunningHub, browser: Browser, organization: tuple[Person, str]
) -> None:
    chief = live.person("chief")
    live.manage("shell", "-c", MAKE_CHIEF.format(name=chief.name))
    page = open_page(browser)
    sign_in(page, live, chief.name)
    addresses = [a.format(name=organization[0].name) for a in OF_ADMINISTRATORS]
    assert look_at(page, live, addresses) == []
    page.context.close()
