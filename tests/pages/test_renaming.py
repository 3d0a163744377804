"""Renaming and transferring in the browser, and pages under former names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import Namespace, User
from accounts.services.credentials import principal_of
from repos.models import Alias, Collaborator, Repository
from repos.services import aliases
from repos.services.renaming import rename_account, rename_repository, transfer_repository

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]


def renamed(repository: Repository, name: str, owner: User) -> Repository:
    return rename_repository(repository, name, principal=principal_of(owner))


def test_an_owner_renames_and_lands_on_the_new_settings(
    browser: Browser, public: Repository
) -> None:
    owner = browser("owner")
    page = owner.get("/owner/open/-/settings").content.decode()
    assert "/owner/open/-/settings/rename" in page
    assert "/owner/open/-/settings/transfer" in page
    answer = owner.post("/owner/open/-/settings/rename", {"name": "shut"}, follow=True)
    assert answer.redirect_chain == [("/owner/shut/-/settings", 302)]
    text = answer.content.decode()
    assert "This repository is now owner/shut." in text
    alias = Alias.objects.get()
    assert f"/owner/shut/-/settings/aliases/{alias.pk}/remove" in text
    gone = owner.post(f"/owner/shut/-/settings/aliases/{alias.pk}/remove", follow=True)
    assert "owner/open leads here no longer." in gone.content.decode()
    assert not Alias.objects.exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Bad name", "lower-case letters"),
        ("", "required"),
        ("secret/app", "already exists"),
    ],
)
def test_a_name_that_cannot_be_had_is_told(
    browser: Browser, public: Repository, private: Repository, name: str, words: str
) -> None:
    answer = browser("owner").post("/owner/open/-/settings/rename", {"name": name})
    assert answer.status_code == 422
    assert words in answer.content.decode()


@pytest.mark.parametrize("tail", ["rename", "transfer", "aliases/1/remove"])
def test_only_owners_are_let_in(browser: Browser, public: Repository, tail: str) -> None:
    address = f"/owner/open/-/settings/{tail}"
    assert browser("").post(address).status_code == 302
    for name in ("stranger", "reader", "writer", "manager"):
        answer = browser(name).post(address, {"name": "x"})
        assert answer.status_code == 403, name
    manager = browser("manager").get("/owner/open/-/settings").content.decode()
    assert "settings/rename" not in manager
    assert "settings/transfer" not in manager


def test_a_transfer_lists_what_is_lost_and_asks_for_the_name(
    browser: Browser, organization: Repository, people: dict[str, User]
) -> None:
    crew = organization.namespace
    robot = User.objects.create(username="crew+ci", robot_namespace=crew)
    Collaborator.objects.create(repository=organization, user=robot, role="write")
    owner = browser("owner")
    address = "/crew/ship/-/settings/transfer"
    page = owner.get(address).content.decode()
    assert "builders" in page
    assert "crew+ci" in page
    wrong = owner.post(address, {"namespace": "owner", "confirm": "ship"})
    assert wrong.status_code == 422
    foreign = owner.post(address, {"namespace": "stranger", "confirm": "crew/ship"})
    assert foreign.status_code == 422
    done = owner.post(address, {"namespace": "owner", "confirm": "crew/ship"}, follow=True)
    assert done.redirect_chain == [("/owner/ship", 302)]
    assert Repository.objects.get(pk=organization.pk).path == "owner/ship"


def test_a_transfer_to_where_the_name_is_taken_says_so(
    browser: Browser, organization: Repository, public: Repository, people: dict[str, User]
) -> None:
    renamed(public, "ship", people["owner"])
    form = {"namespace": "owner", "confirm": "crew/ship"}
    answer = browser("owner").post("/crew/ship/-/settings/transfer", form)
    assert answer.status_code == 422
    assert "owner/ship already exists" in answer.content.decode()


def test_without_another_namespace_there_is_nothing_to_choose(
    browser: Browser, public: Repository
) -> None:
    page = browser("owner").get("/owner/open/-/settings/transfer").content.decode()
    assert "There is no other namespace" in page
    assert "<select" not in page.split("<main")[1]


TAILS = ("", "/-/tags", "/-/comments?page=2", "/-/settings", "?a=b")


@pytest.mark.parametrize("tail", TAILS)
def test_a_former_path_leads_on_for_those_who_may_see(
    browser: Browser, private: Repository, people: dict[str, User], tail: str
) -> None:
    renamed(private, "public/app", people["owner"])
    answer = browser("owner").get(f"/owner/secret/app{tail}")
    assert (answer.status_code, answer["Location"]) == (302, f"/owner/public/app{tail}")
    aliases.flush()
    assert Alias.objects.get().uses == 1


@pytest.mark.parametrize("name", ["", "stranger"])
def test_to_others_a_former_path_is_as_absent_as_any(
    browser: Browser, private: Repository, people: dict[str, User], name: str
) -> None:
    renamed(private, "public/app", people["owner"])
    client = browser(name)
    for tail in TAILS:
        hidden = client.get(f"/owner/secret/app{tail}")
        absent = client.get(f"/owner/never/app{tail}")
        assert (hidden.status_code, absent.status_code) == (404, 404)
        assert hidden.content.replace(b"secret", b"never") == absent.content


def test_nothing_is_changed_under_a_former_path(
    browser: Browser, public: Repository, people: dict[str, User]
) -> None:
    renamed(public, "shut", people["owner"])
    answer = browser("owner").post("/owner/open/-/star", {"starred": "1"})
    assert answer.status_code == 409
    assert "owner/open is now owner/shut" in answer.content.decode()


def test_a_person_renames_themselves(
    browser: Browser, public: Repository, people: dict[str, User]
) -> None:
    owner = browser("owner")
    assert "/owner/-/rename" in owner.get("/settings/profile").content.decode()
    assert owner.get("/owner/-/rename").status_code == 200
    for name in ("library", "x", "Owner", "reader", "rea-der"):
        assert owner.post("/owner/-/rename", {"name": name}).status_code == 422, name
    answer = owner.post("/owner/-/rename", {"name": "boss"}, follow=True)
    assert answer.redirect_chain == [("/boss/-/rename", 302)]
    assert "The name is now boss." in answer.content.decode()
    for address, now in {
        "/owner": "/boss",
        "/owner?page=2": "/boss?page=2",
        "/owner/open": "/boss/open",
        "/owner/open/-/tags": "/boss/open/-/tags",
    }.items():
        found = browser("").get(address)
        assert (found.status_code, found["Location"]) == (302, now)
    alias = Namespace.objects.get(name="boss").aliases.get()
    owner.post(f"/boss/-/rename/{alias.pk}/remove")
    assert browser("").get("/owner").status_code == 404
    assert browser("").get("/owner/open").status_code == 404


def test_others_do_not_rename_an_account(browser: Browser, organization: Repository) -> None:
    assert browser("").get("/crew/-/rename").status_code == 302
    assert browser("writer").get("/crew/-/rename").status_code == 403
    assert browser("writer").post("/crew/-/rename", {"name": "gang"}).status_code == 403
    assert browser("owner").get("/nobody/-/rename").status_code == 404
    assert browser("owner").post("/crew/-/rename", {"name": "gang"}).status_code == 302
    assert Repository.objects.get(pk=organization.pk).path == "gang/ship"


def test_a_transferred_repository_leads_on_only_to_those_who_still_see_it(
    browser: Browser, organization: Repository, people: dict[str, User]
) -> None:
    """Whoever lost their team's role has lost the redirect, too."""
    me = principal_of(people["owner"])
    moved = transfer_repository(organization, people["owner"].namespace, principal=me)
    assert browser("owner").get("/crew/ship")["Location"] == f"/{moved.path}"
    assert browser("writer").get("/crew/ship").status_code == 404


def test_one_more_query_for_a_former_name_whether_or_not_it_leads_anywhere(
    browser: Browser, private: Repository, people: dict[str, User], django_assert_num_queries
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    now = renamed(private, "public/app", people["owner"])
    rename_account(now.namespace, "boss", principal=principal_of(people["owner"]))
    client, costs = browser("stranger"), set()
    for path in ("owner/secret/app", "boss/secret/app", "owner/public/app", "boss/never"):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/{path}").status_code == 404
        costs.add(len(queries))
    assert len(costs) == 1
