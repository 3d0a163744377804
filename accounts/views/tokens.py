"""Access tokens: listed, made, shown once, revoked."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.forms import ScopeRows, TokenForm
from accounts.models import AccessToken
from accounts.selectors import get_user, list_tokens
from accounts.services.tokens import NewToken, create_token, parse_token_scopes, revoke_token
from accounts.views.snippets import snippets
from core.errors import Invalid, NotFound

ROWS = "scope"


@login_required
@require_safe
def tokens(request: HttpRequest) -> HttpResponse:
    """A person's own tokens."""
    rows = [
        {
            "token": token,
            "scopes": parse_token_scopes(token.scopes),
            "dialog": f"revoke-{token.pk}",
        }
        for token in list_tokens(_id(request))
    ]
    return render(request, "accounts/tokens.html", {"rows": rows})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_token(request: HttpRequest) -> HttpResponse:
    """The form, and as the answer to it the secret: this once, kept nowhere."""
    if request.method != "POST" or "more" in request.POST:
        return _form(request, *_unbound(request.POST))
    form, rows = TokenForm(request.POST), ScopeRows(request.POST, prefix=ROWS)
    if all([form.is_valid(), rows.is_valid()]):
        scopes = form.scopes(rows)
        if scopes is not None:
            try:
                created = create_token(
                    get_user(request.user.get_username()),
                    name=form.cleaned_data["name"],
                    scopes=scopes,
                    expires_at=form.expires_at(),
                )
            except Invalid as error:
                form.add_error(None, error.message)
            else:
                return _shown_once(request, created)
    return _form(request, form, rows, status=422)


@login_required
@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """End a token; the dialog on the list has asked."""
    token = _own(request, pk)
    revoke_token(token)
    messages.success(
        request, _("Token “%(name)s” was revoked and no longer works.") % {"name": token.name}
    )
    return redirect("tokens")


def _unbound(data: QueryDict) -> tuple[TokenForm, Any]:
    """Forms that show what was typed without judging it, with one more row."""
    if not data:
        return TokenForm(), ScopeRows(prefix=ROWS, initial=[{"actions": ["pull"]}])
    count = data.get(f"{ROWS}-TOTAL_FORMS", "")
    count_given = int(count) if count.isascii() and count.isdigit() else 0
    rows = [
        {
            "pattern": data.get(f"{ROWS}-{number}-pattern", ""),
            "actions": data.getlist(f"{ROWS}-{number}-actions"),
        }
        for number in range(min(count_given, ScopeRows.max_num - 1))
    ]
    form = TokenForm(initial={name: data.get(name) for name in TokenForm.base_fields})
    form.initial["access"] = TokenForm.CHOSEN
    return form, ScopeRows(prefix=ROWS, initial=[*rows, {"actions": ["pull"]}])


def _form(request: HttpRequest, form: TokenForm, rows: Any, status: int = 200) -> HttpResponse:
    context = {"form": form, "rows": rows}
    return render(request, "accounts/token_new.html", context, status=status)


def _shown_once(request: HttpRequest, created: NewToken) -> HttpResponse:
    username = created.row.user.username
    context = {
        "token": created.row,
        "scopes": parse_token_scopes(created.row.scopes),
        "secret": created.secret,
        "login": f"echo '{created.secret}' | docker login {settings.EXTERNAL_HOST}"
        f" -u {username} --password-stdin",
        "snippets": snippets(username, created.secret),
    }
    response = render(request, "accounts/token_created.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _own(request: HttpRequest, pk: int) -> AccessToken:
    for token in list_tokens(_id(request)):
        if token.pk == pk:
            return token
    raise NotFound("There is no such token.")


def _id(request: HttpRequest) -> int:
    """The id of whoever is signed in; `login_required` has seen to it that somebody is."""
    return int(request.user.pk or 0)
