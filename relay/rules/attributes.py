"""The attributes of RFC 7643 that the relay understands, as one table.

In charge of *what exists*: the dialect layer takes spellings and types from here, the shadow keeps
what stands here and nothing else, and `/Schemas` declares exactly this (semantics A5). `password`
is left out on purpose: what is not in the table can be neither kept nor shown.
Source: RFC 7643 sections 4.1, 4.2, 4.3 and 8.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

# Values of one attribute of a user. No sender writes a tenth of it; it bounds what a request costs.
MAX_ELEMENTS: Final = 200


class Type(StrEnum):
    """Data types of RFC 7643 section 2.3, those in use."""

    STRING = "string"
    BOOLEAN = "boolean"
    REFERENCE = "reference"
    BINARY = "binary"
    DATE_TIME = "dateTime"
    COMPLEX = "complex"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute with its characteristics (RFC 7643 section 7).

    Attributes:
        name: its canonical spelling.
        description: for `/Schemas`.
        type: its data type.
        multi: whether it holds an array.
        subs: sub-attributes of a complex attribute.
        required: whether a resource must have it.
        case_exact: whether letter case counts when values are compared.
        mutability: `readWrite`, `readOnly` or `immutable`.
        unique: `none` or `server`.
        canonical: suggested values.
        references: kinds of resource a reference may name.
        index: the sub-attributes by their canonical and their lower-case name.
    """

    name: str
    description: str
    type: Type = Type.STRING
    multi: bool = False
    subs: tuple[Attribute, ...] = ()
    required: bool = False
    case_exact: bool = False
    mutability: str = "readWrite"
    returned: str = "default"
    unique: str = "none"
    canonical: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    index: Table | None = None


Table: TypeAlias = dict[str, Attribute]


def find(table: Table, name: str) -> Attribute | None:
    """The attribute called `name` in any letter case (RFC 7643 section 2.1), or None."""
    return table.get(name) or table.get(name.lower())


def _table(attributes: tuple[Attribute, ...]) -> Table:
    return {key: item for item in attributes for key in (item.name, item.name.lower())}


def _complex(name: str, description: str, *subs: Attribute, multi: bool = False) -> Attribute:
    return Attribute(name, description, Type.COMPLEX, multi=multi, subs=subs, index=_table(subs))


def _plural(name: str, description: str, *kinds: str, of: Type = Type.STRING) -> Attribute:
    """A multi-valued attribute with the default sub-attributes of RFC 7643 section 2.4."""
    references = ("external",) if of is Type.REFERENCE else ()
    return _complex(
        name,
        description,
        Attribute("value", "The value.", of, references=references),
        Attribute("display", "A name for the value, for people to read."),
        Attribute("type", "What the value is for.", canonical=kinds),
        Attribute("primary", "Whether this value is the preferred one.", Type.BOOLEAN),
        multi=True,
    )


EMAILS: Final = _plural(
    "emails", "Addresses for e-mail; the target keeps one.", "work", "home", "other"
)
_NAME: Final = _complex(
    "name",
    "The parts of the user's name.",
    Attribute("formatted", "The full name."),
    Attribute("familyName", "The family name."),
    Attribute("givenName", "The given name."),
    Attribute("middleName", "The middle names."),
    Attribute("honorificPrefix", "The title before the name."),
    Attribute("honorificSuffix", "The suffix behind the name."),
)
_ADDRESSES: Final = _complex(
    "addresses",
    "Postal addresses.",
    Attribute("formatted", "The whole address."),
    Attribute("streetAddress", "Street, house number, post box."),
    Attribute("locality", "The city."),
    Attribute("region", "The state or region."),
    Attribute("postalCode", "The postal code."),
    Attribute("country", "The country, ISO 3166-1 alpha-2."),
    Attribute("type", "What the address is for.", canonical=("work", "home", "other")),
    Attribute("primary", "Whether this address is the preferred one.", Type.BOOLEAN),
    multi=True,
)
_GROUP_SUBS: Final = (
    Attribute("value", "The group's id.", case_exact=True, mutability="readOnly"),
    Attribute(
        "$ref", "The group's address.", Type.REFERENCE, mutability="readOnly", references=("Group",)
    ),
    Attribute("display", "The group's name.", mutability="readOnly"),
    Attribute(
        "type",
        "Whether the group names the user, or a group in it does.",
        mutability="readOnly",
        canonical=("direct", "indirect"),
    ),
)
# No sender reads them, and there may be thousands (docs/decisions/0014).
_GROUPS: Final = replace(
    _complex(
        "groups",
        "The groups the user belongs to; changed through the groups only.",
        *_GROUP_SUBS,
        multi=True,
    ),
    mutability="readOnly",
    returned="request",
)
_MEMBER_SUBS: Final = (
    Attribute("value", "The member's id.", case_exact=True, mutability="immutable"),
    Attribute(
        "$ref",
        "The member's address.",
        Type.REFERENCE,
        mutability="immutable",
        references=("User", "Group"),
    ),
    # Nobody reads it back, and clients that compare what they wrote with what they read would find
    # a difference for ever (docs/decisions/0005).
    Attribute("display", "The member's name.", mutability="readOnly", returned="request"),
    # A group is kept where `groups.nested` has it stand for its members; else it is left out.
    Attribute("type", "What it is.", mutability="immutable", canonical=("User", "Group")),
)
MEMBERS: Final = _complex("members", "Who is in the group.", *_MEMBER_SUBS, multi=True)
_MANAGER: Final = _complex(
    "manager",
    "The user's manager.",
    Attribute("value", "The manager's id.", case_exact=True),
    Attribute("$ref", "The manager's address.", Type.REFERENCE, references=("User",)),
    Attribute("displayName", "The manager's name."),
)

