"""`manage.py import_image`: images from files, without any client."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from core.errors import HubError
from oci.names import is_tag
from registry.services.archive import Archive, Folder, Tar
from registry.services.entrance import act_as, enter
from registry.services.importing import Found, Target, list_images, put_image


class Command(BaseCommand):
    """Everything is checked as in a push by that person: rights, digests, immutable tags."""

    help = "Put images of files into a repository: what docker save wrote, or OCI layouts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        parser.add_argument("files", nargs="+", metavar="FILE", help="tar, tar.gz or layout folder")
        parser.add_argument(
            "--repository",
            required=True,
            metavar="NAME[:TAG]",
            help="where to; with a tag each file holds one image, else its own tags are used",
        )
        parser.add_argument("--as", required=True, dest="person", metavar="USER", help="by whom")

    def handle(self, *args: Any, files: list[str], **options: Any) -> None:
        """One line a blob, one an image; the first refusal ends it, and what was put stays."""
        name, tag = _split(options["repository"])
        try:
            principal = act_as(options["person"])
            repository, recheck = enter(principal, name)
            target = Target(repository, principal.actor, recheck, self._tell)
            for file in files:
                self._import(Path(file), tag, target)
        except HubError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{target.read_bytes} bytes read, {target.skipped} blobs were here.")

    def _import(self, path: Path, tag: str, target: Target) -> None:
        with ExitStack() as stack:
            try:
                archive: Archive
                archive = Folder(path) if path.is_dir() else stack.enter_context(Tar(path))
                for found, tags in _planned(list_images(archive), tag, path):
                    digest = put_image(found, tags, target)
                    names = ", ".join(f"{target.repository.path}:{one}" for one in tags)
                    self.stdout.write(f"{names}  {digest}")
            except HubError as error:
                raise CommandError(f"{path}: {error.message}") from error

    def _tell(self, text: str) -> None:
        self.stdout.write(f"  {text}")
        self.stdout.flush()


def _planned(images: list[Found], tag: str, path: Path) -> list[tuple[Found, list[str]]]:
    if tag and len(images) > 1:
        raise CommandError(
            f"{path} holds {len(images)} images; leave the tag out to keep the tags they have."
        )
    plan = [(found, [tag] if tag else list(dict.fromkeys(found.tags))) for found in images]
    untagged = [tags for _, tags in plan if not tags]
    if len(untagged) > 1:
        raise CommandError(f"{path} holds several images without a tag; import them one by one.")
    for tags in untagged:
        tags.append("latest")
    return plan


def _split(reference: str) -> tuple[str, str]:
    name, colon, tag = reference.partition(":")
    if colon and not is_tag(tag):
        raise CommandError(f"{tag[:128]} is no tag.")
    return name, tag
