"""Alert rules, their cases, their runbook and the metrics they ask for agree (C3)."""

import re
from pathlib import Path

import pytest
from support.relays import relay_for

from relay.simulator import RateLimit, SimulatorSettings, simulator
from relay.store.compare.reconciling import DriftKind
from relay.telemetry.metrics import Metrics, described

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "config" / "prometheus"
RULES = (FOLDER / "alerts.yml").read_text()
ALERTS = re.findall(r"^ +- alert: (\w+)$", RULES, re.MULTILINE)
RUNBOOK = (ROOT / "docs" / "how-to" / "alerts.md").read_text()
OURS = re.compile(r"\bscim_relay_\w+")


def blocks():
    return {
        re.match(r"(\w+)", block)[1]: block
        for block in re.split(r"^ +- alert: ", RULES, flags=re.MULTILINE)[1:]
    }


def known():
    return {series for name, kind, _, _ in described(Metrics()) for series in series_of(name, kind)}


def series_of(name, kind):
    return {name, f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}


def test_no_alert_is_there_twice():
    assert len(ALERTS) == len(set(ALERTS)) > 20


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_asks_for_metrics_that_exist(alert):
    expression = re.search(r"expr: (.*?)\n +(?:for|labels):", blocks()[alert], re.DOTALL)[1]
    asked = set(OURS.findall(expression))

    assert asked or "up{" in expression
    assert asked <= known()


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_severity_a_summary_and_a_runbook_section(alert):
    block = blocks()[alert]
    anchor = re.search(r"runbook_url: docs/how-to/alerts\.md#(\w+)$", block, re.MULTILINE)[1]

    assert re.search(r"severity: (page|warning)\b", block)
    assert "summary: " in block
    assert anchor in {title.lower() for title in re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE)}


def test_every_section_of_the_runbook_is_of_an_alert():
    assert set(re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE)) <= set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tried_silent_firing_and_cleared(alert):
    cases = (FOLDER / "alerts_test.yml").read_text()
    [case] = [
        case
        for case in re.split(r"^  - interval: ", cases, flags=re.MULTILINE)
        if f"    name: {alert}\n" in case
    ]
    tried = re.findall(
        r"eval_time: (\d+)m\n +alertname: (\w+)\n +exp_alerts:(.*)$", case, re.MULTILINE
    )
    times = [int(minute) for minute, _, _ in tried]

    assert [(name, expected == " []") for _, name, expected in tried] == [
        (alert, True), (alert, False), (alert, True),
    ]  # fmt: skip
    assert times == sorted(times)


def test_who_inhibits_and_is_inhibited_is_an_alert_and_owed_revocations_never_are():
    text = (FOLDER / "alertmanager.yml").read_text()
    named = set(re.findall(r"ScimRelay\w+", re.sub(r"^#.*$", "", text, flags=re.MULTILINE)))
    inhibited = set(re.findall(r"ScimRelay\w+", "".join(re.findall(r"target_matchers: .*", text))))

    assert named <= set(ALERTS)
    assert "ScimRelayRevocationsOwed" not in inhibited


async def test_a_kind_of_drift_is_counted_from_nought_so_that_its_first_is_an_increase(tmp_path):
    async with (
        simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim,
        relay_for(sim, tmp_path) as relay,
    ):
        text = relay.parts.metrics.exposition().decode()

    for kind in DriftKind:
        assert f'scim_relay_drift_total{{what="{kind.value}"}} 0.0' in text
