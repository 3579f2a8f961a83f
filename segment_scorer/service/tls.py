"""Certificate files -> gRPC server credentials. Checks them first, since gRPC itself says little about a file that it cannot use."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from segment_scorer.service.errors import ServiceError


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files. With `client_ca` every caller must show a certificate that it signed (mutual TLS)."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


def load_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Read the files. Raises ServiceError for one that is missing, no PEM, or a key that is not the certificate's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.certificate, files.key, password=lambda: b"")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ServiceError(
            f"{files.certificate} and {files.key}: expected a certificate chain and its unencrypted key, PEM"
        ) from error
    if files.client_ca:
        try:
            context.load_verify_locations(files.client_ca)
        except OSError as error:
            raise ServiceError(
                f"{files.client_ca}: expected certificates of authorities, PEM"
            ) from error
    return grpc.ssl_server_credentials(
        [(files.key.read_bytes(), files.certificate.read_bytes())],
        root_certificates=files.client_ca.read_bytes() if files.client_ca else None,
        require_client_auth=files.client_ca is not None,
    )
