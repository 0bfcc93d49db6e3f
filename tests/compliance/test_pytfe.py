"""HashiCorp's own Python client against the admin API of the stand-in."""

import json
from pathlib import Path

import pytest
from programs import run

from relay.simulator import simulator
from relay.simulator.seed import sow

pytestmark = [pytest.mark.compliance, pytest.mark.timeout(600)]
SESSION = Path(__file__).with_name("pytfe_session.py")
OFF = {
    "id": "scim",
    "enabled": False,
    "paused": False,
    "site_admin_group_scim_id": None,
    "site_admin_group_display_name": None,
}
ON = {**OFF, "enabled": True}


async def test_pytfe_reads_and_changes_settings_tokens_users_and_teams(pytfe_python, tmp_path):
    async with simulator() as sim:
        sown = sow(sim.directory, {"users": 5, "groups": [{"displayName": "admins"}]})
        group = sown["groups"][0]
        people = sim.site.people
        outcome = await run(
            pytfe_python,
            str(SESSION),
            sim.admin_url,
            group,
            folder=tmp_path,
            ADMIN_TOKEN=people.issue(),
            VISITOR_TOKEN=people.issue("visitor", site_admin=False),
            SCIM_TOKEN=sim.token,
        )
        teams = [team.name for team in sim.site.estate.teams("acme")]

    assert outcome.code == 0, outcome.errors
    with_group = {
        "site_admin_group_scim_id": group,
        "site_admin_group_display_name": "admins",
    }
    assert json.loads(outcome.output) == {
        "first": ON,
        "with_group": {**ON, **with_group},
        "paused": {**ON, **with_group, "paused": True},
        "without_group": ON,
        "wrong_group": ["TFEError", 422],
        "disabled_by_update": ["TFEError", 422],
        "token": [True, None, "30 days", None],
        "lifetime": 30,
        "listed": True,
        "refused_lifetimes": [["TFEError", 400]] * 2,
        "deleted": ["NotFound", 404],
        "users": [f"user0000{number}" for number in range(1, 6)],
        "suspended": True,
        "teams": ["owners", "crew"],
        "team": ["crew"],
        "visitor": ["NotFound", 404],
        "scim_token": ["AuthError", 401],
        "wiped": OFF,
        "tokens_after": 0,
        "without_saml": ["TFEError", 422],
        "saml": "entra",
        "enabled_again": ON,
        "too_many": ["RateLimited", 429],
    }
    assert teams == ["owners", "crew"]
