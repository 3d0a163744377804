"""A private authority and what it issues."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """Signs certificates with its own key."""

    def __init__(self, name: str) -> None:
        self._name, self._key = _name(name), ec.generate_private_key(ec.SECP256R1())
        made = self._builder(self._name, self._key, (-1, 30)).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.pem = made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def issue(
        self,
        name: str,
        *,
        days: tuple[int, int] = (-1, 10),
        password: bytes | None = None,
        server: bool = False,
    ) -> tuple[str, str]:
        """PEM of a certificate and of its key; `days` from now it begins and ends."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(name), key, days)
        if server:
            names = x509.SubjectAlternativeName([x509.DNSName(name)])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        encryption = BestAvailableEncryption(password) if password else NoEncryption()
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        return certificate.decode(), text.decode()

    def write(self, folder: Path) -> str:
        """Its own certificate in a file; the file's path."""
        path = folder / "authority.pem"
        path.write_text(self.pem)
        return str(path)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: tuple[int, int]
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
        )


def broken(key: str) -> str:
    """The same PEM with nonsense inside."""
    first, *_, last = key.strip().split("\n")
    return f"{first}\nAAAA\n{last}\n"
