"""The report on revocations counts each change once, by what became of it in the end."""

from relay.store.operate import audit_reading

ENDS = ("delivered", "refused", "parked", "dropped")


async def told(lab, *entries):
    """Write entries as `(change, event, what)`, a second apart; what the report says."""
    for change, event, what in entries:
        await lab.store.run(
            lambda tx, c=change, e=event, w=what: tx.audit(e, "relay", change=c, what=w)
        )
        lab.clock.turn(1.0)
    return await lab.store.run(lambda tx: audit_reading.revocations(tx.connection, 0.0))


def asked(change):
    return change, "accepted", {"verb": "PATCH", "revokes": True}


def by_one_request(first, last):
    return last, "delivered", {"changes": [[first, last]]}


async def test_a_change_that_was_parked_tried_again_and_delivered_is_delivered(lab):
    found = await told(
        lab, asked(1), (1, "parked", {"status": 400}), (1, "retried", None), by_one_request(1, 1)
    )
    assert [found[end] for end in ENDS] == [1, 0, 0, 0]
    assert (found["p50_s"], found["max_s"]) == (3.0, 3.0)


async def test_a_parked_change_that_was_dropped_is_dropped_and_one_tried_again_is_open(lab):
    found = await told(
        lab,
        *(asked(1), asked(2), (1, "parked", {"status": 400}), (1, "dropped", None)),
        *((2, "parked", {"status": 400}), (2, "retried", None)),
    )
    assert found["accepted"] == 2
    assert [found[end] for end in ENDS] == [0, 0, 0, 1]


async def test_folded_changes_count_each(lab):
    found = await told(lab, asked(1), asked(2), asked(4), by_one_request(1, 3))
    assert (found["accepted"], found["delivered"]) == (3, 2)
    assert found["max_s"] == 3.0
