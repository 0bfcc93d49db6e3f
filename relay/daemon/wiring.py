"""From settings to the parts' own settings: the one place that knows both."""

from __future__ import annotations

import hashlib
import math
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from relay.clock import RandomIds, SystemClock
from relay.delivery.dispatcher import DeliverySettings
from relay.delivery.reconciler import ReconcileSettings
from relay.delivery.sender import ASKING
from relay.errors import SettingsError
from relay.front.settings import AnswerMode, Connection, FrontSettings, Tls
from relay.probe.kept import measured
from relay.rules.contract import PROFILES, TargetProfile
from relay.rules.guard import GuardPolicy, Loss
from relay.settings.kinds import UNIX
from relay.settings.tokens import InboundToken
from relay.site.examining import reading
from relay.site.linking import Linking
from relay.site.links import Wanted
from relay.site.rotating import Rotation
from relay.site.watch import SiteWatch, WatchSettings
from relay.store import StoreSettings
from relay.store.edits.incoming import AcceptRules
from relay.store.file.engine import Bounds
from relay.target import Endpoint, FixedToken, TargetClient, TokenFile
from relay.target.admin import AdminWriter
from relay.target.way import way_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from relay.delivery.keeper import Keeper
    from relay.settings import Settings
    from relay.settings.serving import Connection as ConnectionSettings
    from relay.site.announcing import Announcer
    from relay.store import Store
    from relay.target import TokenSource

WAITING_SHARE = 4
"""A client waits for TFE only if its turn comes within this fraction of `answer.wait` (A3)."""


def profile_of(settings: Settings) -> TargetProfile:
    """The target's limits, as far as a probe measured them its own, with the operator's rate.

    Raises:
        SettingsError: `target.profile_file` cannot be used.
    """
    target = settings.target
    profile = replace(PROFILES[target.profile], rate=math.floor(target.rate) or 1)
    return profile if target.profile_file is None else measured(target.profile_file, profile)


def patience_of(settings: Settings) -> int:
    """Lanes that may be ahead of a waiting client: (position + 1) / rate < wait / 4 (A3)."""
    wait_s = settings.answer.wait.total_seconds()
    return math.ceil(settings.target.rate * wait_s / WAITING_SHARE) - 2


def target_client(settings: Settings) -> TargetClient:
    """TFE's SCIM side; open it before use."""
    target = settings.target
    token: TokenSource
    if target.token_file is not None:
        token = TokenFile(target.token_file)
    else:
        assert target.token is not None, "the settings require one of the two"
        token = FixedToken(target.token.reveal())
    endpoint = Endpoint(
        target.url,
        timeout_s=target.timeout.total_seconds(),
        concurrency=target.concurrency + ASKING,
        way=way_of(target),
    )
    return TargetClient(endpoint, token, SystemClock())


@asynccontextmanager
async def site_watch(
    settings: Settings, store: Store, keeper: Keeper, announcer: Announcer
) -> AsyncIterator[SiteWatch | None]:
    """What watches TFE's own side; None without its admin API."""
    admin = settings.admin_api
    if admin.token_file is None:
        yield None
        return
    async with reading(admin.url, admin.token_file, way_of(settings.target)) as reader:
        clock = SystemClock()
        writer = AdminWriter(reader.channel)
        wanted = [Wanted(one.group, team) for one in settings.links for team in one.teams]
        rotation = Rotation(
            reader=reader,
            writer=writer,
            store=store,
            keeper=keeper,
            path=settings.target.token_file,
            clock=clock,
            ids=RandomIds(),
        )
        yield SiteWatch(
            reader=reader,
            store=store,
            keeper=keeper,
            announcer=announcer,
            clock=clock,
            rotation=rotation,
            linking=Linking(reader, writer, store, wanted),
            settings=WatchSettings(rotate_before_s=admin.rotate_before.total_seconds()),
        )


