"""`docs/reference/limits.md` says what the code says, and names metrics and proofs that exist."""

import importlib
import re
from dataclasses import fields
from pathlib import Path

import pytest

from relay.front.settings import FrontSettings
from relay.store.opening import StoreSettings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "limits.md").read_text()
SETTINGS = (ROOT / "docs" / "reference" / "settings.md").read_text()
METRICS = (ROOT / "docs" / "reference" / "metrics.md").read_text()
CLASSES = {"FrontSettings": FrontSettings, "StoreSettings": StoreSettings}
ROWS = [
    tuple(cell.strip() for cell in line.strip("| ").split(" | "))
    for line in PAGE.splitlines()
    if re.match(r"\| (?!Bound|---)", line)
]


def default_of(place):
    """What the code says: of a setting, a field of a settings class, or a constant."""
    owner, _, name = place.rpartition(".")
    if owner in CLASSES:
        [found] = [one for one in fields(CLASSES[owner]) if one.name == name]
        return found.default
    if owner.startswith("relay."):
        return getattr(importlib.import_module(owner), name)
    [told] = re.findall(rf"^\| `{re.escape(place)}` \| `(.+?)` \|", SETTINGS, re.MULTILINE)
    return told.strip('"')


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_bound_stands_where_the_page_says_with_the_value_it_says(row):
    _, place, told, _, why, metric, proof = row
    found = default_of(place.strip("`"))
    told = told.replace(",", "")
    assert str(found) == told or float(found) == float(told)
    assert why
    assert metric in METRICS
    assert (ROOT / proof.strip("`")).exists()


def test_every_numeric_bound_of_the_front_is_on_the_page():
    apart = {"drain_s", "answer_wait_s", "retry_after_s", "unix_mode"}  # no bounds on clients
    bounds = {
        one.name
        for one in fields(FrontSettings)
        if isinstance(one.default, int | float) and not isinstance(one.default, bool)
    }
    told = {place.strip("`").rpartition(".")[2] for _, place, *_ in ROWS}
    # A bound with a key is told by its key: `listen.max_body` is `max_body_bytes`.
    assert {one for one in bounds - apart if not any(one.startswith(key) for key in told)} == set()
