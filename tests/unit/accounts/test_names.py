"""Which names people and organizations may have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Namespace, User
from accounts.names import MAX_LENGTH, RESERVED, check_name
from accounts.services.organizations import create_organization
from accounts.services.signup import create_user, is_name_free
from core.errors import HubError, Invalid
from oci.names import RepositoryName


@pytest.mark.parametrize(
    "name", ["al", "alice", "alice-b", "a--b", "a_b", "a__b", "a.b", "007", "a" * MAX_LENGTH]
)
def test_a_good_name_is_taken_as_it_is(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "a" * (MAX_LENGTH + 1),
        "Alice",
        "a b",
        "a/b",
        "a:b",
        "a@b",
        "-a",
        "a-",
        ".a",
        "a.",
        "_a",
        "a_",
        "a..b",
        "a._b",
        "a___b",
        "..",
        "a\n",
        "\na",
        "a\0b",
        "a\u200bb",
        "аlice",  # Cyrillic
        "alıce",  # without its dot
        "ſam",
        "１2",
        "a%2fb",
        "<b>",
        "a" * 100_000,
    ],
    ids=lambda n: ascii(n[:12]),
)
def test_a_bad_name_is_refused(name):
    with pytest.raises(Invalid) as caught:
        check_name(name)
    assert caught.value.code == "NAME_INVALID"


@pytest.mark.parametrize("name", sorted(n for n in RESERVED if len(n) > 1 and n[0].isalnum()))
def test_words_that_mean_something_here_are_reserved(name):
    with pytest.raises(Invalid) as caught:
        check_name(name)
    assert caught.value.code == "NAME_RESERVED"


@given(st.text(st.characters(), max_size=50))
def test_junk_raises_only_errors_of_ours_and_what_passes_is_a_path_component(name):
    try:
        check_name(name)
    except HubError:
        return
    assert RepositoryName.parse(f"{name}/x").namespace == name


@pytest.mark.django_db
@pytest.mark.parametrize("first", ["user", "organization"])
@pytest.mark.parametrize("second", ["user", "organization"])
def test_people_and_organizations_share_one_set_of_names(alice, first, second):
    def make(kind, email):
        if kind == "user":
            create_user(username="acme", email=email, password="correct horse 9")
        else:
            create_organization(alice, name="acme")

    make(first, "a@example.com")
    assert not is_name_free("acme")
    with pytest.raises(HubError) as caught:
        make(second, "b@example.com")
    assert caught.value.code == "NAME_TAKEN"
    assert Namespace.objects.filter(name="acme").count() == 1
    assert User.objects.filter(username="acme").count() == (first == "user")
