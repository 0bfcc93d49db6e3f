"""The settings that face identity providers: where they are answered, and who they are.

Annotations are read at run time by pydantic, hence no `from __future__ import annotations`.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, Self

from pydantic import model_validator

from relay.rules.ownership import RESERVED
from relay.settings.base import Section, contradiction, key
from relay.settings.kinds import (
    BasePath,
    Duration,
    FileMode,
    ListenAddress,
    Networks,
    OptionalPath,
    Proxies,
    PublicUrl,
    Size,
)
from relay.settings.tokens import TokenHashes


class Listen(Section):
    """Where identity providers reach the relay, and how much of it one of them may take."""

    address: ListenAddress = key(
        "127.0.0.1:8080", 'Host and port, or "unix:/run/scim-relay/scim.sock".'
    )
    unix_mode: FileMode = key(
        "0660", "Permissions of the unix socket; a reverse proxy in its group may open it."
    )
    base_path: BasePath = key("/scim/v2", "Path before `/Users` and `/Groups`; empty for none.")
    public_url: PublicUrl = key(
        "",
        "Scheme and host by which identity providers know the relay, for `meta.location`; "
        "empty takes the request's `Host`.",
        "https://scim.example.com",
    )
    tls_certificate: OptionalPath = key(
        "", "PEM file with the certificate chain; with `tls_key` it switches TLS on."
    )
    tls_key: OptionalPath = key("", "PEM file with the private key of `tls_certificate`.")
    client_ca: OptionalPath = key(
        "",
        "PEM file with the authorities of clients' certificates; with it nobody is let in without"
        " one. All three files are read again when they change.",
    )
    allow: Networks = key(
        (),
        "Addresses and networks whose requests are taken, before any token is looked at; empty"
        " for all.",
        ["203.0.113.0/24", "2001:db8::/32"],
    )
    trusted_proxies: Proxies = key(
        (),
        "Proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed; `unix` stands for"
        " whoever opens the unix socket.",
        ["127.0.0.1", "unix"],
    )
    insecure: bool = key(
        False,
        "Serve clear text on an address that is not loopback, because TLS ends in front of it.",
    )
    max_body: Size = key(
        "16MB", "Longest request body; the relay splits what TFE would refuse.", ge=1_000
    )
    max_buffered: Size = key(
        "128MB",
        "Request bodies being read, all together; and as much of answers that clients have not"
        " taken. Beyond it 503.",
        ge=1_000_000,
    )
    header_deadline: Duration = key("10s", "Time for a client to send its request's head.")
    body_deadline: Duration = key("30s", "Time for a client to send its request's body.")
    keepalive: Duration = key("75s", "How long a connection may be idle between two requests.")
    max_connections: int = key(
        1000, "Open connections at once; more are closed at once.", ge=1, le=100_000
    )
    wrong_tokens: int = key(
        20,
        "Wrong tokens from one address in a minute before it is told 429; a right one always"
        " passes.",
        ge=1,
    )
    max_depth: int = key(
        32, "How deep a body's JSON may be nested; deeper is told 400.", ge=8, le=256
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        problems = []
        if (self.tls_certificate is None) != (self.tls_key is None):
            missing = "tls_key" if self.tls_key is None else "tls_certificate"
            problems.append((missing, "missing; a certificate and its key are given together"))
        elif not (self.address.private or self.tls_certificate or self.insecure):
            problem = (
                "tokens would travel in clear text on an address that is not loopback; "
                "give tls_certificate and tls_key, or insecure = true behind a TLS proxy"
            )
            problems.append(("insecure", problem))
        if self.client_ca is not None and self.tls_certificate is None:
            problem = "of no use without TLS; give tls_certificate and tls_key"
            problems.append(("client_ca", problem))
        if problems:
            raise contradiction(*problems)
        return self


class Connection(Section):
    """One identity provider that may write; a connection has tokens of its own."""

    name: str = key(
        ...,
        "Its name in logs and the audit trail: small letters, digits, `-`, `_`.",
        "entra",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
    )
    token_hash: TokenHashes = key(
        "",
        "What `scim-relay token new` prints: one hash or a list, all of them live. Behind a hash"
        " may stand `label=NAME`, which `status` shows, and `expires=2027-06-30`, from when (UTC)"
        " it is refused.",
        "sha256:0000000000000000000000000000000000000000000000000000000000000000",
    )
    token_file: OptionalPath = key(
        "", "File with the token itself, instead of a hash; `credential:NAME` for systemd's."
    )
    answer: Literal["directory", "strict"] = key(
        "directory",
        "`directory`: accepted writes are answered from the directory when TFE is slow. "
        "`strict`: success is said only once TFE said so, otherwise 503 with `Retry-After`.",
    )
    scope: Literal["all", "own"] = key(
        "all",
        "`all`: may change every user and group. `own`: only those it created, or was given by"
        " `scim-relay connections transfer`; for several identity providers on one TFE.",
    )
    declare_password: bool = key(
        False, "`/Schemas` declares `password` (canaille needs it); it is dropped all the same."
    )

    @model_validator(mode="after")
    def _is_not_named_like_ours(self) -> Self:
        if self.name in RESERVED:
            problem = "a word of the relay's own; name it after the identity provider"
            raise contradiction(("name", problem))
        return self

    @model_validator(mode="after")
    def _has_one_token(self) -> Self:
        if bool(self.token_hash) == (self.token_file is not None):
            problem = "give either token_hash or token_file; `scim-relay token new` makes both"
            raise contradiction(("token_hash", f"no token, or two sources of it; {problem}"))
        return self


def clashes(connections: Sequence[Connection]) -> Iterator[tuple[str, str]]:
    """What is the same in two connections, or twice in one: names, tokens, labels."""
    names = [one.name for one in connections]
    if again := _twice(names):
        problem = f"{', '.join(again)} stands there twice; every connection has its own name"
        yield "connections", problem
    if _twice([one.hash for connection in connections for one in connection.token_hash]):
        yield "connections", "a token_hash stands there twice; it tells whose a request is"
    for connection in connections:
        if again := _twice([one.label for one in connection.token_hash if one.label]):
            problem = (
                f"{', '.join(again)} labels two tokens of {connection.name}; give each its own"
            )
            yield "connections", problem


def _twice(words: Sequence[str]) -> list[str]:
    return sorted({word for word in words if words.count(word) > 1})
