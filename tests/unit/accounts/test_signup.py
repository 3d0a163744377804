"""New people: account and namespace together, or neither."""

from __future__ import annotations

import pytest

from accounts.errors import NameTaken, PasswordWeak
from accounts.models import Namespace, User
from accounts.services import signup
from accounts.services.signup import create_user, ensure_administrator, give_namespace
from core.errors import Invalid

pytestmark = pytest.mark.django_db
GOOD = {"username": "bob", "email": "bob@example.com", "password": "correct horse 9"}


def test_an_account_comes_with_its_namespace_and_a_hashed_password():
    user = create_user(**GOOD)
    assert user.namespace.name == "bob"
    assert user.password.startswith("argon2$argon2id$")
    assert user.check_password("correct horse 9")
    assert not user.is_staff
    assert not user.is_superuser


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"username": "B"}, Invalid),
        ({"username": "admin"}, Invalid),
        ({"email": "no address"}, Invalid),
        ({"password": "short"}, PasswordWeak),
        ({"password": "password123"}, PasswordWeak),
        ({"password": "bob@example.com"}, PasswordWeak),
    ],
)
def test_bad_values_make_nothing(change, error):
    with pytest.raises(error):
        create_user(**{**GOOD, **change})
    assert not User.objects.exists()
    assert not Namespace.objects.exists()


def test_a_taken_name_or_address_makes_nothing(alice):
    with pytest.raises(NameTaken):
        create_user(**{**GOOD, "username": "alice"})
    create_user(**GOOD)
    with pytest.raises(NameTaken):
        create_user(**{**GOOD, "username": "bobby"})
    assert User.objects.count() == Namespace.objects.count() == 2


def test_several_people_may_have_no_address():
    create_user(**{**GOOD, "email": ""})
    create_user(**{**GOOD, "email": "", "username": "carol"})
    assert User.objects.filter(email="").count() == 2


def test_an_error_at_the_end_leaves_no_account(monkeypatch):
    def explode(**_):
        raise MemoryError

    monkeypatch.setattr(signup.Namespace.objects, "create", explode)
    with pytest.raises(MemoryError):
        create_user(**GOOD)
    assert not User.objects.exists()


def test_giving_a_namespace_twice_gives_the_same_one_and_a_taken_name_none(alice):
    assert give_namespace(alice) == alice.namespace
    late = User.objects.create(username="late", password="!")
    Namespace.objects.create(name="late", kind="library")
    with pytest.raises(NameTaken):
        give_namespace(late)


def test_the_named_administrator_is_made_once_and_keeps_a_changed_password():
    root = ensure_administrator("chief", "correct horse 9", "chief@example.com")
    assert root.is_superuser
    assert root.is_staff
    root.set_password("another good one")
    root.is_active = root.is_staff = False
    root.save()
    again = ensure_administrator("chief", "correct horse 9")
    assert again.pk == root.pk
    assert again.check_password("another good one")
    assert again.is_superuser
    assert again.is_active


def test_who_signed_up_under_the_administrators_name_does_not_become_one():
    thief = create_user(username="chief", email="", password="the thief knows this")
    with pytest.raises(Invalid):
        ensure_administrator("chief", "the operator's own secret")
    thief.refresh_from_db()
    assert not thief.is_superuser
    assert ensure_administrator("chief", "the thief knows this").is_superuser


def test_the_operator_may_use_a_reserved_name_which_then_has_no_namespace():
    assert ensure_administrator("admin", "short").is_superuser
    assert not Namespace.objects.filter(name="admin").exists()
    with pytest.raises(Invalid):
        create_user(username="admin", email="", password="a long enough secret")
