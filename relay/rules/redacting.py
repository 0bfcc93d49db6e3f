"""What of an answer may leave the house: numbers and known words, names only as pseudonyms.

Pure. A text is kept only if its field holds words of ours; a name becomes a pseudonym, the same
for the same name; of any other text the words that are not of the vocabulary are left out. So what
nobody thought of is left out, not let through.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any, Final

from relay.rules.conditions import HOLDS, advice, next_step, sent_again

if TYPE_CHECKING:
    from collections.abc import Iterable

OURS: Final = frozenset(
    {
        "hold", "state", "kind", "verb", "verdict", "method", "purpose", "outcome", "condition",
        "level", "event", "component", "timestamp", "since", "waits", "import", "scim", "version",
        "answered_by", "scim_type", "connection", "route", "source", "exc_type", "filename",
        "sqlite", "python", "relay", "os", "machine", "id", "resource", "doubt", "ask", "signal",
        "where", "tfe_id", "schema", "address", "target",
    }
)  # fmt: skip
"""Fields that hold words and ids of the relay's own, of TFE's, or of the configuration."""

NAMES: Final = frozenset(
    {
        "name", "group", "part", "member", "team", "username", "scim_username", "subject",
        "site_admin_group", "actor", "rejected_by", "behind", "protected_users",
        "protected_groups", "teams", "organization", "display", "label", "description",
    }
)  # fmt: skip
"""Fields that name somebody or something: pseudonyms take their place."""

_PLAIN: Final = re.compile(r"[\w .:,+/{}()<>=~-]{0,120}", re.ASCII)
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RUN: Final = re.compile(r"[^\W\d_]+")
_MIXED: Final = re.compile(r"[^\W\d_]\d|\d[^\W\d_]")
_LEFT_OUT: Final = "\N{HORIZONTAL ELLIPSIS}"

_MORE: Final = """
a accepted access account activate active add after again all already an and another any are
array as at attribute attributes authentication authorization bad be bearer because before body
bound budget by cannot cause certificate change changed clock closed connect connection content
count create created creation database deactivate deactivated delete deleted denied directory
disabled does down duplicate email emails empty enabled entity equal error exist existence
exists expired failed field filter filters forbidden format found full gateway gone group groups
has have held holds id ids in internal invalid is it its key large length limit list maintenance
malformed member members membership message method missing moved must name names need needs no
not null object of on one only operation operations or order out page parse password patch path
paused payload permission post present proxy put query rate reached read reason redirect refused
remove removed replace request requests required resource resources response revoked route
schema schemas seconds server service size slow some status still string syntax taken target
team that the their there these this timeout to token too true type unable unauthorized
unavailable under unique uniqueness unknown unprocessable unsupported update user username users
value values waits was were which who with without wrong you
HTTP HTTPS JSON HTML SCIM TFE Terraform Enterprise userName displayName externalId Users Groups
"""


def _words(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(word for text in texts for word in _RUN.findall(text))


_OURS_SAID: Final = [
    *(f"{one.cause} {one.cure}" for one in HOLDS.values()),
    *(
        f"{one.cause} {one.cure} {next_step(one)} {sent_again(one)}"
        for kind in ("User", "Group")
        for status in (None, *range(300, 600))
        for one in [advice(status, kind)]
    ),
]
VOCABULARY: Final = _words([_MORE, *_OURS_SAID])


class Redactor:
    """Takes personal data out of JSON.

    Args:
        key: of the pseudonyms; whoever has it can try names.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def pseudonym(self, name: str) -> str:
        """Of a name, whatever its letter case."""
        digest = hmac.new(self._key, name.casefold().encode(), hashlib.sha256).hexdigest()
        return f"~{digest[:10]}"

    def redacted(self, value: Any, field: str = "") -> Any:
        """A JSON value without names; `field` is what it is the value of."""
        match value:
            case dict():
                return {self._key_of(key): self.redacted(one, key) for key, one in value.items()}
            case list() | tuple():
                return [self.redacted(one, field) for one in value]
            case bool() | int() | float() | None:
                return value
        return self._text(str(value), field)

    def _key_of(self, key: str) -> str:
        return key if _PLAIN.fullmatch(key) and "@" not in key else self.pseudonym(key)

    def _text(self, text: str, field: str) -> str:
        if field in NAMES:
            return self.pseudonym(text) if text else text
        if field == "path":
            return text.partition("?")[0]
        if field in OURS and _PLAIN.fullmatch(text):
            return text
        return scrubbed(text)


def scrubbed(text: str) -> str:
    """The words of the vocabulary, numbers and ids of a text; all else is left out."""
    kept: list[str] = []
    for token in text.split():
        if _known(token, first=not kept):
            kept.append(token)
        elif not kept or kept[-1] != _LEFT_OUT:
            kept.append(_LEFT_OUT)
    return " ".join(kept)


def _known(token: str, *, first: bool) -> bool:
    """Whether every word in a token is of the vocabulary; `user1` and `a@b` are none."""
    bare = _ID.sub("", token)
    if "@" in bare or _MIXED.search(bare):
        return False
    runs = _RUN.findall(bare)
    if first and runs:
        runs[0] = runs[0] if runs[0] in VOCABULARY else runs[0].lower()
    return all(run in VOCABULARY for run in runs)
