"""Every setting, with its meaning, its default and what contradicts it.

Annotations are read at run time by pydantic, hence no `from __future__ import annotations`.
The descriptions here are the only ones: `config/relay.toml` and `docs/reference/settings.md` are
generated from them (`relay.settings.pages`).
"""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from relay.settings import profiles
from relay.settings.base import ENV_PREFIX, Section, contradiction, key
from relay.settings.keeping import Audit, Store
from relay.settings.kinds import (
    BaseUrl,
    Duration,
    GuardBudget,
    OptionalAddress,
    OptionalPath,
    OptionalSecret,
)
from relay.settings.serving import Connection, Listen, clashes
from relay.settings.site import AdminApi, TeamLinks
from relay.settings.tokens import OptionalMoment

_TFE = "https://tfe.example.com"


class Target(Section):
    """Terraform Enterprise."""

    url: BaseUrl = key(..., "SCIM base URL.", f"{_TFE}/scim/v2")
    token_file: OptionalPath = key(
        "",
        "File with the SCIM token, read again when it changes; `credential:NAME` for systemd's.",
        "/run/secrets/tfe-scim-token",
    )
    token: OptionalSecret = key(
        "", "The SCIM token itself; from the environment only (`SCIM_RELAY_TARGET__TOKEN`)."
    )
    token_expires: OptionalMoment = key(
        "",
        "When that token ends, a date or a moment in UTC: `check`, `status`, log and alerts go by"
        " it until `[admin_api]` tells.",
        "2027-06-30",
    )
    profile: Literal["tfe", "hcp"] = key(
        "tfe",
        "Limits and semantics: `tfe` Terraform Enterprise, `hcp` HCP Terraform, where `rate` is 30"
        " and `guard.max_deletions` 5 unless given: a deleted group takes its team along.",
    )
    profile_file: OptionalPath = key(
        "",
        "What `scim-relay probe --keep FILE` measured on this TFE: its limits replace the"
        " profile's.",
        "/etc/scim-relay/tfe-profile.json",
    )
    rate: float = key(
        10, "Requests a second, all together; lower it if others share TFE's limit.", gt=0, le=100
    )
    concurrency: int = key(
        10,
        "Changes under way at once, the last one kept for what takes access away."
        " The import, probes and look-ups for identity providers have 4 connections more.",
        ge=1,
        le=32,
    )
    timeout: Duration = key(
        "60s", "How long to wait for an answer; TFE itself may take 30 seconds."
    )
    ca_file: OptionalPath = key("", "PEM file with the authorities to trust, for a private CA.")
    client_certificate: OptionalPath = key(
        "", "PEM file with a certificate to show to what stands before TFE; read at start."
    )
    client_key: OptionalPath = key(
        "", "PEM file with its private key; empty if `client_certificate` holds it."
    )
    proxy: Literal["environment", "none"] = key(
        "environment",
        "`environment`: by `HTTPS_PROXY`, but for what `NO_PROXY` names; `none`: never by a proxy.",
    )

    @model_validator(mode="after")
    def _has_one_token(self) -> Self:
        if (self.token is None) == (self.token_file is None):
            problem = "give target.token_file (or SCIM_RELAY_TARGET__TOKEN in the environment)"
            raise contradiction(("token_file", f"no token, or two sources of it; {problem}"))
        if self.client_key is not None and self.client_certificate is None:
            raise contradiction(("client_certificate", "missing; client_key is of no use alone"))
        return self


class Answer(Section):
    """How long an identity provider waits for TFE."""

    wait: Duration = key(
        "2s", "Longest wait for TFE's own answer when nothing else waits; `0s` never waits."
    )


class Guard(Section):
    """How much deprovisioning passes without an operator, per connection.

    What is more than that waits for `scim-relay holds approve` or `reject`; everything else flows,
    and the identity provider is answered as usual. Each budget is a number, which is exact, or a
    percentage of what there is, which never lets fewer than 20 through; `0` switches it off.
    """

    window: Duration = key("1h", "The time over which the budgets count.", ge=timedelta(seconds=1))
    max_deactivations: GuardBudget = key("5%", "Users set inactive; a share of the active ones.")
    max_deletions: GuardBudget = key("2%", "Users and groups deleted; a share of all of them.")
    max_removals: GuardBudget = key(
        "10%", "Memberships removed; emptying or deleting a group counts its members."
    )
    max_emptied: int = key(
        50,
        "A group of more members than this that one request empties waits, whatever the budget; "
        "`0` switches it off.",
        ge=0,
    )
    protected_groups: tuple[str, ...] = key(
        (), "Groups by name: every change that touches one waits, additions too."
    )
    protected_users: tuple[str, ...] = key(
        (),
        "Users by `userName` or address, recovery accounts above all: every change that touches "
        "one waits, creation and memberships too.",
    )


