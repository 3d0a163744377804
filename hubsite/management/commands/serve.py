"""`manage.py serve`: the whole hub with one command, in the foreground."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, call_command
from django.db import DatabaseError, connections

from accounts.services.signup import ensure_library
from core.errors import HubError
from hubsite import config
from hubsite.config import ConfigError
from hubsite.standalone import ensure_operator
from hubsite.supervisor import Child, Supervisor, say
from registry.services import journal
from tokens.gate import has_accounts
from tokens.services import current_keys

LOOPBACK = '["127.0.0.0/8","::1/128"]'


class Command(BaseCommand):
    """Prepares the database and files, then runs web server, worker and scheduler."""

    help = "Start the hub: migrations, static files, web server, Celery worker and beat."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Blocks until a signal comes; exit code 1 with one line if the hub cannot start."""
        host, port = address(settings.HUB.bind)
        try:
            with only_one(settings.HUB.data_dir):
                check_free(host, port)
                prepare()
                environment, lines = child_environment()
                supervisor = Supervisor(
                    children(),
                    settings.BASE_DIR,
                    environment,
                    lambda: answers(host, port),
                    lambda: greet(lines),
                )
                code = supervisor.run()
        except KeyboardInterrupt:  # before the supervisor took the signals over
            code = 130
        sys.exit(code)


def address(bind: str) -> tuple[str, int]:
    """Host and port of `HUB_BIND`; raises ConfigError."""
    host, _, port = bind.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"HUB_BIND: found {bind!r}; expected HOST:PORT, like 127.0.0.1:5000")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - as gunicorn reads it


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the data folder: two schedulers would do everything twice. Raises ConfigError."""
    with (folder / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"HUB_DATA_DIR: {folder} is in use by another hub that is running"
            ) from error
        yield


def check_free(host: str, port: int) -> None:
    """Raises ConfigError if the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
            trial.listen()  # two may bind the address, only one may listen
        except OSError as error:
            raise ConfigError(
                f"HUB_BIND: cannot listen on {host}:{port}: {error.strerror}; "
                "stop what uses it or choose another address"
            ) from error


def prepare() -> None:
    """Bring database, static files and the first administrator up to date."""
    try:
        call_command("migrate", verbosity=0, interactive=False)
        call_command("createcachetable", verbosity=0)
    except DatabaseError as error:
        raise ConfigError(f"HUB_DATABASE_URL: {' '.join(str(error).split())}") from error
    ensure_library()
    if has_accounts():
        current_keys()  # made once here, so that no two processes each make a first one
        collect_static()
        create_administrator()
    else:
        ensure_operator()
    connections.close_all()


def collect_static() -> None:
    """Run collectstatic unless nothing changed since the last time."""
    root = Path(settings.STATIC_ROOT)
    if (root / "staticfiles.json").exists() and not os.access(root, os.W_OK):
        return  # an image brings its files along and is not written to
    root.mkdir(parents=True, exist_ok=True)
    wanted = _static_fingerprint()
    with (root / ".collected").open("a+") as stamp:
        fcntl.flock(stamp, fcntl.LOCK_EX)  # hubs with other data folders share these files
        stamp.seek(0)
        if stamp.read() == wanted:
            return
        stamp.truncate(0)
        call_command("collectstatic", verbosity=0, interactive=False)
        stamp.write(wanted)


