"""Microsoft's Postman collection for SCIM servers, run by newman.

It was written for Microsoft's reference server and expects some of that server's own ways; what of
it cannot pass is listed here with the rule that forbids it. Everything else must.
"""

import json
from pathlib import Path

import pytest
from programs import run
from support.idp import TOKEN

pytestmark = [pytest.mark.compliance, pytest.mark.timeout(600)]
COLLECTION = Path(__file__).parents[1] / "fixtures" / "microsoft" / "PostmanCollection.json"
# `Get Token` asks the reference server for a token and would overwrite ours: RFC 7644 section 2
# leaves tokens to OAuth. It is the ninth assertion that cannot pass.
WORK = [
    "Endpoint tests",
    "User tests",
    "Group tests",
    "ComplexAttribute tests",
    "User tests with garbage",
    "Group tests with garbage",
]
TEARDOWN = ["Teardown garbage", "Get all users", "Get all groups"]
PATCHED = "RFC 7644 section 3.5.2: 200 with the resource or 204; scim-sanity and Okta want 200"
UNKNOWN_MEMBER = "TFE's contract: a member that is no known SCIM user is a 404"
NAME = "RFC 7644 section 4: the endpoint is /ServiceProviderConfig"
FORBIDDEN = {
    ("Get ServiceProviderConfig", "Status code is 200"): NAME,
    ("Get ServiceProviderConfig", "Pach supported is true"): NAME,
    (
        "Get group by id",
        "Body contians user",
    ): "RFC 7643 section 8.7.1: a member has no `displayName`; TFE keeps nothing but its id",
    (
        "Put a user no username",
        "Status code is 400",
    ): "idp-dialects section 4: a PUT may name part of a user, what TFE needs is kept (midPoint)",
    ("Patch user omalley new username", "Status code is 204"): PATCHED,
    ("patch user omalley active with boolean", "Status code is 204"): PATCHED,
    ("Group patch add member", "Status code is 204"): UNKNOWN_MEMBER,
    ("Group patch add member2", "Status code is 204"): UNKNOWN_MEMBER,
}


@pytest.fixture
def collection(newman, relay, theirs):
    """Runs folders of the collection; what newman reports of it. Variables live on between runs.

    The folders are cut out here: `--folder` takes requests of the same name elsewhere too.
    """
    whole = json.loads(COLLECTION.read_text())
    variables = {
        "Protocol": "http",
        "Server": "127.0.0.1",
        "Port": f":{relay.parts.port}",
        "Api": "scim/v2",
        "token": TOKEN,
    }
    values = [{"key": key, "value": value, "enabled": True} for key, value in variables.items()]
    (theirs / "variables.json").write_text(json.dumps({"values": values}))

    async def run_folders(*folders):
        wanted = [item for item in whole["item"] if item["name"] in folders]
        (theirs / "collection.json").write_text(json.dumps(whole | {"item": wanted}))
        words = ["run", "collection.json", "-e", "variables.json"]
        words += ["--export-environment", "variables.json", "--reporters", "json"]
        words += ["--reporter-json-export", "report.json"]
        outcome = await run(newman, *words, folder=theirs)
        assert outcome.code in (0, 1), outcome
        return json.loads((theirs / "report.json").read_text())["run"]

    return run_folders


def failed(report):
    return {(one["source"]["name"], one["error"]["test"]) for one in report["failures"]}


def statuses(report):
    return {one["item"]["name"]: one["response"]["code"] for one in report["executions"]}


async def held_by_relay(relay):
    """Names, states and rosters as the relay tells them, ids left aside."""
    users = (await relay.idp.get("/Users?count=200")).body["Resources"]
    groups = (await relay.idp.get("/Groups?count=200")).body["Resources"]
    names = {user["id"]: user["userName"] for user in users}
    return (
        sorted((user["userName"], user["active"]) for user in users),
        sorted(
            (group["displayName"], sorted(names[one["value"]] for one in group["members"]))
            for group in groups
        ),
    )


def held_by_tfe(sim):
    names = {user.stamp.id: user.fields.user_name for user in sim.directory.users}
    return (
        sorted((user.fields.user_name, user.fields.active) for user in sim.directory.users),
        sorted(
            (group.fields.display_name, sorted(names[one] for one in group.fields.members))
            for group in sim.directory.groups
        ),
    )


async def test_the_collection_passes_but_for_what_the_contract_or_the_rfc_forbids(
    collection, relay, sim
):
    report = await collection(*WORK)
    await relay.settled()

    assert failed(report) == set(FORBIDDEN)
    assert {name: code for name, code in statuses(report).items() if code >= 500} == {}
    told = await held_by_relay(relay)
    assert told == held_by_tfe(sim)
    assert (len(told[0]), len(told[1])) == (5, 1)

    emptied = await collection(*TEARDOWN)
    await relay.settled()

    assert failed(emptied) == set()
    assert report["stats"]["assertions"]["total"] + emptied["stats"]["assertions"]["total"] == 107
    assert (await relay.counters())["parked"] == 0
    assert [entry for entry in sim.log.entries() if (entry.status or 0) // 100 == 4] == []
    assert await held_by_relay(relay) == held_by_tfe(sim) == ([], [])


def test_fewer_assertions_cannot_pass_than_the_limit_of_fifteen():
    assert len(FORBIDDEN) + 1 <= 15
