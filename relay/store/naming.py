"""Whether a name may be given: unique among what is desired, and not the target's own (A6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.errors import Refused
from relay.rules.types import Kind
from relay.store import rows

if TYPE_CHECKING:
    from relay.rules.contract import TargetProfile
    from relay.store.rows import ResourceRow
    from relay.store.transaction import Transaction


def refuse_taken_name(
    tx: Transaction, kind: Kind, name: str, but: int | None, profile: TargetProfile
) -> None:
    """Refuse a name that another live resource has, or that the target reserves.

    Raises:
        Refused: 409 `uniqueness`, as TFE would.
    """
    holder = rows.live_by_name(tx, kind, name)
    others = None if holder is None or holder.id == but else holder
    refuse_held_name(tx, kind, name, others, profile)


def refuse_held_name(
    tx: Transaction, kind: Kind, name: str, holder: ResourceRow | None, profile: TargetProfile
) -> None:
    """The same, once it is known who has the name.

    Raises:
        Refused: 409 `uniqueness`.
    """
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
