"""What a notice says, in one sentence without markup, and where it leads: pages, mails, feeds."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notices.models import Kind, Notice


def sentence_of(notice: Notice) -> str:
    """One sentence, in the language active now."""
    return _SENTENCES[Kind(notice.kind)](notice)


def target_of(notice: Notice) -> str:
    """The path of the page it is about."""
    repository = notice.repository
    if repository is None:
        return str(notice.details.get("path") or "/notifications")
    path = f"/{repository.path}"
    if notice.comment_id is not None:
        return f"{path}/-/comments?at={notice.comment_id}#comment-{notice.comment_id}"
    if notice.kind == Kind.TAG:
        tags = notice.details.get("tags", [])
        return f"{path}/-/tags/{tags[0]}" if len(tags) == 1 else f"{path}/-/tags"
    return path + {Kind.REQUEST: "/-/people", Kind.WEBHOOK: "/-/webhooks"}.get(
        Kind(notice.kind), ""
    )


def _facts(notice: Notice) -> dict[str, str]:
    repository = notice.repository
    return {
        "who": notice.actor_name or _("somebody"),
        "path": repository.path if repository is not None else "",
    }


def _mention(notice: Notice) -> str:
    return _("%(who)s mentions you in a comment on %(path)s") % _facts(notice)


def _comment(notice: Notice) -> str:
    return _("%(who)s commented on %(path)s") % _facts(notice)


def _tag(notice: Notice) -> str:
    tags = list(reversed(notice.details.get("tags", [])))
    named = ", ".join(tags)
    facts = {**_facts(notice), "tags": named, "times": notice.times}
    if notice.times <= 1:
        return _("%(who)s pushed %(path)s:%(tags)s") % facts
    if notice.times > len(tags):
        facts["tags"] = f"{named}, …"
    return (
        ngettext(
            "%(times)d push to %(path)s: %(tags)s",
            "%(times)d pushes to %(path)s: %(tags)s",
            notice.times,
        )
        % facts
    )


def _search(notice: Notice) -> str:
    facts = {**_facts(notice), "text": notice.details.get("search", "")}
    return _("%(path)s is a new result of your search “%(text)s”") % facts


def _request(notice: Notice) -> str:
    facts = {**_facts(notice), "role": notice.details.get("role", "")}
    return _("%(who)s asks for the role %(role)s on %(path)s") % facts


def _access(notice: Notice) -> str:
    facts = {**_facts(notice), "role": notice.details.get("role", "")}
    return _("%(who)s gave you the role %(role)s on %(path)s") % facts


def _invitation(notice: Notice) -> str:
    facts = {**_facts(notice), "to": notice.details.get("to", "")}
    return _("%(who)s invites you to %(to)s; the link is in the mail you got") % facts


def _webhook(notice: Notice) -> str:
    details, facts = notice.details, _facts(notice)
    facts["path"] = facts["path"] or details.get("owner", "")
    if details.get("server"):
        if details.get("paused"):
            return _("A webhook of the server was paused: its deliveries keep failing")
        return _("A webhook of the server fails")
    if details.get("paused"):
        return _("A webhook of %(path)s was paused: its deliveries keep failing") % facts
    return _("A webhook of %(path)s fails") % facts


def _token(notice: Notice) -> str:
    details = notice.details
    facts = {"token": details.get("token", ""), "day": str(details.get("expires_at", ""))[:10]}
    if robot := details.get("robot"):
        facts["robot"] = robot
        return _("The access token “%(token)s” of %(robot)s ends on %(day)s") % facts
    return _("Your access token “%(token)s” ends on %(day)s") % facts


_SENTENCES: dict[Kind, Callable[[Notice], str]] = {
    Kind.MENTION: _mention,
    Kind.COMMENT: _comment,
    Kind.TAG: _tag,
    Kind.SEARCH: _search,
    Kind.REQUEST: _request,
    Kind.ACCESS: _access,
    Kind.INVITATION: _invitation,
    Kind.WEBHOOK: _webhook,
    Kind.TOKEN: _token,
}
