"""A certificate of the org's own, for clients that insist on https."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Write a certificate for this machine's own addresses, signed by an authority made only for it.

    Args:
        folder: Where the files go; it must exist.
        host: Another address that the server listens on.

    Returns:
        The authority's certificate, which clients are to trust, and the server's key with its certificate.
    """
    # Its cryptography takes a while to load, and few need it.
    import trustme

    authority = trustme.CA(organization_name="bulkforce emulator")
    server = authority.issue_cert(*dict.fromkeys(["localhost", "127.0.0.1", "::1", host]))
    trusted, own = folder / "ca.pem", folder / "server.pem"
    authority.cert_pem.write_to_path(str(trusted))
    server.private_key_and_cert_chain_pem.write_to_path(str(own))
    return trusted, own
