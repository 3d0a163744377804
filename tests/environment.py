"""Loaded before everything else: tests never touch the data of an installation."""

from __future__ import annotations

import os
import tempfile

import hypothesis
import pytest

# Settings are read once, when Django is set up; a worker of a parallel run gets its parent's.
if "HUB_TEST_DATA" not in os.environ:
    os.environ["HUB_TEST_DATA"] = tempfile.mkdtemp(prefix="hub-test-")
for name in [n for n in os.environ if n.startswith("HUB_") and n != "HUB_DATABASE_URL"]:
    if not name.startswith("HUB_TEST_"):
        del os.environ[name]
os.environ["HUB_DATA_DIR"] = os.path.join(
    os.environ["HUB_TEST_DATA"], os.environ.get("PYTEST_XDIST_WORKER", "main")
)
os.environ["HUB_LOG_LEVEL"] = "error"
# The run that decides what lands can be repeated: HYPOTHESIS_PROFILE=long is for finding new things.
# How fast examples are drawn, or tried, says more of the machine than of the hub.
hypothesis.settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
if os.environ.get("HYPOTHESIS_PROFILE") != "long":
    hypothesis.settings.load_profile("repeatable")

_failed: dict[str, bool] = {}  # by node id, and whether it starts real processes


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what failed."""
    if report.failed:
        _failed[report.nodeid] = bool({"e2e", "browser"} & set(report.keywords))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell scripts/test what failed, if all of it depends on processes that share the machine."""
    place = os.environ.get("HUB_TEST_FAILED")
    if place and not hasattr(session.config, "workerinput") and all(_failed.values()):
        with open(place, "w", encoding="utf-8") as file:
            file.write("\n".join(_failed))
