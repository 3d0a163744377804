"""Repositories, roles, stars, comments and pull counts: each write whole or not at all."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Membership
from core.errors import Denied, Invalid, NotFound
from events.models import Event
from repos.errors import CommentInvalid, RepositoryExists
from repos.models import Collaborator, Comment, PullCount, Repository, Star, TeamGrant
from repos.services import collaborators, comments, counts, repositories, stars
from repos.services.collaborators import grant_role, grant_team, revoke_role, revoke_team
from repos.services.comments import MAX_CHARS, add_comment, delete_comment, edit_comment
from repos.services.counts import add_pulls
from repos.services.repositories import (
    create_repository,
    delete_repository,
    get_or_create_repository,
    update_repository,
)
from repos.services.stars import set_star
from tests.unit.repos import people
from tests.unit.repos.people import person, principal

pytestmark = pytest.mark.django_db


def explode(*_, **__):
    raise MemoryError


def kinds():
    return list(Event.objects.order_by("pk").values_list("kind", flat=True))


# --- repositories


def test_a_repository_is_private_unless_told_otherwise_and_its_making_is_news(alice, actor):
    made = create_repository(alice.namespace, "app/part", actor=actor)
    assert (made.path, made.visibility, made.is_active) == ("alice/app/part", "private", True)
    event = Event.objects.get()
    assert (event.kind, event.repository_id) == ("repository.created", made.pk)
    assert (event.repository_path, event.actor_id) == ("alice/app/part", alice.pk)


@pytest.mark.parametrize(
    "name", ["", "A", "a b", "../x", "a//b", ".a", "a/", "a" * 195, "é", "a\0"]
)
def test_a_name_outside_the_grammar_makes_nothing(alice, actor, name):
    with pytest.raises(Invalid) as caught:
        create_repository(alice.namespace, name, actor=actor)
    assert caught.value.code == "NAME_INVALID"
    assert not Repository.objects.exists()


@pytest.mark.parametrize("values", [{"visibility": "secret"}, {"description": "x" * 301}])
def test_values_outside_what_is_offered_make_nothing(alice, actor, values):
    with pytest.raises(Invalid):
        create_repository(alice.namespace, "app", actor=actor, **values)
    assert not Repository.objects.exists()


def test_a_taken_path_is_a_conflict_without_news_and_a_first_push_gets_the_one_there_is(
    alice, actor, repository
):
    with pytest.raises(RepositoryExists):
        create_repository(alice.namespace, "app", actor=actor)
    assert get_or_create_repository(alice.namespace, "app", actor=actor) == repository
    assert kinds() == []
    assert get_or_create_repository(alice.namespace, "new", actor=actor).path == "alice/new"
    assert kinds() == ["repository.created"]


def test_only_what_is_given_and_differs_is_changed_and_told(repository, actor):
    update_repository(repository, actor=actor, description="one", readme="# Hello")
    update_repository(repository, actor=actor, description="one")
    update_repository(repository, actor=actor)
    update_repository(repository, actor=actor, visibility="public")
    stored = Repository.objects.get()
    assert (stored.description, stored.readme, stored.is_public) == ("one", "# Hello", True)
    assert "<h1" in stored.readme_html
    assert kinds() == ["repository.updated", "repository.visibility"]
    assert Event.objects.last().payload == {
        "visibility": "public",
        "before": {"visibility": "private"},
        "after": {"visibility": "public"},
    }


@pytest.mark.parametrize(
    "values",
    [{"visibility": "x"}, {"description": "x" * 301}, {"readme": "x" * (100 * 1024 + 1)}],
    ids=["visibility", "description", "readme"],
)
def test_a_refused_change_changes_nothing(repository, actor, values):
    with pytest.raises(Invalid):
        update_repository(repository, actor=actor, **{"description": "new", **values})
    assert Repository.objects.get().description == ""
    assert kinds() == []


def test_a_deleted_repository_steps_aside_at_once_and_only_once(repository, alice, actor):
    delete_repository(repository, actor=actor)
    row = Repository.objects.get()
    assert not row.is_active
    assert row.path == row.name == f"~{row.pk}"
    assert Event.objects.get().repository_path == "alice/app"
    with pytest.raises(NotFound):
        delete_repository(repository, actor=actor)
    create_repository(alice.namespace, "app", actor=actor)
    Repository.objects.filter(pk=repository.pk).delete()
    with pytest.raises(NotFound):
        delete_repository(repository, actor=actor)


@pytest.mark.parametrize(
    "act",
    [
        lambda repo, actor: create_repository(repo.namespace, "new", actor=actor),
        lambda repo, actor: update_repository(repo, actor=actor, description="new"),
        lambda repo, actor: delete_repository(repo, actor=actor),
    ],
    ids=["create", "update", "delete"],
)
def test_an_error_at_the_end_leaves_the_repositories_as_they_were(
    repository, actor, monkeypatch, act
):
    before = list(Repository.objects.values())
    monkeypatch.setattr(repositories, "record", explode)
    with pytest.raises(MemoryError):
        act(repository, actor)
    assert list(Repository.objects.values()) == before


# --- roles


def test_a_role_is_given_replaced_and_taken_with_news_of_each(repository, actor):
    bob = person("bob")
    grant_role(repository, bob, "read", actor=actor)
    grant_role(repository, bob, "write", actor=actor)
    assert Collaborator.objects.get().role == "write"
    revoke_role(repository, bob, actor=actor)
    with pytest.raises(NotFound):
        revoke_role(repository, bob, actor=actor)
    assert kinds() == ["collaborator.added", "collaborator.added", "collaborator.removed"]
    assert Event.objects.first().payload == {
        "user": "bob",
        "role": "read",
        "after": {"role": "read"},
    }


def test_the_owner_needs_no_role_and_there_are_three_roles(repository, alice, actor):
    with pytest.raises(Invalid) as caught:
        grant_role(repository, alice, "read", actor=actor)
    assert caught.value.code == "IS_OWNER"
    for role in ("", "owner", "READ", "none"):
        with pytest.raises(Invalid):
            grant_role(repository, person(f"u{len(role)}{role.lower()}"), role, actor=actor)
    assert not Collaborator.objects.exists()


def test_a_team_gets_roles_only_on_repositories_of_its_organization(repository, alice, actor):
    acme = people.organization("acme", alice)
    crew = people.team(acme, "crew")
    ours = people.repository(acme.namespace, "app")
    with pytest.raises(Invalid):
        grant_team(repository, crew, "read", actor=actor)
    with pytest.raises(Invalid):
        grant_team(ours, crew, "chief", actor=actor)
    grant_team(ours, crew, "read", actor=actor)
    grant_team(ours, crew, "admin", actor=actor)
    assert TeamGrant.objects.get().role == "admin"
    revoke_team(ours, crew, actor=actor)
    with pytest.raises(NotFound):
        revoke_team(ours, crew, actor=actor)
    assert kinds() == ["collaborator.added", "collaborator.added", "collaborator.removed"]


def test_an_error_at_the_end_leaves_the_roles_as_they_were(repository, alice, actor, monkeypatch):
    acme = people.organization("acme", alice)
    crew, ours = people.team(acme, "crew"), people.repository(acme.namespace, "app")
    bob, carol = person("bob"), person("carol")
    grant_role(repository, bob, "read", actor=actor)
    grant_team(ours, crew, "read", actor=actor)
    monkeypatch.setattr(collaborators, "record", explode)
    for act in (
        lambda: grant_role(repository, bob, "admin", actor=actor),
        lambda: grant_role(repository, carol, "read", actor=actor),
        lambda: revoke_role(repository, bob, actor=actor),
        lambda: grant_team(ours, crew, "admin", actor=actor),
        lambda: revoke_team(ours, crew, actor=actor),
    ):
        with pytest.raises(MemoryError):
            act()
    assert Collaborator.objects.get().role == "read"
    assert TeamGrant.objects.get().role == "read"
    assert Membership.objects.count() == 1


# --- stars


def test_the_count_moves_only_when_a_star_did(repository, alice, actor):
    assert [set_star(repository, actor=actor, starred=s) for s in (False, True, True)] == [0, 1, 1]
    bob = person("bob")
    assert set_star(repository, actor=principal(bob).actor, starred=True) == 2
    assert [set_star(repository, actor=actor, starred=s) for s in (False, False)] == [1, 1]
    assert Repository.objects.get().star_count == repository.star_count == 1
    assert Star.objects.get().user == bob
    assert kinds() == ["repository.starred", "repository.starred", "repository.unstarred"]


def test_an_error_at_the_end_leaves_no_star(repository, actor, monkeypatch):
    monkeypatch.setattr(stars, "record", explode)
    with pytest.raises(MemoryError):
        set_star(repository, actor=actor, starred=True)
    assert not Star.objects.exists()
    assert Repository.objects.get().star_count == 0


# --- comments


def test_a_comment_is_trimmed_rendered_counted_and_news(repository, alice):
    comment = add_comment(repository, principal=principal(alice), body="  *Hi* <script>\n")
    assert comment.body == "*Hi* <script>"
    assert "<em>Hi</em>" in comment.body_html
    assert "<script" not in comment.body_html
    assert Repository.objects.get().comment_count == 1
    assert Event.objects.get().payload == {"comment_id": comment.pk}


@pytest.mark.parametrize("body", ["", "  \n\t ", "x" * (MAX_CHARS + 1)], ids=["", "blank", "long"])
def test_a_comment_without_text_or_with_too_much_is_refused(repository, alice, body):
    with pytest.raises(CommentInvalid):
        add_comment(repository, principal=principal(alice), body=body)
    comment = add_comment(repository, principal=principal(alice), body="x" * MAX_CHARS)
    with pytest.raises(CommentInvalid):
        edit_comment(comment, principal=principal(alice), body=body)
    assert Comment.objects.get().edited_at is None


def test_only_the_author_edits_and_only_with_a_credential_that_may_comment(repository, alice):
    bob = person("bob")
    Collaborator.objects.create(repository=repository, user=bob, role="read")
    comment = add_comment(repository, principal=principal(bob), body="first")
    for who in (principal(alice), principal(bob, "*:pull,push"), principal(None)):
        with pytest.raises(Denied):
            edit_comment(comment, principal=who, body="second")
    edit_comment(comment, principal=principal(bob), body="second")
    stored = Comment.objects.get()
    assert (stored.body, stored.edited_at is not None) == ("second", True)
    Collaborator.objects.all().delete()
    with pytest.raises(Denied):
        edit_comment(comment, principal=principal(bob), body="third")


def test_the_author_or_an_administrator_deletes_and_the_count_follows_once(repository, alice):
    bob, carol = person("bob"), person("carol")
    for user in (bob, carol):
        Collaborator.objects.create(repository=repository, user=user, role="write")
    one, two = (add_comment(repository, principal=principal(bob), body=b) for b in "12")
    with pytest.raises(Denied):
        delete_comment(one, principal=principal(carol))
    delete_comment(one, principal=principal(bob))
    with pytest.raises(NotFound):
        delete_comment(one, principal=principal(bob))
    delete_comment(two, principal=principal(alice))
    assert Repository.objects.get().comment_count == 0
    assert Comment.objects.filter(deleted_at=None).count() == 0


def test_a_comment_whose_author_left_belongs_to_nobody(repository, alice):
    Repository.objects.update(visibility="public")
    comment = add_comment(repository, principal=principal(alice), body="x")
    comment.author = None
    comment.save()
    comment.refresh_from_db()
    assert not comments.may_edit(comment, principal(None))
    assert not comments.may_edit(comment, principal(alice))
    assert comments.may_delete(comment, principal(alice))


def test_an_error_at_the_end_leaves_no_comment(repository, alice, monkeypatch):
    monkeypatch.setattr(comments, "record", explode)
    with pytest.raises(MemoryError):
        add_comment(repository, principal=principal(alice), body="x")
    assert not Comment.objects.exists()
    assert Repository.objects.get().comment_count == 0


def test_an_error_at_the_end_of_a_deletion_leaves_the_comment(repository, alice, monkeypatch):
    comment = add_comment(repository, principal=principal(alice), body="x")
    monkeypatch.setattr(comments, "_count", explode)
    with pytest.raises(MemoryError):
        delete_comment(comment, principal=principal(alice))
    assert Comment.objects.get().deleted_at is None


# --- pull counts


def test_pulls_add_up_by_repository_and_day_and_pass_over_what_has_gone(repository, alice):
    other = people.repository(alice.namespace, "other")
    now = timezone.now()
    with time_machine.travel(now):
        add_pulls({repository.pk: 2, other.pk: 1, 2**40: 5})
        add_pulls({repository.pk: 3})
    with time_machine.travel(now + timedelta(days=1)):
        add_pulls({repository.pk: 4})
    assert Repository.objects.get(pk=repository.pk).pull_count == 9
    days = PullCount.objects.filter(repository=repository).order_by("day")
    assert list(days.values_list("pulls", flat=True)) == [5, 4]
    assert Repository.objects.get(pk=other.pk).pull_count == 1


def test_an_error_in_the_middle_counts_nothing(repository, monkeypatch):
    monkeypatch.setattr(counts.PullCount.objects, "get_or_create", explode)
    with pytest.raises(MemoryError):
        add_pulls({repository.pk: 2})
    assert Repository.objects.get().pull_count == 0
