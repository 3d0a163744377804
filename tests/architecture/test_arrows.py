"""Arrows point one way: hubsite > edges > features > registry, tokens > repos > accounts > events >
storage, oci > core. Each failure prints the import that points up or sideways."""

from __future__ import annotations

import ast
import sys

import pytest

from tests.architecture.sources import APPS, Import, Source, imports, sources

# From the top; apps on one level are blind to one another.
LEVELS = (
    {"hubsite"},
    {"webhooks", "search", "notices"},
    {"registry", "tokens"},
    {"repos"},
    {"accounts"},
    {"events"},
    {"storage", "oci"},
    {"core"},
)
# First words of the path inside an app that speak HTTP, a command line or a queue.
EDGES = {
    "views",
    "api",
    "serializers",
    "forms",
    "v1",
    "v2",
    "tasks",
    "admin",
    "templatetags",
    "management",
    "urls",
    "authentication",
    "adapter",
    "converters",
    "access",
    "reauthentication",
    "rest",
}
# Edge files that any edge may use, each with a reason.
SHARED_EDGES = {
    "core.views": "the trimmed view under every protocol",
    "accounts.authentication": "who asks, for pages and REST of every app",
    "accounts.reauthentication": "asking for another sign-in before dangerous steps, in every app",
    "accounts.rest": "the view under REST of every app",
    "repos.access": "entering a page of a repository, in every app that has such pages",
    "repos.converters": "names in addresses, grammar checked once",
}
EDGE_ONLY = ("django.http", "rest_framework", "django.urls", "django.shortcuts")
# Domain files that may speak of HTTP all the same, each with a reason.
HTTP_ALLOWED: dict[str, str] = {}
# Imports inside functions, by file and module, each with a reason. `AppConfig.ready` is the rule.
LATE_ALLOWED: dict[str, str] = {
    "manage.py: django.core.management": "a missing Django is told in one sentence",
    "hubsite/celery.py: django.conf": "Celery asks for its settings after Django has been set up",
    "hubsite/celery.py: events.jobs": "models can be loaded only after Django has been set up",
    "hubsite/management/commands/serve.py: accounts.services.signup": "only who names an "
    "administrator loads the account services",
}


def level(app: str) -> int:
    return next(n for n, apps in enumerate(LEVELS) if app in apps)


def app_of(module: str) -> str | None:
    """The app a module belongs to, or None if it is not ours."""
    first = module.partition(".")[0]
    return first if first in APPS else None


def is_edge(path: str) -> bool:
    """Whether a module, by its path inside the app, is an edge: `views/detail`, `v2.auth`."""
    return path.replace("/", ".").partition(".")[0] in EDGES


def edge_file(source: Source) -> bool:
    return f"{source.app}.{source.inside}" in SHARED_EDGES or is_edge(source.inside)


def edge_targets(found: Import) -> list[str]:
    """Edge modules an import reaches: `repos.views` of `from repos import views`."""
    return [t for t in found.targets if is_edge(t.partition(".")[2])]


def product() -> list[Source]:
    """What arrows bind: not hubsite, which knows all, nor migrations, which Django writes."""
    return [s for s in sources() if s.app not in ("", "hubsite") and "/migrations/" not in s.name]


def judge(found: Import) -> str:
    """Why this import is wrong, or nothing."""
    source, target = found.source, app_of(found.module)
    if found.module.startswith("."):
        return "relative imports hide what depends on what"
    if target is None or source.app in ("", "hubsite"):
        return ""
    if is_ready(source):
        return "" if level(target) > level(source.app) or target == source.app else "points up"
    edge = edge_file(source)
    reached = [t for t in edge_targets(found) if t not in SHARED_EDGES]
    if target != source.app:
        if edge and any(t in SHARED_EDGES for t in found.targets):
            return ""
        if reached:
            return f"reaches into another app's edge {reached[0]}"
        if not edge and edge_targets(found):
            return "a domain file may not use an edge"
        if not edge and level(target) <= level(source.app):
            return "points up or sideways"
        return "" if target != "hubsite" else "points up"
    if edge_targets(found) and not edge:
        return "a domain file may not use an edge"
    return ""


