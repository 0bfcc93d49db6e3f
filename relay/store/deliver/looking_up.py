"""Settling doubts by reading: after an ambiguous create, a 409, a 404, or for verification.

Carries D2: an ambiguous POST is settled by look-up, never repeated blindly. What is found is
compared by `userName` or `displayName`, then by `externalId`, before its id is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.rules import backoff
from relay.rules.effects import Key
from relay.rules.shadow import TargetResource, readable
from relay.store.compare import adopting
from relay.store.deliver import parking
from relay.store.deliver.parking import Refusal, refuse
from relay.store.file.transaction import from_json
from relay.store.state import effects, rows
from relay.store.state.claims import Claim, Purpose

if TYPE_CHECKING:
    from relay.rules.types import Json, Kind
    from relay.rules.verdict import Verdict
    from relay.store.file.transaction import Transaction

DEADLY: Final = "deadly"
"""The doubt of a create that was in flight at too many deaths: not sent again, but looked up."""

LATE_S: Final = 60.0
"""So long after it was given up a request may still be executed (K2; `target.timeout`)."""
MOST_CONFLICTS: Final = 3
"""So many times a 409 says that somebody has the name, and a look-up finds nobody."""


def found(tx: Transaction, claim: Claim, verdict: Verdict, unit: float) -> None:
    """Settle a look-up by name or `externalId`."""
    resources, whole = listed(claim.kind, verdict.resource)
    matches = [
        resource
        for resource in resources
        if claim.asked is not None and _matches(resource, *claim.asked)
    ]
    if claim.asked is not None and claim.asked[0] == "externalId":
        # An `externalId` is not unique in TFE: whoever is bound already is not the one in doubt.
        matches = [one for one in matches if _is_free(tx, one.id, claim.resource)]
    if not matches:
        (not_found if whole else refused)(tx, claim, unit)
        return
    _clear(tx, claim.resource)
    if adopting.confirm(tx, claim.resource, matches[0]):
        tx.audit("adopted", "relay", resource=claim.resource, detail=matches[0].id)
        tx.run("UPDATE lane SET crashes = 0 WHERE resource = ?", (claim.resource,))
        tx.outbox.counted.append(("ambiguous", "found"))
    else:
        _refuse_conflict(tx, claim.resource)


def _is_free(tx: Transaction, target_id: str, resource: int) -> bool:
    owner = tx.value("SELECT resource FROM alias WHERE id = ?", (target_id,))
    return owner in (None, resource)


def listed(kind: Kind, body: Json) -> tuple[list[TargetResource], bool]:
    """The resources of a ListResponse that can be read, and whether that is all it says.

    Nobody is absent by the word of what is no list: a proxy's page, or a resource we cannot read.
    """
    if not isinstance(body, dict):
        return [], False
    entries = body.get("Resources", [] if body.get("totalResults") == 0 else None)
    if not isinstance(entries, list):
        return [], False
    found = [readable(kind, entry) for entry in entries]
    return [one for one in found if one is not None], None not in found


def _matches(resource: TargetResource, attribute: str, value: str) -> bool:
    if attribute == "externalId":
        return resource.fields.external_id == value
    return resource.fields.name.casefold() == value.casefold()


def not_found(tx: Transaction, claim: Claim, unit: float) -> None:
    """TFE knows none of that name: ask by `externalId`, or decide that it does not have it."""
    ask, doubt = tx.one("SELECT ask, doubt FROM lane WHERE resource = ?", (claim.resource,))
    if _may_come_late(tx, claim.resource):
        return
    if claim.asked is not None and claim.asked[0] != "externalId" and _has_external(tx, claim):
        tx.run("UPDATE lane SET ask = 'external_id' WHERE resource = ?", (claim.resource,))
    elif doubt == "conflict":
        _try_again(tx, claim.resource, unit)
    elif doubt == DEADLY:
        refuse_deadly(tx, claim.resource, asked=True)
    else:
        _clear(tx, claim.resource)
        tx.run("UPDATE effect SET unknown = 0 WHERE resource = ? AND key <= 0", (claim.resource,))
        tx.run(
            "UPDATE member SET confirmed = 0 WHERE group_id = ? AND confirmed = 2",
            (claim.resource,),
        )
        tx.run(
            "UPDATE resource SET c_size = 0, sent_name = NULL, sent_name_key = NULL WHERE id = ?",
            (claim.resource,),
        )
        tx.outbox.counted.append(("ambiguous", "absent"))
        if doubt == "refused":
            parking.refuse_absent(tx, rows.by_row(tx, claim.resource), unit)
        _finish_deletion(tx, claim.resource)
    assert ask is not None or doubt is None or claim.asked is not None


def refuse_deadly(tx: Transaction, row: int, *, asked: bool) -> None:
    """Take what was under way at too many deaths for refused: it is taken apart, then parked (S7).

    Its halves are suspects from their first death on, until one of them succeeds. Of a creation
    that TFE could not be asked about (`asked` is False) nothing is sent again: it is parked whole.
    """
    deaths = tx.value("SELECT crashes FROM lane WHERE resource = ?", (row,))
    keys = _last_written(tx, row) if asked else []
    _clear(tx, row)
    # TFE does not have it, or cannot be asked: `refuse` is not to have it looked up once more.
    tx.run("UPDATE effect SET unknown = 0 WHERE resource = ? AND key = 0 AND revokes = 0", (row,))
    said = f"the relay died {deaths} times while sending this"
    resource = rows.by_row(tx, row)
    if not refuse(tx, resource, keys or [Key.EXISTS], Refusal(500, said)):
        tx.run("UPDATE lane SET crashes = 0 WHERE resource = ?", (row,))


def _last_written(tx: Transaction, row: int) -> list[int]:
    """The effects that the lane's last write was to bring over."""
    keys: list[int] | None = from_json(
        tx.value(
            "SELECT keys FROM attempt WHERE resource = ? AND keys IS NOT NULL"
            " ORDER BY id DESC LIMIT 1",
            (row,),
        )
    )
    return keys or []


