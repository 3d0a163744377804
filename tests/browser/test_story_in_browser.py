"""The story by hand: sign up, token, push, browse, share, publish, talk, hook, delete."""

from __future__ import annotations

import itertools
import os

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.client import RegistryClient
from tests.hub import PASSWORD, Person, RunningHub
from tests.images import multi
from tests.receiver import Receiver

pytestmark = [pytest.mark.e2e, pytest.mark.browser]
_numbers = itertools.count(1)


def sign_up(page: Page, hub: RunningHub, word: str) -> str:
    name = f"{word}{next(_numbers)}b{os.getpid()}"
    page.goto(f"{hub.url}/accounts/signup/")
    page.locator("#id_username").fill(name)
    page.locator("#id_email").fill(f"{name}@example.org")
    page.locator("#id_password1").fill(PASSWORD)
    page.locator("main button[type=submit], main .btn[data-kind=primary]").first.click()
    expect(page).to_have_url(f"{hub.url}/")
    return name


def make_token(page: Page, hub: RunningHub) -> str:
    page.goto(f"{hub.url}/settings/tokens/new")
    page.locator("#id_name").fill("laptop")
    page.get_by_role("button", name="Make token").click()
    secret = page.locator(".secret code").inner_text().strip()
    assert secret.startswith("hubp_")
    assert f"docker login {hub.host}" in page.locator("main").inner_text()
    page.goto(f"{hub.url}/settings/tokens")
    assert secret not in page.content()
    expect(page.get_by_text("laptop").first).to_be_visible()
    return secret


def test_the_story(live: RunningHub, visitors: list[Visitor]) -> None:
    owner, guest, plain = visitors
    name = sign_up(owner.page, live, "ann")
    guest_name = sign_up(guest.page, live, "ben")
    client = RegistryClient(live, Person(name, make_token(owner.page, live)))
    path = f"{name}/app"
    image = multi(path)
    for tag in ("1.0", "2.0"):
        assert client.push(path, image, tag).status == 201
    home = f"{live.url}/{path}"

    browse(owner.page, live, path)
    for page in (guest.page, plain.page):
        for address in ("", "/-/tags", "/-/tags/1.0", "/-/settings", "/-/webhooks", ":1.0"):
            assert page.goto(home + address).status == 404
        page.goto(f"{live.url}/search?q={path}")
        assert page.locator(f"main a[href='/{path}']").count() == 0

    share(owner.page, guest.page, home, guest_name)
    publish(owner.page, home)
    assert plain.page.goto(home).status == 200
    plain.page.goto(f"{live.url}/search?q={path}")
    expect(plain.page.locator(f"main a[href='/{path}']").first).to_be_visible()
    talk(owner.page, guest.page, home)
    hook(owner.page, client, path, home)
    remove(owner.page, plain.page, home, path)
    for visitor in visitors[:2]:
        assert [line for line in visitor.console if "server responded with" not in line] == []


def browse(page: Page, hub: RunningHub, path: str) -> None:
    page.goto(f"{hub.url}/{path}")
    expect(page.locator("h1")).to_contain_text("app")
    expect(page.get_by_text("Private").first).to_be_visible()
    expect(
        page.locator("main, header").get_by_text(f"docker pull {hub.host}/{path}").first
    ).to_be_visible()
    page.goto(f"{hub.url}/{path}:1.0")
    body = page.locator("main")
    for words in ("linux/amd64", "linux/arm64", "linux/arm", "COPY part0", "8080/tcp"):
        expect(body).to_contain_text(words)
    page.get_by_role("link", name="linux/arm64").first.click()
    expect(page.locator("main")).to_contain_text("linux/arm64")
    page.goto(f"{hub.url}/{path}/-/tags")
    expect(page.locator("main")).to_contain_text("1.0")
    expect(page.locator("main")).to_contain_text("2.0")


def share(owner: Page, guest: Page, home: str, guest_name: str) -> None:
    owner.goto(f"{home}/-/people")
    owner.locator("form[action$='/people/add'] [name=username]").fill(guest_name)
    owner.locator("form[action$='/people/add'] [name=role]").first.select_option("read")
    owner.get_by_role("button", name="Add person").click()
    expect(owner.locator("main")).to_contain_text(guest_name)
    assert guest.goto(home).status == 200
    assert guest.goto(f"{home}/-/settings").status == 403
    expect(guest.locator("main")).to_contain_text("admin")


def publish(page: Page, home: str) -> None:
    page.goto(f"{home}/-/settings")
    page.locator("[name=visibility][value=public]").check()
    page.get_by_role("button", name="Save visibility").click()
    page.goto(home)
    expect(page.get_by_text("Public").first).to_be_visible()


def talk(owner: Page, guest: Page, home: str) -> None:
    guest.goto(home)
    guest.locator("#star").click()
    expect(guest.locator("#star")).to_contain_text("Starred")
    guest.goto(f"{home}/-/comments")
    guest.locator("[name=body]").first.fill("**Nice** <script>alert(1)</script>")
    guest.get_by_role("button", name="Comment", exact=True).click()
    expect(guest.locator(".comment strong")).to_have_text("Nice")
    owner.goto(f"{home}/-/comments")
    owner.locator("[name=body]").first.fill("Thank you")
    owner.get_by_role("button", name="Comment", exact=True).click()
    expect(owner.locator(".comment")).to_have_count(2)


def hook(page: Page, client: RegistryClient, path: str, home: str) -> None:
    with Receiver([500]) as ci:
        page.goto(f"{home}/-/webhooks/new")
        page.locator("#id_url").fill(ci.url)
        page.get_by_role("button", name="Add webhook").click()
        client.push(path, multi(f"{path}/second"), "3.0")
        ci.wait_for(2)
        page.goto(f"{home}/-/webhooks")
        page.locator("main table a[href*='/-/webhooks/']").first.click()
        page.locator("main a[href*='/deliveries/']").first.click()
        main = page.locator("main")
        for words in ("500", "200", "X-Hub-Signature-256", "3.0"):
            expect(main).to_contain_text(words)
        page.get_by_role("button", name="Redeliver").first.click()
        ci.wait_for(3)


def remove(page: Page, plain: Page, home: str, path: str) -> None:
    page.goto(f"{home}/-/tags/2.0/delete")
    page.locator("main form .btn[data-kind=danger]").click()
    page.goto(f"{home}/-/tags")
    expect(page.locator("main")).to_contain_text("1.0")
    expect(page.locator("main tbody")).not_to_contain_text("2.0")
    page.goto(f"{home}/-/settings")
    page.locator("a[href$='/-/settings/delete']").click()
    page.locator("main [name=confirm]").fill(path)
    page.locator("main form .btn[data-kind=danger]").click()
    page.wait_for_load_state()
    assert page.goto(home).status == 404
    assert plain.goto(home).status == 404