def store_settings(settings: Settings) -> StoreSettings:
    """How the store is opened."""
    rules = AcceptRules(
        profile=profile_of(settings),
        missing_address=settings.users.missing_address,
        max_pending=settings.store.max_pending,
        patience=patience_of(settings),
        flatten=settings.groups.nested == "flatten",
        checks=settings.reconcile.on_drift == "mend",
    )
    store = settings.store
    return StoreSettings(
        store.path.resolve(),
        rules,
        min_free_bytes=store.min_free,
        bounds=Bounds(store.cache, store.max_wal),
        guard=guard_policy(settings),
        overflow=settings.groups.oversize == "overflow",
        names=settings.audit.personal == "full",
    )


def guard_policy(settings: Settings) -> GuardPolicy:
    """How much an IdP may take away before an operator is asked."""
    guard = settings.guard
    budgets = {
        Loss.DEACTIVATIONS: guard.max_deactivations,
        Loss.DELETIONS: guard.max_deletions,
        Loss.REMOVALS: guard.max_removals,
    }
    return GuardPolicy(
        guard.window.total_seconds(),
        budgets,
        guard.max_emptied,
        guard.protected_groups,
        guard.protected_users,
    )


def delivery_settings(settings: Settings) -> DeliverySettings:
    """How delivery behaves."""
    return DeliverySettings(
        concurrency=settings.target.concurrency,
        timeout_s=settings.target.timeout.total_seconds(),
    )


def reconcile_settings(settings: Settings) -> ReconcileSettings:
    """When TFE is compared with what it confirmed."""
    reconcile = settings.reconcile
    return ReconcileSettings(reconcile.every.total_seconds(), mend=reconcile.on_drift == "mend")


def front_settings(settings: Settings) -> FrontSettings:
    """How the front listens.

    Raises:
        SettingsError: a connection's token file cannot be read.
    """
    listen = settings.listen
    tls = None
    if listen.tls_certificate is not None and listen.tls_key is not None:
        tls = Tls(listen.tls_certificate, listen.tls_key, listen.client_ca)
    return FrontSettings(
        connections=connections_of(settings),
        address=listen.address,
        base_path=listen.base_path,
        public_url=listen.public_url,
        unix_mode=listen.unix_mode,
        tls=tls,
        allow=listen.allow,
        trusted_proxies=tuple(one for one in listen.trusted_proxies if not isinstance(one, str)),
        trusts_unix=UNIX in listen.trusted_proxies,
        insecure=listen.insecure,
        max_body_bytes=listen.max_body,
        max_buffered_bytes=listen.max_buffered,
        keepalive_s=listen.keepalive.total_seconds(),
        header_deadline_s=listen.header_deadline.total_seconds(),
        body_deadline_s=listen.body_deadline.total_seconds(),
        max_connections=listen.max_connections,
        wrong_tokens=listen.wrong_tokens,
        max_depth=listen.max_depth,
        max_page=profile_of(settings).max_page,
        answer_wait_s=settings.answer.wait.total_seconds(),
    )


def connections_of(settings: Settings) -> tuple[Connection, ...]:
    """Who may come in.

    Raises:
        SettingsError: a token file cannot be read or has no token, or two connections have one.
    """
    found = tuple(_connection(connection) for connection in settings.connections)
    whose: dict[str, str] = {}
    for name, token in ((one.name, token) for one in found for token in one.tokens):
        if (other := whose.setdefault(token.hash, name)) != name:
            problem = f"{other} and {name} have the same token; it tells whose a request is"
            raise SettingsError([f"connections: {problem}: give each its own"])
    return found


def _connection(connection: ConnectionSettings) -> Connection:
    hashes = connection.token_hash
    if connection.token_file is not None:
        try:
            token = connection.token_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            problem = f"cannot read {connection.token_file} ({reason})"
            raise SettingsError(
                [f"connections.token_file: {problem}; name a file that this user may read"]
            ) from error
        if not token:  # being written just now, or never was: nobody could come in
            raise SettingsError(
                [f"connections.token_file: {connection.token_file} is empty; write the token to it"]
            )
        hashes = (InboundToken("sha256:" + hashlib.sha256(token.encode()).hexdigest()),)
    return Connection(
        connection.name,
        hashes,
        AnswerMode(connection.answer),
        connection.declare_password,
        own=connection.scope == "own",
    )
