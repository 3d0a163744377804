"""The snippets that pages offer to receivers: each runs, takes what is genuine and nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.hub import ROOT
from webhooks.views.snippets import VERIFY

SNIPPETS = dict(VERIFY)
BODY, SECRET = '{"a": "ü"}', "whsec_c2VjcmV0"
GENUINE = "sha256=" + hmac.new(SECRET.encode(), BODY.encode(), hashlib.sha256).hexdigest()
HEADERS = [(GENUINE, True), (GENUINE[:-1] + "x", False), ("", False)]


def said(*command: str, **values: str) -> bool:
    environment = {"PATH": "/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin", **values}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    return "genuine" in done.stdout or "true" in done.stdout


def needs(program: str) -> str:
    places = [os.environ.get("PATH", os.defpath), str(ROOT / ".cache" / "go" / "bin")]
    found = shutil.which(program, path=os.pathsep.join(places))
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@pytest.mark.parametrize(("header", "is_genuine"), HEADERS)
def test_python(header: str, is_genuine: bool) -> None:
    names: dict[str, object] = {}
    exec(compile(SNIPPETS["Python"], "snippet", "exec"), names)
    check = names["is_genuine"]
    assert callable(check)
    assert check(BODY.encode(), header, SECRET) is is_genuine


@pytest.mark.parametrize(("header", "is_genuine"), HEADERS)
def test_shell(tmp_path: Path, header: str, is_genuine: bool) -> None:
    needs("openssl")
    (tmp_path / "body.json").write_text(BODY, encoding="utf-8")
    script = f"cd {tmp_path}\n{SNIPPETS['Shell']}"
    assert said("sh", "-c", script, HUB_SECRET=SECRET, header=header) is is_genuine


@pytest.mark.parametrize(("header", "is_genuine"), HEADERS)
def test_node(tmp_path: Path, header: str, is_genuine: bool) -> None:
    node = needs("node")
    values = ", ".join(json.dumps(value) for value in (header, SECRET))
    call = f"console.log(isGenuine(Buffer.from({json.dumps(BODY)}), {values}));\n"
    script = tmp_path / "check.mjs"
    script.write_text(SNIPPETS["Node"] + call, encoding="utf-8")
    assert said(node, str(script)) is is_genuine


def test_go(tmp_path: Path) -> None:
    go = needs("go")
    calls = "".join(
        f"\tif isGenuine([]byte({json.dumps(BODY, ensure_ascii=False)}), {json.dumps(header)}, "
        f"{json.dumps(SECRET)}) != {json.dumps(is_genuine)} {{ panic({json.dumps(header)}) }}\n"
        for header, is_genuine in HEADERS
    )
    whole = f"package main\n{SNIPPETS['Go']}\nfunc main() {{\n{calls}}}\n"
    source = tmp_path / "main.go"
    source.write_text(whole, encoding="utf-8")
    done = subprocess.run(
        [go, "run", str(source)],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "GOFLAGS": "-mod=mod",
            "GOPROXY": "off",
        },
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
