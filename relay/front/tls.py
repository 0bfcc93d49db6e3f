"""TLS for the listener; a renewed certificate is taken up without restart.

The files are looked at when a client says hello, at most every few seconds: no timer, no task, and
a Kubernetes symlink swap or an atomic rename is seen alike (P11).
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final

import structlog

from relay.errors import SettingsError
from relay.telemetry import events

if TYPE_CHECKING:
    from pathlib import Path

    from relay.front.settings import Tls

_LOOK_EVERY_S: Final = 5.0
_Stamp = tuple[tuple[int, int, int], ...]

log = structlog.get_logger(__name__)


class CertificateSource:
    """Makes the listener's context and keeps it up to date.

    Args:
        files: certificate, key, and the authorities of clients if they must show one.
        look_every_s: the least time between two looks at the files.
    """

    def __init__(self, files: Tls, look_every_s: float = _LOOK_EVERY_S) -> None:
        self._files = files
        self._look_every_s = look_every_s
        self._looked_s = float("-inf")
        self._stamp: _Stamp = ()
        self._current: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """The context to listen with.

        Raises:
            SettingsError: certificate or key cannot be used.
        """
        try:
            self._stamp = self._read_stamp()
            listening = self._load()
        except (OSError, ssl.SSLError) as error:
            used = " with ".join(map(str, self._files.files))
            problem = f"cannot use {used}: {error}; give PEM files that belong together"
            raise SettingsError([f"listen.tls_certificate: {problem}"]) from error
        self._current = listening
        listening.sni_callback = self._choose
        return listening

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._files.certificate, self._files.key)
        if self._files.client_ca is not None:
            context.load_verify_locations(self._files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _choose(self, client: ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
        self._renew()
        assert self._current is not None
        client.context = self._current

    def _renew(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._looked_s < self._look_every_s:
            return
        self._looked_s = now
        try:
            stamp = self._read_stamp()
            if stamp == self._stamp:
                return
            self._current = self._load()
            self._stamp = stamp
        except (OSError, ssl.SSLError) as error:
            reason = type(error).__name__
            certificate = str(self._files.certificate)
            log.warning(events.TLS_RELOAD_FAILED, certificate=certificate, reason=reason)
        else:
            log.info(events.TLS_RELOADED, certificate=str(self._files.certificate))

    def _read_stamp(self) -> _Stamp:
        return tuple(_stamp_of(path) for path in self._files.files)


def _stamp_of(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size
