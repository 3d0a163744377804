"""Deleting: what is shown first, what has to be typed, and the way back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from registry.models import Manifest, Tag, TagMove
from repos.models import Collaborator, Repository
from repos.services.collaborators import grant_role
from repos.services.repositories import create_repository, delete_repository
from tests.images import artifact, image, multi
from tests.pages.conftest import actor, namespace_of, push
from webhooks.models import Webhook

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]
State = Repository.State


def words(text: str) -> str:
    """A page without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_a_tag_tells_what_goes_before_it_does(browser: Browser, public: Repository) -> None:
    content = multi("m")
    push(public, content, "2.0", "2")
    push(public, artifact(content, "application/vnd.example.sbom"))
    Repository.objects.update(untagged_days=0)
    Webhook.objects.create(
        repository=public,
        url="http://ci.example.org/x",
        events=["tag.deleted"],
        tag_filter="2*",
    )
    page = browser("manager").get(f"/{public.path}/-/tags/2.0/delete").text
    text = words(page)
    for said in (
        "Delete the tag 2.0?",
        "Other tags on the same image.",
        "arm64",
        "application/vnd.example.sbom",
        "0 pulls of the repository in the last 30 days.",
        "http://ci.example.org/x",
        "will be told",
        "None is freed",
        f"crane delete localhost:5000/{public.path}:2.0",
        "under “Deleted tags”",
    ):
        assert said in text, said
    seen_by_writer = words(browser("writer").get(f"/{public.path}/-/tags/2.0/delete").text)
    assert "ci.example.org" not in seen_by_writer
    assert "Who pulled" not in seen_by_writer
    assert Tag.objects.filter(name="2.0").exists()
    last = words(browser("writer").get(f"/{public.path}/-/tags/1.0/delete").text)
    assert "It can be pulled by digest until it is removed." in last
    assert "Up to" in last


def test_the_message_has_the_way_back(browser: Browser, public: Repository) -> None:
    writer = browser("writer")
    writer.post(f"/{public.path}/-/tags/1.0/delete")
    move = TagMove.objects.get(kind="delete")
    page = writer.get(f"/{public.path}/-/tags").text
    action = f"/{public.path}/-/deleted-tags/restore?move={move.pk}"
    assert f'action="{action}"' in page
    assert "The tag 1.0 was deleted." in page
    answer = writer.post(action)
    assert answer["Location"] == f"/{public.path}/-/tags"
    assert Tag.objects.filter(name="1.0").exists()
    assert "The tag 1.0 is back." in writer.get(f"/{public.path}/-/tags").text
    assert browser("reader").post(action).status_code == 403
    assert browser("").post(action).status_code == 302


def test_without_a_trash_nothing_is_promised(
    browser: Browser, public: Repository, hub_settings: Callable[..., None]
) -> None:
    hub_settings(trash_days=0)
    writer = browser("writer")
    assert "keeps nothing that was deleted" in writer.get(f"/{public.path}/-/tags/1.0/delete").text
    writer.post(f"/{public.path}/-/tags/1.0/delete")
    assert "deleted-tags/restore" not in writer.get(f"/{public.path}/-/tags").text


def test_several_tags_go_when_the_name_is_typed(browser: Browser, public: Repository) -> None:
    push(public, image("x"), "a", "b", "c")
    writer, address = browser("writer"), f"/{public.path}/-/delete-tags"
    page = writer.get(f"{address}?tag=a&tag=b&tag=gone&tag=a&tag=..%2F").text
    assert "Delete 2 tags of owner/open?" in words(page)
    assert page.count('type="hidden" name="tag"') == 2
    chosen = {"tag": ["a", "b"]}
    refused = writer.post(address, {**chosen, "confirm": "owner/other"})
    assert refused.status_code == 422
    assert "Nothing was deleted." in refused.text
    assert Tag.objects.count() == 4
    done = writer.post(address, {**chosen, "confirm": "owner/open"})
    assert done["Location"] == f"/{public.path}/-/tags"
    assert set(Tag.objects.values_list("name", flat=True)) == {"1.0", "c"}
    page = writer.get(f"/{public.path}/-/tags").text
    action = re.search(r'action="([^"]*deleted-tags/restore[^"]*)"', page)
    assert action
    writer.post(action[1].replace("&amp;", "&"))
    assert Tag.objects.count() == 4
    for nothing in ("", "?tag=gone"):
        assert writer.get(f"{address}{nothing}")["Location"] == f"/{public.path}/-/tags"
    assert browser("reader").get(f"{address}?tag=a").status_code == 403


def test_one_chosen_tag_needs_no_typing(browser: Browser, public: Repository) -> None:
    assert browser("writer").post(f"/{public.path}/-/delete-tags", {"tag": "1.0"})
    assert not Tag.objects.exists()


