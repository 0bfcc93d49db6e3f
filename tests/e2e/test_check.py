"""`scim-relay check` as typed: one line a finding, the cure beside it, the exit code."""

import socket

import pytest
from support.certificates import ending
from support.relays import relay_for, typed, until, write_config

from relay.simulator.faults import Fault, FaultKind, Match


async def checked(sim, folder, **sections):
    (folder / "tfe-token").write_text(sim.token)
    (folder / "tfe-token").chmod(0o600)
    write_config(sim, folder, **sections)
    return await typed(folder, "check")


def line_of(shown, what):
    return next(line for line in shown.splitlines() if what in line)


async def test_a_sound_configuration_and_a_target_that_takes_the_token_pass(unlimited, tmp_path):
    code, shown = await checked(unlimited, tmp_path)
    assert code == 0
    assert not [line for line in shown.splitlines() if line.startswith("FAIL")]


async def test_a_token_that_tfe_refuses_is_named(unlimited, tmp_path):
    await checked(unlimited, tmp_path)
    (tmp_path / "tfe-token").write_text("not-the-token")
    code, shown = await typed(tmp_path, "check")
    assert code == 1
    assert "token" in line_of(shown, "FAIL")


async def test_a_pause_is_told_from_a_bad_token(unlimited, tmp_path):
    unlimited.pause()
    _, shown = await checked(unlimited, tmp_path)
    assert "paused" in shown
    assert "401" not in shown


async def test_a_wrong_path_is_told_from_a_target_that_is_down(unlimited, tmp_path):
    target = {"url": f"{unlimited.origin}/nothing/here"}
    code, shown = await checked(unlimited, tmp_path, target=target)
    assert code == 1
    assert "404" in line_of(shown, "FAIL") or "path" in line_of(shown, "FAIL")


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_guard_that_protects_nobody_is_a_warning(unlimited, tmp_path, guarded):
    guard = {"protected_groups": ["Admins"], "protected_users": ["root@x.org"]} if guarded else {}
    code, shown = await checked(unlimited, tmp_path, guard=guard)
    assert code == 0
    assert ("protected" in shown) is not guarded


async def test_nothing_runs_and_everything_is_free_to_start(unlimited, tmp_path):
    code, shown = await checked(unlimited, tmp_path)

    assert code == 0
    assert "not running" in line_of(shown, "relay:")
    assert line_of(shown, "listen.address").startswith("OK")
    assert "the first start makes it" in line_of(shown, " database: ")


async def test_an_address_that_is_taken_is_named_with_the_cure(unlimited, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, shown = await checked(unlimited, tmp_path, listen={"address": f"127.0.0.1:{port}"})

    assert code == 1
    assert "ss -ltnp" in line_of(shown, "listen.address")


async def test_a_database_that_would_be_refused_is_refused_here_with_its_cure(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path):
        pass
    kept = (tmp_path / "relay.db").read_bytes()
    (tmp_path / "relay.db").write_bytes(kept[:5000] + bytes(8000) + kept[13000:])
    code, shown = await checked(unlimited, tmp_path)
    assert code == 1
    assert "salvage" in line_of(shown, " database: ")

    (tmp_path / "relay.db").unlink()
    _, shown = await checked(unlimited, tmp_path)
    assert "put a backup there" in line_of(shown, " database: ")

    (tmp_path / "relay.db").write_bytes(kept)
    code, shown = await checked(unlimited, tmp_path)
    assert (code, line_of(shown, " database: ")[:2]) == (0, "OK")


@pytest.mark.parametrize(("days", "level"), [(300, "OK"), (5, "WARN"), (-1, "FAIL")])
async def test_a_certificate_is_told_before_it_ends(unlimited, tmp_path, days, level):
    certificate, key = ending(tmp_path, days)
    key.chmod(0o600)
    listen = {"tls_certificate": str(certificate), "tls_key": str(key)}
    code, shown = await checked(unlimited, tmp_path, listen=listen)

    line = line_of(shown, " certificate: ")
    assert line.startswith(level)
    assert (code == 1) is (level == "FAIL")
    assert level == "OK" or "renew it" in line


async def test_a_running_relay_says_what_is_wrong_with_the_cure(unlimited, tmp_path):
    fault = Fault(kind=FaultKind.STATUS, status=400, detail="no")
    sections = {"target": {"rate": 100}, "answer": {"wait": "0s"}}
    async with relay_for(unlimited, tmp_path, **sections) as relay:
        unlimited.faults.add(fault, Match(method="POST", count=None))
        await relay.idp.create_user("ada@example.com")

        async def parked():
            return (await relay.counters())["parked"]

        await until(parked)
        (tmp_path / "tfe-token").chmod(0o600)
        code, shown = await typed(tmp_path, "check")
        assert code == 0
        assert "0 users, 0 groups, 0 changes pending" in line_of(shown, "relay:")
        assert line_of(shown, "changes:").startswith("OK")
        assert "1 parked, invalid request (400)" in line_of(shown, "users refused")
        assert "changes list --state parked" in line_of(shown, "users refused")

        await typed(tmp_path, "pause", "--reason", "maintenance")
        _, shown = await typed(tmp_path, "check", "--offline")
        assert "maintenance" in line_of(shown, "hold operator")
        assert "`scim-relay resume --reason ...`" in line_of(shown, "hold operator")
