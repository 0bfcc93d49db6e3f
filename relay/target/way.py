"""The way to TFE: TLS, whom to trust, what to show, and which proxy to take.

aiohttp's own reading of the environment is not used: it would also take a password out of
`~/.netrc` and put it where the token belongs.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from relay.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from relay.settings.model import Target


@dataclass(frozen=True, slots=True)
class Way:
    """How TFE is reached.

    Attributes:
        ca_file: PEM authorities to trust instead of the system's, or None.
        certificate: PEM chain to show to TFE, or None.
        key: its private key; None where `certificate` holds it.
        proxy_from_environment: whether `HTTPS_PROXY` and `NO_PROXY` are followed.
    """

    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    proxy_from_environment: bool = False

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or later with verification.

        Raises:
            SettingsError: a file cannot be read, or is not what it should be.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            problem = f"cannot use {self.ca_file}: {error}; give PEM certificates of authorities"
            raise SettingsError([f"target.ca_file: {problem}"]) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key, password=lambda: "")
            except (OSError, ssl.SSLError) as error:
                problem = f"cannot use {self.certificate} with {self.key}: {error}"
                cure = "give PEM files that belong together, the key without a passphrase"
                raise SettingsError([f"target.client_certificate: {problem}; {cure}"]) from error
        return context

    def proxy(self, url: str) -> str | None:
        """The proxy that stands between here and `url`, or None.

        Only for https: clear text is spoken with this machine alone (`target.url`).
        """
        parts = urlsplit(url)
        if not self.proxy_from_environment or parts.scheme != "https":
            return None
        found = getproxies()
        proxy = found.get("https") or found.get("all")
        if not proxy or proxy_bypass(parts.netloc):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"


DIRECT: Final = Way()
"""Trusting the system's authorities, without a proxy."""


def way_of(target: Target) -> Way:
    """The way that the settings describe; the admin API is reached by the same."""
    return Way(
        target.ca_file,
        target.client_certificate,
        target.client_key,
        proxy_from_environment=target.proxy == "environment",
    )


def first_hop(way: Way, url: str) -> tuple[str, str, int]:
    """Who is connected to for `url`: `target` or `proxy`, its host and its port."""
    proxy = way.proxy(url)
    parts = urlsplit(proxy or url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return "proxy" if proxy else "target", str(parts.hostname), port
