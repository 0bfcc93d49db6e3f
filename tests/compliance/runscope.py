"""Runs a test that is written for Runscope, as Okta's SPEC test is, against a live server.

What it knows is what that test uses: request steps, variables out of JSON answers, and assertions
on status, JSON body and response time. Anything else in a file is an error, never a silent pass.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from support.idp import Reply
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import aiohttp

_VARIABLE = re.compile(r"\{\{(\w+)\}\}")
_PART = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True)
class Verdict:
    """One assertion and what it was given."""

    step: str
    assertion: str
    passed: bool
    found: Any


async def run(
    steps: list[dict[str, Any]], session: aiohttp.ClientSession, variables: Mapping[str, str]
) -> list[Verdict]:
    """Every assertion of every step, in order; pauses between steps are not waited for."""
    known = dict(variables)
    verdicts: list[Verdict] = []
    for step in steps:
        if step["step_type"] == "pause":
            continue
        assert step["step_type"] == "request", step
        assert not step["skipped"], step
        reply, took_ms = await _send(step, session, known)
        for variable in step["variables"]:
            assert variable["source"] == "response_json", variable
            known[variable["name"]] = str(_found(reply.body, variable["property"]))
        name = f"{step['method']} {step['url']} ({step['note']})"
        verdicts += [
            _judge(name, assertion, _subject(assertion, reply, took_ms), known)
            for assertion in step["assertions"]
        ]
    return verdicts


async def _send(
    step: dict[str, Any], session: aiohttp.ClientSession, known: Mapping[str, str]
) -> tuple[Reply, float]:
    url = URL(_filled(step["url"], known))
    headers = {name: _filled(values[0], known) for name, values in step["headers"].items()}
    data = _filled(step["body"], known).encode() if step.get("body") else None
    began = time.perf_counter()
    async with session.request(step["method"], url, data=data, headers=headers) as response:
        text = await response.text()
        took_ms = (time.perf_counter() - began) * 1000
        body = json.loads(text) if text else None
        return Reply(response.status, response.headers, body), took_ms


def _filled(text: str, known: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: known[found[1]], text)


def _subject(assertion: dict[str, Any], reply: Reply, took_ms: float) -> Any:
    match assertion["source"]:
        case "response_status":
            return reply.status
        case "response_time":
            return took_ms
        case "response_json":
            return _found(reply.body, assertion["property"])
    raise AssertionError(assertion)


def _found(body: Any, place: str) -> Any:
    """What stands at `Resources[0].name.familyName`; None where there is nothing."""
    for part in _PART.findall(place):
        try:
            body = body[int(part) if isinstance(body, list) else part]
        except (KeyError, IndexError, TypeError):
            return None
    return body


def _is_number(found: Any, _: str) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_COMPARISONS: dict[str, Callable[[Any, str], bool]] = {
    "equal": lambda found, wanted: _text(found) == wanted,
    "equal_number": lambda found, wanted: _is_number(found, "") and found == float(wanted),
    "not_empty": lambda found, _: found not in (None, "", [], {}),
    "has_value": lambda found, wanted: wanted in (found or []),
    "contains": lambda found, wanted: wanted in (found or ""),
    "is_a_number": _is_number,
    "is_less_than": lambda found, wanted: _is_number(found, "") and found < float(wanted),
}


def _judge(step: str, assertion: dict[str, Any], found: Any, known: Mapping[str, str]) -> Verdict:
    wanted = _filled(assertion["value"] or "", known)
    place = assertion.get("property", assertion["source"])
    said = f"{place} {assertion['comparison']} {wanted}".strip()
    return Verdict(step, said, _COMPARISONS[assertion["comparison"]](found, wanted), found)
