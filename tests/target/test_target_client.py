"""How far a request got, told exactly, against a peer that misbehaves at each phase (D2, K1)."""

import asyncio
import socket
import ssl
import struct
from dataclasses import dataclass

import pytest
from scripted_peer import http, read_request

from relay import __version__
from relay.errors import MaybeSent, NotSent, SettingsError
from relay.rules.planner import Request
from relay.target import FixedToken, TokenFile
from relay.target.way import Way

CREATE = Request("POST", "/Users", {"userName": "ada"}, frozenset(), (), (), creates=True)
DELETE = Request("DELETE", "/Users/u%2F1", None, frozenset(), (), (), deletes=True)


@dataclass(frozen=True)
class Get:
    path: str = "/Users"
    method: str = "GET"
    body: None = None


def answering(*answers):
    """Play whole answers, one per request, on one connection after another."""
    left = list(answers)

    async def play(peer, reader, writer):
        while left:
            await read_request(peer, reader)
            writer.write(left.pop(0))
            await writer.drain()
        await reader.read()

    return play


def abort(writer):
    """Close with a reset instead of a FIN."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_a_request_carries_what_the_contract_wants_and_nothing_is_added_to_its_path(
    peer, client
):
    async with peer(answering(http(201, b'{"id":"u1"}'))) as server, client(server.url) as target:
        answer = await target.send(CREATE, "attempt-7", query={"a": "x y&z"})

    (received,) = server.received
    head, _, body = received.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines}
    assert first == "POST /scim/v2/Users?a=x%20y%26z HTTP/1.1"
    assert body == '{"userName":"ada"}'
    assert headers["authorization"] == "Bearer canary-token"
    assert headers["accept"] == headers["content-type"] == "application/scim+json"
    assert headers["user-agent"] == f"tfe-scim-relay/{__version__}"
    assert headers["x-request-id"] == "attempt-7"
    assert (answer.status, answer.body) == (201, {"id": "u1"})


async def test_a_delete_keeps_its_encoded_id_and_has_no_content_type(peer, client):
    async with peer(answering(http(204))) as server, client(server.url) as target:
        answer = await target.send(DELETE, "a")

    assert server.received[0].startswith(b"DELETE /scim/v2/Users/u%2F1 HTTP/1.1\r\n")
    assert b"content-type" not in server.received[0].lower()
    assert (answer.status, answer.body) == (204, None)


async def test_only_the_headers_that_are_judged_come_back(peer, client):
    headers = "Retry-After: 7\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Other: 1\r\n"
    async with (
        peer(answering(http(429, b"slow down", headers=headers))) as server,
        client(server.url) as target,
    ):
        answer = await target.send(CREATE, "a")

    assert answer.headers == {"retry-after": "7", "date": "Sun, 06 Nov 1994 08:49:37 GMT"}
    assert answer.body == "slow down"
    assert answer.received_at > 1_700_000_000


async def test_a_refused_connection_is_not_sent(client):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    async with client(f"http://127.0.0.1:{port}") as target:
        with pytest.raises(NotSent, match="cannot reach the target"):
            await target.send(CREATE, "a")


async def test_a_name_that_does_not_resolve_is_not_sent(client):
    async with client("http://no-such-host.invalid") as target:
        with pytest.raises(NotSent):
            await target.send(CREATE, "a")


async def test_a_failed_tls_handshake_is_not_sent(peer, client):
    async def play(peer, reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 speak plainly\r\n\r\n")
        await writer.drain()

    async with peer(play) as server, client(server.url.replace("http", "https")) as target:
        with pytest.raises(NotSent):
            await target.send(CREATE, "a")

    assert server.received == []


async def test_a_tls_handshake_that_hangs_is_not_sent(peer, client):
    async def play(peer, reader, writer):
        await reader.read()

    async with (
        peer(play) as server,
        client(server.url.replace("http", "https"), timeout_s=0.2) as target,
    ):
        with pytest.raises(NotSent, match="connecting took too long"):
            await target.send(CREATE, "a")


async def test_a_reset_after_the_headers_left_is_maybe_sent(peer, client):
    async def play(peer, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        abort(writer)

    async with peer(play) as server, client(server.url) as target:
        with pytest.raises(MaybeSent):
            await target.send(CREATE, "a")


async def test_an_end_of_stream_instead_of_an_answer_is_maybe_sent(peer, client):
    async def play(peer, reader, writer):
        await read_request(peer, reader)

    async with peer(play) as server, client(server.url) as target:
        with pytest.raises(MaybeSent):
            await target.send(CREATE, "a")


async def test_no_answer_in_time_is_maybe_sent(peer, client):
    async def play(peer, reader, writer):
        await read_request(peer, reader)
        await reader.read()

    async with peer(play) as server, client(server.url, timeout_s=0.2) as target:
        with pytest.raises(MaybeSent, match=r"no answer in 0\.2 s"):
            await target.send(CREATE, "a")


@pytest.mark.parametrize(
    "answer",
    [
        http(201, b'{"id":"u1"', length=40),
        http(201, b'{"id":"u1"'),
        http(200, b"<html>log in</html>"),
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 20",
        b"SSH-2.0-OpenSSH\r\n",
    ],
    ids=["short", "half-json", "html", "chunk", "status-line", "not-http"],
)
async def test_a_cut_or_alien_success_is_maybe_sent(peer, client, answer):
    async def play(peer, reader, writer):
        await read_request(peer, reader)
        writer.write(answer)
        await writer.drain()

    async with peer(play) as server, client(server.url) as target:
        with pytest.raises(MaybeSent):
            await target.send(CREATE, "a")


async def test_a_success_longer_than_allowed_is_maybe_sent(peer, client):
    answer = http(200, b'"' + b"x" * 2000 + b'"')
    async with (
        peer(answering(answer)) as server,
        client(server.url, max_answer_bytes=1000) as target,
    ):
        with pytest.raises(MaybeSent, match="longer"):
            await target.send(CREATE, "a")


async def test_a_definite_status_counts_even_if_its_body_is_cut(peer, client):
    async def play(peer, reader, writer):
        await read_request(peer, reader)
        writer.write(http(429, b"{", length=99, headers="Retry-After: 3\r\n"))
        await writer.drain()

    async with peer(play) as server, client(server.url) as target:
        answer = await target.send(CREATE, "a")

    assert (answer.status, answer.body) == (429, None)
    assert answer.headers == {"retry-after": "3"}


async def test_a_redirect_is_answered_and_not_followed(peer, client):
    redirect = http(302, b"<html>", headers="Location: http://127.0.0.1:9/\r\n")
    async with peer(answering(redirect)) as server, client(server.url) as target:
        answer = await target.send(CREATE, "a")

    assert (answer.status, answer.body) == (302, "<html>")
    assert len(server.received) == 1


async def test_connections_stay_warm_between_requests(peer, client):
    async with peer(answering(http(204), http(204), http(204))) as server:
        async with client(server.url) as target:
            for _ in range(3):
                await target.send(DELETE, "a")

        assert server.connections == 1


@pytest.mark.parametrize("request_", [DELETE, Get(), CREATE], ids=lambda it: it.method)
async def test_a_kept_connection_that_breaks_never_repeats_a_request(peer, client, request_):
    """aiohttp would send GET and DELETE again by itself: unpaced and unrecorded."""

    async def play(peer, reader, writer):
        await read_request(peer, reader)
        writer.write(http(204))
        await writer.drain()
        await read_request(peer, reader)
        abort(writer)

    async with peer(play) as server, client(server.url) as target:
        await target.send(DELETE, "a")
        with pytest.raises(MaybeSent):
            await target.send(request_, "b")

    assert len(server.received) == 2
    assert server.connections == 1


async def test_a_cancelled_request_leaves_the_pool_whole(peer, client):
    entered = asyncio.Event()

    async def play(peer, reader, writer):
        await read_request(peer, reader)
        if peer.connections == 1:
            entered.set()
            await reader.read()
        else:
            writer.write(http(204))
            await writer.drain()

    async with peer(play) as server, client(server.url, concurrency=1) as target:
        first = asyncio.create_task(target.send(CREATE, "a"))
        await entered.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first

        assert (await target.send(DELETE, "b")).status == 204


async def test_no_failure_ever_shows_the_token(peer, client):
    async def play(peer, reader, writer):
        await read_request(peer, reader)
        abort(writer)

    async with peer(play) as server, client(server.url, FixedToken("canary-token")) as target:
        with pytest.raises(MaybeSent) as caught:
            await target.send(CREATE, "a")

    error = caught.value
    while error is not None:
        assert "canary-token" not in f"{error!r} {error}"
        error = error.__cause__ or error.__context__


async def test_a_new_token_is_used_without_a_restart(peer, client, tmp_path):
    path = tmp_path / "token"
    path.write_text("first\n")
    async with (
        peer(answering(http(401), http(204))) as server,
        client(server.url, TokenFile(path)) as target,
    ):
        await target.send(DELETE, "a")
        fresh = tmp_path / "fresh"
        fresh.write_text("second\n")
        fresh.rename(path)
        await target.send(DELETE, "b")

    assert b"Bearer first\r\n" in server.received[0]
    assert b"Bearer second\r\n" in server.received[1]


async def test_without_any_token_nothing_is_sent(peer, client, tmp_path):
    async with (
        peer(answering()) as server,
        client(server.url, TokenFile(tmp_path / "none")) as target,
    ):
        with pytest.raises(NotSent, match="token file"):
            await target.send(CREATE, "a")

    assert server.connections == 0


async def test_a_missing_authority_file_is_told_at_the_start(client, tmp_path):
    with pytest.raises(SettingsError, match=r"target\.ca_file.*No such file"):
        async with client("https://127.0.0.1:1", way=Way(tmp_path / "none.pem")):
            pass


def test_old_tls_is_never_spoken():
    context = Way().context()

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
