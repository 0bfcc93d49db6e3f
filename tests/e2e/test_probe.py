"""`scim-relay probe`: TFE is tried, told from what the contract says, and left as it was."""

import asyncio
import json
import signal
import sys
from dataclasses import replace

import pytest
from support.relays import settings_for, typed, until, write_config

from relay.daemon.wiring import profile_of
from relay.errors import SettingsError
from relay.probe.runner import ASSUMPTIONS
from relay.probe.session import PREFIX
from relay.rules.contract import TFE
from relay.simulator import Fault, FaultKind, Match
from relay.simulator.orders import seed


@pytest.fixture
def folder(unlimited, tmp_path):
    write_config(unlimited, tmp_path, target={"rate": 100})
    return tmp_path


def names(sim):
    users = [one.fields.user_name for one in sim.directory.users]
    return [*users, *(one.fields.display_name for one in sim.directory.groups)]


def behave(sim, **switches):
    sim.behave(replace(sim.behaviour, **switches))


async def started(folder, *words):
    command = (sys.executable, "-m", "relay", "probe", "--yes", *words)
    return await asyncio.create_subprocess_exec(
        *command, "--config", str(folder / "relay.toml"), stdout=asyncio.subprocess.PIPE
    )


async def made_something(sim):
    await until(lambda: any(name.startswith(PREFIX) for name in names(sim)))


async def test_on_a_tfe_that_keeps_the_contract_every_assumption_holds(unlimited, folder):
    code, shown = await typed(folder, "probe", "--yes", "--json")

    lines = [json.loads(line) for line in shown.splitlines()]
    assert code == 0, shown
    assert len(lines) == len(ASSUMPTIONS)
    assert {one["assumption"] for one in lines if one["verdict"] == "unknown"} == {
        "lists.page", "limits.members", "limits.rate"
    }  # fmt: skip
    assert names(unlimited) == []


async def test_what_differs_is_named_and_measured(unlimited, folder):
    behave(unlimited, ignore_filters=True, unique=False, patch_answers_body=False)
    behave(unlimited, max_body_bytes=1_048_576, max_page=50)
    seed(unlimited, {"users": 210})
    kept = folder / "profile.json"
    code, shown = await typed(folder, "probe", "--yes", "--json", "--keep", str(kept))

    lines = [json.loads(line) for line in shown.splitlines() if line.startswith("{")]
    assert code == 1
    assert {one["assumption"] for one in lines if one["verdict"] == "differs"} == {
        "lists.page", "users.filter-name", "groups.filter-name", "users.filter-external",
        "users.name", "groups.name", "groups.rename",
    }  # fmt: skip
    assert len(names(unlimited)) == 210
    limits = json.loads(kept.read_text())["limits"]
    assert (limits["max_page"], limits["max_body_bytes"]) == (50, 1_048_576)
    found = profile_of(settings_for(unlimited, folder, target={"profile_file": str(kept)}))
    assert (found.max_page, found.max_body_bytes) == (50, 1_048_576)
    assert (found.rate, found.max_members) == (TFE.rate, TFE.max_members)


async def test_a_probe_that_is_told_to_end_leaves_nothing(unlimited, folder):
    process = await started(folder)
    await made_something(unlimited)
    process.send_signal(signal.SIGTERM)
    await process.communicate()

    assert names(unlimited) == []


async def test_what_a_killed_probe_left_is_cleaned_and_nothing_else(unlimited, folder):
    behave(unlimited, ignore_filters=True)
    seed(unlimited, {"users": 3})
    there = names(unlimited)
    process = await started(folder)
    await made_something(unlimited)
    process.kill()
    await process.communicate()
    left = len(names(unlimited)) - len(there)
    code, shown = await typed(folder, "probe", "--yes", "--clean")

    assert (code, shown) == (0, f"deleted: {left}\n")
    assert names(unlimited) == there


async def test_a_creation_whose_answer_was_lost_is_found_and_deleted(unlimited, folder):
    lost = Match(method="POST", path="^/Users$", skip=4)
    unlimited.faults.add(Fault(kind=FaultKind.RESET_AFTER), lost)
    await typed(folder, "probe", "--yes")

    assert names(unlimited) == []


async def test_a_paused_tfe_is_not_probed(unlimited, folder):
    unlimited.pause()
    code, shown = await typed(folder, "probe", "--yes")

    assert (code, "paused" in shown) == (1, True)
    assert len(unlimited.log.entries()) == 1


async def test_nothing_is_made_unless_the_operator_agrees(unlimited, folder):
    code, shown = await typed(folder, "probe")

    assert (code, "zz-relay-" in shown) == (1, True)
    assert unlimited.log.entries() == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"limits": {"max_members": -1}}'])
def test_a_profile_that_cannot_be_used_is_refused_by_name(unlimited, tmp_path, content):
    kept = tmp_path / "profile.json"
    kept.write_text(content)
    with pytest.raises(SettingsError, match=r"target\.profile_file"):
        profile_of(settings_for(unlimited, tmp_path, target={"profile_file": str(kept)}))
