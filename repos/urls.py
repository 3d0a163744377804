"""Addresses of repositories. Names come last: they match whatever nothing else did.

A repository's name may hold any word, so pages below it follow `/-/`.
"""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

import repos.converters  # noqa: F401 - registers what the patterns below use
from repos.views import (
    audit,
    comments,
    detail,
    home,
    invitations,
    namespaces,
    people,
    renaming,
    settings,
    transfer,
    trash,
    why,
)

_REPOSITORY = "<repository:path>/-/"

urlpatterns = [
    path("", home.home, name="home"),
    path("help", home.help_page, name="help"),
    path("help/reasons", why.reasons, name="help-reasons"),
    path("settings/access", why.account_access, name="account-access"),
    path("settings/audit", audit.account_audit, name="account-audit"),
    path("invitations/<slug:secret>", invitations.invitation, name="invitation"),
    path("new", namespaces.new_repository, name="new-repository"),
    path(f"{_REPOSITORY}star", detail.star, name="star"),
    path(f"{_REPOSITORY}readme", detail.readme, name="readme"),
    path(f"{_REPOSITORY}readme/preview", detail.readme_preview, name="readme-preview"),
    path(f"{_REPOSITORY}comments", comments.comments, name="comments"),
    path(f"{_REPOSITORY}comments/preview", comments.preview, name="comment-preview"),
    path(f"{_REPOSITORY}comments/<int:pk>/edit", comments.edit, name="comment-edit"),
    path(f"{_REPOSITORY}comments/<int:pk>/delete", comments.delete, name="comment-delete"),
    path(f"{_REPOSITORY}comments/<int:pk>/hide", comments.hide, name="comment-hide"),
    path(f"{_REPOSITORY}people", people.people, name="people"),
    path(f"{_REPOSITORY}people/add", people.add, name="people-add"),
    path(f"{_REPOSITORY}people/change", people.change, name="people-change"),
    path(f"{_REPOSITORY}people/remove", people.remove, name="people-remove"),
    path(f"{_REPOSITORY}people/leave", people.leave, name="people-leave"),
    path(f"{_REPOSITORY}people/requests/<int:pk>", people.answer_request, name="access-answer"),
    path(
        f"{_REPOSITORY}people/invitations/<int:pk>/resend",
        people.resend_invitation,
        name="people-resend",
    ),
    path(
        f"{_REPOSITORY}people/invitations/<int:pk>/withdraw",
        people.withdraw_invitation,
        name="people-withdraw",
    ),
    path(f"{_REPOSITORY}why", why.why, name="why"),
    path(f"{_REPOSITORY}ask", why.ask, name="ask"),
    path(f"{_REPOSITORY}settings", settings.settings_page, name="settings"),
    path(f"{_REPOSITORY}settings/visibility", settings.visibility, name="visibility"),
    path(f"{_REPOSITORY}settings/comments", settings.comments, name="comments-open"),
    path(f"{_REPOSITORY}settings/delete", settings.delete, name="repository-delete"),
    path(f"{_REPOSITORY}settings/rename", transfer.rename, name="repository-rename"),
    path(f"{_REPOSITORY}settings/transfer", transfer.transfer, name="repository-transfer"),
    path(f"{_REPOSITORY}settings/aliases/<int:pk>/remove", transfer.remove, name="alias-remove"),
    path("<namespace:name>/-/rename", renaming.rename, name="account-rename"),
    path("<namespace:name>/-/rename/<int:pk>/remove", renaming.give_up, name="name-give-up"),
    path(f"{_REPOSITORY}audit", audit.repository_audit, name="repository-audit"),
    path("<namespace:name>/-/audit", audit.namespace_audit, name="namespace-audit"),
    path("<namespace:name>/-/trash", trash.trash, name="trash"),
    path("<namespace:name>/-/trash/<int:pk>/restore", trash.restore, name="trash-restore"),
    path("<namespace:name>/-/trash/<int:pk>/purge", trash.purge, name="trash-purge"),
    path("<repository:path>", detail.overview, name="repository"),
    path("<namespace:name>", namespaces.namespace_page, name="namespace"),
    path("<repository:path>/", RedirectView.as_view(pattern_name="repository")),
    path("<namespace:name>/", RedirectView.as_view(pattern_name="namespace")),
]
