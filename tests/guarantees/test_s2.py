"""S2: inbound authentication is constant-time, fails closed, and takes several live tokens."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs
from support.front_fakes import CONNECTIONS, STRICT_TOKEN, TOKEN, Site, known, running, token_hash

from relay.front.auth import FailureLimiter, TokenTable, presented_token
from relay.front.settings import Connection
from relay.settings.tokens import InboundToken
from relay.telemetry import events

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER   abc ", "abc"),
        ("abc", "abc"),
        ("  abc  ", "abc"),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic abc", None),
        ("", None),
        (None, None),
    ],
)
def test_a_token_is_read_with_or_without_the_word_bearer(header, token):
    assert token == presented_token(header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN} {TOKEN}",
        f"Basic {TOKEN}",
        "non-token",
        "Bearer t\udcc3\udca9st",
        f"Bearer {token_hash(TOKEN)}",
    ],
)
def test_whatever_is_not_exactly_a_live_token_is_nobody(header):
    assert TokenTable(CONNECTIONS).find(header) is None


def test_an_empty_token_is_nobody_even_if_its_hash_were_configured():
    table = TokenTable([Connection("careless", (known(""),))])

    assert table.find("Bearer ") is None
    assert table.find("") is None


def test_several_tokens_of_a_connection_are_live_at_once():
    table = TokenTable(CONNECTIONS)

    assert table.find("Bearer an-older-token").connection is CONNECTIONS[0]
    assert table.find(f"Bearer {TOKEN}").connection is CONNECTIONS[0]
    assert table.find(STRICT_TOKEN).connection is CONNECTIONS[1]


def test_a_token_beyond_ascii_is_compared_by_its_bytes():
    table = TokenTable([Connection("x", (known("tést"),))])
    as_aiohttp_decodes = "tést".encode().decode("ascii", "surrogateescape")

    assert table.find(f"Bearer {as_aiohttp_decodes}") is not None


@pytest.mark.parametrize("bad", ["", "sha256:", "sha256:abcd", "0" * 64, "sha256:" + "zz" * 32])
def test_a_malformed_hash_is_refused_at_start(bad):
    with pytest.raises(ValueError, match=r"token hash|hexadecimal"):
        TokenTable([Connection("x", (InboundToken(bad),))])


async def test_okta_s_non_token_is_answered_401_with_a_scim_error(site: Site):
    response, body = await site.send(
        "GET", "/Users", token=None, headers={"Authorization": "non-token"}
    )

    assert response.status == 401
    assert body["status"] == "401"
    assert body["schemas"] == [ERROR]
    assert body["detail"]
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert response.headers["Connection"] == "close"
    assert site.metrics.refusals == ["token"]


async def test_discovery_needs_a_token_too(site: Site):
    response, _ = await site.send("GET", "/ServiceProviderConfig", token=None)

    assert response.status == 401


async def test_a_bare_token_is_let_in(site: Site):
    response, _ = await site.send("GET", "/Users", token=None, headers={"Authorization": TOKEN})

    assert response.status == 200


async def test_guessing_is_told_to_slow_down_but_a_right_token_always_passes():
    async with running(wrong_tokens=3) as site:
        statuses = [(await site.send("GET", "/Users", token="guess"))[0] for _ in range(5)]
        right, _ = await site.send("GET", "/Users")

    assert [one.status for one in statuses] == [401, 401, 401, 429, 429]
    assert 1 <= int(statuses[-1].headers["Retry-After"]) <= 60
    assert right.status == 200


def test_failures_are_forgotten_after_a_minute_and_counted_by_address():
    limiter = FailureLimiter(1)

    assert limiter.failed("a", 0.0) == 0
    assert limiter.failed("a", 1.0) == 60
    assert limiter.failed("b", 1.0) == 0
    assert limiter.failed("a", 60.0) == 0


def test_the_limiter_forgets_the_oldest_addresses_rather_than_grow():
    limiter = FailureLimiter(1)
    for number in range(10_000):
        limiter.failed(str(number), 0.0)

    assert len(limiter._windows) <= 4_096


async def test_a_rotated_token_works_without_restart(site: Site):
    site.front.tokens.replace([Connection("okta", (known("next"),))])

    assert (await site.send("GET", "/Users", token="next"))[0].status == 200
    assert (await site.send("GET", "/Users", token=TOKEN))[0].status == 401


async def test_an_ended_token_is_refused_and_the_log_says_whose_it_was(site: Site):
    site.front.tokens.replace([Connection("okta", (known("old", "okta-2023", ends=1e9),))])
    with capture_logs() as lines:
        response, body = await site.send("GET", "/Users", token="old")

    assert (response.status, "2001-09-09" in body["detail"]) == (401, True)
    assert site.metrics.refusals == ["token_ended"]
    [told] = [line for line in lines if line["event"] == events.REQUEST_REFUSED]
    assert (told["connection"], told["reason"]) == ("okta", "token_ended")
    assert "old" not in repr(lines)


async def test_the_last_use_of_a_token_is_known_and_stays_known_over_a_rotation(site: Site):
    await site.send("GET", "/Users")
    site.front.tokens.replace([Connection("okta", (known("next"), known(TOKEN)))])

    first, second = site.front.tokens.tokens
    assert first.last_used is None
    assert second.last_used is not None
