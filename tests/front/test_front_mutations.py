"""A million damaged requests through all that reads what a stranger wrote; a soak and its share.

Everything between the socket and the store: path, query, filter, body, dialect, shadow, answer.
"""

from __future__ import annotations

import gc
import random
import sys
import time
from collections import Counter

import orjson
import pytest
from support.mutations import Mutator, recorded

from relay.errors import Refused
from relay.front.body import parse_object
from relay.front.queries import from_search, from_url
from relay.front.routes import Endpoint, resolve
from relay.front.settings import FrontSettings
from relay.rules import dialect, filters, shadow
from relay.rules.types import Kind, Verb
from relay.rules.view import resource_body, select

SETTINGS = FrontSettings(connections=())
STORED = {
    Kind.USER: shadow.apply(
        dialect.parse_create(Kind.USER, {"userName": "u@x.y", "emails": [{"value": "u@x.y"}]}), None
    ),
    Kind.GROUP: shadow.apply(dialect.parse_create(Kind.GROUP, {"displayName": "eng"}), None),
}
PARSERS = {
    "POST": dialect.parse_create, "PUT": dialect.parse_replace, "PATCH": dialect.parse_patch,
}  # fmt: skip
SLOWEST_S = 0.5
"""Processor time of one input; a collection of garbage may fall into it."""
GROWTH = 2_000
"""Blocks of memory, of the 300,000 that Python holds: what lasts would be one an input or more."""


def read(asked):
    """All that the front does with a request before and after the store; the status."""
    route = resolve(f"/scim/v2{asked.path}", "/scim/v2")
    query = from_url(asked.query, SETTINGS.max_page)
    kind = route.kind or Kind.USER
    if asked.method == "GET" or route.endpoint is Endpoint.SEARCH:
        if asked.body:
            query = from_search(parse_object(asked.body, SETTINGS), SETTINGS.max_page)
        return shown(kind, STORED[kind], query)
    write = PARSERS[asked.method](kind, parse_object(asked.body, SETTINGS))
    before = None if write.verb is Verb.CREATE else STORED[kind]
    after = shadow.apply(write, before)
    kept = shadow.project(kind, after, None)
    orjson.dumps([write.edits, write.members, kept])
    assert "password" not in after
    assert shadow.apply(write, before) == after
    return shown(kind, after, query)


def shown(kind, stored, query):
    body = resource_body(kind, "id", orjson.loads(orjson.dumps(stored)), 0.0, 0.0, "http://r", ())
    if query.filter is not None:
        filters.parse(kind, query.filter).matches(body)
    orjson.dumps(select(body, query.attributes, query.excluded))
    return 200


def answered(asked):
    """The status that is told; whatever is not `Refused` is a 500 and ends the test."""
    try:
        return read(asked)
    except Refused as refusal:
        orjson.dumps([refusal.detail, refusal.scim_type])
        return refusal.status


@pytest.mark.parametrize(
    "count",
    [10_000, pytest.param(1_000_000, marks=[pytest.mark.soak, pytest.mark.timeout(3_600)])],
)
def test_whatever_comes_in_is_read_or_refused_and_leaves_nothing_behind(count):
    mutator = Mutator(random.Random(20261127), recorded())
    seen: Counter[int] = Counter()
    slowest_s, blocks = 0.0, 0
    for number in range(count):
        if number == count // 4:  # what is made once and kept is there by now
            gc.collect()
            blocks = sys.getallocatedblocks()
        asked = mutator.next()
        began = time.thread_time()
        status = answered(asked)
        slowest_s = max(slowest_s, time.thread_time() - began)
        seen[status] += 1
    gc.collect()
    grown = sys.getallocatedblocks() - blocks
    print(
        f"\n{count:,} inputs: {dict(seen)}, slowest {slowest_s * 1000:.1f} ms, {grown} blocks more"
    )

    assert set(seen) <= {200, 400, 413}
    assert min(seen[200], seen[400]) > count // 10
    assert slowest_s < SLOWEST_S
    assert grown < GROWTH
