"""The story of people: organization, team, invitation, robot, second factor, asking, audit."""

from __future__ import annotations

import re
import time

import pytest
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.test_story_in_browser import sign_up
from tests.client import RegistryClient
from tests.hub import PASSWORD, Person, RunningHub
from tests.images import image

pytestmark = [pytest.mark.e2e, pytest.mark.browser]


def test_the_story_of_people(live: RunningHub, visitors: list[Visitor]) -> None:
    owner, guest, plain = (visitor.page for visitor in visitors)
    owner_name, guest_name = sign_up(owner, live, "olga"), sign_up(guest, live, "gina")
    asker_name = sign_up(plain, live, "andy")  # the one without scripts
    name = f"{owner_name}org"
    home = f"{live.url}/{name}"

    make_organization(owner, live, name)
    make_team(owner, home)
    invite(owner, guest, live, home, f"{guest_name}@example.org")
    robot = make_robot(owner, home, name)
    client = RegistryClient(live, robot)
    assert client.push(f"{name}/app", image(name), "1.0").status == 201
    assert guest.goto(f"{home}/app").status == 200, "the team reads everything, that to come too"
    assert guest.goto(f"{home}/app/-/settings").status == 403
    guest.locator("main").get_by_role("link", name="Why").click()
    expect(guest.locator("main")).to_contain_text("team readers with the role read")

    demand_second_factor(owner, guest, live, home)
    assert client.push(f"{name}/app", image(f"{name}2"), "2.0").status == 201, "robots need none"

    ask_and_be_let_in(owner, plain, home, asker_name)
    owner.goto(f"{home}/-/audit")
    for words in ("gave a role", "granted access", "made a team", "made a robot", robot.name):
        expect(owner.locator("main")).to_contain_text(words)
    for visitor in visitors[:2]:
        assert [line for line in visitor.console if "server responded with" not in line] == []


def make_organization(page: Page, hub: RunningHub, name: str) -> None:
    page.goto(f"{hub.url}/organizations/new")
    page.locator("#id_name").fill(name)
    page.get_by_role("button", name="Make organization").click()
    expect(page).to_have_url(re.compile(f"/{name}(/|$)"))


def make_team(page: Page, home: str) -> None:
    page.goto(f"{home}/-/teams/new")
    page.locator("#id_name").fill("readers")
    page.locator("#id_base_role").select_option("read")
    page.get_by_role("button", name="Make team").click()
    expect(page.locator("h1")).to_have_text("readers")


def invite(owner: Page, guest: Page, hub: RunningHub, home: str, address: str) -> None:
    owner.goto(f"{home}/-/people")
    owner.locator("#id_who").fill(address)
    owner.locator("#id_team").select_option("readers")
    owner.get_by_role("button", name="Invite").click()
    expect(owner.locator("#invitations")).to_contain_text(address)
    assert guest.goto(f"{home}/-/people").status == 404
    guest.goto(f"{hub.url}/invitations/{mailed_secret(hub)}")
    expect(guest.locator("h1")).to_contain_text("Join")
    guest.get_by_role("button", name="Accept").click()
    expect(guest).not_to_have_url(re.compile("/invitations/"))
    assert guest.goto(f"{home}/-/people").status == 200


def mailed_secret(hub: RunningHub) -> str:
    """The mail is printed where no mail server is set."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = re.findall(r"/invitations/(hubv_[\w-]+)", hub.log.read_text(errors="replace"))
        if found:
            return str(found[-1])
        time.sleep(0.2)
    raise AssertionError("the invitation was not mailed")


def make_robot(page: Page, home: str, name: str) -> Person:
    page.goto(f"{home}/-/robots/new")
    page.locator("#id_name").fill("ci")
    page.locator("#id_role").select_option("write")
    page.locator("#id_may_create").check()
    page.get_by_role("button", name="Make robot account").click()
    secret = page.locator(".secret code").first.inner_text().strip()
    assert secret.startswith("hubr_")
    return Person(f"{name}+ci", secret)


def demand_second_factor(owner: Page, guest: Page, hub: RunningHub, home: str) -> None:
    """The owner sets one up first; the member reaches nothing until they have one, too."""
    set_up_second_factor(owner, hub)
    owner.goto(f"{home}/-/settings")
    owner.locator("#id_second_factor_required").check()
    owner.get_by_role("button", name="Save").first.click()
    expect(owner.locator("body")).to_contain_text("The settings were saved")
    assert guest.goto(f"{home}/app").status == 404
    set_up_second_factor(guest, hub)
    assert guest.goto(f"{home}/app").status == 200


def set_up_second_factor(page: Page, hub: RunningHub) -> None:
    page.goto(f"{hub.url}/accounts/2fa/totp/activate/")
    if page.locator("#id_password").count():
        page.locator("#id_password").fill(PASSWORD)
        page.locator("main .btn[data-kind=primary]").first.click()
    secret = page.locator("code.break").first.inner_text().strip()
    counter = next(iter(yield_hotp_counters_from_time()))
    page.locator("#id_code").fill(format_hotp_value(hotp_value(secret, counter)))
    page.get_by_role("button", name="Turn on").click()
    expect(page).not_to_have_url(re.compile("/totp/activate"))
    page.goto(f"{hub.url}/settings/security")
    expect(page.get_by_role("link", name="Remove app")).to_be_visible()


def ask_and_be_let_in(owner: Page, asker: Page, home: str, asker_name: str) -> None:
    assert asker.goto(f"{home}/app").status == 404
    asker.get_by_role("link", name="Ask for access").click()
    asker.locator("#id_role").select_option("read")
    asker.locator("#id_message").fill("for the nightly build")
    asker.get_by_role("button", name="Ask for access").click()
    expect(asker.locator("body")).to_contain_text("its administrators were told")
    end = time.monotonic() + 20
    owner.goto(f"{home}/app/-/people")
    while not owner.get_by_text("for the nightly build").count() and time.monotonic() < end:
        time.sleep(0.3)
        owner.reload()
    owner.get_by_role("button", name="Grant").click()
    expect(owner.locator("main")).to_contain_text(asker_name)
    assert asker.goto(f"{home}/app").status == 404, "the organization demands a second factor"
    owner.goto(f"{home}/-/settings")
    owner.locator("#id_second_factor_required").uncheck()
    owner.get_by_role("button", name="Save").first.click()
    expect(owner.locator("body")).to_contain_text("The settings were saved")
    assert asker.goto(f"{home}/app").status == 200
