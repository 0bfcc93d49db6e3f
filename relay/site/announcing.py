"""Says findings where operators look: the metrics as they are now, the log once each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from relay.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from relay.site.expiry import ConfiguredEnd
    from relay.site.findings import Finding
    from relay.telemetry.site_metrics import SiteMetrics

log = structlog.get_logger(__name__)


class Announcer:
    """Remembers what was said.

    Args:
        metrics: for operators.

    Attributes:
        end: of our SCIM token, by the configuration; it stands until the admin API tells.
    """

    def __init__(self, metrics: SiteMetrics, end: ConfiguredEnd) -> None:
        self._metrics = metrics
        self.end = end
        self._told: set[tuple[str, str]] = set()

    def tell(
        self, found: Sequence[Finding], tokens: Mapping[str, float], unlinked: int = 0
    ) -> None:
        """Metrics, and each finding in the log once, when it comes and when it goes.

        Args:
            found: every finding that stands.
            tokens: seconds left of each SCIM token, by id.
            unlinked: members of parts that no team follows.
        """
        self._metrics.observe([one.what.value for one in found], tokens, unlinked)
        keys = {(one.what.value, one.subject) for one in found}
        for one in found:
            if (one.what.value, one.subject) not in self._told:
                say = log.error if one.urgent else log.warning
                say(events.SITE_TROUBLE, what=one.what.value, cause=one.cause, cure=one.cure)
        for what, subject in sorted(self._told - keys):
            log.info(events.SITE_MENDED, what=what, subject=subject)
        self._told = keys
