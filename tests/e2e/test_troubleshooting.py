"""Every condition of TFE's troubleshooting guide, injected, and read as an operator would read it.

Whoever types `status`, `holds list`, `check` or `changes show` finds what is the matter with TFE
and the next step.
"""

import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from support.idp import Idp, deactivate, user
from support.relays import relay_for, typed, until

from relay.simulator.faults import Fault, FaultKind, Match

FAST = {"target": {"rate": 100}, "answer": {"wait": "0s"}}


@asynccontextmanager
async def relaying(sim, folder, **sections):
    async with relay_for(sim, folder, **{**FAST, **sections}) as relay:
        yield relay


def refuse(sim, status, detail="no", **match):
    fault = Fault(kind=FaultKind.STATUS, status=status, detail=detail)
    return sim.faults.add(fault, Match(**{"count": None, **match}))


async def told(folder, *words):
    """What a command says with `--json`."""
    _, output = await typed(folder, *words, "--json")
    return json.loads(output)


async def parked(relay, folder):
    """`changes show` of the one change that was refused, and `status`."""

    async def one_is():
        return (await relay.counters())["parked"] == 1

    await until(one_is)
    _, listed = await typed(folder, "changes", "list", "--state", "parked", "--json")
    number = str(json.loads(listed)["change"])
    return number, await told(folder, "changes", "show", number), await told(folder, "status")


def said(shown, *words):
    """That cause and next step of an answer say so."""
    text = f"{shown['condition']}; {shown['cause']}; {shown['cure']}"
    for word in words:
        assert word in text, text


async def test_400_names_what_tfe_cannot_use_and_where_to_put_it_right(unlimited, tmp_path):
    async with relaying(unlimited, tmp_path) as relay:
        refuse(unlimited, 400, "emails is required", method="POST")
        await relay.idp.create_user("ada@example.com")
        number, shown, status = await parked(relay, tmp_path)

        said(shown, "invalid request", "address", "mapping", f"changes retry {number} --reason")
        assert shown["reason"] == "400 emails is required"
        [row] = status["refused"]
        assert (row["what"], row["kind"], row["status"], row["count"]) == ("parked", "User", 400, 1)
        said(row, "invalid request", "address", "mapping")


async def test_401_names_the_token_and_where_a_new_one_goes(unlimited, tmp_path):
    async with relaying(unlimited, tmp_path) as relay:
        unlimited.rotate_token()
        await relay.idp.create_user("ada@example.com")
        await relay.held("token")

        [hold] = (await told(tmp_path, "status"))["holds"]
        for text in (str(hold), (await typed(tmp_path, "holds", "list"))[1]):
            assert "refuses the SCIM token: ended, revoked" in text
            assert "write it to target.token_file" in text
        code, shown = await typed(tmp_path, "check")
        hold, asked = [line for line in shown.splitlines() if line.startswith("FAIL")]
        assert code == 1
        assert "hold token" in hold
        assert "token refused (401)" in asked
        assert "target.token_file" in asked


async def test_403_names_a_pause_and_who_ends_it(unlimited, tmp_path):
    async with relaying(unlimited, tmp_path) as relay:
        unlimited.pause()
        await relay.idp.create_user("ada@example.com")
        await relay.held("paused")

        [hold] = (await told(tmp_path, "status"))["holds"]
        _, listed = await typed(tmp_path, "holds", "list")
        _, checked = await typed(tmp_path, "check")
        for text in (str(hold), listed, checked):
            assert "paused or disabled in Terraform Enterprise" in text
            assert "a site administrator looks at Site Admin, SCIM" in text


async def test_404_names_what_tfe_does_not_have(unlimited, tmp_path):
    async with relaying(unlimited, tmp_path) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        await relay.settled()
        refuse(unlimited, 404, "member not found", method="POST", path="^/Groups")
        await relay.idp.create_group("Crew", ada)
        _, shown, status = await parked(relay, tmp_path)

        said(shown, "not found", "one of the members", "scim-relay reconcile")
        said(status["refused"][0], "not found")


async def test_404_for_everybody_is_another_tfe(unlimited, tmp_path):
    async with relaying(unlimited, tmp_path) as relay:
        ada, _ = [await relay.idp.create_user(f"{n}@example.com") for n in ("ada", "bob")]
        await relay.settled()
        unlimited.wipe()
        await relay.idp.patch(f"/Users/{ada}", deactivate())
        await relay.held("foreign")

        [hold] = (await told(tmp_path, "status"))["holds"]
        assert "does not know the ids it gave out" in hold["cause"]
        assert "scim-relay rebuild" in hold["cure"]


@pytest.mark.parametrize("kind", ["User", "Group"])
async def test_409_names_who_must_be_renamed(unlimited, tmp_path, kind):
    async with relaying(unlimited, tmp_path) as relay:
        async with Idp(unlimited.url, unlimited.token) as stranger:  # past the relay
            await stranger.create_user("taken@example.com")
            await stranger.create_group("Taken")
        if kind == "User":
            ours = await relay.idp.create_user("ada@example.com")
            value = {"userName": "Taken@example.com"}
        else:
            ours = await relay.idp.create_group("Crew")
            value = {"displayName": "taken"}
        await relay.settled()
        await relay.idp.patch(f"/{kind}s/{ours}", {"op": "replace", "value": value})
        number, shown, _ = await parked(relay, tmp_path)

        name = "userName" if kind == "User" else "displayName"
        said(shown, "name taken", f"has this {name}", "rename", f"retry {number} ")


