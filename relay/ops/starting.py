"""What `scim-relay check` looks at while no relay runs: could one start on this host?"""

from __future__ import annotations

import errno
import os
import resource
import socket
import ssl
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from relay.errors import StoreRefused
from relay.ops.doctor import SOON_S, Finding, Level
from relay.store.file import engine, identity
from relay.store.file.engine import DatabaseError

if TYPE_CHECKING:
    from relay.clock import Clock
    from relay.settings import Settings
    from relay.settings.kinds import Address

_OWN_FILES: Final = 64
"""Descriptors of the relay's own: the database, logs, the control socket, libraries."""


def examine_start(settings: Settings) -> list[Finding]:
    """Addresses and the database, which a running relay would have for itself."""
    found = [Finding(Level.OK, "relay", "not running: could it start?")]
    found.append(_free("listen.address", settings.listen.address))
    if settings.metrics.address is not None:
        found.append(_free("metrics.address", settings.metrics.address))
    return [*found, _database(settings.store.path.resolve())]


def examine_files_limit(settings: Settings) -> Finding:
    """Whether so many connections may be open at once as are allowed."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    connections = settings.listen.max_connections + settings.metrics.max_connections
    needed = connections + settings.target.concurrency + _OWN_FILES
    if allowed >= needed:
        return Finding(Level.OK, "open files", f"{allowed} allowed to this shell, {needed} needed")
    detail = (
        f"{allowed} allowed to this shell, {needed} needed for listen.max_connections; raise it"
        " (systemd: LimitNOFILE=, a shell: ulimit -n), or allow fewer connections"
    )
    return Finding(Level.WARN, "open files", detail)


def examine_certificate(settings: Settings, clock: Clock) -> list[Finding]:
    """Whether certificate and key belong together, and until when they hold."""
    certificate, key = settings.listen.tls_certificate, settings.listen.tls_key
    if certificate is None or key is None:
        return []
    what = "certificate"
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        server.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        detail = (
            f"cannot use {certificate} with {key} ({error}); give PEM files that belong together"
        )
        return [Finding(Level.FAIL, what, detail)]
    try:
        left_s = _end_of(certificate, server) - clock.wall()
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or str(error)
        cure = "renew it; the relay takes a new file up by itself"
        return [Finding(Level.FAIL, what, f"clients will refuse {certificate}: {reason}; {cure}")]
    days = left_s / 86_400
    if left_s > SOON_S:
        return [Finding(Level.OK, what, f"ends in {days:.0f} days")]
    cure = "renew it; the relay takes a new file up by itself"
    return [Finding(Level.WARN, what, f"ends in {days:.1f} days; {cure}")]


def _end_of(certificate: Path, server: ssl.SSLContext) -> float:
    """When a certificate ends, from a handshake in memory with a client that trusts just it.

    Raises:
        SSLError: it is not valid now.
    """
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(certificate)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = trusting.wrap_bio(to_client, to_server)
    for side in (theirs, ours, theirs):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    shown = theirs.getpeercert()
    assert shown is not None, "the client asked for it"
    return float(ssl.cert_time_to_seconds(str(shown["notAfter"])))


def _free(what: str, address: Address) -> Finding:
    """Whether the address can be listened on."""
    if address.path is not None:
        folder = Path(address.path).parent
        if os.access(folder, os.W_OK | os.X_OK):
            return Finding(Level.OK, what, f"{address.path} can be made")
        return Finding(Level.FAIL, what, f"cannot write in {folder}; make it, or chown it")
    try:
        family, kind, proto, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, proto) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(where)
    except OSError as error:
        cures = {
            errno.EADDRINUSE: "stop what listens there (ss -ltnp), or name another",
            errno.EACCES: "name a port above 1023, or let systemd listen (scim-relay.socket)",
        }
        cure = cures.get(error.errno or 0, "name an address that this host has")
        return Finding(Level.FAIL, what, f"cannot listen there ({error.strerror}); {cure}")
    return Finding(Level.OK, what, "free")


def _database(path: Path) -> Finding:
    """Whether the file would be opened; what refuses it names the cure."""
    lock = path.with_name(path.name + ".lock")
    try:
        known = None
        if lock.exists():
            descriptor = os.open(lock, os.O_RDONLY)
            known = identity.remembered(descriptor)
            os.close(descriptor)
        identity.refuse_unlikely(path, known)
        if not path.exists() or not path.stat().st_size:
            return Finding(Level.OK, "database", "none yet; the first start makes it")
        with closing(engine.open_reader(path)) as connection:
            identity.recognise(connection, path)
    except StoreRefused as error:
        return Finding(Level.FAIL, "database", str(error))
    except (OSError, DatabaseError) as error:
        cure = "keep the file; `scim-relay salvage` saves what can be read"
        return Finding(Level.FAIL, "database", f"cannot read {path} ({error}); {cure}")
    return Finding(Level.OK, "database", f"{path} is a relay's, of this release or an earlier one")
