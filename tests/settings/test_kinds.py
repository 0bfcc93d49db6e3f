"""Values as operators write them."""

from datetime import timedelta

import pytest

from relay.rules.guard import Budget
from relay.settings.kinds import parse_address, parse_budget, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("2s", 2), ("1.5m", 90), ("1h", 3600), ("1d", 86400)]
)
def test_a_duration_has_a_unit(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["2", 2, "-1s", "s", "2 weeks", "1" * 40 + "d", None])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="write"):
        parse_duration(text)


def test_sizes_are_powers_of_ten():
    assert [parse_size("16MB"), parse_size("1kB"), parse_size(5)] == [16_000_000, 1000, 5]


@pytest.mark.parametrize(
    ("value", "budget"),
    [(20, Budget(count=20)), ("20", Budget(count=20)), ("5%", Budget(share=0.05))],
)
def test_a_budget_is_a_number_or_a_share(value, budget):
    assert parse_budget(value) == budget


@pytest.mark.parametrize("value", [0, "0", "0%"])
def test_zero_switches_a_budget_off(value):
    assert parse_budget(value).off


def test_a_share_is_rounded_down_and_lets_20_through_while_a_number_is_exact():
    assert parse_budget("5%").allowed(999) == 49
    assert parse_budget("5%").allowed(99) == 20
    assert parse_budget(7).allowed(1_000) == 7


@pytest.mark.parametrize("value", ["-1", True, "200%", "many", None, 1.5])
def test_what_is_no_budget_is_refused(value):
    with pytest.raises(ValueError, match="write"):
        parse_budget(value)


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("127.0.0.1:80", True),
        ("[::1]:80", True),
        ("localhost:80", True),
        ("unix:/run/s.sock", True),
        ("0.0.0.0:80", False),
        ("relay.example.com:80", False),
    ],
)
def test_an_address_knows_whether_it_stays_on_this_machine(text, private):
    address = parse_address(text)

    assert address.private is private
    assert str(address) == text


@pytest.mark.parametrize("text", ["127.0.0.1", ":80", "host:99999", "unix:relative", 8080])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="write"):
        parse_address(text)
