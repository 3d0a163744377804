"""A container engine of its own for one run of tests."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

from tests.clients.shop import lacking, need
from tests.images import Image, digest_of

START_S = 30


class Engine:
    """dockerd with its own socket and data; needs root. It asks nothing of the network."""

    def __init__(self) -> None:
        program = need("dockerd")
        if os.geteuid() != 0:
            lacking("dockerd needs root")
        # A socket's path may have 107 bytes: pytest's folders can be deeper than that.
        self._folder = Path(tempfile.mkdtemp(prefix="hub-engine-"))
        self.address = f"unix://{self._folder}/engine.sock"
        self.containerd = f"{self._folder}/exec/containerd/containerd.sock"
        self._log = self._folder / "log"
        command = [
            program,
            "--iptables=false",
            "--ip6tables=false",
            "--bridge=none",
            "--storage-driver=vfs",
            f"--host={self.address}",
            f"--data-root={self._folder}/data",
            f"--exec-root={self._folder}/exec",
            f"--pidfile={self._folder}/pid",
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        try:
            self._wait()
        except TimeoutError:
            said = self._log.read_text()[-2000:]
            self.stop()
            lacking(f"dockerd does not start here: {said}")

    def _wait(self) -> None:
        end = time.monotonic() + START_S
        ask = [need("docker"), "--host", self.address, "version"]
        while subprocess.run(ask, capture_output=True, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > end:
                raise TimeoutError
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop it, and the containerd it started; remove its data."""
        self._process.terminate()
        self._process.wait(timeout=30)
        shutil.rmtree(self._folder)


def write_docker_archive(image: Image, name: str, path: Path) -> None:
    """What `docker save` writes, for `docker load`."""
    config, *layers = image.blobs
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    entry = {
        "Config": f"{digest_of(config).partition(':')[2]}.json",
        "RepoTags": [name],
        "Layers": names,
    }
    files = dict(zip(names, layers, strict=True))
    files |= {str(entry["Config"]): config, "manifest.json": json.dumps([entry]).encode()}
    with tarfile.open(path, "w") as archive:
        for file, data in files.items():
            member = tarfile.TarInfo(file)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
