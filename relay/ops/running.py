"""What `scim-relay check` makes of a running relay's own `status`: pure, one finding a trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from relay.ops.doctor import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relay.rules.types import JsonObject

_GRAVE: Final = frozenset({"token", "foreign", "restored"})
"""Holds that no time and no probe will lift: somebody has to act."""

OWED_FAIL_S: Final = 900.0
"""A revocation that is owed for longer pages (issue 6, point 1)."""

ENDS: Final = ("delivered", "refused", "parked", "dropped", "pending")


def examine_status(status: JsonObject) -> list[Finding]:
    """Everything that `status` says is not as it should be; first that the relay runs."""
    told: dict[str, Any] = dict(status)
    pending = told["changes"].get("pending", 0)
    runs = f"{told['users']} users, {told['groups']} groups, {pending} changes pending"
    return [
        Finding(Level.OK, "relay", f"running: {runs}"),
        _conservation(told["changes"]),
        *_holds(told["holds"]),
        *_owed(told),
        *_refused(told["refused"]),
        *_switches(told),
    ]


def _conservation(changes: dict[str, int]) -> Finding:
    """C1: what was accepted is somewhere."""
    accepted, sum_of = changes.get("accepted", 0), sum(changes.get(end, 0) for end in ENDS)
    if accepted == sum_of:
        return Finding(Level.OK, "changes", f"all {accepted} accepted ones are accounted for")
    detail = (
        f"{accepted} were accepted and {sum_of} are accounted for; keep a backup"
        " (`scim-relay backup FILE`) and report it"
    )
    return Finding(Level.FAIL, "changes", detail)


def _holds(holds: list[dict[str, Any]]) -> Iterator[Finding]:
    for hold in holds:
        level = Level.FAIL if hold["hold"] in _GRAVE else Level.WARN
        since = f"for {_long(hold['since_s'])} ({hold['reason']})"
        yield Finding(level, f"hold {hold['hold']}", f"{since}: {hold['cause']}; {hold['cure']}")


def _owed(told: dict[str, Any]) -> Iterator[Finding]:
    if told["owed_revocations"]:
        oldest_s = told["oldest_owed_revocation_age_s"]
        detail = (
            f"{told['owed_revocations']} not yet in TFE, the oldest for {_long(oldest_s)}: somebody"
            " still has access; `scim-relay changes list --state pending --older 15m`, then"
            " `changes show N`"
        )
        yield Finding(
            Level.FAIL if oldest_s >= OWED_FAIL_S else Level.WARN, "owed revocations", detail
        )


def _refused(rows: list[dict[str, Any]]) -> Iterator[Finding]:
    for row in rows:
        detail = f"{row['count']} {row['what']}, {row['condition']} ({row['status']})"
        look = "`scim-relay changes list --state " + (
            "parked`" if row["what"] == "parked" else "pending`"
        )
        yield Finding(
            Level.WARN,
            f"{row['kind'].lower()}s refused",
            f"{detail}: {row['cause']}; {look}; {row['cure']}",
        )


def _switches(told: dict[str, Any]) -> Iterator[Finding]:
    if told["disk_full"]:
        detail = "full: writes are answered 503; make room, or shorten store.history"
        yield Finding(Level.FAIL, "disk", detail)
    elif told["disk_trouble"]:
        detail = (
            f"writes are answered 503 ({told['disk_trouble']}): look at the disk, its quota, and"
            " who else has the database open; it goes on by itself"
        )
        yield Finding(Level.FAIL, "disk", detail)
    if told["import"] != "complete":
        detail = f"{told['import']} read; look-ups that miss are asked of TFE until it is complete"
        yield Finding(Level.WARN, "import", detail)
    if told["draining"]:
        detail = f"no writes are taken ({told['draining']}); `scim-relay drain --end --reason ...`"
        yield Finding(Level.WARN, "draining", detail)
    if told["rate"] < told["rate_configured"]:
        detail = (
            f"{told['rate']} requests a second of {told['rate_configured']}: TFE complained or was"
            " down; it rises by itself, else find who else uses SCIM there"
        )
        yield Finding(Level.WARN, "rate", detail)
    if told["groups_near_limit"]:
        detail = (
            f"{told['groups_near_limit']} have 900 or more of the 1,000 members that TFE takes;"
            " see docs/how-to/large-groups.md"
        )
        yield Finding(Level.WARN, "large groups", detail)
    if told["drift"]:
        found = ", ".join(f"{count} {what}" for what, count in told["drift"].items())
        detail = f"somebody changed TFE past SCIM: {found}; `scim-relay reconcile --last`"
        yield Finding(Level.WARN, "drift", detail)


def _long(seconds: float) -> str:
    """`3 h`, `12 min`, `40 s`: enough for a person."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
