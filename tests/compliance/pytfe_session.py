"""What a site administrator does with HashiCorp's pytfe, from settings to a wipe; run in its own venv.

    pytfe_session.py ORIGIN GROUP   (tokens: ADMIN_TOKEN, VISITOR_TOKEN, SCIM_TOKEN)

Prints one JSON object of what it saw; an error of pytfe is shown as `[class, status]`.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta

from pytfe import TFEClient, TFEConfig
from pytfe.errors import TFEError
from pytfe.models import (
    AdminSAMLSettingsUpdateOptions,
    AdminSCIMSettingsUpdateOptions,
    AdminSCIMTokenCreateOptions,
    AdminUserListOptions,
    OrganizationCreateOptions,
    SAMLProviderType,
    TeamCreateOptions,
    TeamListOptions,
)

ORIGIN, GROUP = sys.argv[1:]
seen = {}


def client(token):
    return TFEClient(TFEConfig(address=ORIGIN, token=token, max_retries=0))


def error(action, *arguments):
    try:
        action(*arguments)
    except TFEError as refused:
        return [type(refused).__name__, refused.status]
    return None


def change(**attributes):
    return tfe.admin.scim_settings.update(AdminSCIMSettingsUpdateOptions(**attributes))


def saml(**attributes):
    return tfe.admin.saml_settings.update(AdminSAMLSettingsUpdateOptions(**attributes))


def new_token(days):
    end = datetime.now(UTC) + timedelta(days=days)
    return tfe.admin.scim_tokens.create(
        AdminSCIMTokenCreateOptions(description=f"{days} days", **{"expired-at": end})
    )


def shown(settings):
    return settings.model_dump()


tfe = client(os.environ["ADMIN_TOKEN"])
settings = tfe.admin.scim_settings

seen["first"] = shown(settings.read())
seen["with_group"] = shown(change(site_admin_group_scim_id=GROUP))
seen["paused"] = shown(change(paused=True))
seen["without_group"] = shown(change(paused=False, site_admin_group_scim_id=None))
seen["wrong_group"] = error(lambda: change(site_admin_group_scim_id="nobody"))
seen["disabled_by_update"] = error(lambda: change(enabled=False))

made = new_token(30)
listed = list(tfe.admin.scim_tokens.list())
read = tfe.admin.scim_tokens.read(made.id)
seen["token"] = [made.token.startswith("scim-"), read.token, read.description, read.last_used_at]
seen["lifetime"] = round((made.expired_at - made.created_at) / timedelta(days=1))
seen["listed"] = made.id in [token.id for token in listed]
seen["refused_lifetimes"] = [error(new_token, days) for days in (20, 400)]
tfe.admin.scim_tokens.delete(made.id)
seen["deleted"] = error(tfe.admin.scim_tokens.read, made.id)

users = list(tfe.admin.users.list(AdminUserListOptions(query="user000", page_size=2)))
seen["users"] = [user.username for user in users]
tfe.admin.users.suspend(users[0].id)
seen["suspended"] = tfe.admin.users.read(users[0].id).is_suspended

tfe.organizations.create(OrganizationCreateOptions(name="acme", email="a@acme.example"))
tfe.teams.create("acme", TeamCreateOptions(name="crew"))
seen["teams"] = [team.name for team in tfe.teams.list("acme", TeamListOptions())]
seen["team"] = [team.name for team in tfe.teams.list("acme", TeamListOptions(query="cre"))]

seen["visitor"] = error(client(os.environ["VISITOR_TOKEN"]).admin.scim_settings.read)
seen["scim_token"] = error(client(os.environ["SCIM_TOKEN"]).admin.scim_settings.read)

settings.delete()
settings.delete()
seen["wiped"] = shown(settings.read())
seen["tokens_after"] = len(list(tfe.admin.scim_tokens.list()))
saml(enabled=False, provider_type=SAMLProviderType.UNKNOWN)
seen["without_saml"] = error(lambda: change(enabled=True))
seen["saml"] = str(saml(enabled=True, provider_type=SAMLProviderType.ENTRA).provider_type.value)
seen["enabled_again"] = shown(change(enabled=True))
seen["too_many"] = [error(settings.read) for _ in range(40)][-1]
print(json.dumps(seen))
