"""D1: the row of an attempt is committed before the request's first byte is sent.

Under a kill at any statement: `test_a1`; under a power cut: `test_a2`.
"""

from support.idp import add, deactivate
from support.lab import lab_in

from relay.rules.types import Kind
from relay.store.deliver.claiming import Idle
from relay.store.file.engine import open_reader


async def test_every_request_finds_its_attempt_on_disk_before_it_is_sent(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada, bob, eve = await lab.users(3)
        crew = await lab.group("Crew", ada)
        await lab.run(most=3)
        await lab.patch(Kind.GROUP, crew, add(bob))
        await lab.patch(Kind.USER, ada, deactivate())
        await lab.delete(Kind.USER, eve)
        other = open_reader(tmp_path / "lab.db")
        sent = 0
        while sent < 20:
            claim = await lab.claim()
            if isinstance(claim, Idle):
                if claim.next_due is None:
                    break
                lab.clock.turn(1.0)
                continue
            [(resource, verdict)] = other.execute(
                "SELECT resource, verdict FROM attempt WHERE id = ?", (claim.attempt,)
            ).fetchall()
            assert (resource, verdict) == (claim.resource, None)
            await lab.finish(claim, await lab.send(claim.request, str(claim.attempt)))
            sent += 1
        other.close()

        assert sent >= 3
        assert (await lab.counters())["pending"] == 0
