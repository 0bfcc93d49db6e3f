"""Who may ask: addresses, certificates of clients, and what a proxy in front is believed."""

import ipaddress
import shutil
import ssl

import aiohttp
import pytest
from support.certificates import authority, issued
from support.front_fakes import TOKEN, running

from relay.errors import SettingsError
from relay.front.settings import Tls
from relay.front.tls import CertificateSource
from relay.settings.kinds import Address, parse_networks, parse_proxies

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
OFFICE = (ipaddress.ip_network("203.0.113.0/24"), ipaddress.ip_network("2001:db8::/32"))


async def asked(site, **headers):
    return await site.send("GET", "/ServiceProviderConfig", headers=headers)


async def test_an_address_that_is_not_allowed_is_told_so_whatever_its_token():
    async with running(allow=OFFICE) as site:
        for token in (TOKEN, "wrong"):
            reply, body = await site.send("GET", "/Users", token=token)
            assert reply.status == 403
            assert body["detail"] == "requests from 127.0.0.1 are not allowed here"

    assert site.metrics.refusals == ["address", "address"]


async def test_an_address_that_is_allowed_needs_a_token_all_the_same():
    async with running(allow=LOOPBACK) as site:
        assert (await site.send("GET", "/Users"))[0].status == 200
        assert (await site.send("GET", "/Users", token="wrong"))[0].status == 401


@pytest.mark.parametrize(
    ("chain", "status"),
    [
        ("203.0.113.9", 200),
        ("203.0.113.9:51234", 200),
        ("[2001:db8::7]:443", 200),
        ("::ffff:203.0.113.9", 200),
        ("198.51.100.1", 403),
        ("203.0.113.9, 198.51.100.1", 403),  # what the client wrote is not what the proxy saw
        ("198.51.100.1, 203.0.113.9, 127.0.0.1", 200),  # through a second proxy that is trusted
        ("203.0.113.9, nonsense", 403),
        ("", 403),
    ],
)
async def test_behind_a_trusted_proxy_the_last_strange_address_is_the_client(chain, status):
    async with running(allow=OFFICE, trusted_proxies=LOOPBACK) as site:
        reply, _ = await asked(site, **{"X-Forwarded-For": chain})

    assert reply.status == status


async def test_a_header_from_anybody_else_is_not_believed():
    said = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "evil.example"}
    async with running(allow=OFFICE) as site:
        assert (await asked(site, **said))[0].status == 403
    async with running() as site:
        _, body = await asked(site, **said, **{"X-Forwarded-Proto": "https"})
        assert body["meta"]["location"].startswith(f"http://127.0.0.1:{site.port}/")


async def test_locations_are_under_the_name_a_trusted_proxy_says():
    said = {"X-Forwarded-Host": "scim.example.com", "X-Forwarded-Proto": "https"}
    async with running(trusted_proxies=LOOPBACK) as site:
        _, body = await asked(site, **said)
        assert body["meta"]["location"].startswith("https://scim.example.com/scim/v2/")
        _, body = await asked(site, **{"X-Forwarded-Host": "a b", "X-Forwarded-Proto": "gopher"})
        assert body["meta"]["location"].startswith("http://localhost/")


async def test_one_that_guesses_behind_a_proxy_is_slowed_down_alone():
    async with running(trusted_proxies=LOOPBACK, wrong_tokens=2) as site:
        statuses = []
        for one in ("198.51.100.1",) * 3 + ("198.51.100.2",):
            said = {"X-Forwarded-For": one}
            reply, _ = await site.send("GET", "/Users", token="no", headers=said)
            statuses.append(reply.status)

    assert statuses == [401, 401, 429, 401]


@pytest.mark.parametrize(("trusts_unix", "status"), [(True, 200), (False, 403)])
async def test_a_unix_socket_speaks_for_others_only_if_it_is_trusted(tmp_path, trusts_unix, status):
    path = tmp_path / "scim.sock"
    unix = Address(path=path)
    async with running(address=unix, unix_mode=0o600, allow=OFFICE, trusts_unix=trusts_unix):
        assert path.stat().st_mode & 0o777 == 0o600
        connector = aiohttp.UnixConnector(str(path))
        headers = {**HEADERS, "X-Forwarded-For": "203.0.113.9"}
        async with (
            aiohttp.ClientSession(connector=connector, headers=headers) as session,
            session.get("http://relay/scim/v2/Users") as reply,
        ):
            assert reply.status == status


def showing(trusted, shown=None):
    context = ssl.create_default_context(cafile=trusted)
    if shown is not None:
        context.load_cert_chain(*shown)
    return context


async def status_of(port, context):
    """The status, or None where the handshake failed."""
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        try:
            url = f"https://localhost:{port}/scim/v2/ServiceProviderConfig"
            async with session.get(url, ssl=context) as reply:
                return reply.status
        except aiohttp.ClientError:
            return None


async def test_with_client_ca_nobody_comes_in_without_a_certificate_and_a_new_ca_is_taken_up(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(CertificateSource.__init__, "__defaults__", (0.0,))
    ours, theirs = authority(tmp_path, "ours"), authority(tmp_path, "theirs")
    server = issued(tmp_path, "server", ours)
    right, wrong = issued(tmp_path, "right", ours), issued(tmp_path, "wrong", theirs)
    trusted = tmp_path / "clients.pem"
    shutil.copy(ours[0], trusted)

    async with running(tls=Tls(*server, trusted)) as site:
        before = [
            await status_of(site.port, showing(ours[0], shown)) for shown in (right, wrong, None)
        ]
        shutil.copy(theirs[0], trusted)
        after = [await status_of(site.port, showing(ours[0], shown)) for shown in (right, wrong)]

    assert before == [200, None, None]
    assert after == [None, 200]


async def test_an_unusable_client_ca_is_named_at_start(tmp_path):
    server = issued(tmp_path, "server", authority(tmp_path, "ours"))
    (tmp_path / "clients.pem").write_text("no authority")

    with pytest.raises(SettingsError, match=r"clients\.pem"):
        async with running(tls=Tls(*server, tmp_path / "clients.pem")):
            pass


def test_networks_are_read_with_and_without_a_mask():
    assert parse_networks(["192.0.2.7", "2001:db8::/32"]) == (
        ipaddress.ip_network("192.0.2.7/32"),
        ipaddress.ip_network("2001:db8::/32"),
    )
    assert parse_proxies(["unix", "::1"]) == ("unix", ipaddress.ip_network("::1/128"))


@pytest.mark.parametrize("value", ["10.0.0.0/8", ["10.0.0.1/8"], ["example.com"], [7]])
def test_what_is_no_list_of_networks_is_refused(value):
    for parse in (parse_networks, parse_proxies):
        with pytest.raises(ValueError, match=r"not a (list|network)"):
            parse(value)
