"""What the configuration says of identity providers' tokens, and of when something ends."""

from datetime import UTC, date, datetime

import pytest

from relay.settings.tokens import InboundToken, parse_hashes, parse_moment, parse_token, told

HASH = "sha256:" + "0" * 64
JUNE = datetime(2027, 6, 30, tzinfo=UTC).timestamp()


def test_one_hash_or_a_list_of_them_with_or_without_label_and_end():
    labelled = f"{HASH} label=entra-2027 expires=2027-06-30"

    assert parse_hashes(HASH) == (InboundToken(HASH),)
    assert parse_hashes([HASH, labelled]) == (
        InboundToken(HASH),
        InboundToken(HASH, "entra-2027", JUNE),
    )
    assert parse_hashes("") == ()
    assert parse_hashes([InboundToken(HASH)]) == (InboundToken(HASH),)
    assert str(parse_token(labelled)) == labelled


@pytest.mark.parametrize(
    "behind",
    [
        "label=",
        "label=a b",
        "label=ä",
        f"label={'a' * 65}",
        "colour=red",
        "label=a label=b",
        "expires=soon",
        "expires=2027-13-01",
    ],
)
def test_what_is_neither_a_label_nor_an_end_is_refused_and_not_repeated(behind):
    with pytest.raises(ValueError, match=r"write|name it shorter") as told_:
        parse_token(f"{HASH} {behind}")
    assert behind not in str(told_.value)


@pytest.mark.parametrize("value", [None, 7, {"hash": HASH}, [7]])
def test_what_is_no_hash_is_refused(value):
    with pytest.raises(ValueError, match="token new"):
        parse_hashes(value)


@pytest.mark.parametrize(
    "value",
    [
        "2027-06-30",
        date(2027, 6, 30),
        datetime(2027, 6, 30),  # noqa: DTZ001 - as TOML gives a local one
        "2027-06-30T02:00:00+02:00",
        datetime(2027, 6, 30, tzinfo=UTC),
        JUNE,
    ],
)
def test_a_moment_is_a_date_or_a_time_in_utc_unless_it_says_otherwise(value):
    assert parse_moment(value) == JUNE


def test_a_moment_is_told_as_short_as_it_is():
    assert (told(JUNE), told(JUNE + 60)) == ("2027-06-30", "2027-06-30T00:01:00Z")


@pytest.mark.parametrize("value", ["tomorrow", True, [], "30.6.2027"])
def test_what_is_no_moment_is_refused(value):
    with pytest.raises(ValueError, match="2027-06-30"):
        parse_moment(value)
