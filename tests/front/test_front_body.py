from __future__ import annotations

import asyncio
import gzip
import zlib

import orjson
import pytest
from support.front_fakes import TOKEN, Site, running

from relay.errors import Refused
from relay.front.body import parse_object
from relay.front.settings import FrontSettings

SETTINGS = FrontSettings(connections=())
USER = {"schemas": [], "userName": "a@b.c", "emails": [{"value": "a@b.c", "primary": True}]}
ERROR = ["urn:ietf:params:scim:api:messages:2.0:Error"]


def head(method: str = "POST", path: str = "/Users", *lines: str) -> bytes:
    text = [f"{method} /scim/v2{path} HTTP/1.1", "Host: relay", f"Authorization: Bearer {TOKEN}"]
    return "\r\n".join([*text, *lines, "", ""]).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"\xef\xbb\xbf",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"7",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e400}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":1} x',
        b'{"a":1}{"a":1}',
        b"userName=a",
        b"<xml/>",
        '{"a":1}'.encode("utf-16"),
        b'{"a":' + b"[" * 50_000,
        b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b'{"a":[' + b"[]," * 500_000 + b"[]]}",
    ],
    ids=range(25),
)
def test_a_body_that_is_no_modest_json_object_is_invalid_syntax(body):
    with pytest.raises(Refused) as refusal:
        parse_object(body, SETTINGS)

    assert (refusal.value.status, refusal.value.scim_type) == (400, "invalidSyntax")


@pytest.mark.parametrize(
    ("body", "parsed"),
    [
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b' \r\n{"a":1}\n', {"a": 1}),
        (b'{"a":12345678901234567890123}', {"a": 12345678901234567890123.0}),
        (b'{"a":"\\u0000"}', {"a": "\x00"}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (b'{"a":' + b"[" * 31 + b"]" * 31 + b"}", None),
        (b'{"a":"' + b"[{" * 100_000 + b'"}', {"a": "[{" * 100_000}),
    ],
    ids=range(8),
)
def test_odd_but_legal_json_is_taken(body, parsed):
    assert parsed is None or parse_object(body, SETTINGS) == parsed
    parse_object(body, SETTINGS)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (None, 201),
        ("application/json", 201),
        ("application/scim+json", 201),
        ("application/scim+json; charset=utf-8", 201),
        ("Application/SCIM+JSON;charset=UTF-8", 201),
        ("application/json; charset=iso-8859-1", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/xml", 415),
        ("nonsense", 415),
    ],
)
async def test_json_is_taken_by_any_of_its_names(site: Site, content_type, status):
    headers = {} if content_type is None else {"Content-Type": content_type}
    skip = ["Content-Type"]

    response, body = await site.send(
        "POST", "/Users", data=orjson.dumps(USER), headers=headers, skip_auto_headers=skip
    )

    assert response.status == status
    assert status == 201 or body["schemas"] == ERROR


async def test_a_gzipped_body_is_understood(site: Site):
    response, _ = await site.send(
        "POST",
        "/Users",
        data=gzip.compress(orjson.dumps(USER)),
        headers={"Content-Encoding": "gzip", "Content-Type": "application/json"},
    )

    assert response.status == 201


async def test_a_gzip_bomb_is_cut_off_at_the_limit():
    bomb = gzip.compress(b'{"a":"' + b"x" * 20_000_000 + b'"}')

    async with running(max_body_bytes=100_000) as site:
        response, body = await site.send(
            "POST",
            "/Users",
            data=bomb,
            headers={"Content-Encoding": "gzip", "Content-Type": "application/json"},
        )

    assert len(bomb) < 100_000
    assert response.status == 413
    assert body["status"] == "413"


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", b"no gzip at all"),
        ("gzip", gzip.compress(b"{}" * 99, mtime=0)[:-9]),
        ("deflate", b"\x78x"),
    ],
)
async def test_a_broken_encoding_is_the_client_s_fault(encoding, data):
    async with running(body_deadline_s=0.3) as site:
        lines = f"Content-Encoding: {encoding}", f"Content-Length: {len(data)}", "Connection: close"
        answer = await site.raw(head("POST", "/Users", *lines) + data)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"urn:ietf:params:scim:api:messages:2.0:Error" in answer


async def test_a_deflated_body_is_understood(site: Site):
    response, _ = await site.send(
        "POST",
        "/Users",
        data=zlib.compress(orjson.dumps(USER)),
        headers={"Content-Encoding": "deflate", "Content-Type": "application/json"},
    )

    assert response.status == 201


async def test_a_length_past_the_limit_is_refused_before_a_byte_is_read():
    async with running(max_body_bytes=1_000) as site:
        answer = await site.raw(head("POST", "/Users", "Content-Length: 1001"))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"status":"413"' in answer


async def test_chunks_past_the_limit_are_refused():
    chunk = b"400\r\n" + b"x" * 0x400 + b"\r\n"

    async with running(max_body_bytes=1_000) as site:
        answer = await site.raw(head("POST", "/Users", "Transfer-Encoding: chunked") + chunk * 2)

    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_trickles_in_is_answered_408_and_closed():
    async with running(body_deadline_s=0.1) as site:
        answer = await site.raw(head("POST", "/Users", "Content-Length: 100") + b'{"userName":')

        assert site.metrics.refusals == ["slow"]
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close" in answer
    assert b'"status":"408"' in answer


async def test_large_bodies_together_are_bounded():
    async with running(max_buffered_bytes=1_000) as site:
        big = {**USER, "displayName": "x" * 2_000}
        response, body = await site.send("POST", "/Users", json=big)
        small, _ = await site.send("POST", "/Users", json=USER)

    assert (response.status, body["status"]) == (503, "503")
    assert response.headers["Retry-After"] == "1"
    assert small.status == 201


async def test_expect_100_continue_is_answered_before_the_body(site: Site):
    data = orjson.dumps(USER)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(head("POST", "/Users", "Expect: 100-continue", f"Content-Length: {len(data)}"))

    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(data)
    assert (await reader.readline()).startswith(b"HTTP/1.1 201 ")
    writer.close()


async def test_a_body_without_a_token_is_not_even_asked_for(site: Site):
    answer = await site.raw(
        b"POST /scim/v2/Users HTTP/1.1\r\nHost: r\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"
    )

    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_an_unknown_expectation_fails(site: Site):
    answer = await site.raw(
        head("POST", "/Users", "Expect: the-best", "Content-Length: 2", "Connection: close") + b"{}"
    )

    assert answer.startswith(b"HTTP/1.1 417 ")
