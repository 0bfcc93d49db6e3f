from __future__ import annotations

import asyncio
import ssl
import subprocess
from dataclasses import replace

import aiohttp
import pytest
from support.front_fakes import CONNECTIONS, TOKEN, FakeDirectory, FakeUpstream, RecordedMetrics

from relay.clock import SystemClock
from relay.errors import SettingsError
from relay.front.front import Front
from relay.front.server import serve_front
from relay.front.settings import FrontSettings, Tls
from relay.front.tls import CertificateSource
from relay.settings.kinds import Address

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def front(**changes) -> Front:
    settings = FrontSettings(connections=CONNECTIONS, address=Address("127.0.0.1", 0), drain_s=1.0)
    return Front(
        replace(settings, **changes),
        FakeDirectory(),
        FakeUpstream(),
        RecordedMetrics(),
        SystemClock(),
    )


def certify(folder, name: str) -> Tls:
    """A self-signed certificate for localhost, by the openssl command."""
    folder.mkdir(exist_ok=True)
    tls = Tls(folder / "cert.pem", folder / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", tls.key, "-out", tls.certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return tls


def trusting(tls: Tls) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(tls.certificate))


async def get(url: str, **options) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers=HEADERS, **options) as response,
    ):
        return response.status


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "scim.example.com"])
async def test_clear_text_beyond_loopback_is_refused_by_name(host):
    with pytest.raises(SettingsError, match=r"listen\.insecure"):
        async with serve_front(front(address=Address(host, 0))):
            pass


async def test_clear_text_beyond_loopback_is_served_if_wanted():
    async with serve_front(front(address=Address("0.0.0.0", 0), insecure=True)) as listening:
        assert await get(f"http://127.0.0.1:{listening.port}/scim/v2/Users") == 200


async def test_a_unix_socket_is_served_for_the_group_and_goes_away(tmp_path):
    path = tmp_path / "scim.sock"

    async with serve_front(front(address=Address(path=path))):
        assert path.stat().st_mode & 0o777 == 0o660
        connector = aiohttp.UnixConnector(str(path))
        async with (
            aiohttp.ClientSession(connector=connector, headers=HEADERS) as session,
            session.get("http://relay/scim/v2/Users") as response,
        ):
            assert response.status == 200

    assert not path.exists()


async def test_an_address_in_use_is_named():
    async with serve_front(front()) as listening:
        with pytest.raises(SettingsError, match=r"listen\.address"):
            async with serve_front(front(address=Address("127.0.0.1", listening.port))):
                pass


async def test_tls_is_served_and_locations_say_so(tmp_path):
    tls = certify(tmp_path, "localhost")

    async with serve_front(front(tls=tls)) as listening, aiohttp.ClientSession() as session:
        url = f"https://localhost:{listening.port}/scim/v2/ServiceProviderConfig"
        async with session.get(url, headers=HEADERS, ssl=trusting(tls)) as response:
            assert response.status == 200
            assert (await response.json(content_type=None))["meta"]["location"].startswith("https")


def speaking(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_a_client_that_speaks_only_tls_below_1_2_is_refused(tmp_path):
    tls = certify(tmp_path, "localhost")
    old, new = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2
    permissive = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    permissive.load_cert_chain(tls.certificate, tls.key)
    control = await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=speaking(permissive, old)
    )
    port = control.sockets[0].getsockname()[1]

    async with control, serve_front(front(tls=tls)) as listening:
        assert await peer_name(port, speaking(trusting(tls), old), "localhost") == "localhost"
        named = await peer_name(listening.port, speaking(trusting(tls), new), "localhost")
        assert named == "localhost"
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await peer_name(listening.port, speaking(trusting(tls), old), "localhost")


async def test_clear_text_to_the_tls_port_gets_no_answer(tmp_path):
    async with serve_front(front(tls=certify(tmp_path, "localhost"))) as listening:
        reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        writer.write(b"GET /scim/v2/Users HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()

    assert b"HTTP" not in answer


async def peer_name(port: int, trusted: ssl.SSLContext, host: str = "127.0.0.1") -> str:
    _, writer = await asyncio.open_connection(host, port, ssl=trusted)
    subject = writer.get_extra_info("peercert")["subject"]
    writer.close()
    return subject[0][0][1]


async def test_a_renewed_certificate_is_taken_up_and_a_broken_one_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr("relay.front.tls._LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(CertificateSource.__init__, "__defaults__", (0.0,))
    tls = certify(tmp_path, "first")
    anyone = ssl.create_default_context(cafile=str(tls.certificate))
    anyone.check_hostname = False

    async with serve_front(front(tls=tls)) as listening:
        assert await peer_name(listening.port, anyone) == "first"
        certify(tmp_path, "second")
        anyone.load_verify_locations(cafile=str(tls.certificate))
        assert await peer_name(listening.port, anyone) == "second"
        tls.certificate.write_text("no certificate")
        assert await peer_name(listening.port, anyone) == "second"


async def test_an_unusable_certificate_is_named_at_start(tmp_path):
    tls = certify(tmp_path, "localhost")
    tls.key.write_text("no key")

    with pytest.raises(SettingsError, match=r"listen\.tls_certificate"):
        async with serve_front(front(tls=tls)):
            pass


def stuck_front(**changes) -> tuple[Front, FakeDirectory]:
    directory = FakeDirectory()
    directory.stuck = asyncio.Event()
    settings = replace(front().settings, **changes)
    return Front(settings, directory, FakeUpstream(), RecordedMetrics(), SystemClock()), directory


USER = {"userName": "a@b.c", "emails": [{"value": "a@b.c"}]}


async def test_a_request_under_way_is_finished_before_the_end():
    serving, directory = stuck_front()
    assert directory.stuck is not None
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        async with serve_front(serving) as listening:
            url = f"http://127.0.0.1:{listening.port}/scim/v2/Users"
            asking = asyncio.ensure_future(session.post(url, json=USER))
            await directory.entered.wait()
            asyncio.get_running_loop().call_later(0.05, directory.stuck.set)
        async with await asking as response:
            assert response.status == 201
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)


async def test_a_request_that_does_not_end_is_cut_off_at_the_drain_s_deadline():
    serving, directory = stuck_front(drain_s=0.1)
    async with aiohttp.ClientSession(headers=HEADERS) as session, asyncio.timeout(3):
        async with serve_front(serving) as listening:
            url = f"http://127.0.0.1:{listening.port}/scim/v2/Users"
            asking = asyncio.ensure_future(session.post(url, json=USER))
            await directory.entered.wait()
        with pytest.raises(aiohttp.ClientConnectionError):
            await asking

    assert directory.accepted == []


async def test_idle_connections_do_not_hold_up_the_end():
    async with asyncio.timeout(3), serve_front(front(drain_s=30.0)) as listening:
        reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        writer.write(b"GET /scim/v2/Users HTTP/1.1\r\nHost: r\r\nAuthorization: ")
        writer.write(TOKEN.encode() + b"\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
    writer.close()
