"""Hold `operator` by the commands as typed: it stands until `resume`, across a restart too."""

from support.relays import relay_for, typed

FAST = {"rate": 100}


async def test_a_pause_by_the_operator_survives_a_restart_and_ends_by_resume_only(tfe, tmp_path):
    async with relay_for(tfe, tmp_path, target=FAST) as relay:
        code, _ = await typed(tmp_path, "pause", "--reason", "maintenance window 7")
        assert code == 0
    since = len(tfe.log)

    async with relay_for(tfe, tmp_path, target=FAST) as relay:
        await relay.idp.create_user("ada@example.com")
        [hold] = (await relay.status())["holds"]
        assert hold["hold"] == "operator"
        assert "maintenance window 7" in hold["reason"]
        assert tfe.arrived(since) == []

        code, _ = await typed(tmp_path, "resume", "--reason", "done")
        assert code == 0
        await relay.settled()
        assert tfe.landed(since) == ["ada@example.com"]


async def test_a_pause_is_not_lifted_by_a_tfe_that_answers(tfe, tmp_path):
    async with relay_for(tfe, tmp_path, target=FAST, answer={"wait": "0s"}) as relay:
        tfe.pause()
        await relay.idp.create_user("ada@example.com")
        await relay.held("paused")
        assert (await typed(tmp_path, "pause", "--reason", "wait for me"))[0] == 0
        tfe.resume()
        await relay.lifted("paused")

        assert [hold["hold"] for hold in (await relay.status())["holds"]] == ["operator"]
        assert tfe.names() == []
        assert (await typed(tmp_path, "resume", "--reason", "go"))[0] == 0
        await relay.settled()
        assert tfe.names() == ["ada@example.com"]