def _may_come_late(tx: Transaction, row: int) -> bool:
    """Whether a creation that was given up, and deleted since, may still be executed (K2).

    Nobody would know of that user any more: its deletion waits, and looks again after the time that
    TFE may take for a request.
    """
    if rows.by_row(tx, row).state != rows.DELETED:
        return False
    given_up: float | None = tx.value(
        "SELECT max(settled_at) FROM attempt WHERE resource = ? AND method = 'POST'", (row,)
    )
    if given_up is None or tx.now >= given_up + LATE_S:
        return False
    tx.run("UPDATE effect SET due = ? WHERE resource = ? AND key = 0", (given_up + LATE_S, row))
    return True


def _finish_deletion(tx: Transaction, row: int) -> None:
    """A resource whose creation was in doubt and that is deleted by now: nothing is left to do."""
    resource = rows.by_row(tx, row)
    if resource.state == rows.DELETED and not resource.c_exists:
        adopting.absent(tx, row)


def _has_external(tx: Transaction, claim: Claim) -> bool:
    return tx.value("SELECT external_id FROM resource WHERE id = ?", (claim.resource,)) is not None


def _try_again(tx: Transaction, resource: int, unit: float) -> None:
    """409, yet nobody found: the list was stale, or the name is free by now; sent again (K4).

    After a few tries TFE's word stands.
    """
    tries = 1 + tx.value("SELECT tries FROM lane WHERE resource = ?", (resource,))
    if tries >= MOST_CONFLICTS:
        _clear(tx, resource)
        _refuse_conflict(tx, resource)
        return
    due = tx.now + backoff.delay_s(tries, unit)
    tx.run(
        "UPDATE lane SET ask = NULL, doubt = NULL, tries = ? WHERE resource = ?", (tries, resource)
    )
    tx.run("UPDATE effect SET due = ? WHERE resource = ? AND state = 'open'", (due, resource))


def _clear(tx: Transaction, resource: int) -> None:
    tx.run("UPDATE lane SET ask = NULL, doubt = NULL, tries = 0 WHERE resource = ?", (resource,))


def _refuse_conflict(tx: Transaction, row: int) -> None:
    """Somebody else has the name in TFE: the 409 stands."""
    # What was in doubt is not: `refuse` is not to have it looked up once more, for ever.
    tx.run("UPDATE effect SET unknown = 0 WHERE resource = ? AND key = 0 AND revokes = 0", (row,))
    said = tx.value(
        "SELECT detail FROM attempt WHERE resource = ? AND status = 409 ORDER BY id DESC LIMIT 1",
        (row,),
    )
    resource = rows.by_row(tx, row)
    detail = said or f"the name {resource.name!r} is another's in Terraform Enterprise"
    refuse(tx, resource, [Key.EXISTS], Refusal(409, detail, "uniqueness"))


def read_back(tx: Transaction, claim: Claim, verdict: Verdict, unit: float) -> None:
    """Settle a GET by id: confirmed is what TFE says; a 404 before it was about a member.

    What is not readable as the resource that was asked for is no answer: it is asked for later.
    """
    resource, row = readable(claim.kind, verdict.resource), rows.by_row(tx, claim.resource)
    if resource is None or row.target_id != resource.id:
        refused(tx, claim, unit)
        return
    doubt = tx.value("SELECT doubt FROM lane WHERE resource = ?", (claim.resource,))
    _clear(tx, claim.resource)
    if claim.purpose is Purpose.VERIFY:
        tx.run("DELETE FROM verification WHERE resource = ?", (claim.resource,))
    if not adopting.confirm(tx, claim.resource, resource):
        return
    if claim.purpose is Purpose.READ and doubt == "missing":
        _unfold_missing(tx, claim.resource, unit)


def _unfold_missing(tx: Transaction, row: int, unit: float) -> None:
    """The resource is there, so a member of the refused request is not: find out which (S7)."""
    part = tx.value("SELECT min(slice) FROM effect WHERE resource = ? AND state = 'open'", (row,))
    keys = [
        effect.key
        for effect in effects.unsettled(tx, row)
        if effect.state == "open" and effect.slice == part and effect.due <= tx.now
    ]
    said = tx.value(
        "SELECT detail FROM attempt WHERE resource = ? AND status = 404 ORDER BY id DESC LIMIT 1",
        (row,),
    )
    refuse(tx, rows.by_row(tx, row), keys, Refusal(404, said or "not found", None, unit))


def refused(tx: Transaction, claim: Claim, unit: float) -> None:
    """A mere read brought nothing: wait and ask again; it says nothing about any change.

    As long again as that has lasted: lanes in doubt are not to take the rate from all others.
    """
    tx.run("UPDATE lane SET struck = ? WHERE resource = ? AND struck = 0", (tx.now, claim.resource))
    struck = tx.value("SELECT struck FROM lane WHERE resource = ?", (claim.resource,))
    lasted_s = 0.0 if struck is None else tx.now - struck
    due = tx.now + max(backoff.delay_s(4, unit), unit * min(lasted_s, backoff.CAP_S))
    tx.run(
        "UPDATE effect SET due = max(due, ?) WHERE resource = ? AND state = 'open'",
        (due, claim.resource),
    )
