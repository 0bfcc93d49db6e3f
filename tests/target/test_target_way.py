"""The way to TFE over real sockets: private authorities, a certificate of ours, proxies, old TLS."""

import asyncio
import ssl
from contextlib import asynccontextmanager

import pytest
from scripted_peer import http
from support.certificates import authority, issued

from relay.errors import NotSent, SettingsError
from relay.rules.planner import Request
from relay.target.way import Way, first_hop

CREATE = Request("POST", "/Users", {"userName": "ada"}, frozenset(), (), (), creates=True)
CREATED = http(201, b'{"id":"1"}')


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ours(tmp_path):
    return authority(tmp_path, "ours")


@asynccontextmanager
async def serving(context):
    """A TFE that answers every request on its TLS socket; its port and what it was sent."""
    heads = []

    async def answer(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(CREATED)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()


def tls(shown, clients=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*shown)
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@asynccontextmanager
async def proxy(answer=b"HTTP/1.1 200 OK\r\n\r\n"):
    """A CONNECT proxy that leads everybody to the address asked for; its port, and who asked."""
    asked = []

    async def pump(reader, writer):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def play(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head)
        writer.write(answer)
        await writer.drain()
        if b" 200 " not in answer:
            writer.close()
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        there = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer), return_exceptions=True)

    server = await asyncio.start_server(play, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()


async def test_a_private_authority_is_trusted_when_it_is_named_and_only_then(
    client, ours, tmp_path
):
    async with serving(tls(issued(tmp_path, "tfe", ours))) as (port, _):
        async with client(f"https://localhost:{port}", way=Way(ours[0])) as target:
            assert (await target.send(CREATE, "a")).status == 201
        async with client(f"https://localhost:{port}") as target:
            with pytest.raises(NotSent, match="certificate"):
                await target.send(CREATE, "a")


async def test_a_certificate_of_ours_is_shown(client, ours, tmp_path):
    shown = issued(tmp_path, "relay", ours)
    async with (
        serving(tls(issued(tmp_path, "tfe", ours), ours[0])) as (port, heads),
        client(f"https://localhost:{port}", way=Way(ours[0], *shown)) as target,
    ):
        assert (await target.send(CREATE, "a")).status == 201

    assert len(heads) == 1


def test_a_certificate_and_a_key_that_do_not_belong_together_are_named(ours, tmp_path):
    certificate, _ = issued(tmp_path, "relay", ours)

    with pytest.raises(SettingsError, match=r"target\.client_certificate"):
        Way(certificate=certificate, key=ours[1]).context()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_a_target_that_speaks_only_old_tls_is_sent_nothing(client, ours, tmp_path):
    old = tls(issued(tmp_path, "tfe", ours))
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with (
        serving(old) as (port, heads),
        client(f"https://localhost:{port}", way=Way(ours[0])) as target,
    ):
        with pytest.raises(NotSent):
            await target.send(CREATE, "a")

    assert heads == []


async def test_the_environments_proxy_is_taken_and_never_sees_the_token(
    client, ours, tmp_path, monkeypatch
):
    async with serving(tls(issued(tmp_path, "tfe", ours))) as (port, heads), proxy() as (at, asked):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{at}")
        way = Way(ours[0], proxy_from_environment=True)
        async with client(f"https://localhost:{port}", way=way) as target:
            assert (await target.send(CREATE, "a")).status == 201

    assert asked[0].startswith(f"CONNECT localhost:{port} ".encode())
    assert b"canary-token" not in asked[0]
    assert b"Bearer canary-token" in heads[0]


async def test_what_a_proxy_refuses_was_not_sent(client, ours, monkeypatch):
    departed = []
    async with proxy(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n") as (at, _):
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{at}")
        way = Way(ours[0], proxy_from_environment=True)
        async with client("https://localhost:1", way=way) as target:
            with pytest.raises(NotSent, match="407"):
                await target.send(CREATE, "a", lambda: departed.append(1))

    assert departed == []


@pytest.mark.parametrize("excepted", ["tfe.example.com", ".example.com", "*"])
def test_no_proxy_is_honoured(monkeypatch, excepted):
    monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")
    way, url = Way(proxy_from_environment=True), "https://tfe.example.com/scim/v2"
    assert first_hop(way, url) == ("proxy", "proxy.example.com", 3128)

    monkeypatch.setenv("no_proxy", excepted)
    assert first_hop(way, url) == ("target", "tfe.example.com", 443)


def test_a_proxy_is_taken_only_if_it_is_wanted_and_never_in_clear_text(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.example.com:3128")

    assert Way().proxy("https://tfe.example.com") is None
    assert Way(proxy_from_environment=True).proxy("http://127.0.0.1:1") is None
