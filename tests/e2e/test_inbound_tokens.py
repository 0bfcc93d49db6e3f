"""Identity providers' tokens have labels, ends and a last use, and are never shown."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from support.idp import TOKEN, Idp
from support.relays import hash_of, relay_for, typed, write_config

from relay.daemon.token_use import NOTE
from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.server import simulator

OLD, ENDED = "an-older-token-of-the-tests", "an-ended-token-of-the-tests"


def day(days):
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"


@pytest.fixture
async def sim():
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        yield sim


@pytest.fixture
def connection():
    return {
        "token_hash": [
            f"{hash_of(OLD)} label=idp-2026 expires={day(10)}",
            hash_of(TOKEN),
            f"{hash_of(ENDED)} label=idp-2025 expires={day(-10)}",
        ]
    }


def kept(relay):
    return relay.store.noted(NOTE)


async def test_the_label_last_use_and_end_of_each_token_are_shown_and_survive(
    sim, tmp_path, connection
):
    async with relay_for(sim, tmp_path, connection=connection) as relay:
        before = (await relay.status())["inbound_tokens"]
        assert [(one["token"], one["last_used"]) for one in before] == [
            ("idp-2026", None),
            ("#2", None),
            ("idp-2025", None),
        ]
        assert (before[0]["ends"], before[1]["ends"]) == (day(10), None)
        for _ in range(5):
            await relay.idp.get("/Users")
        assert await kept(relay) is None  # no request costs a write
        used = (await relay.status())["inbound_tokens"]
        assert [one["last_used"] is not None for one in used] == [False, True, False]

        code, shown = await typed(tmp_path, "connections", "list")
        assert (code, "idp-2026" in shown, day(10) in shown) == (0, True, True)
        assert "sha256" not in shown

    async with relay_for(sim, tmp_path, connection=connection) as relay:
        again = (await relay.status())["inbound_tokens"]
        assert again[1]["last_used"] == used[1]["last_used"]
        assert list(json.loads(await kept(relay)).values()) != []
        assert hash_of(TOKEN).removeprefix("sha256:") not in await kept(relay)


async def test_an_ended_token_is_refused_and_the_metric_says_when_the_next_one_ends(
    sim, tmp_path, connection
):
    def left(relay):
        exposed = relay.parts.metrics.exposition().decode()
        [line] = [one for one in exposed.splitlines() if one.startswith("scim_relay_inbound_to")]
        return float(line.rpartition(" ")[2])

    async with relay_for(sim, tmp_path, connection=connection) as relay:
        base = f"http://127.0.0.1:{relay.parts.port}/scim/v2"
        async with Idp(base, ENDED) as ended, Idp(base, OLD) as old:
            reply = await ended.get("/Users")
            assert (reply.status, day(-10) in reply.body["detail"]) == (401, True)
            assert (await old.get("/Users")).status == 200
        assert -11 < left(relay) / 86_400 < -9
    async with relay_for(sim, tmp_path) as relay:
        assert left(relay) == math.inf


async def test_check_tells_of_tokens_that_end_soon_or_ended(sim, tmp_path, connection):
    write_config(sim, tmp_path, connection=connection)

    _, shown = await typed(tmp_path, "check", "--offline")

    told = [line for line in shown.splitlines() if "connections.idp.token_hash" in line]
    assert [line.partition("(")[0].split("; ")[0] for line in told] == [
        f"WARN  connections.idp.token_hash: the token idp-2026 ends {day(10)}",
        f"WARN  connections.idp.token_hash: the token idp-2025 is refused since {day(-10)}",
    ]


async def test_a_new_token_s_line_goes_into_the_configuration_as_it_is_printed(tmp_path, sim):
    code, shown = await typed(None, "token", "new", "--label", "a-1", "--expires", "2099-01-01")
    lines = dict(line.split(" = ", 1) for line in shown.splitlines() if " = " in line)
    write_config(sim, tmp_path, connection={"token_hash": lines["token_hash"]})

    assert code == 0
    assert lines["token_hash"].endswith(" label=a-1 expires=2099-01-01")
    assert (await typed(tmp_path, "check", "--offline"))[1].startswith("OK")
    for options in (("--label", "a b"), ("--expires", "soon")):
        code, shown = await typed(None, "token", "new", *options)
        assert (code, "cannot make it" in shown) == (1, True)
        assert "token =" not in shown
