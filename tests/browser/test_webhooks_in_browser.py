"""A webhook by hand: from a preset, tested, failing, sent again, and its result on the tag."""

from __future__ import annotations

import json

import pytest
import urllib3
from playwright.sync_api import Browser, Page, expect

from tests.browser.looking import open_page, sign_in
from tests.client import RegistryClient
from tests.hub import RunningHub
from tests.images import image
from tests.receiver import Receiver

pytestmark = [pytest.mark.e2e, pytest.mark.browser]


def test_from_preset_to_result(live: RunningHub, browser: Browser) -> None:
    person = live.person("hooker")
    client, path = RegistryClient(live, person), f"{person.name}/app"
    for tag in ("main", "v1"):
        client.push(path, image(f"{path}:{tag}"), tag)
    page = open_page(browser)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    sign_in(page, live, person.name)
    main = page.locator("main")
    with Receiver([200, 400]) as ci:  # the test arrives, the push is refused
        make(page, f"{live.url}/{path}", ci.url)

        page.get_by_role("link", name="Go to the webhook").click()
        page.get_by_role("button", name="Send a test").click()
        expect(main).to_contain_text("Delivered", timeout=20_000)
        ping = json.loads(ci.received[0].body)
        assert ping["push_data"]["tag"] == "v1"
        assert ci.received[0].headers["x-hub-event"] == "ping"

        client.push(path, image(f"{path}:v2"), "v2")
        ci.wait_for(2)
        page.goto(f"{live.url}/{path}/-/webhooks")
        page.locator("main table a[href*='/-/webhooks/']").first.click()
        page.locator("#found a", has_text="v2").click()
        expect(main).to_contain_text("The receiver did not understand the message")
        page.get_by_role("button", name="Redeliver").click()
        expect(main).to_contain_text("Attempt 2", timeout=20_000)
        expect(main).to_contain_text("Delivered", timeout=20_000)
        page.get_by_role("link", name="Compare", exact=True).click()
        expect(main).to_contain_text("Both bodies are the same")
        report(live, ci)

    page.goto(f"{live.url}/{path}/-/tags")
    row = page.locator("#tags tbody tr", has_text="v2")
    chip = row.get_by_role("link", name="tests passed")
    expect(chip).to_have_attribute("href", "https://ci.example.com/7")
    page.goto(f"{live.url}/{path}:v2")
    expect(main.get_by_role("link", name="tests passed")).to_be_visible()
    page.goto(f"{live.url}/{path}")
    expect(main.get_by_role("link", name="tests passed")).to_be_visible()
    page.keyboard.press("w")
    page.wait_for_url(f"{live.url}/{path}/-/webhooks")
    assert [line for line in said if "server responded with" not in line] == []
    page.context.close()


def make(page: Page, home: str, url: str) -> None:
    """Through the empty page and a preset; the dry run and the preview follow what is typed."""
    page.goto(f"{home}/-/webhooks")
    page.get_by_role("link", name="Jenkins").click()
    page.locator("#id_url").fill(url)
    sight = page.locator("#sight")
    expect(sight).to_contain_text("2 of the last 2 pushes pass")
    page.locator("#id_tag_filter").fill("v*")
    expect(sight).to_contain_text("1 of the last 2 pushes pass")
    page.locator("#id_format").select_option("cloudevents")
    expect(sight).to_contain_text('"specversion": "1.0"')
    expect(page.locator("#id_template")).to_be_hidden()
    page.locator("#id_format").select_option("custom")
    expect(page.locator("#id_template")).to_be_visible()
    page.locator("#id_format").select_option("dockerhub")
    expect(sight).to_contain_text('"push_data"')
    page.get_by_role("button", name="Add webhook").click()
    expect(page.locator("main .secret code")).to_contain_text("whsec_")


def report(hub: RunningHub, ci: Receiver) -> None:
    """What the receiver has to say of the push, at the address it was given."""
    callback = json.loads(ci.received[-1].body)["callback_url"]
    answer = urllib3.request(
        "POST",
        callback,
        json={
            "state": "success",
            "description": "tests passed",
            "target_url": "https://ci.example.com/7",
        },
    )
    assert answer.status in (200, 201), answer.data
