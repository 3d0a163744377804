"""Who claims to have signed an image, read from what lies beside a signature.

Nothing is verified here: that takes the reader's own trust, and a client such as cosign.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from cryptography import x509

COSIGN = "application/vnd.dev.cosign.simplesigning.v1+json"
COSIGN_ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"
NOTATION = "application/vnd.cncf.notary.signature"
BUNDLES = (
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
)
SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
_CERTIFICATE = "dev.sigstore.cosign/certificate"
_THUMBPRINTS = "io.cncf.notary.x509chain.thumbprint#S256"
_MAX_PEM = 16 * 1024
_SHOWN = 200


def cosign_signer(annotations: Mapping[str, str]) -> str:
    """The identity in the certificate beside a cosign signature; empty for one made with a key."""
    pem = annotations.get(_CERTIFICATE, "")
    if not pem or len(pem) > _MAX_PEM:
        return ""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = [
            *names.get_values_for_type(x509.RFC822Name),
            *names.get_values_for_type(x509.UniformResourceIdentifier),
        ]
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return ""
    except x509.UnsupportedGeneralNameType:
        return ""
    return _clean(found[0]) if found else ""


def notation_signer(annotations: Mapping[str, str]) -> str:
    """The beginning of the signing certificate's fingerprint; empty if it is not told."""
    try:
        thumbprints = json.loads(annotations.get(_THUMBPRINTS, "[]"))
    except (ValueError, RecursionError):
        return ""
    first = thumbprints[0] if isinstance(thumbprints, list) and thumbprints else ""
    return _clean(first)[:16] if isinstance(first, str) else ""


def _clean(text: str) -> str:
    """Without what could pose as something else on a page."""
    return "".join(sign for sign in text if sign.isprintable())[:_SHOWN]