class Users(Section):
    """What becomes of a user without an address, which TFE would refuse."""

    missing_address: str = key(
        "userName",
        "The address of a new user who has none: `userName` takes the `userName` if it looks "
        "like an address, otherwise 400; a pattern with `{userName}` makes one up; `refuse` "
        "always answers 400.",
        "{userName}@users.noreply.example.com",
        pattern=r"^(userName|refuse|[^\s@]*\{userName\}[^\s@]*@[^\s@]+)$",
    )


class Groups(Section):
    """What becomes of a group that TFE would not take."""

    nested: Literal["drop", "flatten"] = key(
        "drop",
        "A group that is a member of a group: `drop` leaves it out and says so in the log;"
        " `flatten` has its members in TFE's group instead, and keeps that up.",
    )
    oversize: Literal["refuse", "overflow"] = key(
        "refuse",
        "`refuse`: 413 past TFE's 1,000 members. `overflow`: TFE holds `NAME`, `NAME (2)`, ...; a"
        " team takes one of them, so read `docs/how-to/large-groups.md` first.",
    )
    overflow_acknowledged: bool = key(
        False,
        "`overflow` is refused without this: members of a part that is linked to no team get"
        " nothing by it.",
    )

    @model_validator(mode="after")
    def _knows_what_overflow_means(self) -> Self:
        if self.oversize == "overflow" and not self.overflow_acknowledged:
            problem = "a team takes one part of a group, the others' members get nothing by it"
            cure = "set groups.overflow_acknowledged and link every part"
            raise contradiction(("oversize", f"{problem}; {cure}"))
        return self


class Reconcile(Section):
    """Comparing TFE with what it confirmed, in idle moments."""

    every: Duration = key(
        "7d", "From the beginning of one comparison of everything to the next; `0s`: on request."
    )
    on_drift: Literal["mend", "report"] = key(
        "mend",
        "`mend`: what was changed behind the relay's back is brought back, by the same lanes and"
        " the same guard, and a write that changes nothing has TFE asked, every six hours at most;"
        " `report`: it is only told of. What nobody here knows is never deleted.",
    )


class Metrics(Section):
    """For monitoring: `/metrics`, `/livez`, `/readyz`."""

    address: OptionalAddress = key("127.0.0.1:9464", "Host and port; empty switches it off.")
    max_connections: int = key(
        64,
        "Open connections at once; the oldest idle one makes room for a new one.",
        ge=2,
        le=10_000,
    )


class Control(Section):
    """The socket that `scim-relay status` and its sisters talk to."""

    socket: OptionalPath = key("", "Its path; empty means `control.sock` beside the database.")


class Log(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = key("info", "The least that is written.")
    format: Literal["auto", "json", "console"] = key(
        "auto", "`auto`: for people on a terminal, otherwise one JSON object a line."
    )


class Settings(BaseSettings):
    """All of it; made by `relay.settings.load` only."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        arbitrary_types_allowed=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        case_sensitive=False,
    )

    listen: Listen = Listen()
    connections: tuple[Connection, ...] = Field(
        min_length=1, description="At least one [[connections]] table, one for each IdP."
    )
    target: Target = Field(description="The table [target] with url and token_file.")
    admin_api: AdminApi = AdminApi()
    store: Store = Store()
    audit: Audit = Audit()
    answer: Answer = Answer()
    guard: Guard = Guard()
    users: Users = Users()
    groups: Groups = Groups()
    reconcile: Reconcile = Reconcile()
    links: tuple[TeamLinks, ...] = ()
    metrics: Metrics = Metrics()
    control: Control = Control()
    log: Log = Log()

    @property
    def control_socket(self) -> Path:
        """Where the control socket is, given or beside the database."""
        return self.control.socket or self.store.path.parent / "control.sock"

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_profile(cls, data: Any) -> Any:
        return profiles.with_defaults(data)

    @model_validator(mode="after")
    def _suits_the_profile(self) -> Self:
        if problems := list(profiles.contradictions(self)):
            raise contradiction(*problems)
        return self

    @model_validator(mode="after")
    def _connections_differ(self) -> Self:
        if problems := list(clashes(self.connections)):
            raise contradiction(*problems)
        return self

    @model_validator(mode="after")
    def _links_can_be_made(self) -> Self:
        teams = [team.casefold() for link in self.links for team in link.teams]
        if teams and self.admin_api.token_file is None:
            problem = "team links need the admin API; give admin_api.url and admin_api.token_file"
            raise contradiction(("links", problem))
        if twice := sorted({team for team in teams if teams.count(team) > 1}):
            raise contradiction(("links", f"{', '.join(twice)} twice; a team follows one group"))
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, which `load` hands over; nothing else is read."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings
