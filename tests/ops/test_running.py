"""What `check` makes of a running relay's status: nothing of it is passed over."""

from relay.ops.doctor import Level
from relay.ops.running import examine_status

SOUND = {
    "users": 3,
    "groups": 1,
    "changes": {"accepted": 7, "delivered": 4, "refused": 1, "parked": 1, "pending": 1},
    "holds": [],
    "owed_revocations": 0,
    "oldest_owed_revocation_age_s": 0.0,
    "refused": [],
    "disk_full": False,
    "disk_trouble": None,
    "import": "complete",
    "draining": None,
    "rate": 10,
    "rate_configured": 10.0,
    "groups_near_limit": 0,
    "drift": {},
}


def found(**other):
    return {one.what: one for one in examine_status({**SOUND, **other})}


def test_a_sound_relay_is_two_lines():
    assert {what: one.level for what, one in found().items()} == {
        "relay": Level.OK,
        "changes": Level.OK,
    }


def test_a_change_that_is_nowhere_is_a_failure():
    lost = found(changes={**SOUND["changes"], "accepted": 8})["changes"]

    assert lost.level is Level.FAIL
    assert "8 were accepted and 7 are accounted for" in lost.detail


def test_a_revocation_that_is_owed_for_long_is_a_failure():
    told = {"owed_revocations": 2, "oldest_owed_revocation_age_s": 100.0}

    assert found(**told)["owed revocations"].level is Level.WARN
    told["oldest_owed_revocation_age_s"] = 7200.0
    assert found(**told)["owed revocations"].level is Level.FAIL
    assert "the oldest for 2 h" in found(**told)["owed revocations"].detail


def test_a_hold_that_only_somebody_ends_is_a_failure():
    hold = {"since_s": 5.0, "reason": "seen", "cause": "why", "cure": "do that"}
    told = found(holds=[{"hold": "token", **hold}, {"hold": "down", **hold}])

    assert told["hold token"].level is Level.FAIL
    assert told["hold down"].level is Level.WARN
    assert told["hold down"].detail == "for 5 s (seen): why; do that"


def test_every_switch_and_count_that_is_not_as_usual_is_a_line():
    told = found(
        disk_full=True,
        draining="ada: moving",
        rate=5.0,
        groups_near_limit=2,
        drift={"changed": 3},
        **{"import": "40%"},
    )

    assert told.keys() - {"relay", "changes"} == {
        "disk", "import", "draining", "rate", "large groups", "drift",
    }  # fmt: skip
    assert told["disk"].level is Level.FAIL
    assert "I/O error" in found(disk_trouble="disk I/O error")["disk"].detail
