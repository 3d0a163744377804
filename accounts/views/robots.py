"""A namespace's robot accounts and their tokens, for whoever manages them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.authentication import principal_from
from accounts.models import Namespace, User
from accounts.reauthentication import require_recent_sign_in
from accounts.selectors import find_namespace, list_tokens, manager_facts
from accounts.services.robots import (
    MAX_ROBOTS,
    check_manager,
    create_robot,
    delete_robot,
    get_robot,
    list_robots,
    short_name,
    update_robot,
)
from accounts.services.tokens import create_token
from accounts.types import Principal
from accounts.views.robot_forms import NewRobotForm, RobotForm
from accounts.views.tokens import (
    change_secret,
    end_token,
    make_token,
    own_token,
    shown_once,
    token_rows,
)
from core.errors import HubError, NotFound, Unauthenticated
from repos.models import Collaborator

CREATED = "accounts/robots_token_created.html"


@require_safe
def named(request: HttpRequest, username: str) -> HttpResponse:
    """Where a robot's name leads, as a person's leads to their page; it tells nothing."""
    namespace, _plus, robot = username.partition("+")
    return redirect("robot", namespace, robot)


@require_safe
def robots(request: HttpRequest, name: str) -> HttpResponse:
    """All of a namespace."""
    _principal, namespace = _enter(request, name)
    rows = [{"robot": robot, "name": short_name(robot)} for robot in list_robots(namespace)]
    context = {
        **_context(namespace),
        "rows": rows,
        "full": len(rows) >= MAX_ROBOTS,
        "most": MAX_ROBOTS,
    }
    return render(request, "accounts/robots.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new_robot(request: HttpRequest, name: str) -> HttpResponse:
    """The form, and as the answer to it the robot's first token."""
    principal, namespace = _enter(request, name)
    form = NewRobotForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        require_recent_sign_in(request)
        data = form.cleaned_data
        try:
            with transaction.atomic():
                robot = create_robot(
                    namespace,
                    data["name"],
                    actor=principal.actor,
                    description=data["description"],
                    role=data["role"],
                    may_create=data["may_create"],
                )
                made = create_token(
                    robot, name="first", expires_at=form.expires_at(), actor=principal.actor
                )
        except HubError as error:
            form.add_error("name", error.message)
        else:
            return shown_once(request, made, CREATED, _context(namespace, robot))
    context = {**_context(namespace), "form": form}
    status = 422 if form.errors else 200
    return render(request, "accounts/robots_new.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def robot(request: HttpRequest, name: str, robot: str) -> HttpResponse:
    """One robot: its rights, its tokens, where it was added."""
    principal, namespace = _enter(request, name)
    found = get_robot(namespace, robot)
    form = RobotForm(
        request.POST if request.method == "POST" else None,
        initial={
            "description": found.bio,
            "role": found.robot_role,
            "may_create": found.robot_creates,
        },
    )
    if form.is_valid():
        update_robot(found, actor=principal.actor, **form.cleaned_data)
        messages.success(request, _("%(name)s was saved.") % {"name": found.username})
        return redirect("robot", name, robot)
    rows = token_rows(list_tokens(found.pk))
    grants = Collaborator.objects.filter(user=found, repository__namespace=namespace)
    context = {
        **_context(namespace, found),
        "form": form,
        "rows": rows,
        "unused": sum(row["unused"] for row in rows),
        "grants": list(grants.select_related("repository").order_by("repository__path")[:100]),
    }
    status = 422 if form.errors else 200
    return render(request, "accounts/robots_robot.html", context, status=status)


@require_POST
def delete(request: HttpRequest, name: str, robot: str) -> HttpResponse:
    """Take a robot away; the dialog has asked for its name."""
    principal, namespace = _enter(request, name)
    found = get_robot(namespace, robot)
    if request.POST.get("confirm") != found.username:
        messages.error(request, _("Type the name of the robot account to delete it."))
        return redirect("robot", name, robot)
    delete_robot(found, actor=principal.actor)
    messages.success(request, _("%(name)s was deleted.") % {"name": found.username})
    return redirect("robots", name)


@require_http_methods(["GET", "HEAD", "POST"])
def new_token(request: HttpRequest, name: str, robot: str) -> HttpResponse:
    """One more token of a robot."""
    _principal, namespace = _enter(request, name)
    found = get_robot(namespace, robot)
    context = _context(namespace, found)
    return make_token(request, found, "accounts/robots_token_new.html", CREATED, context)


@require_http_methods(["GET", "HEAD", "POST"])
def rotate_token(request: HttpRequest, name: str, robot: str, pk: int) -> HttpResponse:
    """A new secret for a robot's token."""
    _principal, namespace = _enter(request, name)
    found = get_robot(namespace, robot)
    token = own_token(list_tokens(found.pk), pk)
    context = _context(namespace, found)
    return change_secret(request, token, "accounts/robots_token_rotate.html", CREATED, context)


@require_POST
def revoke_token(request: HttpRequest, name: str, robot: str, pk: int) -> HttpResponse:
    """End a robot's token; the dialog has asked."""
    _principal, namespace = _enter(request, name)
    found = get_robot(namespace, robot)
    end_token(request, own_token(list_tokens(found.pk), pk))
    return redirect("robot", name, robot)


def _enter(request: HttpRequest, name: str) -> tuple[Principal, Namespace]:
    """The namespace, for whoever manages it; raises NotFound, Unauthenticated or Denied."""
    namespace = find_namespace(name)
    if namespace is None:
        raise NotFound("There is nothing here that you may see.")
    principal = principal_from(request)
    if principal.is_anonymous:
        raise Unauthenticated("Sign in to manage robot accounts.")
    check_manager(principal, namespace)
    return principal, namespace


def _context(namespace: Namespace, robot: User | None = None) -> dict[str, Any]:
    return {
        "namespace": namespace,
        "robot_account": robot,
        "robot_name": short_name(robot) if robot else "",
        **manager_facts(namespace, "robots"),
    }
