"""Who answered a client: TFE or the directory, decided once, in one transaction (semantics A2)."""

from __future__ import annotations

from relay.store.file.transaction import Transaction, from_json, to_json
from relay.store.state import rows
from relay.store.state.reading import settled_view
from relay.store.state.records import ChangeState, Settlement


def settlement_of(tx: Transaction, change: int) -> Settlement | None:
    """How a change that somebody waits for ended, or None while it is pending."""
    row = tx.one(
        "SELECT state, resource, status, scim_type, detail FROM change WHERE id = ?", (change,)
    )
    if row is None or row[0] == ChangeState.PENDING.value:
        return None
    resource = rows.by_row(tx, row[1])
    return Settlement(ChangeState(row[0]), settled_view(tx, resource), *row[2:])


def by_directory(tx: Transaction, change: int) -> Settlement | None:
    """The directory answers; returns TFE's settlement instead if that came first."""
    tx.run(
        "UPDATE change SET answered_by = 'directory', undo = NULL"
        " WHERE id = ? AND answered_by IS NULL",
        (change,),
    )
    return settlement_of(tx, change)


def by_nobody(tx: Transaction, change: int) -> None:
    """The client has gone: a refusal from now on is parked, not refused."""
    tx.run(
        "UPDATE change SET answered_by = 'nobody', undo = NULL"
        " WHERE id = ? AND answered_by IS NULL",
        (change,),
    )


def written(tx: Transaction, change: int) -> None:
    """The answer was wholly written."""
    tx.run("UPDATE change SET answered = 1 WHERE id = ?", (change,))


def by_target(tx: Transaction, resource: int, done: list[int], *, created: bool) -> None:
    """Tell clients that still wait: TFE has it, and its id is the resource's public one (A2)."""
    for change in done:
        if not tx.run(
            "UPDATE change SET answered_by = 'target', undo = NULL"
            " WHERE id = ? AND answered_by IS NULL",
            (change,),
        ):
            continue
        if created and tx.value("SELECT verb FROM change WHERE id = ?", (change,)) == "create":
            tx.run("UPDATE resource SET public_id = target_id WHERE id = ?", (resource,))
        row = rows.by_row(tx, resource)
        view = settled_view(tx, row)
        tx.outbox.settled.append((change, Settlement(ChangeState.DELIVERED, view)))


def mark_told(tx: Transaction, resource: int, key: int) -> None:
    """The IdP has heard of a parked refusal: its next repetition is tried again."""
    reason = from_json(
        tx.value(
            "SELECT reason FROM effect WHERE resource = ? AND key = ? AND state = 'parked'",
            (resource, key),
        )
    )
    if reason:
        tx.run(
            "UPDATE effect SET reason = ? WHERE resource = ? AND key = ?",
            (to_json({**reason, "told": True}), resource, key),
        )
