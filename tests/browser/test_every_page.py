"""Every page in light, dark and on a phone: no console message, no sideways scroll, axe is content."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext

from tests.client import RegistryClient
from tests.hub import PASSWORD, Person, RunningHub
from tests.images import artifact, image, multi
from tests.receiver import Receiver

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
README = "# Title\n\nText with `code`, a [link](https://example.org) and\n\n```\nmake run\n```\n"
SIGNED_OUT = ["/", "/explore", "/search?q=a", "/help", "/accounts/login/", "/accounts/signup/"]
SIGNED_OUT += ["/accounts/password/reset/", "/no/such/repository", "/api/docs"]
SIGNED_IN = ["/", "/explore", "/search?q=app", "/search?q=nothing-at-all", "/new", "/stars"]
SIGNED_IN += ["/settings/profile", "/settings/tokens", "/settings/tokens/new"]
SIGNED_IN += ["/accounts/password/change/", "/accounts/logout/", "/{name}", "/{name}/empty"]
SIGNED_IN += ["/{name}/app" + rest for rest in ("", ":1.0", "/-/tags", "/-/tags/1.0/delete")]
SIGNED_IN += ["/{name}/app/-/" + rest for rest in ("comments", "people", "settings", "readme")]
SIGNED_IN += ["/{name}/app/-/" + rest for rest in ("webhooks", "webhooks/new", "tags/art")]


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


def look_at(context: BrowserContext, hub: RunningHub, addresses: list[str]) -> list[str]:
    """Everything that is wrong, one line each."""
    found = []
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    titles: dict[str, str] = {}
    for address in addresses:
        said.clear()
        answer = page.goto(hub.url + address)
        assert answer is not None
        expected = 404 if "no/such" in address else 200
        if answer.status != expected:
            found.append(f"{address}: status {answer.status}")
            continue
        found += [
            f"{address}: console: {line}" for line in said if "server responded with" not in line
        ]
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if wide > 0:
            found.append(f"{address}: {wide} px too wide")
        if page.locator("h1").count() != 1:
            found.append(f"{address}: {page.locator('h1').count()} h1")
        if page.title() in titles:
            found.append(
                f"{address}: title {page.title()!r} is also that of {titles[page.title()]}"
            )
        titles[page.title()] = address
        for problem in Axe().run(page).response["violations"]:
            where = "; ".join(str(node["target"]) for node in problem["nodes"][:3])
            found.append(f"{address}: {problem['id']}: {where}")
    return found


@pytest.mark.parametrize("look", LOOKS)
def test_signed_out(live: RunningHub, browser: Browser, person: Person, look: str) -> None:
    context = browser.new_context(**LOOKS[look])
    addresses = [*list(SIGNED_OUT), f"/{person.name}/app", f"/{person.name}/app/-/tags"]
    found = look_at(context, live, addresses)
    context.close()
    assert found == []


@pytest.mark.parametrize("look", LOOKS)
def test_signed_in(live: RunningHub, browser: Browser, person: Person, look: str) -> None:
    context = browser.new_context(**LOOKS[look])
    page = context.new_page()
    page.goto(f"{live.url}/accounts/login/")
    page.locator("#id_login").fill(person.name)
    page.locator("#id_password").fill(PASSWORD)
    page.locator("#id_password").press("Enter")
    page.wait_for_url(f"{live.url}/")
    addresses = [address.format(name=person.name) for address in SIGNED_IN]
    page.goto(f"{live.url}/{person.name}/app/-/webhooks")
    for link in ("/-/webhooks/", "/deliveries/"):
        target = page.locator(f"main a[href*='{link}']:not([href$='/new'])").first
        addresses.append(str(target.get_attribute("href")))
        page.goto(live.url + addresses[-1])
    found = look_at(context, live, addresses)
    context.close()
    assert found == []
