"""No answer of TFE and no hold is without a cause and a next step; what is said is said once."""

import pytest

from relay.rules import conditions
from relay.rules.conditions import HOLDS, Condition, advice
from relay.rules.effects import EffectState
from relay.rules.facts import Facts, Pending, Standing
from relay.rules.standing import Why, explain
from relay.store.state.holds import HoldName

EVERY = (None, *range(300, 600))


@pytest.mark.parametrize("kind", ["User", "Group"])
def test_every_status_has_a_cause_and_a_next_step(kind):
    for status in EVERY:
        found = advice(status, kind)
        assert found.cause
        assert found.cure


def test_every_hold_has_a_cause_and_a_next_step():
    assert HOLDS.keys() == {name.value for name in HoldName}


def test_every_condition_is_said_of_something():
    told = {advice(status, kind).condition for status in EVERY for kind in ("User", "Group")}
    told |= {one.condition for one in HOLDS.values()} | {conditions.FAULT.condition}

    assert told == set(Condition)


@pytest.mark.parametrize(
    ("status", "condition"),
    [
        (400, Condition.INVALID),
        (401, Condition.TOKEN),
        (403, Condition.NOT_ACCEPTING),
        (404, Condition.NOT_FOUND),
        (409, Condition.CONFLICT),
        (413, Condition.TOO_LARGE),
        (429, Condition.THROTTLED),
        (500, Condition.FAILED),
        (502, Condition.UNREACHABLE),
        (422, Condition.REFUSED),
        (None, Condition.NO_ANSWER),
    ],
)
def test_a_status_is_the_condition_of_tfes_guide(status, condition):
    assert advice(status).condition is condition


def test_the_order_that_tries_again_names_the_change():
    assert "changes retry 4711 --reason" in conditions.next_step(advice(409), 4711)


@pytest.mark.parametrize("kind", ["User", "Group"])
@pytest.mark.parametrize("status", [None, 400, 404, 409, 413, 422, 500, 502, 503, 504])
def test_nothing_that_was_refused_for_good_is_said_to_go_on_by_itself(status, kind):
    cure = conditions.next_step(advice(status, kind), 4711)

    assert "changes retry 4711 --reason" in cure
    assert not cure.startswith("nothing")
    assert "goes on when" not in cure


def facts(**more):
    given = {"kind": "Group", "name": "Crew", "id": "r-1", "tfe_id": "t-1", "state": "live"}
    return Facts(**{**given, "suspended": False, "last": None, **more})


def open_effect(**more):
    return Pending(EffectState.OPEN, 7, "membership of ada", **more)


def whys(found):
    return [one.why for one in found]


def test_what_waits_in_turn_is_told_by_what_it_waits_for():
    cases = [
        (facts(pending=(open_effect(),), ahead=3), Why.QUEUED),
        (facts(pending=(open_effect(),), lane="sending"), Why.SENDING),
        (facts(pending=(open_effect(due_in_s=9),)), Why.REFUSED),
        (facts(pending=(open_effect(status=400, due_in_s=9),)), Why.REFUSED),
        (facts(pending=(open_effect(status=400, revokes=True),)), Why.OWED),
        (facts(pending=(open_effect(),), behind="Old"), Why.NAME),
        (facts(pending=(Pending(EffectState.WAITING, 7, "membership of ada"),)), Why.ROOM),
        (facts(pending=(Pending(EffectState.WAITING, 7, "m", member="ada"),)), Why.USER),
        (facts(pending=(Pending(EffectState.HELD, 7, "m", held_by="budget of x"),)), Why.GUARD),
        (facts(pending=(Pending(EffectState.PARKED, 7, "m", status=409),)), Why.PARKED),
        (facts(drift=("changed, name",)), Why.DRIFT),
        (facts(), Why.IN_STEP),
    ]
    for known, why in cases:
        assert whys(explain(known, [])) == [why]


def test_behind_a_hold_everything_waits_for_that_but_what_the_guard_holds():
    held = Pending(EffectState.HELD, 7, "active", held_by="budget of x")
    known = facts(pending=(held, open_effect(), open_effect()))

    assert whys(explain(known, [Standing("paused", "403")])) == [Why.GUARD, Why.HOLD]
