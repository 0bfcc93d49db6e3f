"""The name of every log event: a closed set, each with its fields (C3, style rule 10).

An event is logged as `log.info(events.STARTED, version=..., ...)`. The fields listed in `FIELDS`
are always present; `docs/reference/log-events.md` is generated from this table. No field holds a
secret or a request's body; identity providers' ids are fine, addresses of people are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Life of the daemon
STARTED: Final = "relay.started"
READY: Final = "relay.ready"
STOPPING: Final = "relay.stopping"
STOPPED: Final = "relay.stopped"
CONFIG_RELOADED: Final = "config.reloaded"
CONFIG_REFUSED: Final = "config.refused"
STORE_OPENED: Final = "store.opened"
STORE_COPIED: Final = "store.copied"
STORE_TROUBLE: Final = "store.trouble"
CLOCK_STEPPED: Final = "clock.stepped"
HISTORY_PRUNED: Final = "history.pruned"
AUDIT_HEAD: Final = "audit.head"
AUDIT_PRUNED: Final = "audit.pruned"
PERSON_ERASED: Final = "person.erased"

# Front
REQUEST_REFUSED: Final = "request.refused"
REQUEST_ANSWERED: Final = "request.answered"
TLS_RELOADED: Final = "tls.reloaded"
TLS_RELOAD_FAILED: Final = "tls.reload_failed"
CHANGE_ACCEPTED: Final = "change.accepted"

# Delivery
ATTEMPT_SETTLED: Final = "attempt.settled"
CHANGE_FINISHED: Final = "change.finished"
CHANGE_PARKED: Final = "change.parked"
REVOCATION_OWED: Final = "revocation.owed"
HOLD_RAISED: Final = "hold.raised"
HOLD_LIFTED: Final = "hold.lifted"
GUARD_TRIPPED: Final = "guard.tripped"
GUARD_DECIDED: Final = "guard.decided"
RATE_CHANGED: Final = "rate.changed"
IMPORT_PROGRESSED: Final = "import.progressed"
IMPORT_COMPLETED: Final = "import.completed"
DRIFT_FOUND: Final = "drift.found"
GROUP_NEARLY_FULL: Final = "group.nearly_full"
RECONCILED: Final = "reconcile.completed"
REBUILT: Final = "rebuild.completed"
TOKEN_ROTATED: Final = "token.rotated"  # noqa: S105 - an event
TOKEN_NOT_ROTATED: Final = "token.not_rotated"  # noqa: S105 - an event
TEAM_LINKED: Final = "team.linked"
TEAM_NOT_LINKED: Final = "team.not_linked"
SITE_TROUBLE: Final = "site.trouble"
SITE_MENDED: Final = "site.mended"

# Faults of ours
UNEXPECTED_ERROR: Final = "error.unexpected"


@dataclass(frozen=True, slots=True)
class Event:
    """What an event means and which fields it always has.

    Attributes:
        level: the level it is logged at.
        meaning: one sentence for an operator.
        fields: names, in the glossary's words; units in the name (`_s`, `_bytes`).
    """

    level: str
    meaning: str
    fields: tuple[str, ...] = ()


FIELDS: Final[dict[str, Event]] = {
    STARTED: Event("info", "The daemon has its configuration.", ("version", "target")),
    READY: Event("info", "Changes can be accepted durably.", ("address",)),
    STOPPING: Event("info", "A signal was received; requests under way are finished.", ("signal",)),
    STOPPED: Event("info", "Everything is on disk; the process ends."),
    CONFIG_RELOADED: Event(
        "info",
        "The connections were read again and are in use; other keys that changed need a restart.",
        ("ordered", "connections", "needs_restart"),
    ),
    CONFIG_REFUSED: Event(
        "error",
        "The configuration cannot be used as it is now; the connections stay as they were.",
        ("ordered", "problems"),
    ),
    STORE_OPENED: Event(
        "info",
        "The database is open and locked; `in_flight` attempts have no result yet.",
        ("path", "sqlite", "in_flight"),
    ),
    STORE_COPIED: Event(
        "info", "A copy was kept before the schema of a newer release is applied.", ("path", "to")
    ),
    STORE_TROUBLE: Event(
        "warning", "The disk does not take a write; it is tried again.", ("reason",)
    ),
    CLOCK_STEPPED: Event(
        "warning", "Wall time was set anew; what waits was moved along with it.", ("by_s",)
    ),
    HISTORY_PRUNED: Event(
        "info",
        "Changes and attempts settled before that time (seconds since the epoch) went.",
        ("changes", "attempts", "before"),
    ),
    AUDIT_HEAD: Event(
        "info",
        "Where the audit log's chain stands: once a minute if it moved, else once an hour;"
        " `scim-relay audit verify --anchors` compares the log with the database.",
        ("entry", "hash"),
    ),
    AUDIT_PRUNED: Event(
        "info",
        "Entries of the audit log went for their age, and words of others were forgotten.",
        ("entries", "forgotten"),
    ),
    PERSON_ERASED: Event(
        "info",
        "Somebody was erased; `words` counts entries of the audit log that were about them.",
        ("changes", "words", "actor"),
    ),
    REQUEST_REFUSED: Event(
        "warning",
        "A request was turned away before it became a change.",
        ("connection", "route", "status", "reason"),
    ),
    REQUEST_ANSWERED: Event(
        "debug",
        "An identity provider has its answer.",
        ("connection", "route", "status", "source", "answer_s"),
    ),
    TLS_RELOADED: Event("info", "A renewed certificate is served.", ("certificate",)),
    TLS_RELOAD_FAILED: Event(
        "warning",
        "A renewed certificate cannot be used; the one before it is served on.",
        ("certificate", "reason"),
    ),
    CHANGE_ACCEPTED: Event(
        "debug",
        "A change is on disk; `dropped` names the attributes of it that are not kept.",
        ("connection", "change", "verb", "kind", "resource", "dropped"),
    ),
    ATTEMPT_SETTLED: Event(
        "info",
        "A request to the target ended; `why` is the planner's reason for it, empty for a read.",
        ("attempt", "resource", "method", "purpose", "status", "verdict", "why", "send_s"),
    ),
    CHANGE_FINISHED: Event(
        "info",
        "A change ended, by `outcome`; its age is the sum of four: from its request's head to the"
        " queue, in the queue (holds and earlier attempts too), for the pacer's slot, and from the"
        " slot to TFE's answer on record.",
        (
            "change",
            "resource",
            "connection",
            "verb",
            "outcome",
            "status",
            "accept_s",
            "wait_s",
            "pace_s",
            "send_s",
        ),
    ),
    CHANGE_PARKED: Event(
        "error",
        "The target refused a change for good; it waits for an operator.",
        ("change", "resource", "status", "cure"),
    ),
    REVOCATION_OWED: Event(
        "error",
        "The target refused to take access away; it is tried again until it succeeds.",
        ("change", "resource", "status", "cure"),
    ),
    HOLD_RAISED: Event("warning", "Something keeps changes from being sent.", ("hold", "reason")),
    HOLD_LIFTED: Event("info", "It no longer does.", ("hold", "stood_s")),
    GUARD_TRIPPED: Event(
        "error",
        "A connection took more away than its budget; what it takes away waits for an operator.",
        ("connection", "cure"),
    ),
    GUARD_DECIDED: Event(
        "info",
        "An operator approved or rejected what the guard held.",
        ("decision", "effects", "actor"),
    ),
    RATE_CHANGED: Event(
        "warning",
        "The pacer sends at another rate: lower after a 429; as info: the configured one again.",
        ("rate", "reason"),
    ),
    IMPORT_PROGRESSED: Event("info", "A page of the target was read.", ("kind", "read", "total")),
    IMPORT_COMPLETED: Event("info", "The directory is complete.", ("read", "took_s")),
    GROUP_NEARLY_FULL: Event(
        "warning",
        "A group has 90 % of the members that Terraform Enterprise takes.",
        ("group", "cure"),
    ),
    DRIFT_FOUND: Event(
        "warning",
        "The target is not what it had confirmed, and nobody here asked for that.",
        ("what", "cure"),
    ),
    RECONCILED: Event(
        "info",
        "Everything was compared with the target.",
        ("checked", "differences", "took_s"),
    ),
    REBUILT: Event(
        "info",
        "All that the target holds was read; what is missing there is created from now on.",
        ("adopted", "missing", "strangers"),
    ),
    TOKEN_ROTATED: Event(
        "info",
        "A new SCIM token is in use; `old` is the id of the one that was deleted, or null.",
        ("new", "old", "ordered"),
    ),
    TOKEN_NOT_ROTATED: Event(
        "error", "The SCIM token could not be replaced; it is tried again.", ("reason",)
    ),
    TEAM_LINKED: Event("info", "A team follows a group, or no more.", ("team", "group", "what")),
    TEAM_NOT_LINKED: Event(
        "error", "A declared team link could not be made.", ("team", "group", "reason")
    ),
    SITE_TROUBLE: Event(
        "warning",
        "TFE's admin API shows something an operator should know; an error if it is urgent.",
        ("what", "cause", "cure"),
    ),
    SITE_MENDED: Event("info", "It shows that no more.", ("what", "subject")),
    UNEXPECTED_ERROR: Event(
        "error", "A fault of the relay itself; please report it.", ("where", "exception")
    ),
}
