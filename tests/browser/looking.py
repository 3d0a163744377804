"""Looking at a page in light, dark and on a phone, with everything that is wrong as lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize

from tests.hub import PASSWORD, RunningHub

WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
EVERYTHING: dict[str, list[str]] = {"resultTypes": ["violations"]}
CONTRAST = {**EVERYTHING, "runOnly": ["color-contrast"]}


def open_page(browser: Browser) -> Page:
    """A page in a context of its own; its styles change at once."""
    return browser.new_context(
        viewport=WIDE, color_scheme="light", reduced_motion="reduce"
    ).new_page()


def sign_in(page: Page, hub: RunningHub, name: str) -> None:
    """By the form, as people do."""
    page.goto(f"{hub.url}/accounts/login/")
    page.locator("#id_login").fill(name)
    page.locator("#id_password").fill(PASSWORD)
    page.locator("#id_password").press("Enter")
    page.wait_for_url(f"{hub.url}/")


def look_at(page: Page, hub: RunningHub, addresses: Iterable[str]) -> list[str]:
    """No console message, no sideways scroll, one h1, a title of its own, axe is content."""
    found: list[str] = []
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
        found += [f"{address}: {line}" for line in _faults(page)]
        found += [
            f"{address}: console: {line}" for line in said if "server responded with" not in line
        ]
        title = page.title()
        if title in titles:
            found.append(f"{address}: title {title!r} is also that of {titles[title]}")
        titles[title] = address
    return found


def _faults(page: Page) -> Iterator[str]:
    if page.locator("h1").count() != 1:
        yield f"{page.locator('h1').count()} h1"
    yield from _in_look(page, "light", WIDE, EVERYTHING)
    yield from _in_look(page, "dark", WIDE, CONTRAST)
    yield from _in_look(page, "light", PHONE, EVERYTHING)
    page.set_viewport_size(WIDE)


def _in_look(
    page: Page, scheme: str, size: ViewportSize, rules: dict[str, list[str]]
) -> Iterator[str]:
    look = "phone" if size is PHONE else scheme
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size(size)
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if wide > 0:
        yield f"{look}: {wide} px too wide"
    for problem in Axe().run(page, options=rules).response["violations"]:
        where = "; ".join(str(node["target"]) for node in problem["nodes"][:3])
        yield f"{look}: {problem['id']}: {where}"
