"""Who may change what: a connection with `scope = "own"` changes what is its own (decision 11).

The resource that a request names is what is asked about. What follows from it is not: a group's
parts, the groups above it, and the rosters that a deleted user leaves go with it, whosesoever they
are, and a group may have anybody's users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.errors import NotOwned
from relay.rules.ownership import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable

    from relay.store.edits.incoming import Accepting
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow

OWNER: Final = (
    "ifnull(given_to, CASE WHEN origin IN ('import', 'nobody', 'relay') THEN 'nobody'"
    " ELSE origin END)"
)
"""`relay.rules.ownership.owner_of`, in SQL."""

CURE: Final = "an operator can give it: `scim-relay connections transfer`"


def refuse_strangers(request: Accepting, resource: ResourceRow) -> None:
    """Refuse a write to what is not the connection's own.

    Raises:
        NotOwned: 403; `refused` keeps that it happened.
    """
    if request.may_change(resource):
        return
    whose = "nobody's" if resource.owner == NOBODY else "another connection's"
    raise NotOwned(
        f"this {resource.kind} is {whose}, and this connection changes only what it created or"
        f" was given (scope = own); {CURE}",
        resource.id,
    )


def refused(request: Accepting, resource: int) -> Callable[[Transaction], None]:
    """Keeps in the audit log that a connection tried to change what is not its own."""
    verb = request.write.verb.value

    def keep(tx: Transaction) -> None:
        tx.audit("not its own", request.connection, resource=resource, what={"verb": verb})

    return keep
