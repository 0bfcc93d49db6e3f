"""TFE's admin API as a reader sees it: SCIM's settings, tokens, groups, teams and users.

Needs a site administrator's token, never the SCIM token. It reads only. Nothing of it is needed to
deliver: without it the relay infers what it can.
"""

from relay.target.admin.budget import Budget, Budgets
from relay.target.admin.facts import (
    ScimGroup,
    ScimSettings,
    ScimToken,
    SiteState,
    Team,
    TeamLink,
    User,
)
from relay.target.admin.reader import AdminFailed, AdminReader, Reason, admin_endpoint

__all__ = [
    "AdminFailed",
    "AdminReader",
    "Budget",
    "Budgets",
    "Reason",
    "ScimGroup",
    "ScimSettings",
    "ScimToken",
    "SiteState",
    "Team",
    "TeamLink",
    "User",
    "admin_endpoint",
]
