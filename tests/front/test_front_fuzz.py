from __future__ import annotations

import random

import orjson
from support.front_fakes import TOKEN, running

from relay.rules.types import Kind

WORDS = [
    "schemas", "userName", "emails", "value", "active", "members", "Operations", "op", "path",
    "add", "Replace", "remove", "displayName", "externalId", "name.givenName", "id", "primary",
    'emails[type eq "work"].value', 'members[value eq "u1"]', "urn:x", "", "\x00", "\U0001f600",
    "u1", "g1", "False", "a@b.c", "members[", "]", "password", "meta", "x" * 300,
]  # fmt: skip
TARGETS = [
    ("POST", "/Users"), ("PUT", "/Users/u1"), ("PATCH", "/Users/u1"), ("POST", "/Groups"),
    ("PUT", "/Groups/g1"), ("PATCH", "/Groups/g1"), ("POST", "/.search"),
    ("POST", "/Users/.search"),
]  # fmt: skip


def anything(rng: random.Random, depth: int = 0) -> object:
    match rng.randrange(9 if depth < 5 else 6):
        case 0:
            return None
        case 1:
            return rng.random() < 0.5
        case 2:
            return rng.choice([0, -1, 2**63, 1.5, 1e300])
        case 6:
            return [anything(rng, depth + 1) for _ in range(rng.randrange(4))]
        case 7 | 8:
            return {rng.choice(WORDS): anything(rng, depth + 1) for _ in range(rng.randrange(5))}
        case _:
            return rng.choice(WORDS)


def request_body(rng: random.Random, method: str) -> bytes:
    body = anything(rng)
    if method == "PATCH" and rng.random() < 0.8:
        operations = [
            {"op": rng.choice(WORDS), "path": rng.choice(WORDS), "value": anything(rng)}
            for _ in range(3)
        ]
        body = {"Operations": operations}
    elif rng.random() < 0.8:
        body = {rng.choice(WORDS): anything(rng) for _ in range(6)}
    data = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)
    if rng.random() < 0.1:
        cut = rng.randrange(len(data) + 1)
        data = data[:cut] + rng.randbytes(3) + data[cut:]
    return data


async def test_no_body_ever_makes_a_500():
    rng = random.Random(20261123)
    seen: dict[int, int] = {}
    async with running() as site:
        for number in range(600):
            if number % 50 == 0:
                site.directory.resources.clear()
                site.directory.add(Kind.USER, "u1", schemas=[], userName="u1@x.y")
                site.directory.add(Kind.GROUP, "g1", ("u1",), schemas=[], displayName="eng")
            method, path = rng.choice(TARGETS)
            data = request_body(rng, method)
            headers = {"Content-Type": "application/scim+json"}
            response, body = await site.send(method, path, data=data, headers=headers)
            seen[response.status] = seen.get(response.status, 0) + 1

            assert response.status < 500, (method, path, data)
            assert body is None or body["schemas"] is not None or response.status < 300

    assert seen[400] > 100
    assert seen.get(200, 0) > 20


async def test_no_bytes_ever_make_a_500_or_a_hang():
    rng = random.Random(7)
    template = (
        f"PATCH /scim/v2/Users/u1?count=1 HTTP/1.1\r\nHost: r\r\nAuthorization: {TOKEN}\r\n"
        "Content-Length: 2\r\nConnection: close\r\n\r\n{}"
    ).encode()
    async with running(header_deadline_s=0.2, body_deadline_s=0.2, keepalive_s=0.2) as site:
        for _ in range(100):
            sent = bytearray(template)
            for _ in range(rng.randrange(1, 4)):
                sent[rng.randrange(len(sent))] = rng.randrange(256)
            answer = await site.raw(bytes(sent), eof=rng.random() < 0.9)

            assert b" 500 " not in answer.split(b"\r\n", 1)[0], bytes(sent)