def is_ready(source: Source) -> bool:
    return source.inside == "apps"


def test_every_app_has_its_place_in_the_order():
    assert set().union(*LEVELS) == APPS


def test_no_import_points_up_or_sideways():
    wrong = [
        f"{found}: {why}"
        for source in product()
        for found in imports(source)
        if (why := judge(found))
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_domain_files_know_nothing_of_http():
    wrong = [
        str(found)
        for source in product()
        if not edge_file(source) and source.inside not in ("apps",)
        for found in imports(source)
        if any(t == name or t.startswith(f"{name}.") for t in found.targets for name in EDGE_ONLY)
        and source.name not in HTTP_ALLOWED
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_oci_uses_the_standard_library_and_core_errors_only():
    wrong = [
        str(found)
        for source in sources()
        if source.app == "oci"
        for found in imports(source)
        if not found.typing_only
        and app_of(found.module) != "oci"
        and found.module != "core.errors"
        and found.module.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_storage_knows_no_models():
    wrong = [
        str(found)
        for source in sources()
        if source.app == "storage"
        for found in imports(source)
        if found.module.startswith("django.db")
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_imports_live_at_the_top_of_the_file():
    wrong = [
        str(found)
        for source in sources()
        if "/migrations/" not in source.name
        for found in imports(source)
        if found.late and not in_ready(found) and place(found) not in LATE_ALLOWED
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def place(found: Import) -> str:
    return f"{found.source.name}: {found.module}"


def in_ready(found: Import) -> bool:
    """Whether the import stands in the `ready` method of the app's configuration."""
    if not is_ready(found.source):
        return False
    return any(
        isinstance(node, ast.FunctionDef)
        and node.name == "ready"
        and node.lineno <= found.line <= (node.end_lineno or 0)
        for node in ast.walk(found.source.tree)
    )


def test_no_exception_is_kept_that_nothing_needs():
    late = {place(found) for s in sources() for found in imports(s) if found.late}
    assert set(LATE_ALLOWED) <= late
    names = {s.name.removesuffix(".py").replace("/", ".") for s in sources()}
    assert set(SHARED_EDGES) <= names
    assert {name.removesuffix(".py").replace("/", ".") for name in HTTP_ALLOWED} <= names


def parsed(name: str, text: str) -> Import:
    (found,) = imports(Source(name, ast.parse(text), 1))
    return found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("repos/services/stars.py", "from registry import selectors"),
        ("repos/models.py", "import webhooks.models"),
        ("registry/services/tags.py", "from tokens.services import issue"),
        ("accounts/models.py", "from hubsite import config"),
        ("core/text.py", "from oci.names import is_path"),
        ("registry/services/tags.py", "from registry.v2 import errors"),
        ("registry/services/tags.py", "from registry import v2"),
        ("repos/services/stars.py", "from accounts.forms import TokenForm"),
        ("repos/views/detail.py", "from accounts.views.tokens import X"),
        ("repos/views/detail.py", "from accounts import views"),
        ("repos/views/detail.py", "from hubsite.settings import HUB"),
        ("repos/models.py", "from core.views import BareView"),
        ("repos/models.py", "from .errors import X"),
        ("events/apps.py", "def ready():\n from webhooks import handlers"),
    ],
)
def test_a_wrong_arrow_is_told(name, text):
    assert judge(parsed(name, text))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("registry/services/tags.py", "from repos.models import Repository"),
        ("registry/services/tags.py", "from registry.models import Tag"),
        ("registry/v2/auth.py", "from tokens.verify import Grant"),
        ("registry/v2/auth.py", "from core.views import BareView"),
        ("repos/views/detail.py", "from registry import selectors"),
        ("repos/views/detail.py", "from repos.forms import X"),
        ("webhooks/apps.py", "def ready():\n from events import dispatch"),
        ("hubsite/urls.py", "from repos.views import detail"),
        ("core/http.py", "import json"),
    ],
)
def test_a_right_arrow_is_not(name, text):
    assert not judge(parsed(name, text))
