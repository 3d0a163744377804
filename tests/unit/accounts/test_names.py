"""Which names people and organizations may have."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import NameTaken
from accounts.models import Namespace, NamespaceAlias, RetiredName, User
from accounts.names import MAX_LENGTH, RESERVED, check_name
from accounts.services.names import RETIRED_FOR, is_called, is_name_free, retire_name
from accounts.services.organizations import create_organization
from accounts.services.signup import create_user
from core.errors import HubError, Invalid
from oci.names import RepositoryName
from repos.models import Alias
from tests.unit.repos.people import person, repository


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


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["al-ice", "a.lice", "ali_ce", "al--i.ce"])
def test_what_differs_in_separators_only_is_for_the_same_owner(alice, name):
    bob = person("bob")
    assert not is_name_free(name)
    assert not is_name_free(name, to=bob)
    assert not is_name_free(name, of=bob.namespace)
    assert is_name_free(name, to=alice)
    assert is_name_free(name, of=alice.namespace)
    organization = create_organization(alice, name=name)
    assert not is_name_free(f"{name}-", to=bob)
    assert is_name_free("alic-e", of=organization.namespace, to=alice)
    assert not is_name_free("alic-e", of=organization.namespace)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["ad-min", "lib.rary", "h_ub", "robots-txt", "a-p-i"])
def test_nobody_looks_like_a_reserved_word(alice, name):
    assert not is_name_free(name, to=alice)
    with pytest.raises(NameTaken):
        create_user(username=name, email="x@example.org", password="correct horse 9")


@pytest.mark.django_db
def test_a_former_name_is_for_its_own_namespace_alone(alice):
    NamespaceAlias.objects.create(old_name="before", namespace=alice.namespace)
    assert is_name_free("before", of=alice.namespace)
    assert not is_name_free("before", to=alice)  # it would shadow what leads on
    assert is_name_free("be-fore", to=alice)
    for name in ("before", "be-fore"):
        assert not is_name_free(name)
        assert not is_name_free(name, of=person(f"x{len(name)}").namespace)


@pytest.mark.django_db
def test_a_retired_name_is_free_after_a_while_or_never(alice):
    half_a_year = timezone.now() + RETIRED_FOR
    quiet, known = retire_name("quiet", pulls=100), retire_name("known", pulls=101)
    assert quiet.free_at is not None
    assert abs(quiet.free_at - half_a_year) < timedelta(minutes=1)
    assert known.free_at is None
    for name in ("quiet", "qui-et", "known", "kno.wn"):
        assert not is_name_free(name, to=alice), name
    RetiredName.objects.filter(free_at__isnull=False).update(free_at=timezone.now())
    assert is_name_free("quiet")
    assert not is_name_free("known")
    assert retire_name("quiet", pulls=500).free_at is None  # gone a second time
    assert RetiredName.objects.count() == 2


@pytest.mark.django_db
def test_a_name_stays_taken_while_addresses_under_it_lead_elsewhere(alice):
    moved = repository(alice.namespace, "app")
    Alias.objects.create(old_path="vanished/app", repository=moved)
    assert not is_name_free("vanished")
    assert is_name_free("vanished", of=alice.namespace)
    moved.state = "deleting"
    moved.save()
    assert is_name_free("vanished")


@pytest.mark.django_db
def test_accounts_answer_to_former_names(alice, django_assert_num_queries):
    robot = User.objects.create(username="alice+ci", robot_namespace=alice.namespace)
    NamespaceAlias.objects.create(old_name="ali", namespace=alice.namespace)
    bob = person("bob")
    with django_assert_num_queries(0):
        assert is_called(alice, "ALICE")
    for user, names in {alice: ("ali",), robot: ("ali+ci", "Ali+CI")}.items():
        assert all(is_called(user, name) for name in names)
    for user, names in {
        alice: ("bob", "ali+ci", "alice+ci", "", "+"),
        robot: ("ali", "ali+", "ali+other", "bob+ci", "alice"),
        bob: ("ali", "alice"),
    }.items():
        assert not any(is_called(user, name) for name in names)
