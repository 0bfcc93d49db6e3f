"""What `target.profile = "hcp"` means for other settings: defaults, and what it rules out.

HCP Terraform takes 30 requests a second, its address ends in the id of the SCIM configuration, and
a deleted group takes its team along (contract, *Where*), so that fewer deletions pass unasked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from relay.settings.model import Settings

HCP: Final = "hcp"
HCP_HOST: Final = "app.terraform.io"
HCP_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "target": {"rate": 30},
    "guard": {"max_deletions": 5},
}
"""What is not given is this, not what the key's own default says."""


def with_defaults(data: Any) -> Any:
    """The configuration as read, with the defaults of its target's profile filled in."""
    target = data.get("target") if isinstance(data, dict) else None
    if not isinstance(target, dict) or target.get("profile") != HCP:
        return data
    filled = dict(data)
    for table, defaults in HCP_DEFAULTS.items():
        given = filled.get(table, {})
        if isinstance(given, dict):
            filled[table] = {**defaults, **given}
    return filled


def contradictions(settings: Settings) -> Iterator[tuple[str, str]]:
    """What cannot be with the target's profile, as `(key, "problem; what would be right")`."""
    parts = urlsplit(str(settings.target.url))
    if settings.target.profile != HCP:
        if parts.hostname == HCP_HOST:
            yield "target.profile", f"{HCP_HOST} is HCP Terraform; write profile = {HCP!r}"
        return
    if not parts.path.rstrip("/").partition("/scim/v2/")[2]:
        right = f"https://{HCP_HOST}/scim/v2/SCIM_CONFIGURATION_ID"
        yield "target.url", f"lacks the id of the SCIM configuration; HCP Terraform's is {right}"
    if settings.admin_api.url:
        yield "admin_api.url", "HCP Terraform has no admin API for SCIM; leave it empty"
    if settings.groups.oversize == "overflow":
        problem = "every part of a group would found a team of its own in HCP Terraform"
        yield "groups.oversize", f"{problem}; leave it at refuse"
