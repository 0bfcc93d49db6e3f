# ruff: noqa: INP001, T201, TID251 - a script, not a package; it draws real time
"""Draws the dashboard's panels from a Prometheus, for where no Grafana is at hand.

Run it in a virtual environment that has matplotlib:

    python config/grafana/draw.py http://127.0.0.1:9090 scim-relay 127.0.0.1:9464 300 board.png

The arguments are the Prometheus, the job, the instance, how many seconds back to look, and the file
to write. The queries are those of `scim-relay.json` beside it.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt  # type: ignore[import-not-found, unused-ignore]

STEP_S = 2


def asked(prometheus: str, expression: str, seconds: int) -> list[Any]:
    """A range of one query's result."""
    now = time.time()
    query = {"query": expression, "start": now - seconds, "end": now, "step": STEP_S}
    url = f"{prometheus}/api/v1/query_range?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - the operator's own Prometheus
        found: list[Any] = json.load(answer)["data"]["result"]
    return found


def legend(text: str, labels: dict[str, str]) -> str:
    """Grafana's `{{label}}` filled in."""
    for name, value in labels.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def main() -> None:
    """Draw every panel in its place."""
    prometheus, job, instance, seconds, target = sys.argv[1:]
    board = json.loads(Path(__file__).with_name("scim-relay.json").read_text("utf-8"))
    height = max(one["gridPos"]["y"] + one["gridPos"]["h"] for one in board["panels"])
    figure = plt.figure(figsize=(18, height * 0.34), facecolor="#f4f5f5")
    for panel in board["panels"]:
        place = panel["gridPos"]
        left, bottom = place["x"] / 24, 1 - (place["y"] + place["h"]) / height
        if panel["type"] == "row":
            figure.text(0.008, bottom + 0.2 / height, panel["title"], fontsize=12, weight="bold")
            continue
        box = (
            left + 0.022,
            bottom + 1.1 / height,
            place["w"] / 24 - 0.03,
            (place["h"] - 2.3) / height,
        )
        axes = figure.add_axes(box)
        axes.set_title(panel["title"], fontsize=9, loc="left")
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
        for query in panel["targets"]:
            text = query["expr"].replace("$job", job).replace("$instance", instance)
            text = text.replace("$__rate_interval", "10s")
            for series in asked(prometheus, text, int(seconds)):
                times = [float(at) - time.time() for at, _ in series["values"]]
                values = [float(value) for _, value in series["values"]]
                if panel["type"] == "stat":
                    axes.text(0.5, 0.4, f"{values[-1]:g}", ha="center", fontsize=22)
                    axes.set_axis_off()
                elif any(values) or len(panel["targets"]) > 1:
                    name = legend(query["legendFormat"], series["metric"])
                    axes.plot(times, values, lw=1.2, label=name)
        if panel["type"] != "stat":
            axes.set_ylim(bottom=0)
            if axes.get_legend_handles_labels()[0]:
                axes.legend(fontsize=6, loc="upper left", framealpha=0.6)
    figure.savefig(target, dpi=70)
    print(target)


main()
