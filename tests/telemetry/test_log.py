"""S1 and P7: lines are JSON for machines, and no secret reaches one."""

import io
import logging

import orjson
import pytest
import structlog

from relay.settings import Secret
from relay.telemetry import events, log


@pytest.fixture
def lines():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, write_through=True)
    log.configure("info", "json", stream)
    yield lambda: [orjson.loads(line) for line in raw.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_an_event_is_one_json_object(lines):
    log.get_logger("app").info(events.READY, address="127.0.0.1:8080")

    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "relay.ready",
        "level": "info",
        "component": "app",
        "address": "127.0.0.1:8080",
    }


def test_what_is_below_the_level_is_not_written(lines):
    log.get_logger("app").debug(events.CHANGE_ACCEPTED)

    assert lines() == []


def test_secrets_show_as_stars_by_type_and_by_name(lines):
    headers = {"Authorization": "Bearer canary"}
    log.get_logger("x").info(
        events.STARTED, a=Secret("canary"), tfe_token="canary", headers=headers
    )

    (line,) = lines()
    assert (line["a"], line["tfe_token"], line["headers"]) == (
        "***",
        "***",
        {"Authorization": "***"},
    )


def test_a_traceback_carries_no_local_variables(lines):
    def fail():
        token = "canary-local"
        raise OSError(f"cannot open {len(token)}")

    try:
        fail()
    except OSError:
        log.get_logger("x").exception(events.UNEXPECTED_ERROR, where="here")

    (line,) = lines()
    assert line["exception"][0]["exc_value"] == "cannot open 12"
    assert b"canary-local" not in orjson.dumps(line)


def test_a_librarys_warning_goes_the_same_way(lines):
    logging.getLogger("aiohttp.server").warning("late by %d", 3)

    # Other libraries may speak at any moment (asyncio, when garbage is collected).
    spoken = [line["event"] for line in lines() if line["component"] == "aiohttp.server"]
    assert spoken == ["late by 3"]


def test_a_person_reads_plain_lines():
    stream = io.StringIO()
    log.configure("info", "console", stream)

    log.get_logger("app").info(events.READY, address="x")

    assert "relay.ready" in stream.getvalue()
    structlog.reset_defaults()
