"""`scim-relay check` as typed: one line a finding, the cure beside it, the exit code."""

import pytest
from support.relays import typed, write_config


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
