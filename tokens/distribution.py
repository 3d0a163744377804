"""What an unmodified CNCF distribution, 2.8 or 3.x, needs to accept the hub's tokens."""

from __future__ import annotations

import json
from pathlib import Path

from django.conf import settings

from tokens.authority import root_pem
from tokens.jwt import ALGORITHM, public_jwk
from tokens.services import current_keys

ROOT = "root.pem"
_CONFIG = """\
# Made by `manage.py registry_config`, for CNCF distribution 2.8 and 3.x.
version: 0.1
log:
  level: info
storage:
  filesystem:
    rootdirectory: /var/lib/registry
  delete:
    enabled: true
http:
  addr: ":5000"
  # Several instances behind one address need the same `secret` here.
auth:
  token:
    realm: {realm}
    service: {service}
    issuer: {issuer}
    # Each token carries a certificate that this root signed: a new key of the hub needs no change.
    rootcertbundle: {bundle}
    # Read by 3.x; 2.8 passes over it.
    signingalgorithms: [{algorithm}]
"""


def config_text(*, service: str, folder: str) -> str:
    """`config.yml` of a registry named `service` that finds its files in `folder`."""
    hub = settings.HUB.external_url
    return _CONFIG.format(
        realm=json.dumps(f"{hub}/token"),
        service=json.dumps(service),
        issuer=json.dumps(hub),
        bundle=json.dumps(f"{folder}/{ROOT}"),
        algorithm=ALGORITHM,
    )


def write_files(folder: Path, *, service: str, installed_in: str) -> list[Path]:
    """Write root certificate, key set and configuration; nothing in them is secret.

    `installed_in` is the folder the registry will find them in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keys = {"keys": [public_jwk(key) for key in current_keys()]}
    texts = {
        ROOT: root_pem(),
        "jwks.json": json.dumps(keys, indent=2) + "\n",
        "config.yml": config_text(service=service, folder=installed_in),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]
