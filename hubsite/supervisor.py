"""Keeps the child processes of `manage.py serve` running, and stops them in time.

Each child leads a process group of its own: a terminal's Ctrl-C reaches the supervisor alone, which
then decides how the others stop. The kernel ends the children when the supervisor is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
STOP_S = 8.0
STEP_S = 0.1
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
STABLE_S = 60.0

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def say(line: str) -> None:
    """Print one line at once, also into a pipe."""
    print(line, flush=True)


@dataclass(slots=True)
class Child:
    """One process to keep alive."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    delay_s: float = FIRST_DELAY_S

    @property
    def alive(self) -> bool:
        """Whether it runs; reaps it if it ended."""
        return self.process is not None and self.process.poll() is None

    def start(self, folder: Path, environment: dict[str, str]) -> None:
        """Start it in `folder`."""
        parent = os.getpid()

        def die_with_parent() -> None:
            if _libc is not None:
                _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)

        self.process = subprocess.Popen(  # noqa: S603 - commands are constants of this project
            self.command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        self.started_at = time.monotonic()

    def kill_group(self) -> None:
        """End whatever is left of it."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def plan_restart(self) -> int:
        """Set the time of the next start, later each time it fails soon; returns the exit code."""
        assert self.process is not None
        code = self.process.returncode
        self.kill_group()
        now = time.monotonic()
        if now - self.started_at > STABLE_S:
            self.delay_s = FIRST_DELAY_S
        self.start_at = now + self.delay_s
        self.process = None
        return code


@dataclass(slots=True)
class Supervisor:
    """Runs children until a signal comes.

    `answers` tells whether the first child, the web server, can be reached; `on_ready` is called
    once when it does.
    """

    children: list[Child]
    folder: Path
    environment: dict[str, str]
    answers: Callable[[], bool]
    on_ready: Callable[[], None]
    ready: bool = False
    stops: int = field(default=0, init=False)

    def run(self) -> int:
        """Blocks; returns the exit code: 0 after a signal, 1 if the web server never came up."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        code = 0
        try:
            while not self.stops:
                if not self._tend():
                    code = 1
                    break
                time.sleep(STEP_S)
        finally:
            self._stop()
        return code

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stops += 1

    def _tend(self) -> bool:
        """One round; False if there is no use in going on."""
        for child in self.children:
            if child.process is None:
                if time.monotonic() >= child.start_at:
                    child.start(self.folder, self.environment)
            elif not child.alive:
                code = child.plan_restart()
                if child is self.children[0] and not self.ready:
                    say(f"The {child.name} did not start (code {code}); the lines above say why.")
                    return False
                say(f"The {child.name} ended (code {code}); starting it in {child.delay_s:g} s.")
                child.delay_s = min(child.delay_s * 2, LONGEST_DELAY_S)
        if not self.ready and self.children[0].alive and self.answers():
            self.ready = True
            self.on_ready()
        return True

    def _stop(self) -> None:
        """Ask, wait up to 8 s or for a second signal, then force."""
        running = [child for child in self.children if child.alive]
        for child in running:
            assert child.process is not None
            child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while any(child.alive for child in running) and time.monotonic() < deadline:
            if self.stops > 1:
                break
            time.sleep(STEP_S / 2)
        for child in running:
            child.kill_group()
