"""The rate limit: never more than the rate in its window, and what a 429 says."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.simulator.behaviour import RateLimit, RetryForm, Window
from relay.simulator.errors import ScimError
from relay.simulator.limiter import Limiter
from relay.simulator.log import densest


class Clock:
    def __init__(self, now=100.0):
        self.now = now

    def wall(self):
        return 1_700_000_000.0 + self.now

    def monotonic(self):
        return self.now


def admitted(limiter):
    try:
        limiter.admit()
    except ScimError:
        return False
    return True


GAPS = st.lists(st.floats(0, 0.4).map(lambda gap: round(gap, 3)), max_size=200)


@given(GAPS, st.booleans())
def test_no_sliding_second_ever_holds_more_than_the_rate(gaps, count_refused):
    clock = Clock()
    limiter = Limiter(clock, RateLimit(rate=5, count_refused=count_refused))
    taken = []
    for gap in gaps:
        clock.now += gap
        if admitted(limiter):
            taken.append(clock.now)

    assert densest(taken, 1.0) <= 5


@given(GAPS)
def test_a_request_is_refused_only_when_its_second_is_full(gaps):
    clock = Clock()
    limiter = Limiter(clock, RateLimit(rate=5))
    taken = []
    for gap in gaps:
        clock.now += gap
        full = sum(clock.now - then < 1.0 for then in taken) == 5
        assert admitted(limiter) is not full
        if not full:
            taken.append(clock.now)


def test_a_fixed_second_begins_anew_at_each_whole_second():
    clock = Clock(100.9)
    limiter = Limiter(clock, RateLimit(rate=3, window=Window.FIXED))

    before = [admitted(limiter) for _ in range(4)]
    clock.now = 101.0
    after = [admitted(limiter) for _ in range(4)]

    assert before + after == [True, True, True, False] * 2


def test_the_same_burst_over_a_whole_second_is_refused_by_the_sliding_window():
    clock = Clock(100.9)
    limiter = Limiter(clock, RateLimit(rate=3))

    before = [admitted(limiter) for _ in range(3)]
    clock.now = 101.5
    inside = admitted(limiter)
    clock.now = 101.9
    outside = admitted(limiter)

    assert (before, inside, outside) == ([True] * 3, False, True)


def test_refused_requests_use_up_budget_only_if_told_so():
    results = {}
    for counting in (False, True):
        clock = Clock()
        limiter = Limiter(clock, RateLimit(rate=1, count_refused=counting))
        limiter.admit()
        clock.now += 0.9
        assert not admitted(limiter)
        clock.now += 0.2
        results[counting] = admitted(limiter)

    assert results == {False: True, True: False}


def test_a_rate_of_zero_is_no_limit():
    limiter = Limiter(Clock(), RateLimit(rate=0))

    assert all(admitted(limiter) for _ in range(1_000))


@pytest.mark.parametrize("window", Window)
@pytest.mark.parametrize("form", RetryForm)
def test_whoever_waits_as_long_as_retry_after_says_is_admitted(window, form):
    clock = Clock(100.3)
    limiter = Limiter(clock, RateLimit(rate=1, window=window, retry_after=form))
    limiter.admit()
    with pytest.raises(ScimError) as refused:
        limiter.admit()

    assert refused.value.status == 429
    header = refused.value.headers.get("Retry-After")
    match form:
        case RetryForm.NONE:
            assert header is None
            return
        case RetryForm.SECONDS:
            assert header == "1"
            clock.now += int(header)
        case RetryForm.DATE:
            assert header.endswith(" GMT")
            clock.now = parsedate_to_datetime(header).timestamp() - 1_700_000_000.0
    assert admitted(limiter)


def test_changing_the_limit_starts_counting_anew():
    limiter = Limiter(Clock(), RateLimit(rate=1))
    limiter.admit()

    limiter.change(RateLimit(rate=2))

    assert [admitted(limiter) for _ in range(3)] == [True, True, False]


async def test_users_and_groups_share_the_limit_and_all_that_arrives_counts(call, tfe, clock):
    tfe.limit(RateLimit(rate=4))
    tfe.pause()

    statuses = [
        (await call("GET", "/Users")).status,
        (await call("GET", "/Groups/none")).status,
        (await call("GET", "/Users", token="wrong")).status,
        (await call("POST", "/Groups", b"{")).status,
        (await call("GET", "/Users")).status,
        (await call("GET", "/Users/x", token="wrong")).status,
        (await call("GET", "/ServiceProviderConfig")).status,
    ]

    assert statuses == [403, 403, 401, 403, 429, 429, 200]
    assert tfe.log.max_in_window(1.0) == 6


async def test_a_429_is_a_scim_error_with_retry_after_and_without_effect(call, tfe):
    tfe.limit(RateLimit(rate=1))
    await call("GET", "/Users")

    answer = await call("POST", "/Users", {"userName": "a", "emails": [{"value": "a@x"}]})

    assert (answer.status, answer.json["status"]) == (429, "429")
    assert answer.reply.headers["Retry-After"] == "1"
    assert len(tfe.directory.users) == 0
