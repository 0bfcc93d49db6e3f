"""The Grafana dashboard: importable, without plug-ins, every query about something that exists."""

import json
import re
from pathlib import Path

import pytest

from relay.telemetry.metrics import Metrics, described

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "config" / "grafana" / "scim-relay.json").read_text())
PANELS = [one for one in DASHBOARD["panels"] if one["type"] != "row"]
LABELS = {name: set(labels) for name, _, labels, _ in described(Metrics())}
EVERYWHERE = {"job", "instance", "le"}


def known(series):
    """The metric that a series of a query belongs to, or None."""
    return next(
        (name for name in (series, re.sub(r"_(bucket|sum|count)$", "", series)) if name in LABELS),
        None,
    )


def expressions(panel):
    return [target["expr"] for target in panel["targets"]]


def test_it_reads_from_top_to_bottom():
    rows = [one["title"] for one in DASHBOARD["panels"] if one["type"] == "row"]
    assert rows == [
        "Is it healthy?",
        "How far behind is Terraform Enterprise?",
        "What is held?",
        "What is parked?",
        "What is Terraform Enterprise doing?",
        "What are the identity providers doing?",
        "The host",
    ]


def test_it_can_be_imported_anywhere():
    names = {one["name"]: one["type"] for one in DASHBOARD["templating"]["list"]}
    assert names == {"datasource": "datasource", "job": "query", "instance": "query"}
    assert {one["type"] for one in PANELS} <= {"stat", "timeseries"}
    assert {json.dumps(one["datasource"]) for one in PANELS} == {
        json.dumps({"type": "prometheus", "uid": "${datasource}"})
    }
    ids = [one["id"] for one in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_no_panel_lies_on_another_or_past_the_edge():
    cells = [
        (x, y)
        for place in (one["gridPos"] for one in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("panel", PANELS, ids=[one["title"] for one in PANELS])
def test_a_panel_says_what_it_shows_and_asks_for_what_exists(panel):
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert expressions(panel)
    for expression in expressions(panel):
        series = re.findall(r"\bscim_relay_\w+", expression)
        assert all(known(one) for one in series)
        assert series or expression.startswith("up{")
        asked = set(re.findall(r"(\w+)=~?\"", expression))
        asked |= {
            one.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for one in by.split(",")
        }
        allowed = EVERYWHERE.union(*(LABELS[known(one)] for one in series))
        assert asked <= allowed


def test_every_metric_is_shown_or_is_only_about_the_relay_itself():
    shown = {
        known(one)
        for panel in PANELS
        for text in expressions(panel)
        for one in re.findall(r"\bscim_relay_\w+", text)
    }
    assert set(LABELS) - shown == {
        "scim_relay_build_info",
        "scim_relay_history_pruned_total",
        "scim_relay_inbound_token_seconds_left",
        "scim_relay_scim_token_seconds_left",
        "scim_relay_store_batch_size",
    }
