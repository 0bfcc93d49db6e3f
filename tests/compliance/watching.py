"""A real Prometheus that watches a relay in this process, in a hurry."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from programs import clean_environment
from support.relays import until

CONFIG = Path(__file__).parents[2] / "config" / "prometheus"
SLOW = 200
"""A minute of the rules is a fraction of a second here."""
LONGEST_MS = 9_000


def hurried(rules):
    """The same rules, with every wait and age divided by `SLOW`."""

    def quicker(found):
        seconds = int(found[1]) * {"m": 60, "h": 3600, "d": 86400}[found[2]]
        return f"{min(max(seconds * 1000 // SLOW, 1), LONGEST_MS)}ms"

    text = re.sub(r"(?<=for: )(\d+)([mhd])\b", quicker, rules)
    text = re.sub(r"(throttled_total\[1h\]\)) > 60\b", r"\1 > 1", text)
    return re.sub(r"(age_seconds) > 900\b", rf"\1 > {900 / SLOW}", text)


@asynccontextmanager
async def watched(programs, folder, port):
    """A Prometheus that scrapes the relay twice a second; asks it which alerts fire."""
    (folder / "alerts.yml").write_text(hurried((CONFIG / "alerts.yml").read_text()))
    text = (CONFIG / "prometheus.yml").read_text().replace("15s", "500ms")
    (folder / "prometheus.yml").write_text(
        text.partition("alerting:")[0].replace("127.0.0.1:9464", f"127.0.0.1:{port}")
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        str(programs / "prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=clean_environment(),
    )
    try:
        async with aiohttp.ClientSession() as session:
            yield Alerts(session, f"http://{address}")
    finally:
        process.kill()
        await process.wait()


class Alerts:
    """What a Prometheus says; called, the names of alerts that fire, or None while it starts."""

    def __init__(self, session, address):
        self.address = address
        self._session = session

    async def __call__(self):
        try:
            async with self._session.get(f"{self.address}/api/v1/alerts") as answer:
                alerts = (await answer.json())["data"]["alerts"]
        except (aiohttp.ClientError, ValueError):
            return None
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}


def told(alerts, *names, quiet=()):
    """Wait until all of `names` fire and none of `quiet`."""

    async def so():
        now = await alerts()
        return now is not None and set(names) <= now and not now & set(quiet)

    return until(so, 60)


async def answered(session, address, expression, job, instance):
    """The result of one query of the dashboard, as Grafana would ask it."""
    text = expression.replace("$__rate_interval", "10s").replace("[1h]", "[1m]")
    query = {"query": text.replace("$job", job).replace("$instance", instance)}
    async with session.get(f"{address}/api/v1/query", params=query) as answer:
        told = await answer.json()
    assert told["status"] == "success", (expression, told)
    return told["data"]["result"]
