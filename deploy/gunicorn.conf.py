"""gunicorn's settings, for `manage.py serve` and for a gunicorn that is started by hand."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from django.db import connections
from gunicorn.http.errors import UnsupportedTransferCoding

from hubsite.config import load

_hub = load()
_memory = Path("/dev/shm")  # noqa: S108 - only gunicorn's nameless heartbeat files go there

bind = _hub.bind
worker_class = "hubsite.server.worker.RegistryWorker"
workers = _hub.web_workers
threads = _hub.web_threads
timeout = 120  # of a worker's heartbeat, which long uploads do not stop
graceful_timeout = 8
keepalive = 75
limit_request_line = 8190
limit_request_field_size = 32 * 1024  # tokens that grant access to many repositories
worker_tmp_dir = str(_memory) if os.access(_memory, os.W_OK) else None
control_socket_disable = True  # its default path is shared by all installations of an account
forwarder_headers = ""  # no client decides where the application is mounted
accesslog = None
errorlog = "-"
logger_class = "hubsite.server.logs.DiscreetLogger"
loglevel = "debug" if _hub.log_level == "debug" else "warning"
preload_app = True  # the workers share the memory of the loaded application


def pre_request(worker: object, req: Any) -> None:
    """Refuse what a proxy in front could read in another way than we do."""
    for name, value in req.headers:
        if name == "TRANSFER-ENCODING" and value.strip().lower() != "chunked":
            raise UnsupportedTransferCoding(value)


def pre_fork(server: object, worker: object) -> None:
    """No connection crosses a fork, and what is loaded is not touched by the collector again."""
    connections.close_all()
    gc.collect()
    gc.freeze()
