"""What a hold really is, once TFE's admin API has said how SCIM stands.

TFE's SCIM side answers 403 to a pause and to SCIM disabled alike, and 401 to a bad token, to SCIM
disabled and, in some releases, to a pause (contract, *States an operator can put TFE in*).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.store.deliver.settling import HoldRequest
from relay.store.state.holds import HoldName
from relay.target.admin import SiteState

if TYPE_CHECKING:
    from collections.abc import Container

QUESTIONED: Final = (HoldName.PAUSED, HoldName.TOKEN)
"""Holds of which the admin API knows more than the answer that raised them."""

_PAUSED: Final = (
    "SCIM provisioning is paused in Terraform Enterprise; a site administrator resumes it"
)
_DISABLED: Final = (
    "SCIM is disabled in Terraform Enterprise: its identities, groups, links and tokens are gone;"
    " enable it, write a new token to target.token_file, then `scim-relay rebuild`"
)
_REFUSED: Final = (
    "SCIM runs in Terraform Enterprise and refuses the token: ended, revoked or of another kind;"
    " write a new one to target.token_file"
)


def explained(request: HoldRequest, state: SiteState | None) -> HoldRequest:
    """The hold that stands in truth; None for `state`: the admin API does not tell."""
    if request.name not in QUESTIONED:
        return request
    match state:
        case SiteState.PAUSED:
            return HoldRequest(HoldName.PAUSED, _PAUSED)
        case SiteState.DISABLED:
            return HoldRequest(request.name, _DISABLED)
        case SiteState.RUNNING if request.name is HoldName.TOKEN:
            return HoldRequest(request.name, _REFUSED)
    return request


def questioned(standing: Container[HoldName]) -> HoldName | None:
    """The hold that stands and may be another, or None."""
    return next((name for name in QUESTIONED if name in standing), None)
