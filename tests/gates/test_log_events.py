"""Every documented log event is logged somewhere, at its level, with the fields it promises."""

import ast
from pathlib import Path

import pytest

from relay.telemetry import events

ROOT = Path(__file__).resolve().parents[2] / "relay"
CONSTANTS = {name: value for name, value in vars(events).items() if name.isupper()}
LEVELS = {"debug", "info", "warning", "error"}


def logged():
    """`(event, level, fields)` of each call that logs one; level None: decided as it runs."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=called,
                    args=[ast.Attribute(value=ast.Name(id="events"), attr=name), *_],
                ):
                    fields = {keyword.arg for keyword in node.keywords}
                    verb = getattr(called, "attr", None)
                    if verb == "exception" or "exc_info" in fields:
                        fields.add("exception")
                    level = "error" if verb == "exception" else verb
                    yield CONSTANTS[name], level if level in LEVELS else None, fields


CALLS = list(logged())


def test_every_event_is_logged_somewhere():
    assert {event for event, *_ in CALLS} == set(events.FIELDS)


@pytest.mark.parametrize("event", sorted(events.FIELDS))
def test_each_line_has_every_field_that_is_promised(event):
    promised = set(events.FIELDS[event].fields)

    assert [
        promised - fields for found, _, fields in CALLS if found == event and promised - fields
    ] == []


@pytest.mark.parametrize("event", sorted(events.FIELDS))
def test_an_event_is_logged_at_its_level(event):
    assert {events.FIELDS[event].level, None} & {
        level for found, level, _ in CALLS if found == event
    }
