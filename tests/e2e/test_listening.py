"""Where the relay listens: TLS with a certificate that is renewed, and what it calls itself."""

import asyncio
import ssl
import subprocess

import aiohttp
import pytest
from support.idp import TOKEN, Idp
from support.relays import RelayProcess, relay_for, typed, until, write_config

FAST = {"rate": 100}


def certify(folder, name):
    """A certificate for a name, and its key, as files that an operator would have."""
    files = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", f"/CN={name}",
         "-addext", f"subjectAltName=DNS:localhost,DNS:{name}",
         "-keyout", files[1], "-out", files[0]],
        check=True, capture_output=True,
    )  # fmt: skip
    return files


async def served_name(port):
    """The subject that a fresh handshake is shown."""
    trust = ssl.create_default_context()
    trust.check_hostname = False
    trust.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return b"renewed.example" in shown


async def test_a_renewed_certificate_is_served_without_restart(unlimited, tmp_path):
    certificate, key = certify(tmp_path, "first.example")
    listen = {"tls_certificate": str(certificate), "tls_key": str(key)}
    relay = RelayProcess(write_config(unlimited, tmp_path, listen=listen))
    await relay.start()
    assert not await served_name(relay.port)
    renewed = tmp_path / "renewed"
    renewed.mkdir()
    for old, new in zip((certificate, key), certify(renewed, "renewed.example"), strict=True):
        new.replace(old)

    async def changed():
        return await served_name(relay.port)

    await until(changed)
    trust = ssl.create_default_context(cafile=str(certificate))
    url = f"https://localhost:{relay.port}/scim/v2/Users"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(url, ssl=trust) as reply,
    ):
        assert reply.status in (200, 503)
    assert await relay.stop() == 0
    assert "tls.reloaded" in {line.get("event") for line in relay.lines}


async def test_clear_text_on_an_address_that_is_not_loopback_is_refused(unlimited, tmp_path):
    write_config(unlimited, tmp_path, listen={"address": "0.0.0.0:0"})
    code, shown = await typed(tmp_path, "serve")
    assert code == 2
    assert "insecure" in shown


@pytest.mark.parametrize("base_path", ["", "/", "/tfe/provisioning", "/scim/"])
async def test_the_endpoints_are_under_the_base_path_and_nowhere_else(
    unlimited, tmp_path, base_path
):
    listen = {"base_path": base_path}
    async with relay_for(unlimited, tmp_path, target=FAST, listen=listen) as relay:
        ident = await relay.idp.create_user("ada@example.com")
        await relay.settled()
        reply = await relay.idp.get(f"/Users/{ident}")
        at = f"http://127.0.0.1:{relay.parts.port}"
        assert reply.body["meta"]["location"] == f"{at}{base_path.rstrip('/')}/Users/{ident}"
        async with Idp(f"{at}/scim/v2") as elsewhere:
            assert (await elsewhere.get("/Users")).status == 404


async def test_locations_are_under_the_public_url(unlimited, tmp_path):
    listen = {"public_url": "https://scim.example.com"}
    async with relay_for(unlimited, tmp_path, target=FAST, listen=listen) as relay:
        reply = await relay.idp.post("/Users", {"userName": "ada@example.com"})
        at = f"https://scim.example.com/scim/v2/Users/{reply.body['id']}"
        assert reply.headers["Location"] == reply.body["meta"]["location"] == at


@pytest.mark.parametrize("address", ["unix:scim.sock", "127.0.0.1:0"])
async def test_discovery_says_what_the_relay_can_do(unlimited, tmp_path, address):
    if address.startswith("unix:"):
        address = f"unix:{tmp_path}/scim.sock"
    relay = RelayProcess(write_config(unlimited, tmp_path, listen={"address": address}))
    await relay.start()
    connector = (
        aiohttp.UnixConnector(str(tmp_path / "scim.sock")) if address.startswith("unix:") else None
    )
    base = f"http://127.0.0.1:{relay.port or 80}/scim/v2"
    async with aiohttp.ClientSession(
        connector=connector, headers={"Authorization": f"Bearer {TOKEN}"}
    ) as session:
        async with session.get(f"{base}/ServiceProviderConfig") as reply:
            config = await reply.json(content_type=None)
        async with session.get(f"{base}/ResourceTypes") as reply:
            types = await reply.json(content_type=None)
    assert (config["patch"]["supported"], config["filter"]["supported"]) == (True, True)
    assert config["bulk"]["maxOperations"] == 100
    assert {one["name"] for one in types["Resources"]} == {"User", "Group"}
    assert await relay.stop() == 0


def nested(levels):
    """A user whose body is nested so deep; what no schema knows is passed over."""
    inner = {}
    for _ in range(levels - 2):
        inner = {"deeper": inner}
    return {"userName": "ada@example.com", "emails": [{"value": "ada@example.com"}], "x": inner}


async def test_the_bounds_on_clients_are_those_of_the_configuration(unlimited, tmp_path):
    listen = {"wrong_tokens": 2, "max_depth": 8}
    async with relay_for(unlimited, tmp_path, target=FAST, listen=listen) as relay:
        base = f"http://127.0.0.1:{relay.parts.port}/scim/v2"
        async with Idp(base, token="guess") as guesser:
            statuses = [(await guesser.get("/Users")).status for _ in range(3)]
        refused = await relay.idp.post("/Users", nested(9))
        taken = await relay.idp.post("/Users", nested(8))

    assert statuses == [401, 401, 429]
    assert (refused.status, "deeper than 8" in refused.body["detail"]) == (400, True)
    assert taken.status == 201
