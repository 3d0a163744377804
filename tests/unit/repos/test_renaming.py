"""Other names for repositories and accounts, and what the old ones lead to."""

from __future__ import annotations

import pytest

from accounts.errors import NameTaken
from accounts.models import AccessToken, Membership, Namespace, NamespaceAlias, RetiredName, User
from accounts.services.tokens import create_token
from core.errors import Conflict, Denied, Invalid, NotFound
from events.models import Event
from events.types import Actor
from oci.names import MAX_NAME_LENGTH
from repos.errors import NotOwner, PublicRefused, RepositoryExists
from repos.models import Alias, Collaborator, Repository, TeamGrant
from repos.permissions import find_moved, find_visible
from repos.services import aliases
from repos.services.renaming import (
    MAX_FORMER_NAMES,
    give_up_name,
    rename_account,
    rename_repository,
    transfer_repository,
)
from repos.services.repositories import (
    create_repository,
    delete_repository,
    get_or_create_repository,
)
from tests.unit.repos import people

pytestmark = pytest.mark.django_db


def path_of(repository):
    return Repository.objects.get(pk=repository.pk).path


def kinds():
    return list(Event.objects.order_by("pk").values_list("kind", flat=True))


def old_paths():
    return dict(Alias.objects.values_list("old_path", "repository_id"))


@pytest.fixture
def acme(alice):
    """An organization of Alice."""
    return people.organization("acme", alice).namespace


@pytest.fixture
def app(acme):
    return people.repository(acme, "app")


# --- renaming a repository


def test_the_old_path_leads_to_the_renamed_repository(alice, app):
    me = people.principal(alice)
    renamed = rename_repository(app, "team/web", principal=me)
    assert (renamed.path, renamed.name) == ("acme/team/web", "team/web")
    assert path_of(app) == "acme/team/web"
    assert find_visible(me, "acme/app") is None
    for bare in (False, True):
        assert find_moved(me, "acme/app", bare=bare) == app
        assert find_moved(people.principal(people.person(f"x{bare:d}")), "acme/app") is None
    event = Event.objects.get(kind="repository.renamed")
    assert event.dispatched_at is None  # webhooks are told
    assert (event.repository_path, event.actor_name) == ("acme/team/web", "alice")
    assert event.payload == {"before": {"path": "acme/app"}, "after": {"path": "acme/team/web"}}


def test_aliases_lead_to_the_repository_and_never_to_one_another(alice, app):
    me = people.principal(alice)
    for name in ("b", "c", "d"):
        app = rename_repository(app, name, principal=me)
    assert old_paths() == {"acme/app": app.pk, "acme/b": app.pk, "acme/c": app.pk}
    app = rename_repository(app, "b", principal=me)
    assert old_paths() == {"acme/app": app.pk, "acme/c": app.pk, "acme/d": app.pk}
    assert rename_repository(app, "b", principal=me).path == "acme/b"  # nothing to do
    assert kinds().count("repository.renamed") == 4


def test_a_path_that_is_taken_or_bad_is_refused(alice, app):
    me = people.principal(alice)
    people.repository(app.namespace, "web")
    with pytest.raises(RepositoryExists):
        rename_repository(app, "web", principal=me)
    for name in ("", "Web", "a//b", "-", "x" * MAX_NAME_LENGTH):
        with pytest.raises(Invalid):
            rename_repository(app, name, principal=me)
    assert (path_of(app), old_paths(), kinds()) == ("acme/app", {}, [])


def test_what_is_gone_or_was_moved_meanwhile_is_not_renamed(alice, app, actor):
    me = people.principal(alice)
    stale = Repository.objects.select_related("namespace").get(pk=app.pk)
    transfer_repository(app, alice.namespace, principal=me)
    with pytest.raises(Conflict):
        rename_repository(stale, "web", principal=me)
    moved = Repository.objects.get(pk=app.pk)
    delete_repository(moved, actor=actor)
    with pytest.raises(NotFound):
        rename_repository(moved, "web", principal=me)


