"""The state behind the admin API: everything of TFE that is not SCIM's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from relay.simulator.admin.budgets import AdminLimits, Budgets
from relay.simulator.admin.estate import Estate
from relay.simulator.admin.links import Links
from relay.simulator.admin.people import People

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relay.clock import Clock, Ids
    from relay.rules.types import Json
    from relay.simulator.directory import Directory

FIRST_WITH_SCIM: Final = 2
"""The first major version of TFE whose admin API knows SCIM."""

PROVIDER_TYPES: Final = ("okta", "entra", "saml", "unknown")


@dataclass(frozen=True, slots=True)
class Saml:
    """SAML's settings, as far as SCIM asks: it wants a provider that is known.

    Attributes:
        enabled: SAML is on.
        provider_type: one of `PROVIDER_TYPES`.
        more: the other attributes that were written, as they were.
    """

    enabled: bool = True
    provider_type: str = "okta"
    more: Mapping[str, Json] = field(default_factory=dict)

    @property
    def suits_scim(self) -> bool:
        """Whether SCIM may be enabled."""
        return self.enabled and self.provider_type != "unknown"


class Site:
    """TFE's own side.

    Attributes:
        version: what `X-TFE-Version` says; empty for HCP Terraform.
        saml: SAML's settings.
        estate: organisations and teams.
        people: administrators and their tokens.
        links: teams and SCIM groups.
        budgets: rate limits of the admin API.
    """

    def __init__(
        self, clock: Clock, ids: Ids, directory: Directory, limits: AdminLimits, version: str
    ) -> None:
        self.version = version
        self.saml = Saml()
        self.estate = Estate(clock, ids)
        self.people = People(clock, ids, directory)
        self.links = Links(clock, directory, self.estate, self.people)
        self.budgets = Budgets(clock, limits)

    @property
    def knows_scim(self) -> bool:
        """Whether this version's admin API has SCIM: not below 2.0, nor `v202507-1`."""
        major = self.version.partition(".")[0]
        return major.isdecimal() and int(major) >= FIRST_WITH_SCIM
