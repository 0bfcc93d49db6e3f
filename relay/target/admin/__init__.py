"""TFE's admin API as a reader sees it: SCIM's settings, tokens, groups, teams and users.

Needs a site administrator's token, never the SCIM token. It writes only what an operator orders or
configured: SCIM tokens and team links. Nothing of it is needed to deliver: without it the relay
infers what it can.
"""

from relay.target.admin.budget import Budget, Budgets
from relay.target.admin.channel import AdminFailed, Reason
from relay.target.admin.facts import (
    ScimGroup,
    ScimSettings,
    ScimToken,
    SiteState,
    Team,
    TeamLink,
    User,
)
from relay.target.admin.reader import AdminReader, admin_endpoint
from relay.target.admin.writer import AdminWriter

__all__ = [
    "AdminFailed",
    "AdminReader",
    "AdminWriter",
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
