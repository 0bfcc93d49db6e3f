"""How the stand-in behaves: the contract's limits, and switches that make it break the contract.

The switches exist as negative controls: a proof that a relay needs TFE to refuse duplicates, or to
honour filters, is a run against a stand-in that does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from relay.rules.contract import HCP, TFE, TargetProfile
from relay.simulator.admin.budgets import AdminLimits


class Window(StrEnum):
    """How a second is understood by the rate limit; TFE's documentation does not say."""

    SLIDING = "sliding"  # any second, wherever it begins
    FIXED = "fixed"  # seconds that begin at whole seconds of the clock


class RetryForm(StrEnum):
    """What a 429 says about when to come back (RFC 9110 section 10.2.3)."""

    SECONDS = "seconds"
    DATE = "date"
    NONE = "none"


HCP_CONFIGURATION: Final = "scimconf-Stand1nForTests"
"""The id that ends HCP Terraform's base path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Everything about the stand-in that can be changed while it runs, states apart.

    Attributes:
        unique: names are unique without regard to case. False: duplicates are let in.
        unique_email: an address is unique too (contract: silent, so off).
        ignore_filters: lists answer everything whatever the filter says.
        pause_status: what Users and Groups answer while paused. 401: as a TFE that takes the token
            for a wrong one then (contract: 403).
        patch_answers_body: a PATCH is 200 with the resource. False: 204 without (contract: silent).
        member_limit: members of a group; more is a 413.
        max_page: cap of `count`.
        max_operations: operations of one PATCH; more is a 400.
        max_body_bytes: body of POST, PUT, PATCH; more is a 413.
        reserved_group_names: names refused with 409, case-folded (HCP Terraform).
        groups_are_teams: a group founds a team of its name and takes it along (HCP Terraform).
    """

    unique: bool = True
    unique_email: bool = False
    ignore_filters: bool = False
    pause_status: int = 403
    patch_answers_body: bool = True
    member_limit: int = TFE.max_members
    max_page: int = TFE.max_page
    max_operations: int = TFE.max_operations
    max_body_bytes: int = TFE.max_body_bytes
    reserved_group_names: frozenset[str] = frozenset()
    groups_are_teams: bool = False

    @classmethod
    def of(cls, profile: TargetProfile) -> Behaviour:
        """The lawful behaviour of a target with this profile."""
        return cls(
            member_limit=profile.max_members,
            max_page=profile.max_page,
            max_operations=profile.max_operations,
            max_body_bytes=profile.max_body_bytes,
            reserved_group_names=profile.reserved_group_names,
            groups_are_teams=profile.groups_are_teams,
        )


@dataclass(frozen=True, slots=True)
class Latency:
    """How long TFE thinks about a request before it has any effect, in milliseconds."""

    low_ms: float = 0.0
    high_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """The limit on Users and Groups together.

    Attributes:
        rate: requests in a second; 0 for no limit.
        window: which second.
        retry_after: the form of `Retry-After`.
        count_refused: a request answered 429 uses up budget too (sliding window only: in a fixed
            one it makes no difference).
    """

    rate: int = TFE.rate
    window: Window = Window.SLIDING
    retry_after: RetryForm = RetryForm.SECONDS
    count_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """What a stand-in is started with.

    Attributes:
        host: the address to listen on.
        port: the port; 0 for any free one.
        base_path: where SCIM lives, without a slash at the end.
        token: the first SCIM token; None mints one.
        admin_token: a site administrator's token for the admin API; None: none until one is issued.
        limit: the rate limit.
        admin_limits: the budgets of the admin API.
        latency: thinking time.
        paused: start paused.
        enabled: False starts with SCIM disabled, and without any SCIM token.
        keep_bodies: the request log keeps bodies.
        version: what `X-TFE-Version` says; empty for HCP Terraform, which has no admin API.
        behaviour: limits and switches.
    """

    host: str = "127.0.0.1"
    port: int = 0
    base_path: str = "/scim/v2"
    token: str | None = None
    admin_token: str | None = None
    limit: RateLimit = field(default_factory=RateLimit)
    admin_limits: AdminLimits = field(default_factory=AdminLimits)
    latency: Latency = field(default_factory=Latency)
    paused: bool = False
    enabled: bool = True
    keep_bodies: bool = False
    version: str = "2.0.1"
    behaviour: Behaviour = field(default_factory=Behaviour)

    def for_profile(self, profile: TargetProfile) -> SimulatorSettings:
        """The same with the limits of another kind of target."""
        path = f"{self.base_path}/{HCP_CONFIGURATION}" if profile == HCP else self.base_path
        return replace(
            self,
            base_path=path,
            limit=replace(self.limit, rate=profile.rate),
            version="" if profile == HCP else self.version,
            behaviour=Behaviour.of(profile),
        )
