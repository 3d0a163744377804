"""Access tokens: listed, made, rotated, shown once, revoked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.authentication import principal_from
from accounts.forms import ScopeRows, TokenForm
from accounts.models import AccessToken, User
from accounts.reauthentication import require_recent_sign_in
from accounts.selectors import get_user, list_tokens
from accounts.services.tokens import (
    NewToken,
    beginning,
    create_token,
    is_unused,
    parse_token_scopes,
    revoke_token,
    rotate_token,
)
from accounts.views.robot_forms import RotateForm
from accounts.views.snippets import snippets
from core.errors import Denied, Invalid, NotFound
from tokens.refresh import list_refresh_tokens, revoke_refresh_token

ROWS = "scope"


@login_required
@require_safe
def tokens(request: HttpRequest) -> HttpResponse:
    """A person's own tokens, and the clients that were signed in for good."""
    rows = token_rows(list_tokens(_id(request)))
    context = {
        "rows": rows,
        "unused": sum(row["unused"] for row in rows),
        "clients": list_refresh_tokens(_id(request)),
    }
    return render(request, "accounts/tokens.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_token(request: HttpRequest) -> HttpResponse:
    """The form, and as the answer to it the secret: this once, kept nowhere."""
    owner = get_user(request.user.get_username())
    return make_token(request, owner, "accounts/token_new.html", "accounts/token_created.html")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def rotate(request: HttpRequest, pk: int) -> HttpResponse:
    """A new secret for a token: asks what becomes of the old one, then shows the new one once."""
    token = own_token(list_tokens(_id(request)), pk)
    return change_secret(
        request, token, "accounts/token_rotate.html", "accounts/token_created.html"
    )


@login_required
@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """End a token; the dialog on the list has asked."""
    token = own_token(list_tokens(_id(request)), pk)
    end_token(request, token)
    return redirect("tokens")


@login_required
@require_POST
def end_client(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign one client out; whoever uses it signs in again."""
    for client in list_refresh_tokens(_id(request)):
        if client.pk == pk:
            revoke_refresh_token(client)
            messages.success(request, _("The client was signed out."))
            return redirect("tokens")
    raise NotFound("There is no such client.")


def token_rows(found: Iterable[AccessToken]) -> list[dict[str, Any]]:
    """What the table of tokens shows."""
    return [
        {
            "token": token,
            "beginning": beginning(token),
            "scopes": parse_token_scopes(token.scopes),
            "unused": token.is_valid and is_unused(token),
            "dialog": f"revoke-{token.pk}",
        }
        for token in found
    ]


def make_token(
    request: HttpRequest,
    owner: User,
    form_template: str,
    made_template: str,
    context: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """The form for a new token of a person or a robot, and as the answer to it the secret."""
    context = {**(context or {}), "owner": owner, "robot": owner.is_robot}
    if request.method != "POST" or "more" in request.POST:
        form, rows = _unbound(request.POST, owner)
        return _form(request, form_template, context, form, rows)
    require_recent_sign_in(request)
    form = TokenForm(request.POST, robot=owner.is_robot)
    rows = ScopeRows(request.POST, prefix=ROWS)
    if all([form.is_valid(), rows.is_valid()]):
        scopes = form.scopes(rows)
        if scopes is not None:
            try:
                created = create_token(
                    owner,
                    name=form.cleaned_data["name"],
                    scopes=scopes,
                    expires_at=form.expires_at(),
                    actor=principal_from(request).actor,
                )
            except (Invalid, Denied) as error:
                form.add_error(None, error.message)
            else:
                return shown_once(request, created, made_template, context)
    return _form(request, form_template, context, form, rows, status=422)


def change_secret(
    request: HttpRequest,
    token: AccessToken,
    form_template: str,
    made_template: str,
    context: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """The question about the old secret, and as the answer to it the new one."""
    form = RotateForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        require_recent_sign_in(request)
        made = rotate_token(
            token, keep_old=form.cleaned_data["keep_old"], actor=principal_from(request).actor
        )
        return shown_once(request, made, made_template, {**(context or {}), "rotated": True})
    shown = {**(context or {}), "form": form, "token": token, "beginning": beginning(token)}
    return render(request, form_template, shown)


def end_token(request: HttpRequest, token: AccessToken) -> None:
    """Revoke it and say so."""
    revoke_token(token, actor=principal_from(request).actor)
    messages.success(
        request, _("Token “%(name)s” was revoked and no longer works.") % {"name": token.name}
    )


def own_token(found: Iterable[AccessToken], pk: int) -> AccessToken:
    """One of these tokens; raises NotFound."""
    for token in found:
        if token.pk == pk:
            return token
    raise NotFound("There is no such token.")


def shown_once(
    request: HttpRequest, created: NewToken, template: str, context: Mapping[str, Any]
) -> HttpResponse:
    """The secret, and ready lines that use it."""
    owner = created.row.user
    shown = {
        **context,
        "token": created.row,
        "scopes": parse_token_scopes(created.row.scopes),
        "robot": owner.is_robot,
        "secret": created.secret,
        "login": f"echo '{created.secret}' | docker login {settings.EXTERNAL_HOST}"
        f" -u {_quoted(owner.username)} --password-stdin",
        "snippets": snippets(owner.username, created.secret, whole=not owner.is_robot),
    }
    response = render(request, template, shown)
    response["Cache-Control"] = "no-store"
    return response


def _unbound(data: QueryDict, owner: User) -> tuple[TokenForm, Any]:
    """Forms that show what was typed without judging it, with one more row."""
    if not data:
        form = TokenForm(robot=owner.is_robot)
        return form, ScopeRows(prefix=ROWS, initial=[{"actions": ["pull"]}])
    count = data.get(f"{ROWS}-TOTAL_FORMS", "")
    count_given = int(count) if count.isascii() and count.isdigit() else 0
    rows = [
        {
            "pattern": data.get(f"{ROWS}-{number}-pattern", ""),
            "actions": data.getlist(f"{ROWS}-{number}-actions"),
        }
        for number in range(min(count_given, ScopeRows.max_num - 1))
    ]
    form = TokenForm(
        initial={name: data.get(name) for name in TokenForm.base_fields}, robot=owner.is_robot
    )
    form.initial["access"] = TokenForm.CHOSEN
    return form, ScopeRows(prefix=ROWS, initial=[*rows, {"actions": ["pull"]}])


def _form(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    form: TokenForm,
    rows: Any,
    status: int = 200,
) -> HttpResponse:
    owner: User = context["owner"]
    example = owner.username.partition("+")[0]
    for row in rows:
        row.fields["pattern"].widget.attrs["placeholder"] = f"{example}/app"
    shown = {**context, "form": form, "rows": rows, "example": example}
    return render(request, template, shown, status=status)


def _quoted(username: str) -> str:
    """A robot's name in quotes, so that nobody wonders about the plus sign."""
    return f"'{username}'" if "+" in username else username


def _id(request: HttpRequest) -> int:
    """The id of whoever is signed in; `login_required` has seen to it that somebody is."""
    return int(request.user.pk or 0)
