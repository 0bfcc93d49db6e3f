"""What TFE lost by itself and refuses to create anew, as a change of the relay's own.

No identity provider asked for that creation, so no change of theirs says that it was refused: this
one does, and an operator can try it again or let it go like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relay.rules.types import Field, Verb, Write
from relay.store.edits import incoming

if TYPE_CHECKING:
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow

RELAY = "relay"
WHY = "Terraform Enterprise lost it"


def creation(tx: Transaction, resource: ResourceRow) -> tuple[int, dict[str, Any]]:
    """The creation of what is desired now: its number, and what it writes."""
    fields = {field.value: getattr(resource.desired, field) for field in Field}
    writes: dict[str, object] = {"exists": True, "f": fields}
    request = incoming.Accepting(RELAY, Write(Verb.CREATE, resource.type))
    return incoming.insert_change(tx, request, resource.id, writes, why=WHY), writes