@pytest.mark.parametrize(
    "who", ["stranger", "collaborator", "member", "robot", "limited", "unverified"]
)
def test_only_owners_rename_and_transfer(alice, app, who):
    user = people.person("bob")
    principal = people.principal(user)
    Collaborator.objects.create(repository=app, user=user, role="admin")
    if who == "member":
        Membership.objects.create(organization=app.namespace.organization, user=user)
    elif who == "robot":
        User.objects.filter(pk=user.pk).update(username="acme+ci", robot_namespace=app.namespace)
        principal = people.principal(user)
        object.__setattr__(principal, "robot_of", app.namespace_id)
    elif who == "limited":
        principal = people.principal(alice, "*:pull,push,delete")
    elif who == "unverified":
        principal = people.principal(alice)
        object.__setattr__(principal, "is_verified", False)
    with pytest.raises(NotOwner):
        rename_repository(app, "web", principal=principal)
    with pytest.raises(NotOwner):
        transfer_repository(app, user.namespace, principal=principal)
    with pytest.raises(NotOwner):
        rename_account(app.namespace, "corp", principal=principal)
    assert path_of(app) == "acme/app"


def test_tokens_that_name_the_old_path_name_the_new_one(alice, app):
    bob = people.person("bob")
    Collaborator.objects.create(repository=app, user=bob, role="read")
    scopes = {
        "exact": ["repository:acme/app:pull", "repository:other/x:pull"],
        "longer": ["repository:acme/app2:pull", "repository:acme/app/x:pull"],
        "glob": ["repository:acme/*:pull,push"],
        "all": [],
    }
    for user in (alice, bob):
        for name, some in scopes.items():
            create_token(user, name=name, scopes=some)
    rename_repository(app, "web", principal=people.principal(alice))
    for user in (alice, bob):
        now = dict(AccessToken.objects.filter(user=user).values_list("name", "scopes"))
        expected = ["repository:acme/web:pull", "repository:other/x:pull"]
        assert now == {**scopes, "exact": expected}
    told = Event.objects.filter(kind="token.rescoped")
    assert sorted(told.values_list("payload__owner", flat=True)) == ["alice", "bob"]
    assert told[0].payload["before"] == {"scopes": scopes["exact"]}


# --- who may have a former path


def test_making_a_repository_in_the_same_namespace_ends_the_alias(alice, actor, app):
    rename_repository(app, "web", principal=people.principal(alice))
    made = create_repository(app.namespace, "app", actor=actor)
    assert made.path == "acme/app"
    assert old_paths() == {}
    event = Event.objects.get(kind="alias.removed")
    assert event.payload == {"old_path": "acme/app", "uses": 0}
    assert event.repository_path == "acme/web"
    assert find_moved(people.principal(alice), "acme/app") is None


def test_a_path_that_leads_to_another_namespace_is_not_taken(alice, actor, app, acme):
    me = people.principal(alice)
    moved = transfer_repository(app, alice.namespace, principal=me)
    for make in (create_repository, get_or_create_repository):
        with pytest.raises(RepositoryExists):
            make(acme, "app", actor=actor)
    other = people.repository(acme, "other")
    with pytest.raises(RepositoryExists):
        rename_repository(other, "app", principal=me)
    aliases.remove_alias(moved, moved.aliases.get().pk, actor=actor)
    assert create_repository(acme, "app", actor=actor).path == "acme/app"


def test_a_deleted_repository_keeps_no_former_path(alice, actor, app, acme):
    moved = transfer_repository(app, alice.namespace, principal=people.principal(alice))
    delete_repository(moved, actor=actor)
    assert find_moved(people.principal(alice), "acme/app") is None
    assert create_repository(acme, "app", actor=actor).path == "acme/app"


def test_an_alias_of_something_else_is_not_removed(alice, actor, app, repository):
    rename_repository(app, "web", principal=people.principal(alice))
    alias = Alias.objects.get()
    with pytest.raises(NotFound):
        aliases.remove_alias(repository, alias.pk, actor=actor)
    assert aliases.remove_alias(app, alias.pk, actor=actor) == "acme/app"
    assert aliases.list_aliases(app) == []


# --- transfers


