"""Whether a name may be given: unique among what is desired, and not the target's own (A6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.errors import Refused
from relay.rules.ownership import NOBODY
from relay.rules.types import Kind
from relay.store.guarding import owning
from relay.store.state import rows

if TYPE_CHECKING:
    from relay.rules.contract import TargetProfile
    from relay.store.edits.incoming import Accepting
    from relay.store.file.transaction import Transaction
    from relay.store.state.rows import ResourceRow


def refuse_taken_name(
    tx: Transaction,
    kind: Kind,
    name: str,
    but: int | None,
    profile: TargetProfile,
    request: Accepting | None = None,
) -> None:
    """Refuse a name that another live resource has, or that the target reserves.

    Args:
        tx: the transaction.
        kind: of which resource.
        name: the name that is wanted.
        but: the resource that wants it, which may have it already.
        profile: the target's.
        request: whose wish it is; None for the relay's own, or an operator's.

    Raises:
        Refused: 409 `uniqueness`, as TFE would.
    """
    holder = rows.live_by_name(tx, kind, name)
    others = None if holder is None or holder.id == but else holder
    refuse_held_name(tx, kind, name, others, profile, request)


def refuse_held_name(
    tx: Transaction,
    kind: Kind,
    name: str,
    holder: ResourceRow | None,
    profile: TargetProfile,
    request: Accepting | None,
) -> None:
    """The same, once it is known who has the name.

    Raises:
        Refused: 409 `uniqueness`.
    """
    if holder is not None and request is not None:
        _refuse_strangers(tx, kind, name, holder, request)
    if holder is not None and holder.part_of is not None:
        owner = rows.by_row(tx, holder.part_of)
        raise Refused(
            409,
            f"{name!r} is a part of the {kind} {owner.name!r} (id {owner.public_id}), which is"
            " larger than Terraform Enterprise takes",
            "uniqueness",
        )
    if holder is not None:
        raise Refused(
            409,
            f"another {kind} has the {kind.name_attribute} {name!r} (id {holder.public_id})",
            "uniqueness",
        )
    if kind is Kind.GROUP and name.casefold() in profile.reserved_group_names:
        raise Refused(409, f"the target reserves the group name {name!r}", "uniqueness")


def _refuse_strangers(
    tx: Transaction, kind: Kind, name: str, holder: ResourceRow, request: Accepting
) -> None:
    """What is not the connection's to change is told without its id, and with what would help.

    Raises:
        Refused: 409 `uniqueness`.
    """
    whole = holder if holder.part_of is None else rows.by_row(tx, holder.part_of)
    if request.may_change(whole):
        return
    whose = "nobody's yet" if whole.owner == NOBODY else "another connection's"
    raise Refused(
        409,
        f"the {kind.name_attribute} {name!r} is taken by a {kind} that is {whose}; {owning.CURE}",
        "uniqueness",
    )
