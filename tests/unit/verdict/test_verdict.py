"""One row of the design's tables each: what came back, and what that is (K1, K4, H4, D2)."""

import pytest

from relay.errors import MaybeSent, NotSent
from relay.rules.planner_types import Request
from relay.rules.verdict import Answered, Outcome, Sent, judge, usable_id

GET = Sent("GET")
PATCH = Sent("PATCH")
DELETE = Sent("DELETE")
CREATE = Sent("POST", creates=True)
NOW = 1_800_000_000.0


def answer(status, body=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answered(status, named, body, NOW)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_delivers(status):
    verdict = judge(PATCH, answer(status))

    assert verdict.outcome is Outcome.DELIVERED
    assert not verdict.ambiguous


def test_a_create_is_delivered_with_the_resource_tfe_answered():
    verdict = judge(CREATE, answer(201, {"id": "u1", "userName": "ada"}))

    assert verdict.outcome is Outcome.DELIVERED
    assert verdict.resource == {"id": "u1", "userName": "ada"}


@pytest.mark.parametrize(
    "body", [None, {}, {"id": ""}, {"id": ".."}, {"id": 7}, {"id": None}, ["u1"], "<html>", 3]
)
def test_a_create_whose_answer_has_no_usable_id_is_ambiguous(body):
    verdict = judge(CREATE, answer(201, body))

    assert verdict.outcome is Outcome.AMBIGUOUS
    assert verdict.ambiguous
    assert verdict.resource is None


@pytest.mark.parametrize("request_", [PATCH, CREATE, GET, DELETE])
def test_a_404_says_something_named_is_missing(request_):
    verdict = judge(request_, answer(404, {"detail": "no such member"}))

    assert verdict.outcome is Outcome.MISSING
    assert not verdict.ambiguous
    assert verdict.detail == "no such member"


def test_429_throttles_for_exactly_as_long_as_asked():
    verdict = judge(PATCH, answer(429, retry_after="7"))

    assert verdict.outcome is Outcome.THROTTLED
    assert verdict.retry_after_s == 7.0
    assert not verdict.ambiguous


@pytest.mark.parametrize("header", ["0", "-3", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_429_that_does_not_say_how_long_leaves_it_to_the_caller(header):
    assert judge(PATCH, answer(429, retry_after=header)).retry_after_s is None
    assert judge(PATCH, answer(429)).retry_after_s is None


def test_a_retry_after_date_counts_from_the_targets_own_clock():
    verdict = judge(
        PATCH,
        answer(
            429, retry_after="Wed, 21 Oct 2015 07:28:30 GMT", date="Wed, 21 Oct 2015 07:28:00 GMT"
        ),
    )

    assert verdict.retry_after_s == 30.0


def test_a_retry_after_date_counts_from_our_clock_where_the_target_shows_none():
    verdict = judge(PATCH, answer(429, retry_after="Fri, 15 Jan 2027 08:00:20 GMT"))

    assert verdict.retry_after_s == 20.0


def test_503_with_retry_after_throttles_but_may_have_had_its_effect():
    verdict = judge(PATCH, answer(503, retry_after="12"))

    assert verdict.outcome is Outcome.THROTTLED
    assert verdict.retry_after_s == 12.0
    assert verdict.ambiguous


@pytest.mark.parametrize("headers", [{}, {"retry_after": "0"}, {"retry_after": "later"}])
def test_503_without_a_usable_retry_after_is_an_outage(headers):
    verdict = judge(PATCH, answer(503, **headers))

    assert verdict.outcome is Outcome.DOWN
    assert verdict.retry_after_s is None
    assert verdict.ambiguous


@pytest.mark.parametrize("status", [502, 503, 504, 520, 522, 524])
def test_a_gateways_5xx_is_an_outage_and_ambiguous(status):
    verdict = judge(PATCH, answer(status))

    assert verdict.outcome is Outcome.DOWN
    assert verdict.ambiguous


@pytest.mark.parametrize("status", [500, 501, 505])
def test_500_failed_and_is_ambiguous(status):
    verdict = judge(PATCH, answer(status))

    assert verdict.outcome is Outcome.FAILED
    assert verdict.ambiguous


def test_401_is_about_the_token():
    verdict = judge(PATCH, answer(401))

    assert verdict.outcome is Outcome.TOKEN
    assert not verdict.ambiguous


def test_403_means_scim_is_paused():
    verdict = judge(PATCH, answer(403))

    assert verdict.outcome is Outcome.PAUSED
    assert not verdict.ambiguous


def test_409_is_a_conflict_with_tfes_own_words():
    body = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": "409",
        "scimType": "uniqueness",
        "detail": "userName is taken",
    }

    verdict = judge(CREATE, answer(409, body))

    assert verdict.outcome is Outcome.CONFLICT
    assert not verdict.ambiguous
    assert (verdict.status, verdict.scim_type) == (409, "uniqueness")
    assert verdict.detail == "userName is taken"


@pytest.mark.parametrize("status", [400, 405, 413, 415, 422, 451])
def test_other_4xx_refuse_for_good(status):
    verdict = judge(PATCH, answer(status))

    assert verdict.outcome is Outcome.REFUSED
    assert not verdict.ambiguous


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_blames_the_way_and_never_the_change(status):
    verdict = judge(PATCH, answer(status))

    assert verdict.outcome is Outcome.DOWN
    assert not verdict.ambiguous
    assert verdict.detail == f"redirect (HTTP {status})"


@pytest.mark.parametrize("status", [407, 425])
def test_4xx_about_the_way_are_an_outage(status):
    verdict = judge(PATCH, answer(status))

    assert verdict.outcome is Outcome.DOWN
    assert not verdict.ambiguous


@pytest.mark.parametrize("status", [408, 101, 199, 600, 999])
def test_what_http_does_not_promise_anything_about_is_an_ambiguous_outage(status):
    verdict = judge(PATCH, answer(status))

    assert verdict.outcome is Outcome.DOWN
    assert verdict.ambiguous


def test_what_never_left_is_an_outage_without_doubt():
    verdict = judge(CREATE, NotSent("cannot connect: refused"))

    assert verdict.outcome is Outcome.DOWN
    assert not verdict.ambiguous
    assert verdict.status is None
    assert verdict.detail == "cannot connect: refused"


@pytest.mark.parametrize("request_", [PATCH, CREATE, DELETE])
def test_what_may_have_left_is_ambiguous(request_):
    verdict = judge(request_, MaybeSent("no answer in 60 s"))

    assert verdict.outcome is Outcome.AMBIGUOUS
    assert verdict.ambiguous
    assert verdict.detail == "no answer in 60 s"


@pytest.mark.parametrize(
    "outcome", [MaybeSent("cut"), answer(500), answer(502), answer(503, retry_after="1")]
)
def test_a_read_leaves_nothing_in_doubt(outcome):
    assert not judge(GET, outcome).ambiguous


def test_a_read_hands_over_what_it_read():
    assert judge(GET, answer(200, {"totalResults": 0})).resource == {"totalResults": 0}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"detail": "bad\r\n\tthing\x00 \x1b[31m"}, "bad thing [31m"),
        ({"errors": [{"title": "not found"}, {"detail": "gone"}, 7]}, "not found; gone"),
        ({"errors": ["one", "two"]}, "one; two"),
        ({"error": "rate"}, "rate"),
        ({"message": "teapot"}, "teapot"),
        ("<h1>Bad\nGateway</h1>", "<h1>Bad Gateway</h1>"),
        ({"detail": 7}, "HTTP 400"),
        ({"errors": []}, "HTTP 400"),
        (["x"], "HTTP 400"),
        (None, "HTTP 400"),
        ("\x00\x01", "HTTP 400"),
    ],
)
def test_an_error_in_any_form_yields_one_line_for_people(body, detail):
    assert judge(PATCH, answer(400, body)).detail == detail


def test_a_detail_is_cut_at_500_characters():
    assert judge(PATCH, answer(400, "x" * 100_000)).detail == "x" * 500


def test_a_scim_type_that_is_no_text_is_ignored():
    assert judge(PATCH, answer(400, {"scimType": 7})).scim_type is None


def test_a_verdict_needs_only_method_and_creation_of_a_planned_request():
    create = Request("POST", "/Users", {}, frozenset(), (), (), creates=True)
    patch = Request("PATCH", "/Users/1", {}, frozenset(), (), ())

    assert (Sent.of(create), Sent.of(patch)) == (CREATE, PATCH)


def test_an_id_is_usable_when_a_url_can_carry_it():
    assert usable_id({"id": "a/b"}) == "a/b"
    assert usable_id({"id": "."}) is None
    assert usable_id({}) is None