USER_ATTRIBUTES: Final = (
    Attribute(
        "userName",
        "The name the user signs in with; unique without regard to case.",
        required=True,
        unique="server",
    ),
    _NAME,
    Attribute("displayName", "The name shown to people."),
    Attribute("nickName", "The casual name."),
    Attribute("profileUrl", "The user's page.", Type.REFERENCE, references=("external",)),
    Attribute("title", "The job title."),
    Attribute("userType", "The relation to the organisation."),
    Attribute("preferredLanguage", "Preferred languages, as in Accept-Language."),
    Attribute("locale", "The locale for dates and numbers."),
    Attribute("timezone", "The time zone, by its Olson name."),
    Attribute("active", "Whether the user may sign in.", Type.BOOLEAN),
    EMAILS,
    _plural("phoneNumbers", "Telephone numbers.", "work", "home", "mobile", "fax", "other"),
    _plural("ims", "Addresses for instant messages.", "aim", "xmpp", "other"),
    _plural("photos", "Pictures.", "photo", "thumbnail", of=Type.REFERENCE),
    _ADDRESSES,
    _GROUPS,
    _plural("entitlements", "What the user is entitled to."),
    _plural("roles", "The user's roles."),
    _plural("x509Certificates", "Certificates, base64.", of=Type.BINARY),
)
GROUP_ATTRIBUTES: Final = (
    Attribute(
        "displayName",
        "The group's name; unique without regard to case.",
        required=True,
        unique="server",
    ),
    MEMBERS,
)
ENTERPRISE_ATTRIBUTES: Final = (
    Attribute("employeeNumber", "The number the organisation gave the user."),
    Attribute("costCenter", "The cost centre."),
    Attribute("organization", "The organisation."),
    Attribute("division", "The division."),
    Attribute("department", "The department."),
    _MANAGER,
)
# RFC 7643 section 3.1: common to all resources, declared by no schema.
EXTERNAL_ID: Final = Attribute("externalId", "The IdP's own id.", case_exact=True)
ID: Final = Attribute("id", "The relay's id.", case_exact=True, mutability="readOnly")
META: Final = _complex(
    "meta",
    "About the resource.",
    Attribute("resourceType", "User or Group.", case_exact=True),
    Attribute("created", "When it was created.", Type.DATE_TIME),
    Attribute("lastModified", "When it was last changed.", Type.DATE_TIME),
    Attribute("location", "Its address.", Type.REFERENCE, case_exact=True),
    Attribute("version", "Not in use.", case_exact=True),
)
SCHEMAS: Final = Attribute("schemas", "URNs.", Type.REFERENCE, multi=True, case_exact=True)

_COMMON: Final = (EXTERNAL_ID, ID, META, SCHEMAS)
USER_TABLE: Final = _table((*USER_ATTRIBUTES, *_COMMON))
GROUP_TABLE: Final = _table((*GROUP_ATTRIBUTES, *_COMMON))
ENTERPRISE_TABLE: Final = _table(ENTERPRISE_ATTRIBUTES)
