"""Templates of one's own: a JSON document whose texts contain `${event.tag}` and the like.

The document is parsed first and filled afterwards, so that no value can change its shape. There is
nothing but values: no conditions, loops or calls. The query of a webhook's address may contain the
same placeholders; there every value is percent-encoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn
from urllib.parse import quote

from webhooks.errors import WebhookInvalid
from webhooks.formats.common import detail
from webhooks.news import News

MAX_TEMPLATE_BYTES = 16 * 1024
MAX_DEPTH = 10
MAX_PLACEHOLDERS = 100
MAX_VALUE_CHARS = 8 * 1024
MAX_STRUCTURES = 2
_STRUCTURES = ("event.detail", "event.platforms")  # what cannot be cut like a text
_PLACE = re.compile(r"\$(\$?)\{([^{}]{0,100})\}")
Read = Callable[[News], Any]


def _of_repository(read: Callable[[Any], Any]) -> Read:
    return lambda news: read(news.repository) if news.repository else ""


# Path → how it is read, and what docs/webhooks.md says of it.
PATHS: dict[str, Read] = {
    "event.id": lambda news: news.uid,
    "event.name": lambda news: news.name,
    "event.actor": lambda news: news.actor,
    "event.occurred_at": lambda news: news.moment,
    "event.timestamp": lambda news: int(news.occurred_at.timestamp()),
    "event.tag": lambda news: news.tag,
    "event.digest": lambda news: news.digest,
    "event.previous_digest": lambda news: news.previous_digest,
    "event.media_type": lambda news: news.media_type,
    "event.size": lambda news: news.size,
    "event.platforms": lambda news: list(news.platforms),
    "event.url": lambda news: news.url,
    "event.detail": detail,
    "repository.path": lambda news: news.path,
    "repository.namespace": _of_repository(lambda about: about.namespace),
    "repository.name": _of_repository(lambda about: about.name),
    "repository.url": _of_repository(lambda about: about.url),
    "repository.description": _of_repository(lambda about: about.description),
    "repository.visibility": _of_repository(
        lambda about: "public" if about.is_public else "private"
    ),
    "repository.star_count": _of_repository(lambda about: about.star_count),
    "image": lambda news: news.image,
    "image.reference": lambda news: news.image_reference,
    "image.pinned": lambda news: news.pinned,
    "hub.url": lambda news: news.hub_url,
    "hub.host": lambda news: news.host,
    "callback_url": lambda news: news.callback_url if news.is_push else "",
}


def check_template(text: str) -> dict[str, Any]:
    """The parsed template; raises WebhookInvalid with a sentence that says what to mend.

    A template is a JSON object of at most MAX_TEMPLATE_BYTES and MAX_DEPTH, with at most
    MAX_PLACEHOLDERS placeholders, all of them in values and of PATHS.
    """
    document = parse(text)
    paths = [path for leaf in _leaves(document, 1) for path in _paths(leaf)]
    for path in paths:
        _check_path(path, "template")
    if len(paths) > MAX_PLACEHOLDERS:
        _refuse(f"A template may have at most {MAX_PLACEHOLDERS} placeholders.")
    if max(map(paths.count, _STRUCTURES)) > MAX_STRUCTURES:
        _refuse(f"{' and '.join(_STRUCTURES)} may stand there {MAX_STRUCTURES} times each.")
    return document


def parse(text: str) -> dict[str, Any]:
    """The JSON object alone, without a look at its placeholders; raises WebhookInvalid."""
    if len(text.encode(errors="replace")) > MAX_TEMPLATE_BYTES:
        _refuse(f"A template may have at most {MAX_TEMPLATE_BYTES // 1024} KiB.")
    try:
        document = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_number
        )
    except json.JSONDecodeError as error:
        _refuse(f"A template is a JSON object: {error.msg} in line {error.lineno}.")
    except (ValueError, RecursionError):
        _refuse("A template is a JSON object; this one has a number or a nesting beyond limits.")
    if not isinstance(document, dict):
        _refuse("A template is a JSON object: it begins with { and ends with }.")
    return document


def fill(document: dict[str, Any], news: News) -> dict[str, Any]:
    """The template with values. A text that is one placeholder and nothing else takes the value
    with its type, so that sizes stay numbers and platforms a list; `$${` stands for `${`."""
    filled: dict[str, Any] = _filled(document, news)
    return filled


def check_address(url: str) -> None:
    """Placeholders of an address are in its query and known; raises WebhookInvalid."""
    head, _, query = url.partition("?")
    if "${" in head:
        _refuse("Only the query of an address, what follows ?, may have placeholders.", "url")
    for path in _paths(query):
        _check_path(path, "url")
    if "${" in _PLACE.sub("", query):
        _refuse("A placeholder of this address has no end.", "url")


def fill_address(url: str, news: News) -> str:
    """The address with values in its query, percent-encoded."""
    head, mark, query = url.partition("?")
    if "${" not in query:
        return url

    def value(match: re.Match[str]) -> str:
        literal, path = match.groups()
        return quote(f"${{{path}}}" if literal else _written(path, news), safe="")

    return f"{head}{mark}{_PLACE.sub(value, query)}"


def _filled(value: Any, news: News) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, news) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, news) for inner in value]
    if not isinstance(value, str):
        return value
    whole = _PLACE.fullmatch(value)
    if whole and not whole[1]:
        found = _read(whole[2], news)
        return found[:MAX_VALUE_CHARS] if isinstance(found, str) else found
    return _PLACE.sub(lambda m: f"${{{m[2]}}}" if m[1] else _written(m[2], news), value)


def _read(path: str, news: News) -> Any:
    read = PATHS.get(path)  # one that was dropped since the template was saved reads as empty
    return read(news) if read else ""


def _written(path: str, news: News) -> str:
    """A value inside a text: lists with commas, objects as JSON."""
    found = _read(path, news)
    if isinstance(found, list):
        found = ",".join(map(str, found))
    if isinstance(found, dict):
        found = json.dumps(found, ensure_ascii=False)
    return str(found)[:MAX_VALUE_CHARS]


def _leaves(value: Any, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        _refuse(f"A template may be nested at most {MAX_DEPTH} deep.")
    if isinstance(value, dict):
        for name, inner in value.items():
            if "${" in name:
                _refuse("Placeholders stand in values, not in the names before the colon.")
            yield from _leaves(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, depth + 1)
    elif isinstance(value, str):
        if "${" in _PLACE.sub("", value):
            _refuse("A placeholder of this template has no end: write ${event.tag}.")
        yield value


def _paths(text: str) -> Iterator[str]:
    for literal, path in _PLACE.findall(text):
        if not literal:
            yield path


def _check_path(path: str, field: str) -> None:
    if path not in PATHS:
        known = ", ".join(PATHS)
        _refuse(f"There is no value {path!r}. Known are: {known}.", field)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        _refuse("A name stands twice in the same object of the template.")
    return document


def _constant(name: str) -> NoReturn:
    _refuse(f"{name} is no JSON.")


def _number(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


def _refuse(sentence: str, field: str = "template") -> NoReturn:
    raise WebhookInvalid(sentence, detail={"field": field})