def test_an_immutable_tag_among_them_holds_all(browser: Browser, public: Repository) -> None:
    push(public, image("x"), "a")
    Repository.objects.update(immutable_tags=["1.*"])
    address = f"/{public.path}/-/delete-tags"
    page = words(browser("writer").get(f"{address}?tag=a&tag=1.0").text)
    assert "A rule of this repository forbids it: the tag 1.0 is immutable." in page
    answer = browser("writer").post(address, {"tag": ["a", "1.0"], "confirm": public.path})
    assert answer.status_code == 409
    assert Tag.objects.count() == 2


def test_a_manifest_goes_for_good(browser: Browser, public: Repository) -> None:
    content = multi("m")
    push(public, content, "2.0", "2")
    writer = browser("writer")
    address = f"/{public.path}/-/manifests/{content.digest}/delete"
    page = writer.get(address)
    assert "a deletion by digest is final" in page.text
    assert f"skopeo delete docker://localhost:5000/{public.path}@{content.digest}" in page.text
    assert writer.post(address, {"confirm": "x"}).status_code == 422
    child = content.children[0].digest
    refused = writer.post(f"/{public.path}/-/manifests/{child}/delete")
    assert refused.status_code == 422
    assert "an image index still lists this manifest" in refused.text
    assert writer.post(address, {"confirm": public.path}).status_code == 302
    assert not Manifest.objects.filter(digest=content.digest).exists()
    assert writer.get(address).status_code == 404
    assert writer.post(f"/{public.path}/-/manifests/{child}/delete").status_code == 302


def test_deleted_tags_are_listed_and_come_back(browser: Browser, public: Repository) -> None:
    writer, address = browser("writer"), f"/{public.path}/-/deleted-tags"
    assert "No deleted tags" in writer.get(address).text
    writer.post(f"/{public.path}/-/tags/1.0/delete")
    move = TagMove.objects.get(kind="delete")
    assert f'name="move" value="{move.pk}"' in writer.get(address).text
    push(public, image("other"), "1.0")
    page = writer.get(address).text
    assert "Replace the present one" in page
    refused = writer.post(f"{address}/restore", {"move": move.pk})
    assert refused.status_code == 409
    assert "There is a tag 1.0 again" in refused.text
    done = writer.post(f"{address}/restore", {"move": move.pk, "replace": "1"})
    assert done.status_code == 302
    assert Tag.objects.get(name="1.0").manifest.digest == image("public").digest
    assert writer.post(f"{address}/restore", {"move": "x" * 30}).status_code == 404
    assert writer.post(f"{address}/restore", {"move": "9" * 30}).status_code == 404
    assert browser("reader").get(address).status_code == 403
    assert browser("stranger").get(address).status_code == 403


def test_a_repository_tells_what_goes_before_it_does(
    browser: Browser, public: Repository, people: dict[str, User]
) -> None:
    push(public, artifact(image("public")))
    Repository.objects.update(star_count=4, immutable_tags=["v*"])
    address = f"/{public.path}/-/settings/delete"
    manager = browser("manager")
    text = words(manager.get(address).text)
    for said in (
        "Delete owner/open?",
        "3 collaborators",
        "4 stars",
        "Immutable ones (v*) go as well",
        "Never pulled, as far as is known.",
        "from the trash of owner",
        "/api/repositories/owner/open",
        "Type owner/open to confirm.",
    ):
        assert said in text, said
    assert browser("writer").get(address).status_code == 403
    refused = manager.post(address, {"confirm": "open"})
    assert refused.status_code == 422
    assert "Delete owner/open?" in words(refused.text)
    public.refresh_from_db()
    assert public.is_active


def test_a_deleted_repository_comes_back_from_the_message(
    browser: Browser, private: Repository
) -> None:
    owner = browser("owner")
    gone = owner.post(f"/{private.path}/-/settings/delete", {"confirm": private.path})
    assert gone["Location"] == "/owner"
    for who in ("owner", "manager", "reader", ""):
        for rest in ("", "/-/tags", "/-/settings"):
            assert browser(who).get(f"/{private.path}{rest}").status_code == 404
    page = owner.get("/owner").text
    action = f"/owner/-/trash/{private.pk}/restore"
    assert f'action="{action}"' in page
    assert "It can be restored for 7 days." in page
    assert owner.post(action)["Location"] == f"/{private.path}"
    assert "owner/secret/app is back." in owner.get(f"/{private.path}").text
    assert browser("reader").get(f"/{private.path}/-/tags/1.0").status_code == 200


