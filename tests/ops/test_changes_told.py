"""Cause and next step of a change that ended without TFE's taking it, by what its attempts tell."""

import pytest

from relay.orders.explaining import told_of


def attempt(verdict, status=None):
    return {"verdict": verdict, "status": status}


@pytest.mark.parametrize(
    ("attempts", "condition"),
    [
        ([attempt("failed", 500)], "TFE failed"),
        ([attempt("ambiguous")] * 8, "no answer"),
        ([attempt("fault"), attempt("ambiguous")], "the relay failed"),
        ([attempt("crash"), attempt("ambiguous")], "the relay failed"),
        ([], "the relay failed"),
    ],
)
async def test_who_failed_is_told_by_what_the_attempts_say(attempts, condition):
    row = {"kind": "User", "status": 500, "id": 7, "state": "parked", "attempts": attempts}

    told = await told_of(None, None, row)

    assert told["condition"] == condition
    assert "changes retry 7 --reason" in told["cure"]
