"""What a config blob says about an image, as people read it. Derived, bounded, repeatable."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from oci import media
from oci.descriptor import Descriptor
from oci.manifest import Manifest as ManifestDocument
from registry.models import Manifest, ManifestInfo
from storage.base import ObjectMissing, StoreUnavailable
from storage.factory import get_store

MAX_CONFIG_BYTES = 4 * 1024 * 1024
_TEXT_CHARS = 4096
_ITEMS = 200


def read_config(config: Descriptor | None, storage_key: str) -> dict[str, Any] | None:
    """The config document of an image, or None if it is none, too large, or not there."""
    if config is None or config.media_type not in media.IMAGE_CONFIGS:
        return None
    if config.size > MAX_CONFIG_BYTES:
        return None
    try:
        # Never more than it claims: whether the claim is true is only checked at the commit.
        document = json.loads(b"".join(get_store().open(storage_key, 0, config.size)))
    except (ObjectMissing, StoreUnavailable, ValueError, RecursionError):
        return None  # a page without these facts is better than a push refused for them
    return document if isinstance(document, dict) else None


def save_info(
    manifest: Manifest, document: ManifestDocument, config: dict[str, Any] | None
) -> None:
    """Keep what is known about an image manifest."""
    if config is None or document.is_index:
        return
    ManifestInfo.objects.update_or_create(
        manifest=manifest,
        defaults={
            "os": _text(config.get("os"), 255),
            "architecture": _text(config.get("architecture"), 255),
            "variant": _text(config.get("variant"), 255),
            "built_at": _time(config.get("created")),
            "config": _readable(config),
        },
    )


def _readable(config: dict[str, Any]) -> dict[str, Any]:
    run = config.get("config")
    run = run if isinstance(run, dict) else {}
    return {
        "author": _text(config.get("author")),
        "user": _text(run.get("User")),
        "working_dir": _text(run.get("WorkingDir")),
        "env": _texts(run.get("Env")),
        "entrypoint": _texts(run.get("Entrypoint")),
        "cmd": _texts(run.get("Cmd")),
        "ports": _keys(run.get("ExposedPorts")),
        "volumes": _keys(run.get("Volumes")),
        "stop_signal": _text(run.get("StopSignal"), 64),
        "healthcheck": _healthcheck(run.get("Healthcheck")),
        "labels": _labels(run.get("Labels")),
        "history": _history(config.get("history")),
    }


def _healthcheck(value: Any) -> dict[str, Any]:
    """The command and how often it runs in seconds; empty if there is none."""
    check = value if isinstance(value, dict) else {}
    test = _texts(check.get("Test"))
    if not test or test == ["NONE"]:
        return {}
    seconds = {key.lower(): _seconds(check.get(key)) for key in ("Interval", "Timeout")}
    return {"test": test, **{key: value for key, value in seconds.items() if value}}


def _seconds(value: Any) -> float:
    """Of nanoseconds, as configs have them; 0 for what is no sane number."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63:
        return 0
    return round(value / 1e9, 3)


def _history(value: Any) -> list[dict[str, Any]]:
    entries = value if isinstance(value, list) else []
    return [
        {
            "created": _text(entry.get("created"), 64),
            "created_by": _text(entry.get("created_by")),
            "comment": _text(entry.get("comment")),
            "empty": entry.get("empty_layer") is True,
        }
        for entry in entries[:_ITEMS]
        if isinstance(entry, dict)
    ]


def _text(value: Any, limit: int = _TEXT_CHARS) -> str:
    """Text the databases can hold: PostgreSQL refuses NUL and lone surrogates."""
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "").encode("utf-8", "replace").decode()[:limit]


def _texts(value: Any) -> list[str]:
    return [_text(v) for v in value[:_ITEMS]] if isinstance(value, list) else []


def _keys(value: Any) -> list[str]:
    return sorted(_text(k, 255) for k in list(value)[:_ITEMS]) if isinstance(value, dict) else []


def _labels(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {_text(k, 255): _text(v) for k, v in list(value.items())[:_ITEMS]}


def _time(value: Any) -> datetime | None:
    try:
        found = parse_datetime(_text(value, 64))
        if found is None:
            return None
        return (found if timezone.is_aware(found) else timezone.make_aware(found)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None  # no such day, or outside the years 1 to 9999 in UTC
