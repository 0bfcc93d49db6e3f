"""How long to wait before trying again: exponential, capped, with full jitter (D10).

Full jitter spreads a herd best: after an outage the waits of many lanes are uniform over the whole
interval, not clustered at its end (M. Brooker, "Exponential Backoff And Jitter", AWS, 2015).
"""

from __future__ import annotations

from typing import Final

BASE_S: Final = 1.0
CAP_S: Final = 300.0

_MAX_DOUBLINGS: Final = 64
"""Beyond this any sensible cap was reached; keeps the power from overflowing a float."""


def ceiling_s(attempt: int, base_s: float = BASE_S, cap_s: float = CAP_S) -> float:
    """The longest wait after so many failures in a row: `base_s`, then doubling, up to `cap_s`.

    Args:
        attempt: failures so far, from 1; less counts as 1.
        base_s: seconds after the first failure.
        cap_s: seconds never exceeded.
    """
    doublings = min(max(attempt, 1) - 1, _MAX_DOUBLINGS)
    return min(cap_s, base_s * 2.0**doublings)


def delay_s(
    attempt: int, unit_random: float, base_s: float = BASE_S, cap_s: float = CAP_S
) -> float:
    """Seconds to wait after so many failures: a random share of `ceiling_s`.

    Args:
        attempt: failures so far, from 1.
        unit_random: a uniform random number from 0 to 1; the caller's, so that this stays pure.
        base_s: seconds at most after the first failure.
        cap_s: seconds never exceeded.
    """
    return unit_random * ceiling_s(attempt, base_s, cap_s)