def test_a_transfer_drops_teams_and_robots_and_keeps_people(alice, app, acme):
    bob = people.person("bob")
    robot = User.objects.create(username="acme+ci", robot_namespace=acme)
    team = people.team(acme.organization, "dev", bob)
    TeamGrant.objects.create(repository=app, team=team, role="write")
    for user in (robot, bob, alice):
        Collaborator.objects.create(repository=app, user=user, role="read")
    create_token(robot, name="ci", scopes=["repository:acme/app:pull"])
    moved = transfer_repository(app, alice.namespace, principal=people.principal(alice))
    assert moved.path == "alice/app" == path_of(app)
    assert old_paths() == {"acme/app": app.pk}
    assert [c.user.username for c in Collaborator.objects.all()] == ["bob"]
    assert not TeamGrant.objects.exists()
    # What the old namespace makes under the old name later is not for this token.
    assert AccessToken.objects.get().scopes == ["repository:alice/app:pull"]
    event = Event.objects.get(kind="repository.transferred")
    assert event.payload == {
        "before": {"path": "acme/app"},
        "after": {"path": "alice/app"},
        "teams": ["dev"],
        "robots": ["acme+ci"],
    }


def test_whoever_transfers_keeps_a_role_where_they_own_nothing(alice, repository):
    other = people.organization("crew", people.person("olga"))
    other.members_create = True
    other.save()
    Membership.objects.create(organization=other, user=alice)
    moved = transfer_repository(repository, other.namespace, principal=people.principal(alice))
    assert moved.collaborators.get().user == alice
    assert moved.collaborators.get().role == "admin"


def test_a_target_must_let_the_repository_in(alice, app, repository):
    me = people.principal(alice)
    crew = people.organization("crew", people.person("olga"))
    with pytest.raises(Denied) as caught:
        transfer_repository(repository, crew.namespace, principal=me)
    assert "crew" in caught.value.message
    with pytest.raises(Invalid):
        transfer_repository(app, app.namespace, principal=me)
    with pytest.raises(RepositoryExists):
        transfer_repository(repository, app.namespace, principal=me)
    people.repository(alice.namespace, "open", visibility="public")
    app.namespace.organization.public_allowed = False
    app.namespace.organization.save()
    public = Repository.objects.select_related("namespace").get(name="open")
    with pytest.raises(PublicRefused):
        transfer_repository(public, app.namespace, principal=me)
    assert path_of(public) == "alice/open"


def test_coming_back_ends_the_alias_it_left(alice, app, acme):
    me = people.principal(alice)
    away = transfer_repository(app, alice.namespace, principal=me)
    back = transfer_repository(away, acme, principal=me)
    assert back.path == "acme/app"
    assert old_paths() == {"alice/app": app.pk}


# --- accounts


def test_an_organization_takes_everything_along(alice, app, acme):
    robot = User.objects.create(username="acme+ci", robot_namespace=acme)
    create_token(robot, name="r", scopes=["repository:acme/*:pull"])
    create_token(alice, name="a", scopes=["repository:acme/app:pull", "repository:acmes/x:pull"])
    deep = people.repository(acme, "a/b")
    gone = people.repository(acme, "gone")
    delete_repository(gone, actor=Actor(None, "x"))
    renamed = rename_account(acme, "corp", principal=people.principal(alice))
    assert (renamed.name, renamed.organization.name) == ("corp", "corp")
    assert (path_of(app), path_of(deep), path_of(gone)) == ("corp/app", "corp/a/b", f"~{gone.pk}")
    assert User.objects.get(pk=robot.pk).username == "corp+ci"
    assert dict(AccessToken.objects.values_list("name", "scopes")) == {
        "r": ["repository:corp/*:pull"],
        "a": ["repository:corp/app:pull", "repository:acmes/x:pull"],
    }
    assert NamespaceAlias.objects.get().old_name == "acme"
    event = Event.objects.get(kind="organization.renamed")
    assert event.payload == {"before": {"name": "acme"}, "after": {"name": "corp"}}


def test_a_person_gets_another_name(alice, repository):
    rename_account(alice.namespace, "alicia", principal=people.principal(alice))
    alice.refresh_from_db()
    assert (alice.username, path_of(repository)) == ("alicia", "alicia/app")
    assert find_moved(people.principal(alice), "alice/app") == repository
    assert kinds() == ["account.renamed"]


