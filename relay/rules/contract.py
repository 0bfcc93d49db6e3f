"""What TFE accepts: limits and names, with their source (`tfe-scim-contract.md`).

The numbers are a *profile* of a target, so that a TFE that was probed, or HCP Terraform, is
another value and not another code path.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

USER_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_SCHEMA: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
LIST_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:Error"
SEARCH_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
SCIM_MEDIA_TYPE: Final = "application/scim+json"


@dataclass(frozen=True, slots=True)
class TargetProfile:
    """The limits of one kind of target (contract, sections *Where* and *Limits*).

    Attributes:
        rate: requests in any second, Users and Groups together.
        max_operations: operations in one PATCH; more is a 400.
        max_body_bytes: body of POST, PUT, PATCH; more is a 413. TFE says 1 MB: the smaller
            reading is assumed.
        max_members: members of a group after the request; more is a 413.
        max_page: `count` is capped at this.
        reserved_group_names: names the target refuses with 409, case-folded.
        groups_are_teams: a group founds a team, and takes it along when it is deleted.
    """

    rate: int = 10
    max_operations: int = 100
    max_body_bytes: int = 1_000_000
    max_members: int = 1_000
    max_page: int = 200
    reserved_group_names: frozenset[str] = frozenset()
    groups_are_teams: bool = False


TFE: Final = TargetProfile()
HCP: Final = TargetProfile(
    rate=30, reserved_group_names=frozenset({"owners", "sso"}), groups_are_teams=True
)
PROFILES: Final = {"tfe": TFE, "hcp": HCP}
