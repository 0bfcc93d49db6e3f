"""Who is really asking, and under which name: what a proxy in front says, if it may say it.

`X-Forwarded-For`, `-Proto` and `-Host` are believed from a proxy that `listen.trusted_proxies`
names, and from nobody else: anyone can write a header. The chain is read from its end, where the
nearest proxy wrote, up to the first address that is no trusted proxy: that is the client.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    from aiohttp import web

    Network = IPv4Network | IPv6Network
    IpAddress = IPv4Address | IPv6Address

_HOST: Final = re.compile(
    r"[A-Za-z0-9._~\-]{1,255}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?"
)
_WITH_PORT: Final = re.compile(r"\[(?P<six>[^\]]+)\](?::\d+)?|(?P<four>[0-9.]+):\d+")
_SCHEMES: Final = frozenset({"http", "https"})


class Origins:
    """Reads requests' origins.

    Args:
        trusted: networks of the proxies that are believed.
        trusts_unix: whether whoever connects to the unix socket is such a proxy.
        allowed: networks that may ask; empty for everybody.
    """

    def __init__(
        self, trusted: Sequence[Network], allowed: Sequence[Network], *, trusts_unix: bool
    ) -> None:
        self._trusted = tuple(trusted)
        self._allowed = tuple(allowed)
        self._trusts_unix = trusts_unix

    def client_of(self, request: web.BaseRequest) -> IpAddress | None:
        """The client's address; None on a unix socket, or where a proxy wrote what is none."""
        peer = _parsed(request.remote or "")
        if not self._believes(peer, request):
            return peer
        chain = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        for written in reversed(chain):
            if not written.strip():
                continue
            peer = _parsed(written.strip())
            if peer is None or not _within(peer, self._trusted):
                break
        return peer

    def admits(self, client: IpAddress | None) -> bool:
        """Whether a client at this address may ask; one of whom nothing is known may not."""
        return not self._allowed or (client is not None and _within(client, self._allowed))

    def base_of(self, request: web.BaseRequest, *, tls: bool) -> str:
        """Scheme and host by which the client knows the relay.

        The host is taken only if it looks like one: it is quoted in `meta.location`.
        """
        scheme = "https" if tls else "http"
        host = request.headers.get("Host", "")
        if self._believes(_parsed(request.remote or ""), request):
            said = _first(request, "X-Forwarded-Proto").lower()
            scheme = said if said in _SCHEMES else scheme
            host = _first(request, "X-Forwarded-Host") or host
        return f"{scheme}://{host if _HOST.fullmatch(host) else 'localhost'}"

    def _believes(self, peer: IpAddress | None, request: web.BaseRequest) -> bool:
        if peer is None:
            return self._trusts_unix and not request.remote
        return _within(peer, self._trusted)


def _first(request: web.BaseRequest, header: str) -> str:
    return request.headers.get(header, "").partition(",")[0].strip()


def _within(address: IpAddress, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _parsed(text: str) -> IpAddress | None:
    """An address, with or without a port; one of IPv4 inside IPv6 is that of IPv4."""
    found = _WITH_PORT.fullmatch(text)
    bare = text if found is None else found["six"] or found["four"]
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
