"""Counters count, gauges mirror one snapshot, and no label can explode."""

import pytest

from relay.front.ports import Refusal
from relay.telemetry.metrics import Metrics, Snapshot, described

ALLOWED_LABELS = {
    "route", "status", "source", "reason", "method", "outcome", "verdict", "by", "resolution",
    "state", "hold", "table", "what", "token", "kind", "part",
}  # fmt: skip


def test_reports_become_series():
    metrics = Metrics()
    metrics.front.observe("POST /Users", 201, "target", 0.02)
    metrics.front.refused("token")
    metrics.target.observe("POST", None, 60.0)
    metrics.target.throttled()
    metrics.target.paced(5)
    metrics.delivery.change("accepted", 3)
    metrics.delivery.attempt("delivered")
    metrics.delivery.saved("folding", 7)
    metrics.store.committed(4, 0.001)
    metrics.store.pruned("change", 9)
    metrics.unexpected_error()

    text = metrics.exposition().decode().splitlines()

    for line in (
        'scim_relay_answers_total{route="POST /Users",source="target",status="201"} 1.0',
        'scim_relay_refused_total{reason="token"} 1.0',
        'scim_relay_target_requests_total{method="POST",status="none"} 1.0',
        "scim_relay_target_throttled_total 1.0",
        "scim_relay_target_rate 5.0",
        'scim_relay_changes_total{outcome="accepted"} 3.0',
        'scim_relay_requests_saved_total{by="folding"} 7.0',
        "scim_relay_store_batch_size_sum 4.0",
        'scim_relay_history_pruned_total{table="change"} 9.0',
        "scim_relay_unexpected_errors_total 1.0",
    ):
        assert line in text


@pytest.mark.parametrize("reason", Refusal)
def test_who_is_turned_away_is_counted_from_nought_so_that_the_first_burst_is_a_rate(reason):
    sample = Metrics().registry.get_sample_value
    assert sample("scim_relay_refused_total", {"reason": reason.value}) == 0.0


def test_a_snapshot_sets_every_mirroring_gauge():
    metrics = Metrics()
    metrics.observe(
        Snapshot(
            queue={"pending": 2, "parked": 1},
            owed_revocations=3,
            oldest_pending_age_s=4.5,
            holds={"paused": True, "token": False},
        )
    )
    metrics.observe(Snapshot(queue={"pending": 0}, holds={"paused": False}))

    value = metrics.registry.get_sample_value
    assert value("scim_relay_queue_changes", {"state": "pending"}) == 0
    assert value("scim_relay_queue_changes", {"state": "parked"}) == 0
    assert value("scim_relay_hold_active", {"hold": "paused"}) == 0
    assert value("scim_relay_owed_revocations") == 0
    assert value("scim_relay_oldest_pending_age_seconds") == 0


def test_no_label_names_a_user_group_or_tenant():
    labels = {label for _, _, labels, _ in described(Metrics()) for label in labels}

    assert labels - {"python", "version"} <= ALLOWED_LABELS


def test_two_of_them_do_not_share_a_registry():
    first, second = Metrics(), Metrics()
    first.unexpected_error()

    assert second.registry.get_sample_value("scim_relay_unexpected_errors_total") == 0
