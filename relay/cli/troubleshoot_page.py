"""The page `docs/how-to/troubleshoot.md`, from the tables that the commands speak from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relay.rules.conditions import FAULT, HOLDS, Advice, advice
from relay.rules.standing import Why

if TYPE_CHECKING:
    from collections.abc import Iterator

STATUSES: Final = (400, 401, 403, 404, 409, 410, 413, 429, 500, 502)
"""Those of TFE's guide, and what a gateway or an operator adds."""

MEANINGS: Final = {
    Why.UNKNOWN: "nobody sent it: look at the identity provider's provisioning log",
    Why.NOT_READ: "the import is not complete: ask again then",
    Why.PARKED: "TFE refused it for good; its words, what they mean, and the retry are beside it",
    Why.DELETED: "the identity provider deleted it",
    Why.SUSPENDED: "the identity provider sent `active=false`",
    Why.HOLD: "nothing is sent while that hold stands",
    Why.GUARD: "an operator approves or rejects it",
    Why.NAME: "another one still has the name in TFE, and gives it up with its own change",
    Why.USER: "a membership whose user TFE does not have yet: explain that user",
    Why.ROOM: "the group is full in TFE until somebody leaves it",
    Why.OWED: "TFE refuses to take access away; it is tried again for ever",
    Why.REFUSED: "it failed, and is tried again",
    Why.SENDING: "a request is under way",
    Why.QUEUED: "its turn comes",
    Why.REJECTED: "an operator decided that TFE keeps what it has",
    Why.DRIFT: "somebody changed it in TFE, past SCIM",
    Why.TEAM_PAUSED: "the group is right; the team does not follow it",
    Why.NO_TEAM: "the group is right; no team is linked to it",
    Why.IN_STEP: "TFE confirmed it: nothing is left to do here",
}

_FIRST: Final = """\
Somebody says that a user or a group is not in Terraform Enterprise as it should be.
Ask for it by name first:

```sh
scim-relay explain user ada@example.com   # why she is not there, not suspended, not in the team
scim-relay explain group platform         # why it is not as the identity provider has it
scim-relay status                         # holds, what TFE refused, how far behind
scim-relay changes show 4711              # one change: attempts, cause, next step
scim-relay check                          # configuration, token, target: one line each, the cure
```

Each of them gives cause and next step; this page is the same tables.
They follow HashiCorp's *Troubleshoot SCIM provisioning*, which begins at the identity provider's
log: for whom the relay has never heard of, so does this one.

## Users or groups do not come through
`scim-relay explain` goes from the name to the first thing that stops it. What it may say:
"""

_LIVES: Final = """\
## Suspended, deleted, or neither
`active=false` suspends the user in TFE and keeps the SCIM identity with its groups.
A DELETE takes the identity away, suspends the user and revokes site admin that came by SCIM.
Taking somebody out of a group does neither: they keep the account.
`explain` names the change that did it, and whose it was. If nothing of it arrived, the identity
provider sent only the removal from the group, or nothing: look at its log.
"""

_MORE: Final = """\
What is parked does not go on by itself, whatever became of its cause: `changes retry N` tries it
again, `changes drop N` lets it go; both want a reason, which the audit log keeps. An edit that was
parked with its creation can be dropped alone: the creation is then tried without it. What is
dropped while it waits returns to what the change before it wrote: held still, if that is held, a
revocation still, if that is one; a loss that is dropped counts against no budget. What is owed
is access that TFE still gives: see
[ScimRelayRevocationsOwed](alerts.md#scimrelayrevocationsowed).

## When that was not it
`scim-relay support-bundle FILE` packs what a supporter needs: versions, configuration, what the
commands above say, attempts that failed, metrics, the last log lines. Tokens and hashes are never
in it; people, groups and teams are pseudonyms unless `--with-names` is given. It works while the
relay is down, from its files.
On TFE's side look at its audit log when requests arrive and the result is another than expected,
at its service logs for a 500 that stays, and run its diagnostics.
"""


_TRIED: Final = (
    "*Run against the stand-in: each condition injected, `tests/e2e/test_troubleshooting.py`,"
    " `tests/e2e/test_explain.py`; never against a real Terraform Enterprise.*"
)


def page(generated: str) -> Iterator[str]:
    """All its lines; `generated` says that it is."""
    yield from ("# Troubleshoot", "", _TRIED, "", generated, "")
    yield from _FIRST.splitlines()
    yield from ("", "| it says | it means |", "|---|---|")
    for why in Why:
        yield f"| {why} | {MEANINGS[why]} |"
    yield from ("", *_LIVES.splitlines(), "", "## What Terraform Enterprise answered")
    yield from ("| status | condition | cause | next step |", "|---|---|---|---|")
    for status in STATUSES:
        of_both = {advice(status, kind): kind for kind in ("Group", "User")}
        for one, kind in sorted(of_both.items(), key=lambda pair: pair[1], reverse=True):
            shown = str(status) if len(of_both) == 1 else f"{status}, {kind.lower()}s"
            yield _row(shown, one)
    yield _row("none", advice(None))
    yield _row("any other", advice(422))
    yield _row("500 of the relay", FAULT)
    yield from ("", "## Holds", "| hold | cause | next step |", "|---|---|---|")
    for name, one in HOLDS.items():
        yield f"| `{name}` | {one.cause} | {one.cure} |"
    yield from ("", *_MORE.splitlines())


def _row(status: str, one: Advice) -> str:
    return f"| {status} | {one.condition} | {one.cause} | {one.cure} |"
