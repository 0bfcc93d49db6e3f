"""What a probe measured, kept as a file: the profile of that one TFE (`target.profile_file`)."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Final

import orjson

from relay.errors import SettingsError
from relay.probe.assumption import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from relay.probe.runner import Finding
    from relay.rules.contract import TargetProfile
    from relay.rules.types import JsonObject

_MEASURED: Final = frozenset({"max_operations", "max_body_bytes", "max_members", "max_page"})
"""What is taken from the file; the rate is not: others share it, and `target.rate` says it."""


def profile_json(found: Sequence[Finding], url: str, at: str, version: str) -> JsonObject:
    """The file's content.

    Args:
        found: all findings of one probe.
        url: the SCIM base URL that was probed.
        at: when, RFC 3339.
        version: of the relay.
    """
    limits: dict[str, int] = {}
    forms: dict[str, str] = {}
    for one in found:
        limits.update(one.seen.limits)
        forms.update(one.seen.forms)
    differs = [one.assumption.name for one in found if one.seen.verdict is Verdict.DIFFERS]
    return {
        "probed": url,
        "at": at,
        "relay": version,
        "limits": dict(limits),
        "forms": dict(forms),
        "differs": list(differs),
    }


def measured(path: Path, profile: TargetProfile) -> TargetProfile:
    """The profile with the limits that a probe measured.

    Raises:
        SettingsError: the file cannot be read, or holds something else.
    """
    try:
        limits = orjson.loads(path.read_bytes())["limits"]
        wanted = {name: limits[name] for name in _MEASURED & set(limits)}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SettingsError([f"target.profile_file: cannot use {path}: {error}"]) from None
    wrong = [name for name, value in wanted.items() if type(value) is not int or value < 1]
    if wrong:
        names = ", ".join(sorted(wrong))
        raise SettingsError([f"target.profile_file: {path}: {names}: a positive number is needed"])
    assert {field.name for field in fields(profile)} >= set(wanted)
    return replace(profile, **wanted)