async def test_413_names_the_limit_and_how_to_split(unlimited, tmp_path):
    unlimited.behave(replace(unlimited.behaviour, member_limit=2))
    async with relaying(unlimited, tmp_path) as relay:
        people = [await relay.idp.create_user(f"u{n}@example.com") for n in range(3)]
        await relay.settled()
        await relay.idp.create_group("Crew", *people)
        _, shown, _ = await parked(relay, tmp_path)

        said(shown, "too large", "1,000 members", "split the group", "docs/how-to/large-groups.md")


async def test_429_says_how_long_is_waited_and_who_else_may_send(unlimited, tmp_path):
    fault = Fault(kind=FaultKind.STATUS, status=429, retry_after="60")
    async with relaying(unlimited, tmp_path) as relay:
        unlimited.faults.add(fault, Match(method="POST"))
        await relay.idp.create_user("ada@example.com")
        await relay.held("throttled")

        [hold] = (await told(tmp_path, "status"))["holds"]
        assert 50 < hold["until_s"] <= 60
        assert "10 a second for everybody" in hold["cause"]
        assert "target.rate" in hold["cure"]


async def test_500_names_tfes_logs_as_the_next_place_to_look(unlimited, tmp_path):
    async with relaying(unlimited, tmp_path) as relay:
        ada, bob = [await relay.idp.create_user(f"{n}@example.com") for n in ("ada", "bob")]
        await relay.settled()
        refuse(unlimited, 500, "internal", method="PATCH", body="e-1")
        await relay.idp.patch(f"/Users/{ada}", {"op": "replace", "value": {"externalId": "e-1"}})
        await relay.idp.patch(f"/Users/{bob}", {"op": "replace", "value": {"externalId": "e-2"}})
        number, shown, _ = await parked(relay, tmp_path)

        said(shown, "TFE failed", "service logs", "once more", f"retry {number} ")


async def test_a_revocation_that_tfe_refuses_is_owed_and_said_so(unlimited, tmp_path):
    async with relaying(unlimited, tmp_path) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        await relay.settled()
        refuse(unlimited, 400, "no", method="PATCH")
        reply = await relay.idp.patch(f"/Users/{ada}", deactivate())
        assert reply.status in {200, 204}

        async def refused():
            return (await relay.status())["refused"]

        await until(refused)
        [row] = (await told(tmp_path, "status"))["refused"]
        [pending] = [await told(tmp_path, "changes", "list", "--state", "pending")]
        shown = await told(tmp_path, "changes", "show", str(pending["change"]))

        assert (row["what"], row["status"]) == ("owed", 400)
        said(shown, "owed", "access stays until it takes it", "a site administrator takes it away")


async def test_a_gateways_error_sends_the_operator_to_check(unlimited, tmp_path):
    async with relaying(unlimited, tmp_path) as relay:
        refuse(unlimited, 502)
        await relay.idp.create_user("ada@example.com")
        await relay.held("down")

        [hold] = (await told(tmp_path, "status"))["holds"]
        assert "scim-relay check" in hold["cure"]
        number = (await told(tmp_path, "changes", "list"))["change"]
        shown = await told(tmp_path, "changes", "show", str(number))
        said(shown, "hold", "`down`", "scim-relay check")


async def test_what_an_operator_rejected_is_not_taken_for_a_pause_of_tfe(unlimited, tmp_path):
    guard = {"protected_users": ["root@example.com"]}
    async with relaying(unlimited, tmp_path, guard=guard) as relay:
        await relay.idp.create_user("root@example.com")
        await typed(tmp_path, "holds", "reject", "--all", "--reason", "not ours")
        shown = await told(tmp_path, "changes", "show", "1")

        assert shown["state"] == "dropped"
        said(shown, "dropped", "an operator ended it", "send it again")


async def test_what_was_refused_before_is_not_why_a_later_change_waits(unlimited, tmp_path):
    async with relaying(unlimited, tmp_path) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        await relay.settled()
        refuse(unlimited, 400, "no", method="PATCH", body="e-1")
        await relay.idp.patch(f"/Users/{ada}", {"op": "replace", "value": {"externalId": "e-1"}})
        await parked(relay, tmp_path)
        await typed(tmp_path, "pause", "--reason", "a look")
        await relay.idp.patch(f"/Users/{ada}", deactivate())
        shown = await told(tmp_path, "changes", "show", "3")

        assert [one["why"] for one in shown["waits"]] == ["hold"]
        said(shown, "hold", "scim-relay pause", "scim-relay resume")


async def test_a_refusal_that_the_client_was_told_is_not_to_be_retried(unlimited, tmp_path):
    async with relaying(unlimited, tmp_path, answer={"wait": "5s"}) as relay:
        refuse(unlimited, 400, "emails is required", method="POST")
        reply = await relay.idp.post("/Users", user("ada@example.com"))
        assert reply.status == 400
        shown = await told(tmp_path, "changes", "show", "1")

        assert shown["state"] == "refused"
        said(shown, "invalid request", "mapping", "have the identity provider send it again")
        assert "changes retry" not in shown["cure"]
