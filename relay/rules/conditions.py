"""What an answer of TFE means to an operator: the condition, its cause, and the next step.

Pure data, after TFE's own guide *Troubleshoot SCIM provisioning*; `status`, `holds list`, `changes
show`, `check` and `explain` all speak from this table, and `docs/how-to/troubleshoot.md` prints it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Condition(StrEnum):
    """What is the matter."""

    INVALID = "invalid request"
    TOKEN = "token refused"  # noqa: S105 - a condition
    NOT_ACCEPTING = "SCIM paused or disabled"
    NOT_FOUND = "not found"
    CONFLICT = "name taken"
    DROPPED = "dropped"
    TOO_LARGE = "too large"
    THROTTLED = "too many requests"
    FAILED = "TFE failed"
    UNREACHABLE = "TFE out of reach"
    NO_ANSWER = "no answer"
    REFUSED = "refused"
    FAULT = "the relay failed"
    FOREIGN = "another TFE"
    RESTORED = "the database is a copy"
    GUARD = "held by the guard"
    OPERATOR = "paused by an operator"


@dataclass(frozen=True, slots=True)
class Advice:
    """One row of the table.

    Attributes:
        condition: what is the matter.
        cause: what it means that TFE answered so.
        cure: the next step.
    """

    condition: Condition
    cause: str
    cure: str


_RETRY: Final = "then `scim-relay changes retry N --reason ...`"
_OR_DROP: Final = "; `changes drop` lets it go"

_USER_409: Final = Advice(
    Condition.CONFLICT,
    "another SCIM user of Terraform Enterprise has this userName (in any letter case)",
    "have a site administrator find who has it; rename one of the two in the identity provider, "
    + _RETRY,
)
_GROUP_409: Final = Advice(
    Condition.CONFLICT,
    "another SCIM group of Terraform Enterprise has this displayName (in any letter case)",
    f"rename or remove one of the two in the identity provider, {_RETRY}",
)
_USER_400: Final = Advice(
    Condition.INVALID,
    "Terraform Enterprise cannot use the request: most often a user without an address, or a value"
    " it does not take",
    "read its words in `reason`; put the attribute right in the identity provider's mapping"
    f" (or set users.missing_address), {_RETRY}",
)
_GROUP_400: Final = Advice(
    Condition.INVALID,
    "Terraform Enterprise cannot use the request: a value of the group that it does not take",
    "read its words in `reason`; put the group right in the identity provider; if nothing is wrong"
    f" there run `scim-relay probe` on a TFE that can be spared, {_RETRY}",
)
_USER_404: Final = Advice(
    Condition.NOT_FOUND,
    "Terraform Enterprise no longer has the id that it gave this user: it was deleted there",
    "nothing if it is one user: it is looked up and created again; if it is many, see the hold"
    " `foreign` and docs/how-to/rebuild.md",
)
_GROUP_404: Final = Advice(
    Condition.NOT_FOUND,
    "Terraform Enterprise does not have this group, or one of the members by the id it gave out",
    "nothing if it is one: it is looked up and sent again; `scim-relay reconcile` finds what else"
    " is gone",
)
_TOO_LARGE: Final = Advice(
    Condition.TOO_LARGE,
    "the group would have more than 1,000 members, or the request more than 1 MB",
    f"split the group in the identity provider, or see docs/how-to/large-groups.md, {_RETRY}",
)

_BY_STATUS: Final[dict[int, Advice]] = {
    400: _USER_400,
    401: Advice(
        Condition.TOKEN,
        "Terraform Enterprise refuses the SCIM token: ended, revoked, mistyped, or a token of"
        " another kind",
        "make a SCIM token in TFE (Site Admin, SCIM, Tokens) and write it to target.token_file:"
        " it is noticed without a restart; with [admin_api] `scim-relay token rotate` does both",
    ),
    403: Advice(
        Condition.NOT_ACCEPTING,
        "SCIM provisioning is paused or disabled in Terraform Enterprise",
        "a site administrator looks at Site Admin, SCIM: if it is paused, ask who paused it, then"
        " resume it there and everything kept is sent; if it is disabled, enable it, make a token,"
        " then `scim-relay rebuild`",
    ),
    404: _USER_404,
    409: _USER_409,
    410: Advice(
        Condition.DROPPED,
        "an operator ended it; the audit log has who and why",
        "have the identity provider send it again if it is wanted after all",
    ),
    413: _TOO_LARGE,
    429: Advice(
        Condition.THROTTLED,
        "more requests than Terraform Enterprise takes: 10 a second for everybody together",
        "nothing: the relay waits as long as it was told to; if it goes on, find who else uses SCIM"
        " there, or lower target.rate",
    ),
}

_FAILED: Final = Advice(
    Condition.FAILED,
    "Terraform Enterprise failed while it handled the request",
    "look at TFE's service logs at that time and run its diagnostics; the relay has asked once more"
    f" already; when it is mended, {_RETRY.removeprefix('then ')}",
)
_UNREACHABLE: Final = Advice(
    Condition.UNREACHABLE,
    "Terraform Enterprise, or a gateway before it, does not answer",
    "run `scim-relay check`: it tries name, connection, TLS, token in this order; the relay probes"
    " on its own and goes on when it is back",
)
_NO_ANSWER: Final = Advice(
    Condition.NO_ANSWER,
    "the request left and no whole answer came: it may have had its effect",
    "nothing: it is looked up before anything else is sent; if it goes on, look at TFE's load and"
    " at target.timeout",
)
_REFUSED: Final = Advice(
    Condition.REFUSED,
    "Terraform Enterprise refuses the request as it is",
    f"read its words in `reason`, mend the cause, {_RETRY}{_OR_DROP}",
)
FAULT: Final = Advice(
    Condition.FAULT,
    "the relay failed while it handled this; Terraform Enterprise did not refuse it",
    f"its log has `error.unexpected` with the cause: please report it, {_RETRY}",
)
_OF_GROUPS: Final[dict[int, Advice]] = {400: _GROUP_400, 404: _GROUP_404, 409: _GROUP_409}

_GATEWAYS: Final = frozenset({502, 503, 504})
_SERVER_ERROR: Final = 500

_MEANWHILE: Final = (
    "others went through meanwhile, this one never did: look at the logs of Terraform Enterprise"
    f" and of what stands before it at that time, {_RETRY}"
)
_FOR_GOOD: Final[dict[Condition, str]] = {
    Condition.NOT_FOUND: f"`scim-relay reconcile` finds what is gone there, {_RETRY}",
    Condition.UNREACHABLE: _MEANWHILE,
    Condition.NO_ANSWER: _MEANWHILE,
}
"""Where the cure is that it goes on by itself: what is parked does not."""


def next_step(one: Advice, change: object = "N") -> str:
    """The cure of what was refused for good, with the number of the change in it."""
    cure = _FOR_GOOD.get(one.condition, one.cure)
    return cure.replace(" retry N ", f" retry {change} ")


def sent_again(one: Advice) -> str:
    """The cure of what the identity provider was told live: nothing is kept that could be tried."""
    again = "have the identity provider send it again: it was told, and nothing of it is kept here"
    cure = next_step(one).removesuffix(_OR_DROP)
    return cure.replace(_RETRY.removeprefix("then "), again)


def advice(status: int | None, kind: str = "User") -> Advice:
    """What a status means for a `User` or a `Group`; None: no answer came."""
    if status is None:
        return _NO_ANSWER
    if kind == "Group" and status in _OF_GROUPS:
        return _OF_GROUPS[status]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status in _GATEWAYS:
        return _UNREACHABLE
    return _FAILED if status >= _SERVER_ERROR else _REFUSED


HOLDS: Final[dict[str, Advice]] = {
    "throttled": _BY_STATUS[429],
    "paused": _BY_STATUS[403],
    "token": _BY_STATUS[401],
    "down": _UNREACHABLE,
    "foreign": Advice(
        Condition.FOREIGN,
        "the Terraform Enterprise that answers does not know the ids it gave out: it was wiped,"
        " restored, or is another one",
        "find out which: `scim-relay rebuild` creates everything again (docs/how-to/rebuild.md); if"
        " target.url or DNS was wrong, mend it, then `scim-relay resume --hold foreign"
        " --reason ...`",
    ),
    "restored": Advice(
        Condition.RESTORED,
        "this database is a copy: Terraform Enterprise may have moved on since it was made",
        "`scim-relay holds list` shows where they differ; then `scim-relay resume --hold restored"
        " --keep target|directory --reason ...` (docs/how-to/recover-from-backup.md)",
    ),
    "guard": Advice(
        Condition.GUARD,
        "the guard holds what takes away more than its budget, or touches somebody protected;"
        " everything else flows",
        "`scim-relay holds list` shows what and whose; then `holds approve` or `holds reject`"
        " (docs/how-to/approve-a-held-purge.md)",
    ),
    "operator": Advice(
        Condition.OPERATOR,
        "an operator typed `scim-relay pause`; `reason` says who and why",
        "`scim-relay resume --reason ...`",
    ),
}
"""By the name of the hold."""