def _static_fingerprint() -> str:
    digest = hashlib.sha256(settings.STORAGES["staticfiles"]["BACKEND"].encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def create_administrator() -> None:
    """Create or keep the superuser named by the configuration; raises ConfigError."""
    hub = settings.HUB
    if not hub.admin_username:
        return
    if hub.admin_password is None:
        raise ConfigError("HUB_ADMIN_PASSWORD: not set, but HUB_ADMIN_USERNAME is; set both")
    from accounts.services.signup import ensure_administrator

    try:
        ensure_administrator(
            hub.admin_username, hub.admin_password.get_secret_value(), hub.admin_email
        )
    except (HubError, ValidationError) as error:
        reason = error.message if isinstance(error, HubError) else " ".join(error.messages)
        raise ConfigError(f"HUB_ADMIN_USERNAME, HUB_ADMIN_PASSWORD: {reason}") from error


def child_environment() -> tuple[dict[str, str], list[str]]:
    """What the children get to see, and the lines that tell of anything chosen here."""
    hub = settings.HUB
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    # The C library otherwise keeps the 19 MiB of a password hash for each thread that made one.
    environment.setdefault("MALLOC_MMAP_THRESHOLD_", str(256 * 1024))
    lines = config.notes()
    if has_accounts() and "webhook_allow_networks" not in hub.model_fields_set:
        environment["HUB_WEBHOOK_ALLOW_NETWORKS"] = LOOPBACK
        lines.append(
            "Webhooks may reach loopback addresses on this machine; "
            "set HUB_WEBHOOK_ALLOW_NETWORKS to change that."
        )
    outer = urlsplit(hub.external_url)
    port = address(hub.bind)[1]
    if "external_url" not in hub.model_fields_set and outer.port != port:
        lines.append(
            f"HUB_EXTERNAL_URL: not set, so links and logins use {hub.external_url} "
            f"although port {port} answers."
        )
    lines += unknown_content()
    return environment, lines


def unknown_content() -> list[str]:
    """A line if the journal in the store is of another database, or of one that was lost."""
    ours = journal.is_ours()
    connections.close_all()
    if ours:
        return []
    return [
        "The store holds repositories that this database may not know. Stop now and run: "
        "manage.py rebuild; the collector deletes what no row names."
    ]


def children() -> list[Child]:
    """Web server first: its address tells when the hub is ready."""
    celery = [sys.executable, "-m", "celery", "--quiet", "--app", "hubsite"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    slots = str(settings.HUB.task_slots)
    gunicorn = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"]
    return [
        Child("web server", [*gunicorn, "hubsite.wsgi:application"]),
        Child("worker", [*celery, "worker", "--pool=threads", f"--concurrency={slots}", *quiet]),
        Child("scheduler", [*celery, "beat"]),
    ]


def answers(host: str, port: int) -> bool:
    """Whether /healthz answers now."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    link = http.client.HTTPConnection(reachable, port, timeout=1)
    try:
        link.request("GET", "/healthz", headers={"Host": settings.EXTERNAL_HOST})
        return link.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


def greet(lines: list[str]) -> None:
    """Say where the hub is and what to try first."""
    hub = settings.HUB
    host = settings.EXTERNAL_HOST
    insecure = "" if settings.HTTPS else " --dest-tls-verify=false"
    for line in lines:
        say(line)
    if not has_accounts():
        say(
            f"\nRegistry {settings.VERSION} is ready at {hub.external_url}, standalone "
            f"(Ctrl-C stops it)\n\n"
            f"  1. Push an image skopeo copy --all{insecure} oci:FOLDER:1.0 "
            f"docker://{host}/NAMESPACE/app:1.0\n"
            f"  2. Find it       docker search {host}/app\n"
            f"  3. Look          curl {hub.external_url}/v2/_catalog\n"
        )
        return
    first = (
        f"Sign up       {hub.external_url}/accounts/signup/"
        if hub.signup == "open"
        else f"Sign in       {hub.external_url}/accounts/login/"
    )
    say(
        f"\nHub {settings.VERSION} is ready at {hub.external_url} (Ctrl-C stops it)\n\n"
        f"  1. {first}\n"
        f"  2. Log in        docker login {host}\n"
        f"  3. Push an image skopeo copy --all{insecure} oci:FOLDER:1.0 "
        f"docker://{host}/NAME/app:1.0\n\n"
        "     NAME is the name you signed up with.\n"
    )
