"""Exploring, searching and what is offered while somebody types."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from events import dispatch
from repos.models import Repository
from repos.services.repositories import update_repository
from repos.templatetags.hub import marked
from tests.images import multi
from tests.pages.conftest import actor, namespace_of, push
from tests.unit.repos import people as made

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]


def listed(client: Client, address: str, **more: Any) -> list[str]:
    """Paths of the rows of a page."""
    response = client.get(address, **more)
    assert response.status_code == 200
    return re.findall(r'<a class="name" href="/([^"]+)"', response.text)


def many(number: int, **values: Any) -> None:
    for n in range(number):
        made.repository(
            namespace_of("owner"), f"box{n:02}", visibility="public", star_count=n, **values
        )


@pytest.mark.parametrize(
    "page", ["/search?q=box", "/search?q=box+sort:name", "/search?q=sort:stars+box"]
)
def test_more_leads_through_everything_without_scripts(browser: Browser, page: str) -> None:
    many(45)
    client, address, seen = browser(""), page, []
    while address:
        response = client.get(address)
        seen += re.findall(r'<a class="name" href="/([^"]+)"', response.text)
        more = re.search(r'rel="next" href="([^"]+)"', response.text)
        assert ('rel="first"' in response.text) == ("after=" in address)
        address = more[1].replace("&amp;", "&") if more else ""
    assert len(seen) == len(set(seen)) == 45


def test_a_position_of_another_order_is_the_first_page(browser: Browser) -> None:
    many(3)
    first = listed(browser(""), "/search?q=box")
    assert listed(browser(""), "/search?q=box&after=nonsense") == first


def test_filters_of_the_address(
    browser: Browser, public: Repository, private: Repository, htmx: dict[str, str]
) -> None:
    push(public, multi("many"), "2.0")
    dispatch.drain()
    reader, nobody = browser("reader"), browser("")
    both = {public.path, private.path}
    for query, expected in (
        ("", both),
        ("?platform=linux/arm64", {public.path}),
        ("?platform=arm64", {public.path}),
        ("?platform=linux/amd64", both),
        ("?kind=image", both),
        ("?kind=chart", set()),
        ("?visibility=private", {private.path}),
        ("?visibility=public&updated=1d", {public.path}),
        ("?namespace=owner", both),
        ("?namespace=stranger", set()),
        ("?show=shared", both),
        ("?show=starred", set()),
        ("?kind=nonsense", both),
    ):
        assert set(listed(reader, f"/explore{query}")) == expected, query
        assert set(listed(nobody, f"/explore{query}")) <= {public.path}
    part = reader.get("/explore?kind=chart", headers=htmx)
    assert "<html" not in part.text
    assert "Nothing passes these filters" in part.text
    assert 'id="list"' in part.text


def test_what_is_typed(browser: Browser, public: Repository, private: Repository) -> None:
    reader = browser("reader")
    assert listed(reader, "/search?q=is:private") == [private.path]
    assert listed(reader, "/search?q=app+org:owner") == [private.path]
    assert listed(browser("stranger"), "/search?q=is:private") == []
    page = reader.get("/search?q=app+is:private+kind:thing").text
    assert "kind:thing is no filter" in page
    chip = re.search(r'<a class="chip" href="([^"]+)"><span class="mono">is:private', page)
    assert chip
    assert chip[1] == "/search?q=app"


def test_empty_pages_say_what_to_do(browser: Browser) -> None:
    page = browser("owner").get("/search?q=my-tool").text
    assert "/new?name=my-tool" in page
    assert "Sign in" in browser("").get("/search?q=my-tool").text
    start = browser("").get("/search").text
    assert "updated:&lt;30d" in start
    assert "No repository matches" not in start


def test_a_changed_description_is_found_at_once(browser: Browser, private: Repository) -> None:
    owner = browser("owner")
    assert listed(owner, "/search?q=saxophone") == []
    update_repository(
        private, actor=actor(private.namespace.user), description="Plays the saxophone"
    )
    assert listed(owner, "/search?q=saxophone") == [private.path]
    assert listed(browser("stranger"), "/search?q=saxophone") == []


def test_suggestions(browser: Browser, public: Repository, private: Repository) -> None:
    def offered(who: str, text: str) -> set[str]:
        response = browser(who).get("/search/suggest", {"q": text})
        assert response.status_code == 200
        assert "<html" not in response.text
        return set(re.findall(r'role="option"[^>]* href="/([^"?]*)', response.text))

    assert offered("reader", "secret") == {private.path, "search"}
    assert offered("stranger", "secret") == offered("", "secret") == set()
    assert offered("", "open") == {public.path, "search"}
    assert offered("stranger", "read") == {"reader", "search"}
    assert offered("stranger", "re") & {"reader"} == set()
    assert offered("", "reader") == set()
    assert "settings/tokens" in offered("reader", "tokens")
    assert "settings/tokens" not in offered("", "tokens")
    assert offered("reader", "") == set()
    assert offered("reader", "is:private") == {private.path, "search"}


def test_suggestions_end(browser: Browser) -> None:
    many(20, description="x")
    text = browser("owner").get("/search/suggest?q=box").text
    assert text.count("suggestion-r") == 5


def test_pages_cost_the_same_whatever_there_is(
    browser: Browser, public: Repository, django_assert_max_num_queries: Any
) -> None:
    owner = browser("owner")
    for address in ("/explore", "/search?q=o", "/search/suggest?q=owner"):
        owner.get(address)
        with django_assert_max_num_queries(12) as few:
            owner.get(address)
        many(3)
        with django_assert_max_num_queries(len(few)):
            owner.get(address)
        Repository.objects.filter(name__startswith="box").delete()


# --- what matched, and what may have been meant


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("acme/Api-tool", ("api", "tool"), "acme/<mark>Api</mark>-<mark>tool</mark>"),
        ("apiapi", ("api",), "<mark>api</mark><mark>api</mark>"),
        ("apis", ("api", "apis"), "<mark>apis</mark>"),
        ("a < b & c", ("b & c",), "a &lt; <mark>b &amp; c</mark>"),
        (
            "<script>x</script>",
            ("script",),
            "&lt;<mark>script</mark>&gt;x&lt;/<mark>script</mark>&gt;",
        ),
        ("&amp", ("amp",), "&amp;<mark>amp</mark>"),
        ("a.b aXb", ("a.b",), "<mark>a.b</mark> aXb"),
        ("none", ("other",), "none"),
        ("<b>", (), "&lt;b&gt;"),
        ("<b>", None, "&lt;b&gt;"),
    ],
)
def test_what_matched_is_marked(text: str, words: Any, expected: str) -> None:
    assert marked(text, words) == expected


def test_marks_in_rows_and_suggestions(browser: Browser, private: Repository) -> None:
    update_repository(
        private, actor=actor(private.namespace.user), description="A <b>Secret</b> thing"
    )
    for address in ("/search", "/search/suggest"):
        text = browser("owner").get(address, {"q": "secret"}).text
        assert "<mark>secret</mark>" in text
        assert "A &lt;b&gt;<mark>Secret</mark>&lt;/b&gt; thing" in text
    for address in ("/search?q=is:private", "/", "/owner", "/explore?show=mine"):
        text = browser("owner").get(address).text
        assert private.path in text
        assert "<mark>" not in text


def meant(client: Client, text: str) -> list[str]:
    page = client.get("/search", {"q": text})
    assert page.status_code == 200
    return re.findall(r'href="/search\?q=([^"&]+)"><strong>', page.text)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("ngnix", ["nginx"]),
        ("nginxx", ["nginx"]),
        ("nginz", ["nginx"]),
        ("ngin-x", ["nginx"]),
        ("trafik", ["traefik"]),
        ("postgers", ["postgres"]),
        ("prot-gres", []),
        ("zz", []),
        ("x" * 150, []),
        ("ngnix sort:stars", ["nginx+sort%3Astars"]),
        ("ngnix is:public", []),
        ("ngnix proxy", ["nginx+proxy"]),
        ("ngnix absent", []),
        ("trafik/ngnix", []),
        ('"%_\\', []),
    ],
)
def test_did_you_mean(browser: Browser, typed: str, expected: list[str]) -> None:
    for name in ("nginx", "traefik-edge", "postgres"):
        made.repository(namespace_of("owner"), name, visibility="public", description="Some proxy.")
    for who in ("", "stranger"):
        assert meant(browser(who), typed) == expected
    for found in expected:
        assert listed(browser(""), f"/search?q={found}")


def test_hidden_names_are_not_meant(browser: Browser, django_assert_max_num_queries: Any) -> None:
    """Twin worlds: to others, a hub with a private repository is one without it."""
    words = ("wharehouse", "warehous", "awrehouse", "warehouse stock", "wharehouse stock")
    without = {
        (who, word): browser(who).get("/search", {"q": word}).text
        for who in ("", "stranger")
        for word in words
    }
    hidden = made.repository(namespace_of("owner"), "warehouse", description="Stock.")
    gone = made.repository(namespace_of("owner"), "warehouses", visibility="public")
    Repository.objects.filter(pk=gone.pk).update(state=Repository.State.TRASHED)
    csrf = re.compile(r'(name="csrfmiddlewaretoken" value="|X-CSRFToken": ")\w+')
    for (who, word), before in without.items():
        after = browser(who).get("/search", {"q": word}).text
        assert csrf.sub("", after) == csrf.sub("", before)
        assert meant(browser(who), word) == []
    owner = browser("owner")
    assert meant(owner, "wharehouse") == ["warehouse"]
    assert meant(owner, "wharehouse stock") == ["warehouse+stock"]
    with django_assert_max_num_queries(12):
        owner.get("/search", {"q": "wharehouse stock"})
    assert hidden.path not in browser("stranger").get("/search?q=warehouse").text