def test_former_names_of_both_lead_to_the_repository(alice, app, acme):
    """acme/app was acme/web in between; acme became corp and then inc; inc/web is inc/new now."""
    me = people.principal(alice)
    app = rename_repository(app, "web", principal=me)
    corp = rename_account(acme, "corp", principal=me)
    inc = rename_account(corp, "inc", principal=me)
    app = rename_repository(Repository.objects.get(pk=app.pk), "new", principal=me)
    assert app.path == "inc/new"
    for namespace in ("acme", "corp", "inc"):
        for name in ("app", "web", "new"):
            path = f"{namespace}/{name}"
            found = find_visible(me, path) or find_moved(me, path)
            assert found == app, path
    assert find_moved(me, "acme/other") is None
    back = rename_account(inc, "acme", principal=me)
    assert set(back.aliases.values_list("old_name", flat=True)) == {"corp", "inc"}
    assert find_visible(me, "acme/new") == app
    for path in ("acme/app", "acme/web", "corp/new", "inc/app"):
        assert find_moved(me, path) == app, path


@pytest.mark.parametrize("name", ["alice", "al-ice", "library", "hub", "x", "Corp", "lib.rary"])
def test_a_name_that_cannot_be_had_is_refused(alice, app, acme, name):
    people.person("bob")
    with pytest.raises((Invalid, NameTaken)):
        rename_account(
            acme if name == "alice" else people.organization("bobs", people.person("o")).namespace,
            name,
            principal=people.principal(
                alice if name == "alice" else User.objects.get(username="o")
            ),
        )
    assert path_of(app) == "acme/app"


def test_a_former_name_is_for_nobody_else_until_it_is_given_up_and_free(alice, acme):
    me = people.principal(alice)
    corp = rename_account(acme, "corp", principal=me)
    bob = people.person("bob")
    with pytest.raises(NameTaken):
        rename_account(bob.namespace, "acme", principal=people.principal(bob))
    alias = corp.aliases.get()
    with pytest.raises(NotOwner):
        give_up_name(corp, alias.pk, principal=people.principal(bob))
    assert give_up_name(corp, alias.pk, principal=me) == "acme"
    with pytest.raises(NotFound):
        give_up_name(corp, alias.pk, principal=me)
    with pytest.raises(NameTaken):
        rename_account(bob.namespace, "acme", principal=people.principal(bob))
    RetiredName.objects.update(free_at="2020-01-01T00:00:00Z")
    assert rename_account(bob.namespace, "acme", principal=people.principal(bob)).name == "acme"


def test_there_are_only_so_many_former_names(alice, acme):
    me = people.principal(alice)
    for number in range(MAX_FORMER_NAMES):
        acme = rename_account(acme, f"corp{number}", principal=me)
    with pytest.raises(Invalid):
        rename_account(acme, "corp", principal=me)


def test_a_repository_whose_path_would_get_too_long_stops_it(alice, acme):
    people.repository(acme, "n" * (MAX_NAME_LENGTH - 5))
    with pytest.raises(Invalid):
        rename_account(acme, "acmes", principal=people.principal(alice))
    assert rename_account(acme, "acm", principal=people.principal(alice)).name == "acm"


def test_nothing_is_made_under_a_name_that_was_changed_meanwhile(alice, acme, actor):
    stale = Namespace.objects.get(pk=acme.pk)
    rename_account(acme, "corp", principal=people.principal(alice))
    for make in (create_repository, get_or_create_repository):
        with pytest.raises(Conflict):
            make(stale, "app", actor=actor)
    assert not Repository.objects.exists()
    with pytest.raises(Conflict):
        rename_account(stale, "inc", principal=people.principal(alice))


# --- uses


def test_uses_are_counted_where_the_name_came_from(alice, app, acme):
    me = people.principal(alice)
    app = rename_repository(app, "web", principal=me)
    rename_account(acme, "corp", principal=me)
    for path, times in (("acme/app", 2), ("corp/app", 3), ("acme/web", 4), ("acme/none", 1)):
        for _ in range(times):
            aliases.note_use(path)
    aliases.flush()
    assert Alias.objects.get().uses == 5
    assert NamespaceAlias.objects.get().uses == 7
    aliases.flush()
    assert Alias.objects.get().uses == 5
