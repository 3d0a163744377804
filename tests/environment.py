"""Loaded before everything else: tests never touch the data of an installation."""

from __future__ import annotations

import os
import tempfile

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