class TestTrash:
    @pytest.fixture
    def gone(self, public: Repository, people: dict[str, User]) -> Repository:
        delete_repository(public, actor=actor(people["owner"]))
        return public

    def test_it_is_for_who_could_delete_it(self, browser: Browser, gone: Repository) -> None:
        for who, status in (
            ("owner", 200),
            ("manager", 200),
            ("writer", 403),
            ("reader", 403),
            ("stranger", 403),
            ("", 302),
        ):
            assert browser(who).get("/owner/-/trash").status_code == status, who
            for act in ("restore", "purge"):
                address = f"/owner/-/trash/{gone.pk}/{act}"
                assert browser(who).get(address).status_code == status, (who, act)
        page = words(browser("owner").get("/owner/-/trash").text)
        assert "open Public" in page
        assert "You see those that you administered." not in page
        assert "You see those" in browser("manager").get("/owner/-/trash").text

    def test_one_sees_only_what_one_administered(
        self, browser: Browser, gone: Repository, people: dict[str, User]
    ) -> None:
        other = create_repository(namespace_of("owner"), "treasure", actor=actor(people["owner"]))
        grant_role(other, people["manager"], "write", actor=actor(people["owner"]))
        delete_repository(other, actor=actor(people["owner"]))
        assert "treasure" in browser("owner").get("/owner/-/trash").text
        assert "treasure" not in browser("manager").get("/owner/-/trash").text
        for act in ("restore", "purge"):
            assert browser("manager").get(f"/owner/-/trash/{other.pk}/{act}").status_code == 404
            assert browser("manager").post(f"/owner/-/trash/{other.pk}/{act}").status_code == 404

    def test_a_taken_name_asks_for_another(
        self, browser: Browser, gone: Repository, people: dict[str, User]
    ) -> None:
        create_repository(namespace_of("owner"), "open", actor=actor(people["owner"]))
        owner, address = browser("owner"), f"/owner/-/trash/{gone.pk}/restore"
        refused = owner.post(address)
        assert refused.status_code == 422
        assert "owner/open exists again" in refused.text
        assert 'value="open"' in refused.text
        for bad in ("", "No Good", "open"):
            assert owner.post(address, {"name": bad}).status_code == 422, bad
        assert owner.post(address, {"name": "open-2"})["Location"] == "/owner/open-2"
        assert owner.get("/owner/open-2/-/tags/1.0").status_code == 200

    def test_it_goes_for_good_when_its_name_is_typed(
        self, browser: Browser, gone: Repository
    ) -> None:
        owner, address = browser("owner"), f"/owner/-/trash/{gone.pk}/purge"
        assert "owner/open" in owner.get(address).text
        assert owner.post(address, {"confirm": "open"}).status_code == 422
        assert owner.post(address).status_code == 200
        assert owner.post(address, {"confirm": "owner/open"})["Location"] == "/owner/-/trash"
        gone.refresh_from_db()
        assert gone.state == State.DELETING
        assert "The trash is empty" in owner.get("/owner/-/trash").text
        assert owner.post(address, {"confirm": "owner/open"}).status_code == 404

    def test_the_link_is_where_owners_look(self, browser: Browser, gone: Repository) -> None:
        assert "/owner/-/trash" in browser("owner").get("/owner").text
        assert "/owner/-/trash" not in browser("stranger").get("/owner").text

    def test_it_is_gone_for_lists_and_counts(
        self, browser: Browser, gone: Repository, organization: Repository
    ) -> None:
        for address in ("/explore", "/search?q=open", "/owner", "/"):
            for who in ("owner", "reader", ""):
                assert "owner/open" not in browser(who).get(address).text, (address, who)
        assert Collaborator.objects.filter(repository=gone).exists()  # kept for later


def test_a_page_of_the_trash_costs_the_same_for_many(
    browser: Browser,
    public: Repository,
    people: dict[str, User],
    django_assert_max_num_queries: Any,
) -> None:
    by = actor(people["owner"])
    rows = [create_repository(namespace_of("owner"), f"r{n}", actor=by) for n in range(20)]
    owner = browser("owner")
    delete_repository(public, actor=by)
    owner.get("/owner/-/trash")
    with django_assert_max_num_queries(40) as one:
        owner.get("/owner/-/trash")
    for row in rows:
        delete_repository(row, actor=by)
    with django_assert_max_num_queries(len(one)) as many:
        assert owner.get("/owner/-/trash").text.count("purge") == 21
    assert len(many) == len(one)


def test_dates_are_told(browser: Browser, public: Repository) -> None:
    until = (timezone.now() + timedelta(days=7)).strftime("%Y-%m-%d")
    assert until in browser("owner").get(f"/{public.path}/-/settings/delete").text
    assert until in browser("owner").get(f"/{public.path}/-/tags/1.0/delete").text
