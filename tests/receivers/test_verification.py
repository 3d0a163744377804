"""What docs/webhooks.md tells receivers to do verifies what the hub sends, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from repos.models import Repository
from tests.hub import ROOT
from tests.receivers.stage import SECRET, push
from webhooks.formats import PATHS, check_template, render
from webhooks.models import Delivery, Webhook
from webhooks.presets import PRESETS
from webhooks.signing import signed_headers

PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
OLD = "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZCE="
# Language → its program; those of Go and Node run where these are installed.
PROGRAMS = {"python": "python3", "sh": "sh", "go": "go", "js": "node"}
GO_MAIN = """package main

import (
	"encoding/json"
	"net/http"
	"os"
)

func main() {
	body, _ := os.ReadFile(os.Args[2])
	text, _ := os.ReadFile(os.Args[3])
	named, header := map[string]string{}, http.Header{}
	json.Unmarshal(text, &named)
	for name, value := range named {
		header.Set(name, value)
	}
	if !verify(os.Args[1], header, body) {
		os.Exit(1)
	}
}
"""
PYTHON_MAIN = """
import json, sys
body, headers = open(sys.argv[2], "rb").read(), json.load(open(sys.argv[3]))
sys.exit(0 if verify(sys.argv[1], headers, body) else 1)
"""
JS_MAIN = """
const fs = require("node:fs");
const [secret, body, headers] = process.argv.slice(2);
process.exit(verify(secret, JSON.parse(fs.readFileSync(headers)), fs.readFileSync(body)) ? 0 : 1);
"""


def snippet(language: str) -> str:
    """The first block of this language on the page."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found, language
    return found[1]


def command(language: str, folder: Path) -> list[str]:
    """The snippet, made a program that takes a secret and the files of body and headers."""
    code = snippet(language)
    if language == "go":
        (folder / "verify.go").write_text(code)
        (folder / "main.go").write_text(GO_MAIN)
        made = folder / "verify"
        files = [str(folder / "verify.go"), str(folder / "main.go")]
        build = ["go", "build", "-o", str(made), *files]
        subprocess.run(build, check=True, cwd=folder)
        return [str(made)]
    if language == "sh":
        start = 'set -e; SECRET=$1 BODY_FILE=$2\nX_HUB_SIGNATURE_256=$(cat "$3.signature")\n'
        code = start + code
    ending = {"python": PYTHON_MAIN, "js": JS_MAIN, "sh": ""}[language]
    path = folder / f"verify.{language}"
    path.write_text(code + ending)
    return [PROGRAMS[language], str(path)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", [name for name, p in PROGRAMS.items() if shutil.which(p)])
def test_snippets_of_the_page(repository: Repository, tmp_path: Path, language: str) -> None:
    now = datetime.now(UTC)
    hook = Webhook.objects.create(
        repository=repository,
        url="https://ci.example/",
        secret=SECRET,
        previous_secret=OLD,
        previous_until=now + timedelta(hours=1),
        format="cloudevents",
    )
    delivery = Delivery.objects.create(
        webhook=hook, event=push(repository), next_attempt_at=timezone.now()
    )
    rendered = render(delivery)
    program = command(language, tmp_path)
    body, headers = tmp_path / "body", tmp_path / "headers"

    def verifies(secret: str, data: bytes, *, at: datetime = now) -> bool:
        signed = signed_headers(delivery, rendered, now=at)
        body.write_bytes(data)
        headers.write_text(json.dumps({name.lower(): text for name, text in signed.items()}))
        (tmp_path / "headers.signature").write_text(signed["X-Hub-Signature-256"])
        arguments = [*program, secret, str(body), str(headers)]
        return subprocess.run(arguments, check=False, timeout=60).returncode == 0

    assert verifies(SECRET, rendered.body)
    assert not verifies("whsec_b3RoZXIgb3RoZXIgb3RoZXIgISE=", rendered.body)
    assert not verifies(SECRET, rendered.body.replace(b"v1.2", b"v1.3"))
    if language != "sh":  # its signature has no time and no rotation
        assert verifies(OLD, rendered.body)
        assert not verifies(SECRET, rendered.body, at=now - timedelta(minutes=6))


def test_every_preset_is_on_the_page() -> None:
    for preset in PRESETS:
        assert f"`{preset.format}`" in PAGE
        if preset.template:
            check_template(preset.template)


def test_every_path_of_templates_is_on_the_page() -> None:
    told = PAGE.partition("### A template of your own")[2].partition("## Results")[0]
    for path in PATHS:
        first, dot, last = path.partition(".")
        assert f"`{path}`" in told or (first == "repository" and f"`{dot}{last}`" in told), path
