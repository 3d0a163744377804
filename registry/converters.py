"""Two images in one address: `1.0...2.0`, each a tag or a digest."""

from __future__ import annotations

from django.urls import register_converter

from oci.digest import Digest
from oci.errors import DigestInvalid
from oci.names import is_tag

BETWEEN = "..."


class PairConverter:
    """Tags may have dots of their own; the last place that leaves two names is the one."""

    regex = r"[A-Za-z0-9_.:-]{5,275}"

    def to_python(self, value: str) -> tuple[str, str]:
        """The two names; raises ValueError for anything else."""
        at = value.rfind(BETWEEN)
        while at > 0:
            pair = value[:at], value[at + len(BETWEEN) :]
            if all(is_reference(name) for name in pair):
                return pair
            at = value.rfind(BETWEEN, 0, at + len(BETWEEN) - 1)
        raise ValueError(value)

    def to_url(self, value: tuple[str, str]) -> str:
        """Both with dots between."""
        return BETWEEN.join(value)


def is_reference(text: str) -> bool:
    """Whether `text` is a tag or a digest."""
    if ":" not in text:
        return is_tag(text)
    try:
        Digest.parse(text)
    except DigestInvalid:
        return False
    return True


register_converter(PairConverter, "pair")
