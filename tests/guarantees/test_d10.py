"""D10: back-off doubles with full jitter to a cap; `Retry-After` wins in all its forms, clamped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lab import lab_in

from relay.rules.backoff import ceiling_s, delay_s
from relay.rules.retry_after import date_s, parse
from relay.rules.verdict import Answered

NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 section 5.6.7


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("1", 1.0),
        (" 120 ", 120.0),
        ("0.25", 0.25),
        ("3600", 3600.0),
        ("3601", 3600.0),
        ("9" * 400, 3600.0),
        (None, None),
        ("", None),
        ("0", None),
        ("0.0", None),
        ("-1", None),
        ("1e9", None),
        ("inf", None),
        ("nan", None),
        ("٣", None),
        ("1, 2", None),
        ("tomorrow", None),
    ],
)
def test_seconds_are_obeyed_up_to_an_hour_and_garbage_is_no_answer(header, expected):
    assert parse(header, NOW) == expected


@pytest.mark.parametrize(
    "header",
    [
        "Sun, 06 Nov 1994 08:49:47 GMT",
        "Sunday, 06-Nov-94 08:49:47 GMT",
        "Sun Nov  6 08:49:47 1994",
    ],
)
def test_all_three_date_formats_of_http_are_read(header):
    assert parse(header, NOW) == 10.0


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1993 08:49:37 GMT", None),
        ("Sun, 06 Nov 1995 08:49:37 GMT", 3600.0),
        ("Sun, 99 Nov 1995 08:49:37 GMT", None),
        ("Sun, 06 Nov 10000 08:49:37 GMT", None),
    ],
)
def test_dates_in_the_past_say_nothing_and_far_ones_are_clamped(header, expected):
    assert parse(header, NOW) == expected


@given(st.text(), st.floats(min_value=0, max_value=1e10))
def test_no_header_whatever_breaks_the_parser_or_exceeds_an_hour(header, now_wall):
    wait_s = parse(header, now_wall)

    assert wait_s is None or 0 < wait_s <= 3600


def test_an_absent_date_is_none():
    assert date_s(None) is None


def test_the_ceiling_doubles_from_the_base_to_the_cap():
    assert [ceiling_s(attempt) for attempt in (0, 1, 2, 3, 9, 10, 10**9)] == [
        1.0,
        1.0,
        2.0,
        4.0,
        256.0,
        300.0,
        300.0,
    ]


@given(st.integers(-5, 10_000), st.floats(0, 1))
def test_jitter_is_full_and_never_past_the_ceiling(attempt, unit_random):
    assert delay_s(attempt, unit_random) == unit_random * ceiling_s(attempt)
    assert 0 <= delay_s(attempt, unit_random) <= 300


def test_base_and_cap_are_the_callers():
    assert delay_s(4, 1.0, base_s=0.5, cap_s=3) == 3
    assert delay_s(3, 1.0, base_s=0.5, cap_s=3) == 2


async def test_what_tfe_asked_for_is_not_shortened_on_disk_by_a_later_answer(tmp_path):
    async with lab_in(tmp_path) as lab:
        await lab.users(2)
        first, second = await lab.claim(), await lab.claim()
        for claim, wait_s in ((first, "600"), (second, "1")):
            answer = Answered(429, {"retry-after": wait_s}, None, lab.clock.wall())
            await lab.finish(claim, answer)
    async with lab_in(tmp_path, lab.tfe, lab.clock) as again:
        [hold] = await again.store.holds()
        assert hold.until == lab.clock.wall() + 600
