"""Every PATCH form on record as a generator: what is meant in, the operations a sender sends out.

Numbers are those of `idp-dialects.md` section 3. A form takes the sender's own picture of the
resource and the value that is meant; the same meaning has as many forms as there are dialects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from relay.rules.contract import ENTERPRISE_SCHEMA as E
from relay.rules.contract import GROUP_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable

W = 'emails[type eq "work"].value'

Operations = list[dict[str, Any]]


@dataclass
class Picture:
    """A resource as its sender knows it.

    `work` and `other` are the two addresses; `email` is the one TFE is to keep of them: the work
    one, else the other, else what it was.
    """

    id: str
    name: str
    external: str | None = None
    active: bool = True
    work: str | None = None
    other: str | None = None
    email: str | None = None
    members: set[str] = field(default_factory=set)

    def address(self, work: str | None, other: str | None) -> None:
        self.work, self.other = work, other
        self.email = work or other or self.email


def one(verb: str, path: str | None, value: Any = ...) -> Operations:
    operation: dict[str, Any] = {"op": verb}
    if path is not None:
        operation["path"] = path
    if value is not ...:
        operation["value"] = value
    return [operation]


def pathless(value: dict[str, Any], verb: str = "replace") -> Operations:
    return one(verb, None, value)


def by_id(*ids: str) -> str:
    return "members[" + " or ".join(f'value eq "{member}"' for member in ids) + "]"


def values(ids: list[str], **more: Any) -> list[dict[str, Any]]:
    return [{"value": member, **more} for member in ids]


ACTIVE: dict[str, Callable[[Picture, Any], Operations]] = {
    "U1": lambda _, v: one("Replace", "active", str(v)),
    "U2": lambda _, v: one("replace", "active", v),
    "U3": lambda _, v: pathless({"active": v}),
    "U4": lambda p, v: pathless({"id": p.id, "active": v}),
    "U5": lambda _, v: one("replace", "active", [str(v).lower()]),
    "U18": lambda _, v: pathless({"name.givenName": "B", "active": str(v), f"{E}:division": "D"}),
    "U19": lambda _, v: pathless({"active": v, "nickName": "B"}, "add"),
    "U23": lambda _, v: one("replace", "active", not v) + one("Replace", "active", str(v)),
    "U24": lambda _, v: [{"OP": "REPLACE", "Path": "active", "Value": str(v).upper()}],
    "U25": lambda _, v: one("Replace", "active", str(not v)) * 120 + one("replace", "active", v),
}
EMAIL: dict[str, Callable[[Picture, Any], Operations]] = {
    "U6": lambda _, v: one("Replace", W, v),
    "U7": lambda _, v: one("Add", W, v),
    "U18": lambda _, v: pathless({W: v, "displayName": "Al"}),
}
EMAILS: dict[str, Callable[[Picture, Any], Operations]] = {
    "U10": lambda _, v: one(
        "replace", "emails", [{"value": v, "type": "work", "primary": True, "display": "x"}]
    ),
}
SWAP: dict[str, Callable[[Picture, Any], Operations]] = {
    "U11": lambda p, v: (
        one("remove", f'emails[type eq "work" and value eq "{p.work}"]')
        + one("add", "emails", [{"value": v, "type": "work"}])
    ),
}
NO_WORK: dict[str, Callable[[Picture, Any], Operations]] = {
    "U8": lambda _, v: one("Replace", W, None) if v else one("Remove", W),
}
OTHER: dict[str, Callable[[Picture, Any], Operations]] = {
    "U9": lambda _, v: one("Add", 'emails[type eq "other"].value', v),
}
USER_NAME: dict[str, Callable[[Picture, Any], Operations]] = {
    "U3": lambda _, v: pathless({"userName": v}),
    "U12": lambda _, v: one("Replace", "username", v),
    "U19": lambda _, v: pathless({"userName": v, "title": "Dr"}, "add"),
    "U21": lambda _, v: one("Add", "userName", [{"$ref": None, "value": v}]),
}
EXTERNAL: dict[str, Callable[[Picture, Any], Operations]] = {
    "U13": lambda _, v: one("Replace", "externalId", v),
    "U14": lambda _, _v: one("remove", "externalId"),
    "U23": lambda _, v: one("remove", "externalId") + one("add", "externalId", v),
}
NOTHING: dict[str, Callable[[Picture, Any], Operations]] = {
    "U15": lambda _, v: (
        one("Replace", "name.familyName", v) + one("Add", 'phoneNumbers[type eq "work"].value', "1")
    ),
    "U16": lambda _, v: one("Add", f"{E}:employeeNumber", v),
    "U17": lambda _, v: one("Add", f"{E}:manager", v),
    "U18": lambda _, v: pathless({"name.givenName": v, f"{E}:employeeNumber": v}),
    "U20": lambda _, v: pathless({"password": v}),
    "U22": lambda _, v: one("Add", "roles", [{"value": '{"id":"' + v + '"}'}]),
}

JOIN: dict[str, Callable[[Picture, Any], Operations]] = {
    "G1": lambda _, v: [
        operation
        for member in v
        for operation in one("Add", "members", [{"$ref": None, "value": member}])
    ],
    "G2": lambda _, v: one("Add", "members", values(v, type="User")),
    "G3": lambda _, v: one("add", "members", values(v, display="x")),
    "G4": lambda _, v: [
        operation for member in v for operation in one("add", "members", values([member]))
    ],
    "G19": lambda _, v: pathless({"members": values(v)}, "add"),
    "G20": lambda _, v: one("add", "members", {"members": values(v)}),
    "G25": lambda _, v: [operation for member in v for operation in one("add", by_id(member))],
    "G26": lambda p, v: one("Add", "members", values([*v, p.id])),
}
LEAVE: dict[str, Callable[[Picture, Any], Operations]] = {
    "G5": lambda _, v: one("Remove", "members", values(v)),
    "G6": lambda _, v: [operation for member in v for operation in one("remove", by_id(member))],
    "G7": lambda _, v: [
        operation for member in v for operation in one("remove", by_id(member), values([member]))
    ],
    "G8": lambda _, v: one("remove", by_id(*v)) if v else [],
    "G22": lambda _, v: [
        operation
        for member in v
        for operation in one("add", "members", values([member])) + one("remove", by_id(member))
    ],
    "G23": lambda _, v: (
        [operation for member in v for operation in one("remove", by_id(member))] * 60
    ),
}
ROSTER: dict[str, Callable[[Picture, Any], Operations]] = {
    "G10": lambda _, v: one("replace", "members", values(v, display="x")),
    "G13": lambda p, v: pathless({"members": values(v), "id": p.id, "displayName": p.name}),
    "G21": lambda p, v: (
        [operation for member in sorted(p.members) for operation in one("remove", by_id(member))]
        + one("add", "members", values(v))
    ),
    "G24": lambda p, v: pathless(
        {"schemas": [GROUP_SCHEMA], "meta": {}, "displayName": p.name, "members": values(v)}
    ),
}
EMPTY: dict[str, Callable[[Picture, Any], Operations]] = {
    "G9": lambda _, _v: one("remove", "members"),
    "G11": lambda _, _v: one("replace", "members", []),
    "G12": lambda _, _v: one("Replace", "members", None),
}
GROUP_NAME: dict[str, Callable[[Picture, Any], Operations]] = {
    "G14": lambda p, v: pathless({"id": p.id, "displayName": v}),
    "G15": lambda _, v: one("Replace", "displayName", v),
    "G16": lambda _, v: pathless({"displayName": v}),
    "G17": lambda p, v: pathless({"schemas": [GROUP_SCHEMA], "displayName": v, "id": p.id}),
}
GROUP_EXTERNAL: dict[str, Callable[[Picture, Any], Operations]] = {
    "G18": lambda _, v: one("Replace", "externalId", v),
}

ALL = (
    ACTIVE, EMAIL, EMAILS, SWAP, NO_WORK, OTHER, USER_NAME, EXTERNAL, NOTHING,
    JOIN, LEAVE, ROSTER, EMPTY, GROUP_NAME, GROUP_EXTERNAL,
)  # fmt: skip
NUMBERS = {number for forms in ALL for number in forms}


def wrapped(number: str, operations: Operations) -> dict[str, Any]:
    """The request's body; U24 leaves `schemas` out and writes `operations` small."""
    if number == "U24":
        return {"operations": operations}
    return {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": operations,
    }
