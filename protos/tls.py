"""PEM files for TLS -> gRPC credentials, for the client (`function`) and for the service.

Each file is checked by itself first: gRPC reports an unusable file only as a failed connection.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

KEY_MISMATCH = "KEY_VALUES_MISMATCH"  # OpenSSL's name for a key that belongs to another certificate


class TlsFileError(Exception):
    """A file cannot be used. The message says what was expected and found, without the path.

    part  the file: a field name of TlsFiles
    """

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files of one side of a connection.

    authority    certificates that the other side's certificate is checked against
    certificate  this side's certificate chain; always together with `key`
    key          the certificate's private key, unencrypted
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a certificate without its key, or a key without its certificate."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key: expected both or neither")

    def open_channel_credentials(self) -> grpc.ChannelCredentials:
        """Credentials of a client. Without an authority, gRPC's own list. Raises TlsFileError."""
        authority, certificate, key = self._read()
        return grpc.ssl_channel_credentials(authority, key, certificate)

    def open_server_credentials(self) -> grpc.ServerCredentials:
        """Credentials of a server. With an authority, clients must show a certificate it signed.

        Raises TlsFileError.
        """
        authority, certificate, key = self._read()
        if certificate is None or key is None:
            raise TlsFileError("certificate", "expected a server's certificate, found none")
        return grpc.ssl_server_credentials(
            [(key, certificate)],
            root_certificates=authority,
            require_client_auth=authority is not None,
        )

    def _read(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """The contents of authority, certificate and key, checked."""
        authority = read_file("authority", self.authority)
        certificate = read_file("certificate", self.certificate)
        key = read_file("key", self.key)
        for part, path, content in (
            ("authority", self.authority, authority),
            ("certificate", self.certificate, certificate),
        ):
            if path and content is not None and not holds_certificates(path):
                found = describe(content)
                raise TlsFileError(part, f"expected certificates in PEM form, found {found}")
        if self.certificate and self.key and key is not None:
            check_key(self.certificate, self.key, key)
        return authority, certificate, key


def read_file(part: str, path: Path | None) -> bytes | None:
    """The file's bytes, or None without a path. Raises TlsFileError."""
    try:
        return path.read_bytes() if path else None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise TlsFileError(part, f"expected a readable file in PEM form: {reason}") from error


def holds_certificates(path: Path) -> bool:
    """Whether OpenSSL can read certificates from the file."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return False
    return True


def check_key(certificate: Path, key: Path, content: bytes) -> None:
    """Raise TlsFileError unless the key is usable and belongs to the certificate."""
    try:
        # The password is empty, so that an encrypted key is an error and not a prompt.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            certificate, key, password=lambda: b""
        )
    except (ssl.SSLError, ValueError) as error:
        mismatch = getattr(error, "reason", None) == KEY_MISMATCH
        found = "another certificate's key" if mismatch else describe(content)
        raise TlsFileError(
            "key",
            f"expected the certificate's private key, unencrypted, in PEM form, found {found}",
        ) from error


def describe(content: bytes) -> str:
    """The kind of a file that OpenSSL does not accept."""
    if not content:
        return "an empty file"
    if b"-----BEGIN ENCRYPTED" in content or b"ENCRYPTED\n" in content:
        return "an encrypted key"
    if b"PRIVATE KEY-----" in content:
        return "a private key"
    if b"-----BEGIN CERTIFICATE-----" in content:
        return "a certificate, or a damaged one"
    return "no PEM block"
