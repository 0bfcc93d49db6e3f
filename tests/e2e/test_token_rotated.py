"""The relay's SCIM token is replaced without a lost request, interrupted anywhere."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from support.audits import entries
from support.relays import relay_for, typed, until

from relay.simulator.admin.budgets import AdminLimits
from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.faults import Fault, FaultKind, Match
from relay.simulator.server import simulator
from relay.site import rotating

DAY_S = 86_400
ROTATE = ("token", "rotate", "--reason", "yearly")


@pytest.fixture
async def tfe():
    settings = SimulatorSettings(
        limit=RateLimit(rate=0), admin_limits=AdminLimits(api=0, settings=0, links=0)
    )
    async with simulator(settings) as sim:
        yield sim


@asynccontextmanager
async def relay_of(tfe, folder, **admin):
    path = folder / "admin-token"
    path.write_text(tfe.site.people.issue())
    keys = {"url": tfe.admin_url, "token_file": str(path), **admin}
    target = {"rate": 100}
    async with relay_for(
        tfe, folder, target=target, answer={"wait": "0s"}, admin_api=keys
    ) as relay:
        await until(lambda: relay.parts.site.seen.people or relay.parts.site.seen.failed)
        yield relay


def held(folder):
    return (folder / "tfe-token").read_text().strip()


async def works(relay):
    """A change reaches TFE with the token that is in use."""
    await relay.idp.create_user(f"user{len(relay.parts.site.seen.tokens)}@x.org")
    await relay.settled()
    assert relay.parts.keeper.holds.standing == ()


async def test_a_token_is_made_tried_and_the_old_one_deleted(tfe, tmp_path):
    old = tfe.token
    async with relay_of(tfe, tmp_path) as relay:
        (tmp_path / "tfe-token").chmod(0o640)
        code, shown = await typed(tmp_path, *ROTATE)
        assert code == 0, shown
        await works(relay)
    assert tfe.access.live_tokens() == [held(tmp_path)]
    assert (held(tmp_path) != old, (tmp_path / "tfe-token").stat().st_mode & 0o777) == (True, 0o640)
    assert held(tmp_path) not in shown


async def test_a_token_of_somebody_else_is_never_deleted(tfe, tmp_path):
    other = tfe.access.issue("of-another-program")
    async with relay_of(tfe, tmp_path) as relay:
        (tmp_path / "tfe-token").write_text(tfe.access.tokens()[0].secret)
        await works(relay)
        tfe.access.check_token(f"Bearer {other}")
        code, shown = await typed(tmp_path, *ROTATE)
        assert (code, "deleted: -" in shown) == (0, True), shown
        assert other in tfe.access.live_tokens()
        assert len(tfe.access.live_tokens()) == 3
        await typed(tmp_path, *ROTATE)  # from now on it is known which is ours
        assert len(tfe.access.live_tokens()) == 3
        assert {other, held(tmp_path)} < set(tfe.access.live_tokens())


async def test_when_ours_has_ended_the_only_live_token_is_not_taken_for_it(tfe, tmp_path):
    async with relay_of(tfe, tmp_path) as relay:
        other = tfe.access.issue("of-another-program")
        tfe.access.expire(held(tmp_path))
        await relay.idp.create_user("ada@x.org")
        await relay.held("token")
        code, shown = await typed(tmp_path, *ROTATE)
        assert code == 0, shown
        await relay.free()
        await relay.settled()
        assert set(tfe.access.live_tokens()) == {other, held(tmp_path)}
    assert len(list(tfe.directory.users)) == 1


async def test_a_lost_answer_leaves_no_token_behind(tfe, tmp_path):
    old = tfe.token
    async with relay_of(tfe, tmp_path) as relay:
        tfe.faults.add(Fault(kind=FaultKind.RESET_AFTER), Match(method="POST", path="scim-tokens$"))
        code, shown = await typed(tmp_path, *ROTATE)
        assert (code, held(tmp_path)) == (1, old), shown
        assert len(tfe.access.live_tokens()) == 2
        code, shown = await typed(tmp_path, *ROTATE)
        assert code == 0, shown
        assert tfe.access.live_tokens() == [held(tmp_path)]
        await works(relay)


@pytest.mark.parametrize("moment", ["before the file", "after the file"])
async def test_a_rotation_that_is_interrupted_is_finished_or_taken_back(
    moment, tfe, tmp_path, monkeypatch
):
    old, write = tfe.token, rotating.replace_token

    def dies(path, token):
        (tmp_path / ".tfe-token.new").write_text(token)
        if moment == "after the file":
            write(path, token)
        raise OSError(28, "No space left on device")

    async with relay_of(tfe, tmp_path) as relay:
        monkeypatch.setattr(rotating, "replace_token", dies)
        with pytest.raises(rotating.RelayError):
            await relay.parts.site.rotate("ada (uid 1000): ticket 4711")
        monkeypatch.undo()
        assert len(tfe.access.live_tokens()) == 2
    async with relay_of(tfe, tmp_path) as relay:
        await until(lambda: len(tfe.access.live_tokens()) == 1)
        assert tfe.access.live_tokens() == [held(tmp_path)]
        assert (held(tmp_path) == old) is (moment == "before the file")
        assert not (tmp_path / ".tfe-token.new").exists()
        await works(relay)
        told = await entries(relay.store, "token rotated")
    who = [(one["actor"], one["detail"]) for one in told]
    assert who == ([] if moment == "before the file" else [("ada (uid 1000)", "ticket 4711")])


async def test_a_token_is_replaced_before_it_ends_if_the_settings_say_so(tfe, tmp_path):
    old = tfe.token
    tfe.access.expire(old, 10 * DAY_S)
    async with relay_of(tfe, tmp_path, rotate_before="14d") as relay:
        await until(lambda: tfe.access.live_tokens() == [held(tmp_path)])
        assert held(tmp_path) != old
        await works(relay)
        [left] = (await relay.status())["site"]["tokens"]
        assert left["days_left"] > 300


async def test_nothing_is_made_where_the_file_cannot_be_replaced(tfe, tmp_path):
    async with relay_of(tfe, tmp_path):
        real = tmp_path / "data"
        (tmp_path / "tfe-token").rename(real)
        (tmp_path / "tfe-token").symlink_to(real)
        code, shown = await typed(tmp_path, *ROTATE)
    assert (code, "it is a link" in shown) == (1, True)
    assert len(tfe.access.live_tokens()) == 1


async def test_the_secret_is_in_no_note_audit_or_log(tfe, tmp_path, capsys):
    async with relay_of(tfe, tmp_path) as relay:
        await relay.parts.site.rotate("test")
        notes = await relay.store.run(
            lambda tx: [tx.all("SELECT * FROM meta"), tx.all("SELECT * FROM audit")]
        )
        await asyncio.sleep(0)
    assert held(tmp_path) not in json.dumps(notes, default=repr)
    assert held(tmp_path) not in capsys.readouterr().out
