"""The whole stand-in without a socket: state, states an operator can put it in, and its records.

Tests and the control API work on this object; `service` answers requests with it. The states are
those of the contract (section *States an operator can put TFE in*).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from relay.clock import Clock, Ids, RandomIds, Rng, SystemClock, system_rng
from relay.rules.types import Json
from relay.simulator.access import Access
from relay.simulator.admin.site import Site
from relay.simulator.behaviour import Behaviour, Latency, RateLimit, SimulatorSettings
from relay.simulator.directory import Directory
from relay.simulator.faults import FaultScript
from relay.simulator.limiter import Limiter
from relay.simulator.log import RequestLog

if TYPE_CHECKING:
    from relay.rules.types import JsonObject


class Tfe:
    """One Terraform Enterprise, as far as SCIM and its administration go.

    Attributes:
        settings: what it was started with.
        clock: where its time comes from.
        rng: where its jitter comes from.
        directory: users, groups, memberships.
        access: tokens, pause, enabled.
        site: what is not SCIM's own: administrators, organisations, teams, links, SAML, version.
        limiter: the rate limit.
        faults: what is to go wrong.
        log: what arrived.
        latency: how long it thinks.
    """

    def __init__(
        self,
        settings: SimulatorSettings | None = None,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        rng: Rng | None = None,
    ) -> None:
        self.settings = settings or SimulatorSettings()
        self.clock = clock or SystemClock()
        self.rng = rng or system_rng()
        minted = ids or RandomIds()
        self.directory = Directory(self.clock, minted, self.settings.behaviour)
        self.access = Access(self.clock, minted, self.settings.token)
        self.access.paused = self.settings.paused
        self.site = Site(
            self.clock,
            minted,
            self.directory,
            self.settings.admin_limits,
            self.settings.version,
        )
        if self.settings.admin_token is not None:
            self.site.people.issue(token=self.settings.admin_token)
        self.limiter = Limiter(self.clock, self.settings.limit)
        self.faults = FaultScript()
        self.log = RequestLog(self.clock, keep_bodies=self.settings.keep_bodies)
        self.latency = self.settings.latency
        if not self.settings.enabled:
            self.disable()

    @property
    def token(self) -> str:
        """The SCIM token issued last."""
        return self.access.newest

    @property
    def behaviour(self) -> Behaviour:
        """The limits and switches in force."""
        return self.directory.behaviour

    def behave(self, behaviour: Behaviour) -> None:
        """Other limits and switches from now on."""
        self.directory.behaviour = behaviour

    def limit(self, limit: RateLimit) -> None:
        """Another rate limit from now on."""
        self.limiter.change(limit)

    def pause(self) -> None:
        """Site-level pause: 403 on Users and Groups, discovery goes on, nothing is backfilled."""
        self.access.paused = True

    def resume(self) -> None:
        """End of the pause."""
        self.access.paused = False

    def disable(self) -> None:
        """SCIM off: every identity, group, membership, link and token is deleted; 401 follows.

        Whoever is site administrator through SCIM stays one; no error if it is off already.
        """
        self.site.people.keep_grants()
        self.access.enabled = False
        self.access.paused = False
        self.access.revoke_all()
        self.directory.wipe()

    def enable(self, token: str | None = None) -> str:
        """SCIM on again, empty, with a new token, which is returned."""
        self.access.enabled = True
        return self.access.issue(token)

    def rotate_token(self, token: str | None = None) -> str:
        """A new token; the old ones end at once."""
        self.access.revoke_all()
        return self.access.issue(token)

    def wipe(self) -> None:
        """SCIM loses its resources and keeps its tokens, as after a restore of something older."""
        self.directory.wipe()

    def state(self) -> JsonObject:
        """The state in one object, for the control API; tokens are counted, not shown."""
        limit = self.limiter.limit
        flags: JsonObject = asdict(self.behaviour)
        flags["reserved_group_names"] = list[Json](sorted(self.behaviour.reserved_group_names))
        return {
            "paused": self.access.paused,
            "enabled": self.access.enabled,
            "live_tokens": len(self.access.live_tokens()),
            "users": len(self.directory.users),
            "groups": len(self.directory.groups),
            "requests": len(self.log),
            "rate": limit.rate,
            "window": limit.window,
            "retry_after": limit.retry_after,
            "count_refused": limit.count_refused,
            "latency_ms": [self.latency.low_ms, self.latency.high_ms],
            "flags": flags,
            "faults": len(self.faults.rules()),
            "version": self.site.version,
            "saml": [self.site.saml.enabled, self.site.saml.provider_type],
            "site_admin_group": self.site.people.site_admin_group,
            "teams": len(self.site.estate.teams()),
            "linked_teams": sum(team.link is not None for team in self.site.estate.teams()),
            "admin_limits": asdict(self.site.budgets.limits),
        }

    def think(self, latency: Latency) -> None:
        """Another thinking time from now on."""
        self.latency = latency
