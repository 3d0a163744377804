"""The recipes for Argo CD, Flux and Tekton, each against what the tool documents."""

from __future__ import annotations

import pytest

from repos.models import Repository
from tests.receivers.clusters import ArgoCD, Flux, Tekton
from tests.receivers.stage import DIGEST, SECRET, deliver, follow, happen, playing, push

pytestmark = pytest.mark.django_db(transaction=True)
SOURCE = "oci://hub.example.com/alice/app"


def test_argo_cd_refreshes_the_application_of_this_tag(repository: Repository) -> None:
    applications = {
        "mine": (SOURCE, "v1.2"),
        "older": (SOURCE, "v1.1"),
        "other": (f"{SOURCE}2", "v1.2"),
    }
    argo = ArgoCD("harbor-secret", applications)
    with playing(argo) as stage:
        hook = follow("argocd", stage, repository, {"YOUR-SECRET": "harbor-secret"})
        attempt = deliver(hook, push(repository))
        assert (attempt.status, stage.refusals) == (200, [])
        assert attempt.request_headers["Authorization"] == "(not kept)"
        deleted = happen(repository, "tag.deleted", tag="v1.2", digest=DIGEST)
        assert deliver(hook, deleted).status == 200
        wrong = follow("argocd", stage, repository, {"YOUR-SECRET": "guessed"})
        assert deliver(wrong, push(repository)).status == 400
    assert argo.refreshed == ["mine"]


def test_argo_cd_with_a_name_of_three_parts(repository: Repository) -> None:
    repository.path, repository.name = "alice/charts/app", "charts/app"
    repository.save()
    argo = ArgoCD("s", {"chart": ("oci://hub.example.com/alice/charts/app", "1.0.0")})
    with playing(argo) as stage:
        hook = follow("argocd", stage, repository, {"YOUR-SECRET": "s"})
        deliver(hook, push(repository, "1.0.0"))
    assert argo.refreshed == ["chart"]


def test_flux_generic_hmac(repository: Repository) -> None:
    flux = Flux("generic-hmac", SECRET)
    with playing(flux) as stage:
        hook = follow("flux", stage, repository, {"RECEIVER-PATH": flux.path})
        attempt = deliver(hook, push(repository))
        assert (attempt.status, stage.refusals) == (200, [])
        assert attempt.request_headers["X-Signature"] == "(not kept)"
        hook.secret = "whsec_b3RoZXIgb3RoZXIgb3RoZXIgISE="
        hook.save()
        assert deliver(hook, push(repository)).status == 400
    assert len(flux.reconciled) == 1


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("generic", {"format": "cloudevents", "headers": {}}, None),
        (
            "dockerhub",
            {"format": "dockerhub", "headers": {}},
            ("https://hub.example.com/alice/app", "v1.2"),
        ),
        ("quay", {"format": "quay", "headers": {}}, ("hub.example.com/alice/app", ["v1.2"])),
        ("harbor", {"format": "harbor", "headers": {"Authorization": SECRET}}, None),
        ("github", {"format": "github", "headers": {}}, "registry_package"),
    ],
)
def test_flux_receivers_of_other_types(
    repository: Repository, kind: str, changes: dict[str, object], expected: object
) -> None:
    flux = Flux(kind, SECRET, events=("registry_package",))
    with playing(flux) as stage:
        hook = follow("flux", stage, repository, {"RECEIVER-PATH": flux.path}, **changes)
        attempt = deliver(hook, push(repository))
    assert (attempt.status, stage.refusals) == (200, [])
    assert flux.reconciled == [expected]


@pytest.mark.parametrize("header", ["x-hub-signature-256", "x-hub-signature"])
def test_tekton_github_interceptor(repository: Repository, header: str) -> None:
    tekton = Tekton(SECRET, header)
    with playing(tekton) as stage:
        hook = follow("tekton", stage, repository, {})
        assert deliver(hook, push(repository)).status == 202
        deliver(hook, happen(repository, "repository.starred"))
        hook.secret = "another"
        hook.save()
        deliver(hook, push(repository))
    assert tekton.stopped == ["event type", "signature"]
    assert tekton.runs == [
        {"image": "hub.example.com/alice/app:v1.2", "tag": "v1.2", "digest": DIGEST}
    ]
