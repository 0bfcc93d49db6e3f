"""Metrics of TFE's own side, as its admin API shows it; all 0 or absent without that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prometheus_client import CollectorRegistry


class SiteMetrics:
    """What the admin API last told.

    Args:
        registry: where the metrics are kept.
        prefix: of every name.
    """

    def __init__(self, registry: CollectorRegistry, prefix: str) -> None:
        self._trouble = Gauge(
            f"{prefix}_site_trouble",
            "Findings about the target's own side, by kind; `scim-relay status` names them.",
            ["what"],
            registry=registry,
        )
        self._tokens = Gauge(
            f"{prefix}_scim_token_seconds_left",
            "Seconds until a SCIM token of the target ends, by the admin API's id of it;"
            " `configured` is the end by `target.token_expires`.",
            ["token"],
            registry=registry,
        )

        self._unlinked = Gauge(
            f"{prefix}_unlinked_part_members",
            "Members of parts of large groups that no team follows: they get nothing by it.",
            registry=registry,
        )

    def observe(self, troubles: Sequence[str], tokens: Mapping[str, float], unlinked: int) -> None:
        """Set all of it.

        Args:
            troubles: the kind of each finding.
            tokens: seconds left of each SCIM token, by id.
            unlinked: members of parts that no team follows.
        """
        self._unlinked.set(unlinked)
        self._trouble.clear()
        for what in troubles:
            self._trouble.labels(what).inc()
        self._tokens.clear()
        for token, left_s in tokens.items():
            self._tokens.labels(token).set(left_s)
