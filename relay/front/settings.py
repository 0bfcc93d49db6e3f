"""What the front is told at start; `app` maps `relay.settings` onto it.

Every limit has a precedent beside it. Nothing here is read again after start, tokens apart
(`relay.front.auth.TokenTable.replace`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from relay.errors import SettingsError
from relay.rules.contract import TFE
from relay.settings.kinds import Address

if TYPE_CHECKING:
    from pathlib import Path

    from relay.settings.kinds import Network
    from relay.settings.tokens import InboundToken


class AnswerMode(StrEnum):
    """Whose word a connection is given."""

    DIRECTORY = "directory"  # the directory's own view when TFE is slow
    STRICT = "strict"  # never success that TFE has not given: 503 with Retry-After instead


@dataclass(frozen=True, slots=True)
class Connection:
    """One identity provider that may write.

    Attributes:
        name: its name in metrics, logs and the audit trail.
        tokens: the hash of each, with its label and its end; all of them are live (S2).
        answer: whose word it is given.
        declare_password: `/Schemas` has a `password` for it, which goes nowhere.
        own: it may change only what it created or was given (`scope = "own"`).
    """

    name: str
    tokens: tuple[InboundToken, ...]
    answer: AnswerMode = AnswerMode.DIRECTORY
    declare_password: bool = False
    own: bool = False


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files; read again when they change.

    Attributes:
        certificate: the chain that is shown.
        key: its private key.
        client_ca: the authorities of clients' certificates; with it nobody comes in without one.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        found = (self.certificate, self.key, self.client_ca)
        return tuple(path for path in found if path is not None)


@dataclass(frozen=True, slots=True)
class FrontSettings:
    """Where to listen and how much one client may take.

    Attributes:
        connections: who may come in.
        address: host and port, or the path of a unix socket.
        base_path: what stands before `/Users`; empty for nothing.
        public_url: scheme and host by which identity providers know the relay, without
            `base_path`, for `meta.location`; empty takes the request's `Host`.
        unix_mode: permissions of the unix socket's file.
        tls: certificate and key, or None for clear text.
        allow: networks whose requests are taken; empty for all.
        trusted_proxies: networks of proxies whose `X-Forwarded-...` headers are believed.
        trusts_unix: whoever connects to the unix socket is such a proxy.
        insecure: clear text is wanted on an address that is not loopback.
        max_body_bytes: longest body, after decompression (413).
        max_buffered_bytes: all bodies being read together, and all answers being sent; the next
            large one is a 503.
        max_depth: JSON nesting. SCIM needs 5 (RFC 7643 section 2.3.8 forbids complex in complex).
        max_containers: JSON objects and arrays in a body; bounds what parsing can cost.
        header_deadline_s: seconds from the first byte to the end of a request's head; nginx's
            `client_header_timeout` is 60, Apache's RequestReadTimeout 20.
        body_deadline_s: seconds for a request's body to arrive, and for an answer to be taken.
        store_deadline_s: seconds the directory may take before the answer is a 503 (A10). With
            `answer_wait_s` it stays within SCIM-SDK's 10 s.
        keepalive_s: seconds an idle connection is kept; nginx has 75.
        max_connections: open connections at once.
        max_page: `count` is capped at this (contract: 200).
        answer_wait_s: longest wait for TFE's own answer.
        retry_after_s: what a 503 says when it has no better idea.
        wrong_tokens: from one address in a minute, before they are told 429.
        drain_s: seconds that requests under way are given at shutdown.
    """

    connections: tuple[Connection, ...]
    address: Address = field(default_factory=lambda: Address("127.0.0.1", 8080))
    base_path: str = "/scim/v2"
    public_url: str = ""
    unix_mode: int = 0o660
    tls: Tls | None = None
    allow: tuple[Network, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    trusts_unix: bool = False
    insecure: bool = False
    max_body_bytes: int = 16_000_000
    max_buffered_bytes: int = 128_000_000
    max_depth: int = 32
    max_containers: int = 400_000
    header_deadline_s: float = 10.0
    body_deadline_s: float = 30.0
    store_deadline_s: float = 7.5
    keepalive_s: float = 75.0
    max_connections: int = 1_000
    max_page: int = TFE.max_page
    answer_wait_s: float = 2.0
    retry_after_s: int = 30
    wrong_tokens: int = 20
    drain_s: float = 10.0

    def check(self, address: Address) -> None:
        """Refuse what would put tokens on a wire in clear text.

        Raises:
            SettingsError: `address` is not loopback, TLS is off and `insecure` is not set.
        """
        if not (address.private or self.tls or self.insecure):
            raise SettingsError(
                [
                    (
                        f"listen.insecure: cannot serve clear text on {address}: tokens could "
                        "be read on the way; give listen.tls_certificate and listen.tls_key, or "
                        "set listen.insecure = true behind a proxy that ends TLS"
                    )
                ]
            )
