"""What TFE keeps of Users and Groups, as frozen values (contract, *Users* and *Groups*)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class UserFields:
    """What a client may write of a user.

    Attributes:
        user_name: unique without regard to case.
        email: the one address TFE keeps.
        external_id: the client's own id, or None.
        active: False suspends the TFE user.
    """

    user_name: str
    email: str
    external_id: str | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class GroupFields:
    """What a client may write of a group.

    Attributes:
        display_name: unique without regard to case.
        external_id: the client's own id, or None.
        members: ids of users, in order of joining; a mapping for its fast look-up. Never changed
            in place.
    """

    display_name: str
    external_id: str | None = None
    members: Mapping[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What TFE itself says about a resource.

    Attributes:
        id: a UUID it minted.
        serial: order of creation; lists are in this order.
        created: seconds since the epoch.
        modified: seconds since the epoch.
    """

    id: str
    serial: int
    created: float
    modified: float


@dataclass(frozen=True, slots=True)
class User:
    """A SCIM user; `account` is the username of the TFE user it is linked to."""

    stamp: Stamp
    fields: UserFields
    account: str

    @property
    def name(self) -> str:
        """The attribute that is unique."""
        return self.fields.user_name


@dataclass(frozen=True, slots=True)
class Group:
    """A SCIM group."""

    stamp: Stamp
    fields: GroupFields

    @property
    def name(self) -> str:
        """The attribute that is unique."""
        return self.fields.display_name
